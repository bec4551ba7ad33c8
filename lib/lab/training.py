"""Small Llama-shaped language models: one model, one training loop, sampling with a cache, evaluation.

Knows token numbers and tensors; knows nothing of text, of tokenizers or of experiments. Several models of one shape
(the members: seeds, conditions) are trained side by side, their weights stacked on a first axis: at these sizes the
time goes to starting operations, not to arithmetic. A member's numbers depend on its own seed and data alone.
Axes: E members, B batch, T tokens, D width, H heads, V vocabulary, N rows.
"""

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from lib.lab import progress


@dataclass(frozen=True)
class Shape:
    """The size of a model. Defaults: about 160,000 parameters, what two cores train in seconds."""

    vocabulary: int = 1024  # tokens: at this width the output layer already costs as much as two blocks
    context: int = 64  # tokens: some three sentences; cost grows little below the width
    width: int = 64  # numbers a token: heads of 16, the smallest that attention kernels like
    layers: int = 2  # blocks: the fewest that can copy from earlier in the context
    heads: int = 4  # of width / heads numbers each
    hidden: int = 176  # numbers in the feed-forward block: Llama's 8/3 of the width, rounded to 16
    theta: float = 10_000.0  # base of the rotary positions: Llama's
    epsilon: float = 1e-6  # inside the root mean square: Llama's

    @property
    def parameters(self) -> int:
        """How many numbers a model of this shape learns; input and output embeddings are one."""
        block = 4 * self.width**2 + 3 * self.width * self.hidden + 2 * self.width
        return self.vocabulary * self.width + self.layers * block + self.width


@dataclass(frozen=True)
class Recipe:
    """How a model is trained. Reasons are for models under a million parameters and minutes of training."""

    steps: int = 200  # updates
    batch: int = 16  # rows an update: small, because few tokens are seen and updates matter more
    learning_rate: float = 6e-3  # peak: small models bear ten times what large ones do
    schedule: Literal["cosine", "wsd"] = "cosine"  # wsd (warm up, stay, decay) suits runs that are continued
    warmup: float = 0.05  # share of the steps: Adam's second moments settle
    decay: float = 0.2  # share of the steps that wsd ends with
    floor: float = 0.1  # last learning rate over the peak
    weight_decay: float = 0.1  # on matrices only: GPT-3's value
    beta1: float = 0.9  # GPT-3's
    beta2: float = 0.95  # GPT-3's: a shorter memory than Adam's default, steadier on small batches
    clip: float = 1.0  # largest gradient norm of a member: GPT-3's

    def rate(self, step: int) -> float:
        """Learning rate of a step, counted from 0."""
        warm = max(1, round(self.warmup * self.steps))
        if step < warm:
            return self.learning_rate * (step + 1) / warm
        start = warm if self.schedule == "cosine" else max(warm, round((1 - self.decay) * self.steps))
        done = min(1.0, max(0.0, (step - start + 1) / max(1, self.steps - start)))
        fall = (1 + math.cos(math.pi * done)) / 2 if self.schedule == "cosine" else 1 - done
        return self.learning_rate * (self.floor + (1 - self.floor) * fall)


class _Block(nn.Module):
    """Weights of one block, each (E, rows, columns)."""

    attention_gain: nn.Parameter
    feed_gain: nn.Parameter
    qkv: nn.Parameter
    out: nn.Parameter
    gate_up: nn.Parameter
    down: nn.Parameter


