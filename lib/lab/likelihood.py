"""What a causal language model pays for texts, in nats; kept for the models of data/sources.toml.

Knows models and texts; knows nothing of tasks. Divided by bytes, what two models pay compares whatever their
tokenizers (`text.bits_per_byte`); among several answers to one question, the cheapest is the model's own.
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from lib.lab import models, progress, sources
from lib.lab.cache import derived
from lib.lab.normalize import digest

if TYPE_CHECKING:
    import numpy as np
    import torch

LONGEST = 512  # tokens of a text and its prefix: what small models read well, and attention costs little
AT_ONCE = 2048  # tokens of a batch, padding included
CHUNK = 128  # positions whose logits are held at once: with 262,000 tokens in the vocabulary, 130 MiB


def nats(name: str, texts: Sequence[str], label: str, prefixes: Sequence[str] | None = None) -> "np.ndarray":
    """What `name` pays for each text, (N,) float64; computed once for the same texts and model.

    name: as for `models.load_causal_lm`. label: names the file kept in the cache. prefixes: see `score`.
    """
    import numpy as np

    def make(path: Any) -> None:
        model, tokenizer = models.load_causal_lm(name)
        with models.threads(models.THREADS), path.open("wb") as file:
            np.save(file, score(model, tokenizer, texts, prefixes, title=f"reading with {name}"), allow_pickle=False)

    pinned = sources.content_hash(name) if name in sources.load() else models.hub_folder(name).name
    params = {"texts": digest(*texts), "prefixes": digest(*(prefixes or ())), "at_once": AT_ONCE}
    code = [score, _lay_out, _pay]
    made = derived(f"{label}-{name.replace('/', '-')}.npy", make, inputs={name: pinned}, params=params, code=code)
    return np.load(made, allow_pickle=False)


def score(
    model: Any, tokenizer: Any, texts: Sequence[str], prefixes: Sequence[str] | None = None, *, title: str = "reading"
) -> "np.ndarray":
    """What a model of transformers pays for each text, (N,) float64 nats.

    prefixes: what precedes each text, read but not paid for; text and prefix are cut into tokens apart. Every
    reading begins with the token that the model takes for a beginning. Raises ValueError when a text is empty or is
    longer than `LONGEST` tokens with its prefix.
    """
    import numpy as np
    import torch

    rows = _lay_out(tokenizer, texts, prefixes or [""] * len(texts))
    order = sorted(range(len(rows)), key=lambda place: len(rows[place][0]), reverse=True)
    found = np.zeros(len(rows))
    with torch.inference_mode(), progress.bar(title, len(rows)) as advance:
        while order:
            some = order[: max(1, AT_ONCE // len(rows[order[0]][0]))]
            found[some] = _pay(model, [rows[place] for place in some])
            order = order[len(some) :]
            advance(len(some))
    return found


def _lay_out(tokenizer: Any, texts: Sequence[str], prefixes: Sequence[str]) -> list[tuple[list[int], int]]:
    """Tokens of each reading, and how many of them are paid for."""
    start = tokenizer.bos_token_id if tokenizer.bos_token_id is not None else tokenizer.eos_token_id
    read = tokenizer(list(prefixes), add_special_tokens=False)["input_ids"]
    paid = tokenizer(list(texts), add_special_tokens=False)["input_ids"]
    rows = [([start, *before, *after], len(after)) for before, after in zip(read, paid, strict=True)]
    for (tokens, count), text in zip(rows, texts, strict=True):
        if not count or len(tokens) > LONGEST:
            raise ValueError(f"a reading takes 1 to {LONGEST} tokens, not {len(tokens) - 1}: {text[:40]!r}")
    return rows


def _pay(model: Any, rows: Sequence[tuple[list[int], int]]) -> "torch.Tensor":
    """(B,) nats; each row's last tokens are paid for."""
    import torch

    longest = max(len(tokens) for tokens, _ in rows)
    ids = torch.tensor([tokens + [0] * (longest - len(tokens)) for tokens, _ in rows])  # (B, T)
    mask = torch.tensor([[1] * len(tokens) + [0] * (longest - len(tokens)) for tokens, _ in rows])
    states = model.get_decoder()(input_ids=ids, attention_mask=mask, use_cache=False).last_hidden_state  # (B, T, D)
    row = torch.cat([torch.full((count,), number) for number, (_, count) in enumerate(rows)])  # (paid,)
    column = torch.cat([torch.arange(len(tokens) - count, len(tokens)) for tokens, count in rows])
    cap, total = getattr(model.config, "final_logit_softcapping", None), torch.zeros(len(rows), dtype=torch.float64)
    for at, place in zip(row.split(CHUNK), column.split(CHUNK), strict=True):
        logits = model.get_output_embeddings()(states[at, place - 1]).float()  # (chunk, V)
        logits = cap * torch.tanh(logits / cap) if cap else logits
        total.index_add_(0, at, torch.nn.functional.cross_entropy(logits, ids[at, place], reduction="none").double())
    return total
