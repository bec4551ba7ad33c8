"""A niche, French labour law: an exam on documents kept apart, specialists taught on the rest, and what each answers.

Knows the texts and their split, how a model is taught and examined; knows nothing of scores or verdicts. A row of the
exam is a text to read; answers are what a model pays for it (nats) and its mean hidden states (a vector).
"""

import itertools
import json
import random
import re
import time
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from lib.lab import corpus, likelihood, models, progress, retrieval, sources, text
from lib.lab.cache import derived
from lib.lab.normalize import digest

if TYPE_CHECKING:
    import pandas as pd

    from lib.lab.training import Shape

WORDS = 40  # of a passage: reading with 262,000 tokens in the vocabulary is slow
LONGEST = 340  # bytes of a passage: a small model's context holds them
APART = 0.12  # share of the groups that no specialist reads
GRAM = 8  # words in a row: what two documents share by quotation rather than by chance
SHARED = 0.25  # share of a passage's word sequences already read, from which it is left out
BEFORE, AFTER = 14, 5  # words around the one to find
KNOWN = 30  # times that a word to find was read, at least
NOUN = 0.1  # share of a word's uses that follow a determiner: below it, the word is hardly a noun
NEAREST = 12  # in frequency: wrong words are drawn among these
DETERMINERS = {"le", "la", "les", "l", "un", "une", "des", "du", "au", "aux", "son", "sa", "ses", "ce", "cette", "ces"}
PARTS = ("Première", "Deuxième", "Troisième", "Quatrième", "Cinquième", "Sixième", "Septième", "Huitième")
VOCABULARY = 2048  # tokens of the specialist's own tokenizer
ROW = 128  # tokens of a row that specialists are taught by
THREADS = 1  # of teaching and examining: fixed, so that numbers are the same; two readings can then run side by side
_WORD = re.compile(r"[^\W\d_]+")
_CODE = ("code-du-travail", "fact-sheets")


def documents() -> "pd.DataFrame":
    """One row an article of the Code or a section of a fact sheet, without the numbers of articles.

    Columns: source (str, code or sheets), group (str, chapter or sheet), part (int, 1 to 8 of the Code, else 0), read
    (bool, by specialists; whole groups), text (str), passage (str, the first words of a document kept apart, "" when it
    is too short, too long or quotes what is read; of a document read, its first words).
    """
    import pandas as pd

    code = [_write_documents, _passage, grams, corpus, retrieval.without_articles]
    params = [WORDS, LONGEST, APART, GRAM, SHARED, PARTS]
    return pd.read_parquet(
        derived("niche.parquet", _write_documents, inputs=_hashes(*_CODE), params={"all": params}, code=code)
    )


def _write_documents(path: Path) -> None:
    import pandas as pd

    law, sheets = corpus.code_du_travail(), corpus.fact_sheets()
    titles = law["section_path"].str.split(" > ")
    part = titles.str[1].str.split().str[0].map({word: place + 1 for place, word in enumerate(PARTS)})
    law = pd.DataFrame(
        {"group": titles.str[1:5].str.join(" > "), "part": part.fillna(0).astype(int), "text": law["text"]}
    )
    sheets = pd.DataFrame({"group": sheets["sheet_title"].str.strip().str.lower(), "part": 0, "text": sheets["text"]})
    frame = pd.concat({"code": law, "sheets": sheets}, names=["source"]).reset_index(level=0).reset_index(drop=True)
    frame["text"] = [text.normalize(retrieval.without_articles(one)) for one in frame["text"]]
    draw = random.Random(0)
    kept = {name for name in sorted(set(frame["source"] + frame["group"])) if draw.random() < APART}
    frame["read"] = ~(frame["source"] + frame["group"]).isin(kept)
    seen = set().union(*(grams(one) for one in frame["text"][frame["read"]]))
    frame["passage"] = [
        _passage(one, set() if read else seen) for one, read in zip(frame["text"], frame["read"], strict=True)
    ]
    frame.to_parquet(path, index=False)


def _passage(whole: str, seen: set[int]) -> str:
    """The first words, or nothing when they are too few, too long or mostly read already."""
    words = whole.split()[:WORDS]
    passage = " ".join(words)
    if len(words) < WORDS or len(passage.encode()) > LONGEST:
        return ""
    own = grams(passage)
    return "" if len(own & seen) >= SHARED * len(own) else passage


