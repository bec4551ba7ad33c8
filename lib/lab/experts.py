"""Small mixtures of experts shaped like Mixtral, and their dense twins, trained on law and on sheets that explain it.

Knows how one is built and trained, and keeps what it did on held-out texts: which expert read each token, what each
token cost, what the router saw. Knows nothing of why an expert is chosen.
Axes: C checkpoints, L layers, S texts, B batch, T tokens, D width, X experts.
"""

import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from functools import lru_cache, partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from lib.lab import cache, corpus, sources, text, themes, training

if TYPE_CHECKING:
    import pandas as pd

WIDTH, LAYERS, HEADS, GROUPS = 64, 3, 4, 2  # groups: of heads that share keys and values, as in Mixtral
LENGTH = 128  # tokens of a row, all from one text: some ninety words, enough to tell where they are from
ROWS = 2  # rows of each held-out text: all count the same
MOST_ROWS = 12  # rows read of one text: a few sections of the Code would be most of it otherwise
BATCH = 16  # rows an update
ORIGINS = ("code", "sheet")  # section of the Code du travail, sheet of service-public.fr
PROBED = slice(4, None, 16)  # of the tokens of a row: those whose states are kept


@dataclass(frozen=True)
class Setting:
    """One model. Its first weights and the order of its text depend on the seed alone."""

    seed: int = 0
    experts: int = 8  # 1: a dense model that computes as much for a token as the mixture does
    active: int = 2  # experts that read a token
    hidden: int = 88  # numbers in an expert: two of them make Llama's 8/3 of the width
    balance: float = 0.02  # weight of the loss that spreads tokens over experts: Mixtral's
    steps: int = 160  # updates of 2,048 tokens
    learning_rate: float = 6e-3  # peak: training.Recipe's
    held_out: int = 240  # texts, half of each origin


@dataclass(frozen=True)
class Study:
    """What a model did on the held-out texts. The first checkpoint is before training; dense: C is 0."""

    steps: np.ndarray  # (C,) updates made
    first: np.ndarray  # (C, L, S, tokens) int: the expert that weighs most for each token
    nats: np.ndarray  # (S, tokens) float: what the trained model pays for each token
    states: np.ndarray  # (L, S, probed, D) float: what the trained model's router sees, at some tokens
    total: int  # parameters
    used: int  # parameters that take part in the computation of a token


@lru_cache(maxsize=1)
def texts() -> "pd.DataFrame":
    """Texts long enough for `ROWS` rows, shuffled once, each origin in turn; near-copies of sheets are left out.

    Columns: origin (str, of `ORIGINS`), rows (list of ROWS to MOST_ROWS arrays of T + 1 tokens). As many of each.
    """
    import pandas as pd

    inputs = {name: sources.content_hash(name) for name in ("service-public", "code-du-travail")}
    params = {"length": LENGTH, "rows": ROWS, "most_rows": MOST_ROWS}
    code = [_write_texts, training.pack, text, corpus, themes]
    return pd.read_parquet(
        cache.derived("experts_texts.parquet", _write_texts, inputs=inputs, params=params, code=code)
    )


def _write_texts(path: Path) -> None:
    import pandas as pd

    sheets = corpus.service_public().merge(themes.sheets()[["sheet_id"]])["text"]
    sections = corpus.code_du_travail().groupby("section_path")["text"].agg("\n".join)
    bpe, frames = text.load_bpe(), []
    for origin, documents in zip(ORIGINS, (sections, sheets), strict=True):
        encoded = text.encode(bpe, [text.normalize(one) for one in documents])
        rows = [list(training.pack([document], LENGTH).numpy())[:MOST_ROWS] for document in encoded]
        frame = pd.DataFrame({"origin": origin, "rows": [one for one in rows if len(one) >= ROWS]})
        frames.append(frame.sample(frac=1, random_state=0, ignore_index=True))
    count = min(map(len, frames))
    in_turn = pd.concat([frame[:count] for frame in frames]).sort_index(kind="stable")
    in_turn.to_parquet(path, index=False)


