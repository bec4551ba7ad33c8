"""A niche, French labour law: documents that specialists read, documents kept apart, and an exam on these.

Knows the texts, their split and what is asked; knows nothing of models, scores or verdicts.
"""

import itertools
import math
import random
import re
from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from lib.lab import corpus, retrieval, sources, text
from lib.lab.cache import derived
from lib.lab.normalize import digest

if TYPE_CHECKING:
    import pandas as pd

WORDS = 24  # of a passage: reading with 262,000 tokens in the vocabulary is slow
LONGEST = 220  # bytes of a passage: a small model's context holds them
APART = 0.12  # share of the groups that no specialist reads
GRAM = 8  # words in a row: what two documents share by quotation rather than by chance
SHORT = 4  # words in a row that the language of law repeats without quoting
BEFORE, AFTER = 10, 2  # words around the one to find
KNOWN = 30  # times that a word to find was read, at least
NOUN = 0.1  # share of a word's uses that follow a determiner: below it, the word is hardly a noun
NEAREST = 12  # in frequency: wrong words are drawn among these
DETERMINERS = {"le", "la", "les", "l", "un", "une", "des", "du", "au", "aux", "son", "sa", "ses", "ce", "cette", "ces"}
PARTS = ("Première", "Deuxième", "Troisième", "Quatrième", "Cinquième", "Sixième", "Septième", "Huitième")
VOCABULARY = 2048  # tokens of the specialist's own tokenizer
SPLIT = [WORDS, LONGEST, APART, GRAM, SHORT, PARTS]  # what decides the documents
_WORD = re.compile(r"[^\W\d_]+")
_TEXTS = ("code-du-travail", "fact-sheets")


def documents() -> "pd.DataFrame":
    """One row an article of the Code or a section of a fact sheet, without the numbers of articles.

    Columns: source (str, code or sheets), group (str, chapter or sheet), part (int, 1 to 8 of the Code, else 0), read
    (bool, by specialists; whole groups), text (str), passage (str, the first words; "" when they are too few or too
    long, or when the document is kept apart and they quote what is read), known (float, share of the passage's
    sequences of SHORT words that are in what is read).
    """
    import pandas as pd

    code = [_write_documents, _passage, grams, corpus, retrieval.without_articles]
    params = {"all": SPLIT}
    return pd.read_parquet(derived("niche.parquet", _write_documents, inputs=_hashes(_TEXTS), params=params, code=code))


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
    groups, draw = frame["source"] + frame["group"], random.Random(1)
    frame["read"] = ~groups.isin({name for name in sorted(set(groups)) if draw.random() < APART})
    read = list(frame["text"][frame["read"]])
    long, short = (set().union(*(grams(one, size) for one in read)) for size in (GRAM, SHORT))
    frame["passage"] = [
        _passage(one, set() if read else long) for one, read in zip(frame["text"], frame["read"], strict=True)
    ]
    own = [grams(one, SHORT) for one in frame["passage"]]
    frame["known"] = [len(some & short) / max(1, len(some)) for some in own]
    frame.to_parquet(path, index=False)


def _passage(whole: str, seen: set[int]) -> str:
    """The first words, or nothing when they are too few, too long or share a sequence of GRAM words with what is seen.

    Without this a model that remembers would be paid for copies: law copies itself a great deal.
    """
    words = whole.split()[:WORDS]
    passage = " ".join(words)
    fit = len(words) == WORDS and len(passage.encode()) <= LONGEST
    return passage if fit and not grams(passage, GRAM) & seen else ""


def grams(passage: str, size: int) -> set[int]:
    """Hashes of the sequences of that many words, whatever their case and signs; they hold within one process."""
    words = text.words(passage)
    return {hash(tuple(words[start : start + size])) for start in range(len(words) - size + 1)}


def exam(n_code: int, n_sheets: int, n_theme: int, n_labelled: int, n_gaps: int, seed: int) -> "pd.DataFrame":
    """What models are asked, a row a text to read: passages of both sources, labelled examples, gaps to fill.

    Columns: kind (str: code, sheets, theme, labelled or gap; theme rows are passages of the Code that are classified
    only), group (str), part (int), prefix (str, read before), text (str), known (float, as in `documents`), item (int,
    four rows of a gap share one), right (bool, the word that was written), count (int, times the word was read).
    labelled rows come from documents that specialists read; all others from documents kept apart.
    """
    import pandas as pd

    counts = {"code": n_code, "sheets": n_sheets, "theme": n_theme, "labelled": n_labelled, "gaps": n_gaps}
    params = {"counts": sorted(counts.items()), "seed": seed, "documents": SPLIT}
    params["gaps"] = [BEFORE, AFTER, KNOWN, NOUN, NEAREST, sorted(DETERMINERS)]
    code = [_write_exam, gap_rows, _vocabulary, _gap, grams, _write_documents, _passage]

    def make(path: Path) -> None:
        _write_exam(path, seed, **counts)

    return pd.read_parquet(derived("niche_exam.parquet", make, inputs=_hashes(_TEXTS), params=params, code=code))