def grams(passage: str) -> set[int]:
    """Hashes of the sequences of GRAM words, whatever their case and signs."""
    words = text.words(passage)
    return {hash(tuple(words[start : start + GRAM])) for start in range(len(words) - GRAM + 1)}


def exam(n_code: int, n_sheets: int, n_theme: int, n_labelled: int, n_gaps: int) -> "pd.DataFrame":
    """What models are asked, a row a text to read: passages of both sources, labelled examples, gaps to fill.

    Columns: kind (str: code, theme, sheets, labelled or gap; theme rows are passages of the Code that are classified
    only), group, part (int), prefix (str, read before), text (str), item
    (int, four rows of a gap share one), right (bool, the word that was written), count (int, times the word was read).
    labelled rows come from documents that specialists read; all others from documents kept apart.
    """
    import pandas as pd

    counts = {"code": n_code, "sheets": n_sheets, "theme": n_theme, "labelled": n_labelled, "gaps": n_gaps}
    params = {"counts": sorted(counts.items()), "gaps": [BEFORE, AFTER, KNOWN, NOUN, NEAREST, sorted(DETERMINERS)]}
    code = [_write_exam, gap_rows, _vocabulary, _gap, grams, _write_documents, _passage]

    def make(path: Path) -> None:
        _write_exam(path, **counts)

    return pd.read_parquet(derived("niche_exam.parquet", make, inputs=_hashes(*_CODE), params=params, code=code))


def _write_exam(path: Path, *, code: int, sheets: int, theme: int, labelled: int, gaps: int) -> None:
    import pandas as pd

    everything = documents()
    shuffled = everything.sample(frac=1, random_state=0)
    fit = shuffled[shuffled["passage"] != ""]
    of_code = fit[(fit["source"] == "code") & (fit["part"] > 0)]
    asked = {
        "code": of_code[~of_code["read"]].head(code),
        "theme": of_code[~of_code["read"]].iloc[code : code + theme],
        "sheets": fit[(fit["source"] == "sheets") & ~fit["read"]].head(sheets),
        "labelled": of_code[of_code["read"]].head(labelled),
    }
    rows = pd.concat([frame.assign(kind=kind) for kind, frame in asked.items()], ignore_index=True)
    rows = rows[["kind", "group", "part"]].assign(prefix="", text=rows["passage"], item=-1, right=False, count=0)
    pd.concat([rows, gap_rows(everything, gaps)], ignore_index=True).to_parquet(path, index=False)