@lru_cache(maxsize=1)
def split(held_out: int) -> tuple[Tensor, Tensor]:
    """Rows to read (N, T + 1), half of each origin, and of the first `held_out` of `texts()`, kept apart
    (S, ROWS, T + 1).
    """
    rows, origin = [np.stack(list(one)) for one in texts()["rows"]], texts()["origin"]
    apart = np.stack([one[:ROWS] for one in rows[:held_out]])
    read = [
        np.concatenate([one for one, from_ in zip(rows[held_out:], origin[held_out:], strict=True) if from_ == each])
        for each in ORIGINS
    ]
    count = min(map(len, read))
    return torch.from_numpy(np.concatenate([each[:count] for each in read])), torch.from_numpy(apart)


def build(setting: Setting, vocabulary: int = 1024) -> Any:
    """A model of transformers: Mixtral's, or Mistral's with one feed-forward block as large as the active experts."""
    import transformers

    torch.manual_seed(setting.seed)
    same: dict[str, Any] = {
        "vocab_size": vocabulary, "hidden_size": WIDTH, "num_hidden_layers": LAYERS, "num_attention_heads": HEADS,
        "num_key_value_heads": GROUPS, "max_position_embeddings": LENGTH + 1, "sliding_window": None,
        "tie_word_embeddings": True, "use_cache": False, "rms_norm_eps": 1e-5,
        "rope_parameters": {"rope_type": "default", "rope_theta": 10_000.0},
        "initializer_range": 0.5 / WIDTH**0.5,  # the default, 0.02, is for models sixty times as wide
    }  # fmt: skip
    if setting.experts == 1:
        shape = transformers.MistralConfig(intermediate_size=setting.active * setting.hidden, **same)
        return transformers.MistralForCausalLM(shape)
    mixture = transformers.MixtralConfig(
        intermediate_size=setting.hidden,
        num_local_experts=setting.experts,
        num_experts_per_tok=setting.active,
        **same,
    )
    mixture._experts_implementation = "eager"  # a loop over experts: as fast at this size, and the same on any machine
    return transformers.MixtralForCausalLM(mixture)


def parameters(model: Any) -> tuple[int, int]:
    """Parameters of a model of transformers: all of them, and those that compute one token."""
    total = sum(one.numel() for one in model.parameters())
    in_experts = sum(one.numel() for name, one in model.named_parameters() if ".experts." in name)
    share = model.config.num_experts_per_tok / model.config.num_local_experts if in_experts else 0
    return total, total - in_experts + round(in_experts * share)


def unevenness(logits: Sequence[Tensor], active: int) -> Tensor:
    """Mean over layers of Switch's balancing loss (Fedus et al. 2022, equations 4 to 6); `active` when even.

    logits: of each layer's router, (tokens, X). transformers adds layers up before it compares experts, so that one
    layer may make up for another; here each layer must be even by itself.
    """
    from transformers.models.mixtral.modeling_mixtral import load_balancing_loss_func

    each = [load_balancing_loss_func((one,), one.shape[-1], active) for one in logits]
    return torch.stack([torch.as_tensor(one) for one in each]).mean()


def studies(settings: Sequence[Setting], jobs: int = 2) -> list[Study]:
    """What each model did; those not yet known are trained, `jobs` at once, one thread each."""
    from joblib import Parallel, delayed

    missing = [one for one in settings if not _kept(one).exists()]
    if missing:
        split.cache_clear()
        Parallel(n_jobs=min(jobs, len(missing)))(delayed(_make)(one) for one in missing)
    return [_read(one) for one in settings]


def _kept(setting: Setting) -> Path:
    return cache.derived_path("experts.npz", **_key(setting))


def _key(setting: Setting) -> dict[str, Any]:
    import transformers

    versions = {"torch": torch.__version__, "transformers": transformers.__version__}
    inputs = {name: sources.content_hash(name) for name in ("service-public", "code-du-travail")}
    code = [sys.modules[__name__], training, text, corpus, themes]
    return {"inputs": inputs, "params": asdict(setting) | versions, "code": code}


def _make(setting: Setting) -> None:
    cache.derived("experts.npz", partial(_write, setting), **_key(setting))


def _read(setting: Setting) -> Study:
    with np.load(_kept(setting), allow_pickle=False) as kept:
        arrays = {name: kept[name] for name in kept.files}
    total, used = arrays.pop("counts").tolist()
    return Study(**arrays, total=total, used=used)