class Llama(nn.Module):
    """Llama-shaped models side by side: rotary positions, RMS norms, SwiGLU, tied embeddings, no biases.

    seeds: one a member; a member's first weights depend on its seed alone.
    """

    cos: Tensor
    sin: Tensor

    def __init__(self, shape: Shape, seeds: Sequence[int] = (0,)) -> None:
        super().__init__()
        self.shape, self.members = shape, len(seeds)
        d, f = shape.width, shape.hidden
        deep = 1 / math.sqrt(2 * shape.layers)  # what each block adds shrinks with their number: GPT-2
        draws = [torch.Generator().manual_seed(int(seed)) for seed in seeds]

        def matrix(rows: int, columns: int, spread: float) -> nn.Parameter:
            return nn.Parameter(torch.stack([torch.randn(rows, columns, generator=g) * spread for g in draws]))

        def gain() -> nn.Parameter:
            return nn.Parameter(torch.ones(self.members, 1, d))

        self.embedding = matrix(shape.vocabulary, d, 0.02)
        self.blocks: list[_Block] = []
        for number in range(shape.layers):
            block = _Block()
            block.attention_gain, block.feed_gain = gain(), gain()
            block.qkv, block.out = matrix(d, 3 * d, d**-0.5), matrix(d, d, d**-0.5 * deep)
            block.gate_up, block.down = matrix(d, 2 * f, d**-0.5), matrix(f, d, f**-0.5 * deep)
            self.blocks.append(block)
            self.add_module(f"block{number}", block)
        self.gain = gain()
        cos, sin = _rotary(shape)
        self.register_buffer("cos", cos, persistent=False)
        self.register_buffer("sin", sin, persistent=False)

    def hidden(self, tokens: Tensor, cache: list[tuple[Tensor, Tensor]] | None = None, position: int = 0) -> Tensor:
        """Last hidden states. tokens: (E, B, T) int, the first at `position`; cache: see `generate`. -> (E, B*T, D)"""
        members, rows, length = tokens.shape
        offsets = torch.arange(members, device=tokens.device)[:, None, None] * self.shape.vocabulary
        x = F.embedding((tokens + offsets).flatten(1), self.embedding.flatten(0, 1))  # (E, B*T, D)
        for index, block in enumerate(self.blocks):
            qkv = torch.bmm(_norm(x, block.attention_gain, self.shape), block.qkv)
            mixed = self._attend(qkv, (members * rows, length), position, cache and cache[index])
            x = torch.baddbmm(x, mixed.reshape(members, rows * length, -1), block.out)
            gate, up = torch.bmm(_norm(x, block.feed_gain, self.shape), block.gate_up).chunk(2, dim=-1)
            x = torch.baddbmm(x, F.silu(gate) * up, block.down)
        return _norm(x, self.gain, self.shape)

    def _attend(self, qkv: Tensor, size: tuple[int, int], position: int, past: Any) -> Tensor:
        heads, width = self.shape.heads, self.shape.width // self.shape.heads
        qkv = qkv.view(*size, 3, heads, width).permute(2, 0, 3, 1, 4)  # (3, E*B, H, T, D/H)
        at = slice(position, position + size[1])
        first, second = qkv[:2].chunk(2, dim=-1)
        turned = qkv[:2] * self.cos[at] + torch.cat((-second, first), dim=-1) * self.sin[at]
        query, key, value = turned[0], turned[1], qkv[2]
        if past:
            past[0][:, :, at], past[1][:, :, at] = key, value
            key, value = past[0][:, :, : at.stop], past[1][:, :, : at.stop]
        mixed = F.scaled_dot_product_attention(query, key, value, is_causal=size[1] > 1)
        return mixed.transpose(1, 2)  # (E*B, T, H, D/H)

    def forward(self, tokens: Tensor) -> Tensor:
        """Logits. tokens: (E, B, T) int -> (E, B, T, V)"""
        return torch.bmm(self.hidden(tokens), self.embedding.mT).view(*tokens.shape, -1)

    def loss(self, rows: Tensor) -> Tensor:
        """Mean next-token loss of each member in nats. rows: (E, B, T + 1) int -> (E,)"""
        targets = rows[..., 1:].flatten(1)
        sums: Tensor = _TiedCrossEntropy.apply(self.hidden(rows[..., :-1]), self.embedding, targets)
        return sums / targets.shape[1]

    def member(self, index: int) -> "Llama":
        """A copy of one member, as a model of its own."""
        alone = Llama(self.shape).to(self.embedding.device)
        alone.load_state_dict({name: weights[index : index + 1].clone() for name, weights in self.state_dict().items()})
        return alone


class _TiedCrossEntropy(torch.autograd.Function):
    """Sum of next-token losses of states against an embedding, with its gradients, some states at a time.

    The logits, by far the largest tensor, stay in the processor's cache: half the time of doing it in one go.
    """

    @staticmethod
    def forward(ctx: Any, x: Tensor, embedding: Tensor, targets: Tensor) -> Tensor:
        """x: (E, N, D); embedding: (E, V, D); targets: (E, N) int -> (E,) nats"""
        loss, grad_x, grad_embedding = x.new_zeros(len(x)), torch.empty_like(x), torch.zeros_like(embedding)
        for some, wanted, grad in zip(
            *(part.split(64, dim=1) for part in (x, targets[..., None], grad_x)), strict=True
        ):
            chances = torch.bmm(some, embedding.mT)  # (E, 64, V)
            torch.softmax(chances, dim=-1, out=chances)
            loss -= chances.gather(-1, wanted).clamp(min=1e-30).log().sum((1, 2))
            chances.scatter_add_(-1, wanted, some.new_full(wanted.shape, -1.0))  # d loss / d logits
            grad.copy_(torch.bmm(chances, embedding))
            grad_embedding.baddbmm_(chances.mT, some)
        ctx.save_for_backward(grad_x, grad_embedding)
        return loss

    @staticmethod
    def backward(ctx: Any, weight: Tensor) -> tuple[Tensor, Tensor, None]:  # type: ignore[override]
        grad_x, grad_embedding = ctx.saved_tensors
        return grad_x * weight[:, None, None], grad_embedding * weight[:, None, None], None


