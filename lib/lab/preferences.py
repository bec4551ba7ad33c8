"""What training by preferences asks of our small models: to go on from a beginning, to weigh a text, to compare two.

Knows token numbers and tensors; knows nothing of text, nor of who judges it. A row is a beginning and what follows it;
only what follows is weighed. Axes: E members, B batch, P tokens of the beginning, T tokens that follow, D width,
V vocabulary.
"""

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor

from lib.lab import training
from lib.lab.training import Llama

AT_ONCE = 1024  # rows that the reference reads at once: 100 MB of logits


@torch.no_grad()
def write(model: Llama, beginnings: Tensor, length: int, draws: Sequence[torch.Generator]) -> Tensor:
    """Go on from beginnings, each member by its own draws, at temperature 1. (E, B, P) int -> (E, B, P + length) int

    Keys and values are cached. Each draw moves on, so that the next call writes something else.
    """
    members, count, start = beginnings.shape
    size = (members * count, model.shape.heads, start + length, model.shape.width // model.shape.heads)
    cache = [(model.embedding.new_empty(size), model.embedding.new_empty(size)) for _ in model.blocks]
    uniform = torch.stack([torch.rand(count, length, generator=draw) for draw in draws]).to(model.embedding.device)
    rows = F.pad(beginnings, (0, length))
    state = model.hidden(beginnings, cache).view(members, count, start, -1)[:, :, -1]  # (E, B, D)
    for at in range(length):
        logits = torch.bmm(state, model.embedding.mT)
        rows[..., start + at] = training._draw(logits, uniform[..., at], 1.0, 1.0)
        if at + 1 < length:
            state = model.hidden(rows[..., start + at : start + at + 1], cache, start + at)
    return rows


def log_chances(model: Llama, rows: Tensor, start: int) -> Tensor:
    """Log-probability of every token at each place that follows the beginning. (E, B, P + T) int -> (E, B, T, V)

    A model of one member reads the rows of all.
    """
    states = _states(model, rows[..., :-1])[:, :, start - 1 :]  # (E, B, T, D)
    logits = torch.matmul(states, model.embedding.mT[:, None])  # (E, B, T, V)
    return logits.log_softmax(-1)


def of_text(chances: Tensor, rows: Tensor) -> Tensor:
    """Log-probability of what follows the beginning, in nats. chances: of `log_chances`; (E, B, P + T) int -> (E, B)"""
    told = rows[..., -chances.shape[2] :, None]
    return chances.gather(-1, told)[..., 0].sum(-1)


def divergence(chances: Tensor, reference: Tensor) -> Tensor:
    """Kullback-Leibler divergence of two models along texts that the first wrote, in nats. (E, B, T, V) each -> (E, B)

    The sum over places of the exact divergence of the next token: its mean over texts is the divergence of the texts,
    with less noise than the difference of their log-probabilities.
    """
    return (chances.exp() * (chances - reference)).sum((-1, -2))


@torch.no_grad()
def features(model: Llama, rows: Tensor, start: int) -> Tensor:
    """What a model makes of what follows the beginning: mean last state, mean embedding. (E, B, P + T) -> (E, B, 2 D)

    A model of one member reads the rows of all.
    """
    found = []
    for some in rows.split(max(1, AT_ONCE // len(rows)), dim=1):
        states = _states(model, some)[:, :, start:]  # (E, b, T, D)
        found.append(torch.cat([states.mean(2), model.embedding[0][some[:, :, start:]].mean(2)], dim=-1))
    return torch.cat(found, dim=1)


def dpo(chosen: Tensor, rejected: Tensor, chosen_before: Tensor, rejected_before: Tensor, beta: float) -> Tensor:
    """Loss of direct preference optimization, mean over pairs. (E, B) log-probabilities in nats -> (E,)

    `before`: under the reference. beta: how dear it is to leave the reference. Rafailov et al. 2023, equation 7.
    """
    margin = (chosen - chosen_before) - (rejected - rejected_before)
    return -F.logsigmoid(beta * margin).mean(-1)


def _states(model: Llama, rows: Tensor) -> Tensor:
    """(E, B, L) int -> (E, B, L, D); a model of one member reads the rows of all, as one batch."""
    members, count, length = rows.shape
    read = rows if model.members == members else rows.reshape(1, members * count, length)
    return model.hidden(read).view(members, count, length, -1)