def gap_rows(everything: "pd.DataFrame", count: int) -> "pd.DataFrame":
    """Sentences kept apart with one noun to find among four: rows of `exam`, half from each source.

    The wrong words were read as often as the right one or nearly, and after the same determiner.
    """
    import pandas as pd

    known, after = _vocabulary(everything["text"][everything["read"]])
    seen = set().union(*(grams(one) for one in everything["text"][everything["read"]]))
    draw = random.Random(0)
    rows: list[dict[str, Any]] = []
    for source in ("code", "sheets"):
        apart = everything[(everything["source"] == source) & ~everything["read"]].sample(frac=1, random_state=0)
        wanted = len(rows) + 4 * (count // 2)
        for group, whole in zip(apart["group"], apart["text"], strict=True):
            if len(rows) < wanted:
                rows += _gap(whole, known, after, seen, draw, {"kind": "gap", "group": group, "item": len(rows) // 4})
    return pd.DataFrame(rows).assign(part=0) if rows else pd.DataFrame()


def _vocabulary(texts: Sequence[str]) -> tuple[Counter[str], dict[str, Counter[str]]]:
    """How often each word was read, and each word after each determiner."""
    known: Counter[str] = Counter()
    after: dict[str, Counter[str]] = {one: Counter() for one in DETERMINERS}
    for one in texts:
        words = text.words(one)
        known.update(words)
        for first, second in itertools.pairwise(words):
            if first in after and len(second) >= 5:
                after[first][second] += 1
    return known, after


def _gap(
    whole: str, known: Counter[str], after: dict[str, Counter[str]], seen: set[int], draw: random.Random, same: dict
) -> list[dict[str, Any]]:
    """Four rows for one gap in a text, or none when the text has no fit place."""
    found = list(_WORD.finditer(whole))
    places = list(range(BEFORE, len(found) - AFTER))
    draw.shuffle(places)
    for place in places:
        word, previous = found[place][0], found[place - 1][0].lower()
        glue = whole[found[place - 1].end() : found[place].start()]
        rivals = {
            one: known[one] for one, times in after.get(previous, {}).items() if times >= max(5, NOUN * known[one])
        }
        if glue not in (" ", "'") or not word.islower() or word not in rivals or known[word] < KNOWN:
            continue
        start, end = found[place - BEFORE].start(), found[place + AFTER].end()
        own = grams(whole[start:end])
        near = sorted(rivals, key=lambda one: (abs(np.log(known[one] / known[word])), one))
        near = [one for one in near if one != word and known[one] >= KNOWN][:NEAREST]
        if len(own & seen) < SHARED * len(own) and len(near) == NEAREST:
            prefix, tail = whole[start : found[place].start()].rstrip(), whole[found[place].end() : end]
            said = [word, *draw.sample(near, 3)]
            return [
                same
                | {"prefix": prefix, "text": glue.strip("'") + one + tail, "right": one == word, "count": known[one]}
                for one in said
            ]
    return []


def answers_of(name: str, rows: "pd.DataFrame") -> dict[str, Any]:
    """What a language model as it is answers: `nats` (N,) for passages and gaps, `states` (N, D) for passages with a
    part of the Code, nan elsewhere, and kb_s (thousands of bytes read a second), parameters. Kept.

    name: as for `models.load_causal_lm`.
    """

    def work() -> dict[str, Any]:
        return _examine(*models.load_causal_lm(name), rows)

    return _kept(f"answers-{name}", work, rows, [name], {}, [_examine, _pool])


def adapted(rows: "pd.DataFrame", seed: int, tokens: int, rank: int, rate: float, batch: int = 1) -> dict[str, Any]:
    """What SmolLM2 answers after LoRA on that many tokens of the documents read: as `answers_of`, and train_s,
    read_bytes, trained (parameters of the adapter). Kept, and the adapter as well.
    """
    params = {"seed": seed, "tokens": tokens, "rank": rank, "rate": rate, "batch": batch, "row": ROW}
    inputs, code = ["smollm2", *_CODE], [_adapt, _write_documents]

    def make(folder: Path) -> None:
        _adapt(folder, **{key: value for key, value in params.items() if key != "row"})

    folder = derived("adapter", make, inputs=_hashes(*inputs), params=params, code=code)

    def work() -> dict[str, Any]:
        from peft import PeftModel

        model, tokenizer = models.load_causal_lm("smollm2")
        taught = PeftModel.from_pretrained(model, str(folder)).merge_and_unload().eval()
        return json.loads((folder / "costs.json").read_text()) | _examine(taught, tokenizer, rows)

    return _kept("adapted", work, rows, inputs, params, [*code, _examine, _pool])


def _adapt(folder: Path, *, seed: int, tokens: int, rank: int, rate: float, batch: int) -> None:
    """Train one adapter, and write it with what it cost."""
    import torch
    from peft import LoraConfig, get_peft_model

    from lib.lab import training

    model, tokenizer = models.load_causal_lm("smollm2")
    model.set_attn_implementation("eager")  # the fast kernels' gradients differ from run to run
    torch.manual_seed(seed)
    lora = LoraConfig(r=rank, lora_alpha=2 * rank, target_modules="all-linear", task_type="CAUSAL_LM")
    taught = get_peft_model(model, lora).train()
    steps = tokens // (batch * ROW)
    texts, end = lesson(seed)[: 20 + tokens // 20], tokenizer.eos_token_id
    read = training.pack(tokenizer(texts, add_special_tokens=False)["input_ids"], ROW, end)[: steps * batch]
    recipe = training.Recipe(steps=steps, batch=batch, learning_rate=rate, weight_decay=0.0)

    def loss(some: "torch.Tensor") -> "torch.Tensor":
        logits = taught(input_ids=some[:, :-1], use_cache=False).logits
        return torch.nn.functional.cross_entropy(logits.flatten(0, 1), some[:, 1:].flatten())[None]

    start = time.perf_counter()
    with models.threads(THREADS):
        training.train(taught, iter(read.split(batch)), recipe, loss=loss, label=f"LoRA, seed {seed}")
    costs = {"train_s": time.perf_counter() - start}
    costs["trained"] = sum(weights.numel() for weights in taught.parameters() if weights.requires_grad)
    costs["read_bytes"] = sum(len(tokenizer.decode(row[1:]).encode()) for row in read)
    taught.save_pretrained(str(folder))
    (folder / "costs.json").write_text(json.dumps(costs))


def lesson(seed: int) -> list[str]:
    """The texts that specialists read, in the order of a seed."""
    frame = documents()
    texts = list(frame["text"][frame["read"] & (frame["text"] != "")])
    return [texts[place] for place in np.random.default_rng(seed).permutation(len(texts))]


def tokenizer() -> Any:
    """The specialist's own tokenizer, byte-level BPE learned on the documents it reads. Kept."""
    from tokenizers import Tokenizer

    def make(path: Path) -> None:
        text.train_bpe(sorted(lesson(0)), VOCABULARY).save(str(path))

    code = [text.train_bpe, _write_documents, _passage, grams]
    made = derived("niche_bpe.json", make, inputs=_hashes(*_CODE), params={"size": VOCABULARY}, code=code)
    return Tokenizer.from_file(str(made))


def from_scratch(
    rows: "pd.DataFrame", seeds: Sequence[int], tokens: int, shape: "Shape", rate: float, batch: int
) -> dict[str, Any]:
    """What small models answer that have read that many tokens of the niche, once, and nothing else. Kept.

    Answers as `answers_of`, with a first axis for the seeds; train_s is of all seeds together, kb_s of one model.
    """
    params = {"seeds": list(seeds), "tokens": tokens, "shape": repr(shape), "rate": rate, "batch": batch}

    def work() -> dict[str, Any]:
        return _teach_and_examine(rows, seeds, tokens, shape, rate, batch)

    code = [_teach_and_examine, examine_small, lay_out, _write_documents, text]
    return _kept("from_scratch", work, rows, _CODE, params, code)


def _teach_and_examine(
    rows: "pd.DataFrame", seeds: Sequence[int], tokens: int, shape: "Shape", rate: float, batch: int
) -> dict[str, Any]:
    from lib.lab import training

    bpe = tokenizer()
    steps = tokens // (batch * shape.context)
    read = [training.pack(text.encode(bpe, lesson(seed)), shape.context)[: steps * batch] for seed in seeds]
    if len(read[0]) < steps * batch:
        raise ValueError(f"the niche has {read[0][:, 1:].numel()} tokens, not {tokens}")
    model = training.Llama(shape, seeds)
    start = time.perf_counter()
    recipe = training.Recipe(steps=steps, batch=batch, learning_rate=rate)
    with models.threads(THREADS):
        training.train(model, training.batches(read, batch, seeds), recipe, label="models from scratch")
    said: dict[str, Any] = {"train_s": time.perf_counter() - start, "trained": shape.parameters}
    said["read_bytes"] = float(text.token_bytes(bpe)[read[0][:, 1:].numpy()].sum())
    return said | examine_small(model, bpe, rows)


def lay_out(bpe: Any, rows: "pd.DataFrame", longest: int) -> tuple[np.ndarray, np.ndarray]:
    """Tokens of each row after one END, padded with END: (N, longest + 1), and which are paid for: (N, longest)."""
    before, after = (text.encode(bpe, list(rows[column])) for column in ("prefix", "text"))
    laid = np.zeros((len(rows), longest + 1), dtype=np.int64)
    paid = np.zeros((len(rows), longest), dtype=bool)
    for place, (prefix, own) in enumerate(zip(before, after, strict=True)):
        kept = [*prefix, *own][-longest:]  # the nearest words, when there is no room for all
        if len(own) > longest:
            raise ValueError(f"a text takes {longest} tokens at most, not {len(own)}")
        laid[place, 1 : len(kept) + 1], paid[place, len(kept) - len(own) : len(kept)] = kept, True
    return laid, paid


def examine_small(model: Any, bpe: Any, rows: "pd.DataFrame") -> dict[str, Any]:
    """Answers of our own models: `nats` (E, N), `states` (E, N, 2 D: mean last state and mean embedding), kb_s."""
    import torch

    from lib.lab import training

    laid, paid = lay_out(bpe, rows, model.shape.context)
    start = time.perf_counter()
    with models.threads(THREADS):
        each = training.nats(model, torch.from_numpy(laid))  # (E, N, T)
    seconds = time.perf_counter() - start
    states = []
    with torch.no_grad():
        for some, mask in zip(torch.from_numpy(laid).split(16), torch.from_numpy(paid).split(16), strict=True):
            tokens = some[:, 1:].expand(model.members, -1, -1)
            last = model.hidden(tokens).view(*tokens.shape, -1)  # (E, B, T, D)
            bag = torch.stack([model.embedding[member][some[:, 1:]] for member in range(model.members)])
            weight = (mask / mask.sum(1, keepdim=True))[None, :, :, None].float()
            states.append((torch.cat([last, bag], dim=-1) * weight).sum(2))
    counted = int(rows["text"].str.encode("utf-8").str.len().sum())
    return {
        "nats": np.where(paid, each, 0).sum(axis=2, dtype=np.float64),
        "states": torch.cat(states, dim=1).numpy(),
        "kb_s": counted / 1000 / seconds * model.members,
        "parameters": model.shape.parameters,
    }


def _examine(model: Any, tokenizer: Any, rows: "pd.DataFrame") -> dict[str, Any]:
    """Answers of a model of transformers; kb_s: thousands of bytes of passages read a second."""
    kinds = rows["kind"].to_numpy()
    nats = np.full(len(rows), np.nan)
    with models.threads(THREADS):
        passages = np.isin(kinds, ["code", "sheets"])
        start = time.perf_counter()
        nats[passages] = likelihood.score(model, tokenizer, list(rows["text"][passages]), title="passages")
        seconds = time.perf_counter() - start
        gap = kinds == "gap"
        asked = [list(rows[column][gap]) for column in ("text", "prefix")]
        nats[gap] = likelihood.score(model, tokenizer, *asked, title="gaps") if gap.any() else 0
        probed = np.isin(kinds, ["code", "theme", "labelled"])
        vectors = _pool(model, tokenizer, list(rows["text"][probed]))
    states = np.full((len(rows), vectors.shape[1]), np.nan, dtype=np.float32)
    states[probed] = vectors
    counted = int(rows["text"][passages].str.encode("utf-8").str.len().sum())
    size = sum(weights.numel() for weights in model.parameters())
    return {"nats": nats, "states": states, "kb_s": counted / 1000 / seconds, "parameters": size}


def _pool(model: Any, tokenizer: Any, texts: Sequence[str], at_once: int = 16) -> np.ndarray:
    """Mean states of the middle and the last layer, (N, 2 D) float32."""
    import torch

    start = tokenizer.bos_token_id if tokenizer.bos_token_id is not None else tokenizer.eos_token_id
    cut = tokenizer(list(texts), add_special_tokens=False)["input_ids"]
    order = sorted(range(len(cut)), key=lambda place: len(cut[place]))
    found: dict[int, np.ndarray] = {}
    with torch.inference_mode(), progress.bar("states", len(cut)) as advance:
        for first in range(0, len(order), at_once):
            some = order[first : first + at_once]
            longest = max(len(cut[place]) for place in some)
            ids = torch.tensor([[start, *cut[place], *[0] * (longest - len(cut[place]))] for place in some])
            mask = torch.tensor([[1] * (len(cut[place]) + 1) + [0] * (longest - len(cut[place])) for place in some])
            layers = model.get_decoder()(
                input_ids=ids, attention_mask=mask, use_cache=False, output_hidden_states=True
            ).hidden_states
            both = torch.cat([layers[len(layers) // 2], layers[-1]], dim=-1)[:, 1:]  # (B, T, 2 D)
            weight = mask[:, 1:, None].float()
            found |= dict(zip(some, ((both * weight).sum(1) / weight.sum(1)).numpy(), strict=True))
            advance(len(some))
    return np.stack([found[place] for place in range(len(cut))])


def _hashes(*names: str) -> dict[str, str]:
    return {name: sources.content_hash(name) for name in names}


def _kept(
    name: str,
    work: Callable[[], dict[str, Any]],
    rows: "pd.DataFrame",
    inputs: Sequence[str],
    params: dict[str, Any],
    code: Sequence[object],
) -> dict[str, Any]:
    """A dict of arrays and numbers, computed once for the same exam, inputs, parameters and code."""
    asked = digest(*rows["kind"], *rows["prefix"], *rows["text"])

    def make(path: Path) -> None:
        said = work()
        with path.open("wb") as file:
            np.savez(file, **{key: np.asarray(value) for key, value in said.items()})

    made = derived(f"{name}.npz", make, inputs=_hashes(*inputs), params={"exam": asked} | params, code=code)
    with np.load(made, allow_pickle=False) as kept:
        return {key: kept[key].item() if kept[key].ndim == 0 else kept[key] for key in kept.files}
