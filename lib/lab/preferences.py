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

AT_ONCE = 1024  # rows whose features are computed at once
FEW = 8  # texts whose logits are held at once: under 1 MB with 24 tokens and 1,024 in the vocabulary


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


def weigh(model: Llama, rows: Tensor, start: int, reference: Llama | None = None) -> tuple[Tensor, Tensor]:
    """Log-probability of what follows each beginning, and its divergence from a reference, in nats.

    rows: (E, B, P + T) int -> (E, B) and (E, B). A model of one member reads the rows of all. The divergence is
    Kullback and Leibler's, exact at each place of a text that the model wrote, summed over places: its mean over texts
    is the divergence of the texts, with less noise than the difference of their log-probabilities. It is 0 without a
    reference. Few texts at once: their logits stay in the processor's cache, which halves the time.
    """
    told = rows[..., start:, None]
    states = _states(model, rows[..., :-1])[:, :, start - 1 :]  # (E, B, T, D)
    if reference is not None:
        with torch.no_grad():
            theirs = _states(reference, rows[..., :-1])[:, :, start - 1 :]
    weights, parted = [], []
    for member in range(len(rows)):
        for some in torch.arange(rows.shape[1], device=rows.device).split(FEW):
            now = _log_chances(model, states, member, some)  # (b, T, V)
            weights.append(now.gather(-1, told[member, some])[..., 0].sum(-1))
            if reference is not None:
                with torch.no_grad():
                    before = _log_chances(reference, theirs, member, some)
                parted.append((now.exp() * (now - before)).sum((-1, -2)))
    shape = rows.shape[:2]
    return torch.cat(weights).view(shape), torch.cat(parted).view(shape) if parted else torch.zeros(shape)


def _log_chances(model: Llama, states: Tensor, member: int, some: Tensor) -> Tensor:
    """(E, B, T, D) -> (b, T, V)"""
    own = model.embedding[member if model.members > 1 else 0]
    return (states[member, some] @ own.T).log_softmax(-1)


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