def _write_exam(path: Path, seed: int, *, code: int, sheets: int, theme: int, labelled: int, gaps: int) -> None:
    import pandas as pd

    everything = documents()
    shuffled = everything.sample(frac=1, random_state=seed)
    fit = shuffled[shuffled["passage"] != ""]
    of_code = fit[(fit["source"] == "code") & (fit["part"] > 0)]
    asked = {
        "code": of_code[~of_code["read"]].head(code),
        "theme": of_code[~of_code["read"]].iloc[code : code + theme],
        "sheets": fit[(fit["source"] == "sheets") & ~fit["read"]].head(sheets),
        "labelled": of_code[of_code["read"]].head(labelled),
    }
    rows = pd.concat([frame.assign(kind=kind) for kind, frame in asked.items()], ignore_index=True)
    rows = rows[["kind", "group", "part", "known"]].assign(
        prefix="", text=rows["passage"], item=-1, right=False, count=0
    )
    pd.concat([rows, gap_rows(everything, gaps, seed)], ignore_index=True).to_parquet(path, index=False)


def gap_rows(everything: "pd.DataFrame", count: int, seed: int) -> "pd.DataFrame":
    """Sentences kept apart with one noun to find among four: rows of `exam`, half from each source.

    The wrong words were read as often as the right one or nearly, and after the same determiner.
    """
    import pandas as pd

    read = list(everything["text"][everything["read"]])
    known, after = _vocabulary(read)
    seen = set().union(*(grams(one, GRAM) for one in read))
    draw = random.Random(seed)
    rows: list[dict[str, Any]] = []
    for source in ("code", "sheets"):
        apart = everything[(everything["source"] == source) & ~everything["read"]].sample(frac=1, random_state=seed)
        wanted = len(rows) + 4 * (count // 2)
        for group, whole in zip(apart["group"], apart["text"], strict=True):
            if len(rows) < wanted:
                rows += _gap(whole, known, after, seen, draw, {"kind": "gap", "group": group, "item": len(rows) // 4})
    return pd.DataFrame(rows).assign(part=0, known=0.0) if rows else pd.DataFrame()


def _vocabulary(texts: Iterable[str]) -> tuple[Counter[str], dict[str, Counter[str]]]:
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
        times = {one: n for one, n in after.get(previous, {}).items() if n >= max(5, NOUN * known[one])}
        if glue not in (" ", "'") or not word.islower() or word not in times or known[word] < KNOWN:
            continue
        start, end = found[place - BEFORE].start(), found[place + AFTER].end()
        near = [one for one in times if one != word and known[one] >= KNOWN]
        near = sorted(near, key=lambda one: (abs(math.log(known[one] / known[word])), one))[:NEAREST]
        if len(near) == NEAREST and not grams(whole[start:end], GRAM) & seen:
            prefix, tail = whole[start : found[place].start()].rstrip(), whole[found[place].end() : end]
            return [
                same
                | {"prefix": prefix, "text": glue.strip("'") + one + tail, "right": one == word, "count": known[one]}
                for one in (word, *draw.sample(near, 3))
            ]
    return []


def lesson(seed: int) -> list[str]:
    """The texts that specialists read, in the order of a seed."""
    frame = documents()
    texts = list(frame["text"][frame["read"] & (frame["text"] != "")])
    return [texts[place] for place in np.random.default_rng(seed).permutation(len(texts))]


def tokenizer() -> Any:
    """The specialist's own tokenizer, byte-level BPE learned on the documents it reads. Kept."""
    from tokenizers import Tokenizer

    texts = sorted(lesson(0))
    params = {"size": VOCABULARY, "texts": digest(*texts)}

    def make(path: Path) -> None:
        text.train_bpe(texts, VOCABULARY).save(str(path))

    return Tokenizer.from_file(str(derived("niche_bpe.json", make, params=params, code=[text.train_bpe])))


def _hashes(names: Sequence[str]) -> dict[str, str]:
    return {name: sources.content_hash(name) for name in names}