def _write(setting: Setting, path: Path) -> None:
    with alone():
        found = study(setting)
    arrays = {name: getattr(found, name) for name in ("steps", "first", "nats", "states")}
    with path.open("wb") as file:
        np.savez_compressed(file, **arrays, counts=np.array([found.total, found.used]))


@contextmanager
def alone() -> Iterator[None]:
    """One thread and deterministic operations for a while."""
    threads, exact = torch.get_num_threads(), torch.are_deterministic_algorithms_enabled()
    torch.set_num_threads(1)
    torch.use_deterministic_algorithms(True)
    try:
        yield
    finally:
        torch.set_num_threads(threads)
        torch.use_deterministic_algorithms(exact)


def checkpoints(steps: int) -> list[int]:
    """Updates after which routing is looked at: none, then a sixteenth of them all, doubling to the last."""
    return sorted({0, *(max(1, steps >> halvings) for halvings in range(5))})


def study(setting: Setting) -> Study:
    """Train one model and follow it."""
    rows, apart = split(setting.held_out)
    model = build(setting, int(text.load_bpe().get_vocab_size()))
    looks = checkpoints(setting.steps) if setting.experts > 1 else []
    first, done = [], 0

    def loss(batch: Tensor) -> Tensor:
        nonlocal done  # the loss is asked for once an update: before the first, nothing is learned yet
        if done in looks:
            first.append(observe(model, apart)[0])
        done += 1
        out = model(input_ids=batch[0, :, :-1], output_router_logits=setting.experts > 1 or None)
        paid = F.cross_entropy(out.logits.flatten(0, 1), batch[0, :, 1:].flatten())
        spread = unevenness(out.router_logits, setting.active) if setting.experts > 1 else 0.0
        return (paid + setting.balance * spread)[None]

    recipe = training.Recipe(steps=setting.steps, batch=BATCH, learning_rate=setting.learning_rate)
    training.train(model, training.batches([rows], BATCH, [setting.seed]), recipe, loss=loss, label="training experts")
    last, nats, states = observe(model, apart)
    chosen = np.stack([*first, last]) if looks else np.zeros((0,), dtype=np.uint8)
    return Study(np.array(looks), chosen, nats, states, *parameters(model))


@torch.no_grad()
def observe(model: Any, apart: Tensor) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The first expert of each token (L, S, tokens), nats paid (S, tokens), states kept (L, S, probed, D).

    apart: (S, rows, T + 1); the tokens of a text are those of its rows, without each row's first, which marks a
    beginning. A dense model has no experts and no states.
    """
    seen: list[tuple[Tensor, Tensor]] = []
    gates = [layer.mlp.gate for layer in model.model.layers if hasattr(layer.mlp, "gate")]
    hooks = [gate.register_forward_hook(lambda _, given, made: seen.append((given[0], made[2]))) for gate in gates]
    experts, paid, states = [], [], []
    for some in apart.flatten(0, 1).split(64):  # (64, T + 1)
        seen.clear()
        logits = model(input_ids=some).logits[:, :-1]
        each = F.cross_entropy(logits.flatten(0, 1), some[:, 1:].flatten(), reduction="none")
        paid.append(each.view(len(some), -1))
        if gates:
            experts.append(torch.stack([order[:, 0].view(some.shape)[:, 1:] for _, order in seen]))  # (L, 64, T)
            states.append(torch.stack([given.view(*some.shape, -1)[:, 1:][:, PROBED] for given, _ in seen]))
    for hook in hooks:
        hook.remove()
    n_texts = len(apart)
    nats = torch.cat(paid).view(n_texts, -1).numpy()
    if not gates:
        return np.zeros((0,), dtype=np.uint8), nats, np.zeros((0,), dtype=np.float32)
    first = torch.cat(experts, dim=1).view(len(gates), n_texts, -1).numpy().astype(np.uint8)
    kept = torch.cat(states, dim=1)  # (L, S * rows, probed of a row, D)
    return first, nats, kept.view(len(gates), n_texts, -1, kept.shape[-1]).numpy()
