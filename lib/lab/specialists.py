"""Specialists of a niche: how they are taught, and what they and others answer at its exam.

Knows models and the rows of `niche.exam`; knows nothing of scores or verdicts. Answers are what a model pays for each
row (nats) and, for passages to be classified, the mean of its states (a vector). All of it is made once and kept.
"""

import json
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from lib.lab import likelihood, models, niche, progress, sources, text
from lib.lab.cache import derived
from lib.lab.normalize import digest

if TYPE_CHECKING:
    import pandas as pd
    import torch

    from lib.lab.training import Shape

ROW = 128  # tokens of a row that LoRA is taught by
AT_ONCE = 16  # rows read together
MOST_BYTES = 8  # of a token of the niche, on average: it is four
CLASSIFIED = ("code", "theme", "labelled")  # kinds of rows whose states are asked


def answers_of(name: str, rows: "pd.DataFrame", adapter: Path | None = None) -> dict[str, Any]:
    """What a language model answers: nats (N,), nan for rows that are classified only; states (N, D), nan for rows that
    are not; parameters.

    name: as for `models.load_causal_lm`. adapter: folder of `lora`, merged into the model first.
    """

    def work() -> dict[str, Any]:
        model, tokenizer = models.load_causal_lm(name)
        if adapter:
            from peft import PeftModel

            model = PeftModel.from_pretrained(model, str(adapter)).merge_and_unload().eval()
        with models.threads(models.THREADS):
            return examine(model, tokenizer, rows)

    params = {"adapter": adapter.name if adapter else "", "threads": models.THREADS}
    inputs = {name: sources.content_hash(name)}
    return _kept(f"answers-{name}", work, rows, inputs, params, [examine, fill, halfway, likelihood.score])


def examine(model: Any, tokenizer: Any, rows: "pd.DataFrame") -> dict[str, Any]:
    """Answers of a model of transformers, as for `answers_of`."""
    kinds = rows["kind"].to_numpy()
    nats = np.full(len(rows), np.nan)
    passages, gaps, classified = np.isin(kinds, ["code", "sheets"]), kinds == "gap", np.isin(kinds, CLASSIFIED)
    nats[passages] = likelihood.score(model, tokenizer, list(rows["text"][passages]), title="passages")
    if gaps.any():
        nats[gaps] = fill(model, tokenizer, rows[gaps])
    states = np.full((len(rows), model.config.hidden_size), np.nan, dtype=np.float32)
    states[classified] = halfway(model, tokenizer, list(rows["text"][classified]))
    return {"nats": nats, "states": states, "parameters": sum(weights.numel() for weights in model.parameters())}


def speed(name: str, texts: Sequence[str]) -> float:
    """Thousands of bytes of these texts that a language model reads a second, here and now: never kept."""
    model, tokenizer = models.load_causal_lm(name)
    with models.threads(models.THREADS):
        likelihood.score(model, tokenizer, texts[:1], title="warming up")
        start = time.perf_counter()
        likelihood.score(model, tokenizer, texts, title="against the clock")
        seconds = time.perf_counter() - start
    return sum(len(text.encode()) for text in texts) / 1000 / seconds