def _norm(x: Tensor, gain: Tensor, shape: Shape) -> Tensor:
    return F.rms_norm(x, (shape.width,), eps=shape.epsilon) * gain


def _rotary(shape: Shape) -> tuple[Tensor, Tensor]:
    """Cosines and sines of rotary positions, each (T, D/H). Su et al. 2021."""
    half = torch.arange(0, shape.width // shape.heads, 2) / (shape.width // shape.heads)
    angles = torch.outer(torch.arange(shape.context).float(), shape.theta**-half).repeat(1, 2)
    return angles.cos(), angles.sin()


def to_transformers(model: Llama) -> Any:
    """A copy of a model's first member as a LlamaForCausalLM of transformers, which the field's libraries take."""
    from transformers import LlamaConfig, LlamaForCausalLM

    shape, d = model.shape, model.shape.width
    config = LlamaConfig(
        vocab_size=shape.vocabulary, hidden_size=d, intermediate_size=shape.hidden, num_hidden_layers=shape.layers,
        num_attention_heads=shape.heads, max_position_embeddings=shape.context, rms_norm_eps=shape.epsilon,
        tie_word_embeddings=True, rope_parameters={"rope_type": "default", "rope_theta": shape.theta},
        bos_token_id=0, eos_token_id=0,
    )  # fmt: skip
    weights = {"embed_tokens": model.embedding[0], "norm": model.gain[0, 0]}
    for number, block in enumerate(model.blocks):
        matrices = dict(zip(("q", "k", "v"), block.qkv[0].T.split(d), strict=True)) | {"o": block.out[0].T}
        gate, up = block.gate_up[0].T.split(shape.hidden)
        feed = {"gate": gate, "up": up, "down": block.down[0].T}
        weights |= {f"layers.{number}.self_attn.{name}_proj": matrix for name, matrix in matrices.items()}
        weights |= {f"layers.{number}.mlp.{name}_proj": matrix for name, matrix in feed.items()}
        weights[f"layers.{number}.input_layernorm"] = block.attention_gain[0, 0]
        weights[f"layers.{number}.post_attention_layernorm"] = block.feed_gain[0, 0]
    theirs = LlamaForCausalLM(config).eval()
    theirs.model.load_state_dict({f"{name}.weight": matrix.detach().clone() for name, matrix in weights.items()})
    return theirs


def pack(documents: Sequence[Sequence[int] | np.ndarray], length: int, end: int = 0) -> Tensor:
    """Documents put end to end and cut into rows of one context. The last, incomplete row is left out.

    Each row is `end`, then `length` tokens; documents are also separated by `end`. A model of such rows starts a
    passage anywhere in a document, as the rows do, so that what it writes from `end` can be set beside them.
    -> (N, length + 1)
    """
    joined = np.concatenate([part for document in documents for part in (np.asarray(document, dtype=np.int64), [end])])
    count = len(joined) // length
    rows = joined[: count * length].reshape(count, length)
    return torch.from_numpy(np.concatenate([np.full((count, 1), end), rows], axis=1).astype(np.int64))


def batches(rows: Sequence[Tensor], size: int, seeds: Sequence[int]) -> Iterator[Tensor]:
    """Endless batches, shuffled anew each time the rows are used up, each member by its own seed.

    rows: for each member (N, T + 1), N may differ -> (E, size, T + 1)
    """
    draws = [np.random.default_rng(seed) for seed in seeds]
    waiting = [np.empty(0, dtype=np.int64) for _ in rows]
    while True:
        chosen = []
        for index, (own, draw) in enumerate(zip(rows, draws, strict=True)):
            while len(waiting[index]) < size:
                waiting[index] = np.concatenate([waiting[index], draw.permutation(len(own))])
            chosen.append(own[torch.from_numpy(waiting[index][:size])])
            waiting[index] = waiting[index][size:]
        yield torch.stack(chosen)


def train(
    model: nn.Module,
    data: Iterator[Tensor],
    recipe: Recipe,
    *,
    loss: Callable[[Tensor], Tensor] | None = None,
    label: str = "",
) -> np.ndarray:
    """Train in place; return the loss of every step in nats, (steps, E).

    loss: rows -> (E,), `model.loss` unless given, so that any torch model can be trained. Gradients are clipped by
    member when the model has several, as if each were trained alone.
    """
    compute: Callable[[Tensor], Tensor] = loss or model.loss  # type: ignore[assignment]
    weights = [p for p in model.parameters() if p.requires_grad]
    device = weights[0].device
    stacked = hasattr(model, "members")
    gains = [p for p in weights if (p.shape[1] if stacked and p.ndim == 3 else p.ndim) == 1]
    matrices = [p for p in weights if not any(p is gain for gain in gains)]
    groups = [{"params": matrices, "weight_decay": recipe.weight_decay}, {"params": gains, "weight_decay": 0.0}]
    optimizer = torch.optim.AdamW(groups, betas=(recipe.beta1, recipe.beta2), fused=True)
    losses = []
    with progress.bar(label or "training", recipe.steps) as advance:
        for step in range(recipe.steps):
            for group in optimizer.param_groups:
                group["lr"] = recipe.rate(step)
            each = compute(next(data).to(device))
            optimizer.zero_grad()
            each.sum().backward()
            _clip(weights, recipe.clip, stacked)
            optimizer.step()
            losses.append(each.detach())
            advance(1)
    return torch.stack(losses).cpu().numpy()


def _clip(weights: Sequence[nn.Parameter], largest: float, stacked: bool) -> None:
    """Scale gradients down to a norm; of each member, when weights are stacked."""
    if not stacked:
        nn.utils.clip_grad_norm_(weights, largest)
        return
    gradients = [p.grad for p in weights if p.grad is not None]
    norm = torch.stack([gradient.flatten(1).square().sum(1) for gradient in gradients]).sum(0).sqrt()  # (E,)
    scale = (largest / (norm + 1e-6)).clamp(max=1.0)[:, None, None]
    for gradient in gradients:
        gradient.mul_(scale)


@torch.no_grad()
def nats(model: Llama, rows: Tensor, *, at_once: int = 16) -> np.ndarray:
    """What each member pays for each token of the same rows. rows: (N, T + 1) int -> (E, N, T) float32, nats."""
    parts = []
    for some in rows.to(model.embedding.device).split(at_once):
        shared = some.expand(model.members, -1, -1)
        logits = model(shared[..., :-1])
        parts.append(
            F.cross_entropy(logits.flatten(0, 2), shared[..., 1:].flatten(), reduction="none").view(
                shared[..., 1:].shape
            )
        )
    return torch.cat(parts, dim=1).cpu().numpy()


@torch.no_grad()
def generate(
    model: Llama,
    count: int,
    seeds: Sequence[int],
    *,
    length: int | None = None,
    start: int = 0,
    temperature: float = 1.0,
    top_p: float = 1.0,
    at_once: int = 64,
    label: str = "",
) -> Tensor:
    """Rows written by each member, from the token `start`, drawn by its own seed. -> (E, count, length + 1) int

    length: tokens, the context unless given. Keys and values are cached, so each token costs one step.
    """
    length = min(length or model.shape.context, model.shape.context)
    draws = [torch.Generator().manual_seed(int(seed)) for seed in seeds]
    device = model.embedding.device
    written = torch.full((model.members, count, length + 1), start, device=device)
    with progress.bar(label or "writing", count * length) as advance:
        for first in range(0, count, at_once):
            rows = written[:, first : first + at_once]
            cache = _empty_cache(model, model.members * rows.shape[1], length)
            uniform = torch.stack([torch.rand(rows.shape[1], length, generator=draw) for draw in draws]).to(device)
            for position in range(length):
                state = model.hidden(rows[..., position : position + 1], cache, position)  # (E, B, D)
                logits = torch.bmm(state, model.embedding.mT)
                rows[..., position + 1] = _draw(logits, uniform[..., position], temperature, top_p)
            advance(rows.shape[1] * length)
    return written.cpu()


def _empty_cache(model: Llama, rows: int, length: int) -> list[tuple[Tensor, Tensor]]:
    size = (rows, model.shape.heads, length, model.shape.width // model.shape.heads)
    return [(model.embedding.new_empty(size), model.embedding.new_empty(size)) for _ in model.blocks]


def _draw(logits: Tensor, uniform: Tensor, temperature: float, top_p: float) -> Tensor:
    """Draw tokens by inverting the cumulated probabilities. logits: (E, B, V); uniform: (E, B) -> (E, B) int"""
    if temperature == 0:
        return logits.argmax(-1)
    chances = (logits / temperature).softmax(-1)
    if top_p < 1:  # keep the likeliest tokens that together reach top_p
        ordered, order = chances.sort(dim=-1, descending=True)
        kept = ordered * (ordered.cumsum(-1) - ordered < top_p)
        chances = torch.zeros_like(chances).scatter_(-1, order, kept)
    total = chances.cumsum(-1)
    drawn = torch.searchsorted(total, uniform[..., None] * total[..., -1:], right=True)[..., 0]
    return drawn.clamp(max=logits.shape[-1] - 1)