def fill(model: Any, tokenizer: Any, gaps: "pd.DataFrame") -> np.ndarray:
    """What a model pays for the texts of gaps, (N,) nats, four rows a gap: as `likelihood.score`, but in half the time.

    Several gaps are read in one row, each prefix once; a text sees its prefix and itself, whatever stands between.
    """
    import torch

    start = tokenizer.bos_token_id if tokenizer.bos_token_id is not None else tokenizer.eos_token_id
    before, after = (tokenizer(list(gaps[one]), add_special_tokens=False)["input_ids"] for one in ("prefix", "text"))
    found = np.zeros(len(gaps))
    with torch.inference_mode(), progress.bar("gaps", len(gaps)) as advance:
        for first in range(0, len(gaps), AT_ONCE):
            tokens: list[tuple[int, int, int, int]] = []  # (token, gap, text or -1 in a prefix, position)
            for row in range(first, min(first + AT_ONCE, len(gaps))):
                read = [start, *before[row]]
                tokens += [(token, row // 4, -1, place) for place, token in enumerate(read) if row % 4 == 0]
                tokens += [(token, row // 4, row, len(read) + place) for place, token in enumerate(after[row])]
            ids, gap, own, place = torch.tensor(tokens).T  # (T,) each
            sees = (gap == gap[:, None]) & ((own == own[:, None]) | (own == -1)) & (place <= place[:, None])  # (T, T)
            states = model.get_decoder()(
                input_ids=ids[None], attention_mask=sees[None, None], position_ids=place[None], use_cache=False
            ).last_hidden_state[0]  # (T, D)
            paid = torch.nonzero(own >= 0)[:, 0]
            previous = (sees[paid] & (place == place[paid, None] - 1)).int().argmax(dim=1)  # where each was foreseen
            logits = model.get_output_embeddings()(states[previous])  # (paid, V)
            each = torch.nn.functional.cross_entropy(logits, ids[paid], reduction="none")
            np.add.at(found, own[paid].numpy(), each.numpy())
            advance(AT_ONCE)
    return found


def halfway(model: Any, tokenizer: Any, texts: Sequence[str]) -> np.ndarray:
    """Mean of each text's states after half the layers, normalized as the last ones are: (N, D) float32."""
    import torch

    decoder = model.get_decoder()
    whole = decoder.layers
    start = tokenizer.bos_token_id if tokenizer.bos_token_id is not None else tokenizer.eos_token_id
    cut = tokenizer(list(texts), add_special_tokens=False)["input_ids"]
    order = sorted(range(len(cut)), key=lambda place: len(cut[place]))
    found = np.zeros((len(cut), model.config.hidden_size), dtype=np.float32)
    decoder.layers = whole[: len(whole) // 2]
    with torch.inference_mode(), progress.bar("states", len(cut)) as advance:
        for first in range(0, len(order), AT_ONCE):
            some = order[first : first + AT_ONCE]
            longest = max(len(cut[place]) for place in some)
            ids = torch.tensor([[start, *cut[place], *[0] * (longest - len(cut[place]))] for place in some])
            mask = torch.tensor([[1] * (len(cut[place]) + 1) + [0] * (longest - len(cut[place])) for place in some])
            states = decoder(input_ids=ids, attention_mask=mask, use_cache=False).last_hidden_state[:, 1:]  # (B, T, D)
            weight = mask[:, 1:, None].float()
            found[some] = ((states * weight).sum(1) / weight.sum(1)).numpy()
            advance(len(some))
    decoder.layers = whole
    return found


def lora(seed: int, tokens: int, rank: int, rate: float) -> Path:
    """Folder of a LoRA adapter taught to SmolLM2 on that many tokens of the niche, with costs.json: train_s, read_bytes
    and trained (parameters of the adapter).
    """
    texts = niche.lesson(seed)[: 20 + tokens // 20]
    params = {"seed": seed, "tokens": tokens, "rank": rank, "rate": rate}
    kept = params | {"texts": digest(*texts), "row": ROW, "threads": models.THREADS}
    inputs = {"smollm2": sources.content_hash("smollm2")}
    return derived("adapter", lambda path: _adapt(path, texts, **params), inputs=inputs, params=kept, code=[_adapt])  # type: ignore[arg-type]


def _adapt(folder: Path, texts: Sequence[str], *, seed: int, tokens: int, rank: int, rate: float) -> None:
    """Train one adapter, a row an update, and write it with what it cost."""
    import torch
    from peft import LoraConfig, get_peft_model

    from lib.lab import training

    model, tokenizer = models.load_causal_lm("smollm2")
    model.set_attn_implementation("eager")  # the fast kernels' gradients differ from run to run
    torch.manual_seed(seed)
    config = LoraConfig(r=rank, lora_alpha=2 * rank, target_modules="all-linear", task_type="CAUSAL_LM")
    taught = get_peft_model(model, config).train()
    cut = tokenizer(list(texts), add_special_tokens=False)["input_ids"]
    read = training.pack(cut, ROW, tokenizer.eos_token_id)[: tokens // ROW]
    recipe = training.Recipe(steps=len(read), batch=1, learning_rate=rate, weight_decay=0.0)

    def loss(some: "torch.Tensor") -> "torch.Tensor":
        logits = taught(input_ids=some[:, :-1], use_cache=False).logits
        return torch.nn.functional.cross_entropy(logits.flatten(0, 1), some[:, 1:].flatten())[None]

    start = time.perf_counter()
    with models.threads(models.THREADS):
        training.train(taught, iter(read.split(1)), recipe, loss=loss, label=f"LoRA, seed {seed}")
    costs = {"train_s": time.perf_counter() - start}
    costs["trained"] = sum(weights.numel() for weights in taught.parameters() if weights.requires_grad)
    costs["read_bytes"] = sum(len(tokenizer.decode(row[1:]).encode()) for row in read)
    taught.save_pretrained(str(folder))
    (folder / "costs.json").write_text(json.dumps(costs))


def from_scratch(
    rows: "pd.DataFrame", seeds: Sequence[int], tokens: int, shape: "Shape", rate: float, batch: int
) -> dict[str, Any]:
    """What small models answer that have read that many tokens of the niche, once, and nothing else.

    nats (S seeds, N), states (S, N, 2 D): mean last state and mean embedding; train_s of all seeds together, read_bytes
    and kb_s of one model; parameters. Raises ValueError when the niche has fewer tokens.
    """

    def work() -> dict[str, Any]:
        with models.threads(models.THREADS):
            model, costs = teach(seeds, tokens, shape, rate, batch)
            return costs | examine_small(model, niche.tokenizer(), rows)

    params = {"seeds": list(seeds), "tokens": tokens, "shape": repr(shape), "rate": rate, "batch": batch}
    params |= {"texts": [digest(*_enough(seed, tokens)) for seed in seeds], "threads": models.THREADS}
    return _kept("from_scratch", work, rows, {}, params, [teach, examine_small, lay_out, text])


def teach(seeds: Sequence[int], tokens: int, shape: "Shape", rate: float, batch: int) -> tuple[Any, dict[str, float]]:
    """Models that have read the niche, one a seed, side by side, and what that cost."""
    from lib.lab import training

    bpe, steps = niche.tokenizer(), tokens // (batch * shape.context)
    read = [training.pack(text.encode(bpe, _enough(seed, tokens)), shape.context)[: steps * batch] for seed in seeds]
    if len(read[0]) < steps * batch:
        raise ValueError(f"the niche has {read[0][:, 1:].numel()} tokens, not {tokens}")
    model, start = training.Llama(shape, seeds), time.perf_counter()
    recipe = training.Recipe(steps=steps, batch=batch, learning_rate=rate)
    training.train(model, training.batches(read, batch, seeds), recipe, label="models from scratch")
    seconds = time.perf_counter() - start
    return model, {"train_s": seconds, "read_bytes": float(text.token_bytes(bpe)[read[0][:, 1:].numpy()].sum())}


def _enough(seed: int, tokens: int) -> list[str]:
    """The first texts of a lesson, with enough bytes for that many tokens: cutting them all up takes seconds."""
    texts = niche.lesson(seed)
    size = np.cumsum([len(one) for one in texts])
    return texts[: int(np.searchsorted(size, MOST_BYTES * tokens)) + 1]


def examine_small(model: Any, bpe: Any, rows: "pd.DataFrame") -> dict[str, Any]:
    """Answers of our own models, as for `from_scratch`."""
    import torch

    from lib.lab import training

    laid, paid = lay_out(bpe, rows, model.shape.context)
    start = time.perf_counter()
    each = training.nats(model, torch.from_numpy(laid))  # (S, N, T)
    seconds = time.perf_counter() - start
    states = np.full((model.members, len(rows), 2 * model.shape.width), np.nan, dtype=np.float32)
    with torch.no_grad():
        for some in np.array_split(np.flatnonzero(rows["kind"].isin(CLASSIFIED)), max(1, len(rows) // AT_ONCE)):
            tokens = torch.from_numpy(laid[some, 1:])  # (B, T)
            last = model.hidden(tokens.expand(model.members, -1, -1)).view(model.members, *tokens.shape, -1)
            bag = torch.stack([model.embedding[member][tokens] for member in range(model.members)])
            weight = torch.from_numpy(paid[some] / paid[some].sum(1, keepdims=True))[None, :, :, None].float()
            states[:, some] = (torch.cat([last, bag], dim=-1) * weight).sum(2).numpy()  # (S, B, 2 D)
    counted = int((rows["prefix"] + rows["text"]).str.encode("utf-8").str.len().sum())  # type: ignore[misc]
    return {
        "nats": np.where(paid, each, 0).sum(axis=2, dtype=np.float64),
        "states": states,
        "kb_s": counted / 1000 / seconds * model.members,
        "parameters": model.shape.parameters,
    }


def lay_out(bpe: Any, rows: "pd.DataFrame", longest: int) -> tuple[np.ndarray, np.ndarray]:
    """Tokens of each row after one END, padded with END: (N, T + 1), and which of them are paid for: (N, T).

    Of a row that has more than `longest` tokens the first ones are left out. Raises ValueError when these are paid for.
    """
    before, after = (text.encode(bpe, list(rows[column])) for column in ("prefix", "text"))
    if max(map(len, after)) > longest:
        raise ValueError(f"a text takes {longest} tokens at most, not {max(map(len, after))}")
    kept = [[*prefix, *own][-longest:] for prefix, own in zip(before, after, strict=True)]
    laid = np.zeros((len(rows), 1 + max(map(len, kept))), dtype=np.int64)
    paid = np.zeros((len(rows), laid.shape[1] - 1), dtype=bool)
    for place, (tokens, own) in enumerate(zip(kept, after, strict=True)):
        laid[place, 1 : len(tokens) + 1], paid[place, len(tokens) - len(own) : len(tokens)] = tokens, True
    return laid, paid


def _kept(
    name: str,
    work: Callable[[], dict[str, Any]],
    rows: "pd.DataFrame",
    inputs: dict[str, str],
    params: dict[str, Any],
    code: Sequence[object],
) -> dict[str, Any]:
    """A dict of arrays and numbers, computed once for the same exam, inputs, parameters and code."""
    asked = digest(*rows["kind"], *rows["prefix"], *rows["text"])

    def make(path: Path) -> None:
        said = work()
        with path.open("wb") as file:
            np.savez(file, **{key: np.asarray(value) for key, value in said.items()})  # type: ignore[arg-type]

    made = derived(f"{name}.npz", make, inputs=inputs, params={"exam": asked} | params, code=code)
    with np.load(made, allow_pickle=False) as kept:
        return {key: kept[key].item() if kept[key].ndim == 0 else kept[key] for key in kept.files}
