"""Tokenizers made for French at every size, what texts cost in tokens, and one Declaration a language.

Knows texts and how they are cut; knows nothing of models, prices or verdicts. A byte-level BPE of some size is the
beginning of a larger one trained on the same text: each is trained once, as far as its text goes, and then shrunk.
"""

import json
from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from tokenizers import Regex, Tokenizer, models, pre_tokenizers, trainers

from lib.lab import corpus, sources, text
from lib.lab import models as language_models
from lib.lab.cache import derived

if TYPE_CHECKING:
    import pandas as pd

DRAWS = 5  # random halves of the texts that `french_tokenizers` trains on
LARGEST = 262_144  # tokens: Gemma's number; these texts run out of pairs to merge long before
BYTES = 256  # what every byte-level vocabulary begins with
PARTS = 31  # of the Declaration: the preamble and thirty articles
AUDIENCES = ("particuliers", "professionnels", "associations")
USUAL = r"'(?:[sdmt]|ll|ve|re)| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+"  # GPT-2's, with English contractions
FRENCH = r" ?\p{L}+'?| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+"  # an elided word keeps its apostrophe: l' homme
CUTS = {"french": FRENCH, "usual": USUAL}


@lru_cache(maxsize=1)
def documents() -> tuple[str, ...]:
    """What the French tokenizers learn from: service-public.fr's sheets and the Code du travail, 29 M characters."""
    frames = [corpus.service_public(audience) for audience in AUDIENCES]
    sheets = [title + " " + body for frame in frames for title, body in zip(frame["title"], frame["text"], strict=True)]
    return tuple(text.normalize(one) for one in (*sheets, *corpus.code_du_travail()["text"]))


def train(texts: Sequence[str], cut: str = "french", size: int = LARGEST) -> Tokenizer:
    """Byte-level BPE of `size` tokens at most: fewer when every piece of the texts is a token already.

    cut: how text is first cut into pieces that no token crosses, a key of CUTS.
    """
    tokenizer = Tokenizer(models.BPE())
    pieces = pre_tokenizers.Split(Regex(CUTS[cut]), "isolated")
    within = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence([pieces, within])
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    trainer = trainers.BpeTrainer(vocab_size=size, initial_alphabet=alphabet, show_progress=False)
    tokenizer.train_from_iterator(texts, trainer)
    return tokenizer


def shrink(tokenizer: Tokenizer, size: int) -> Tokenizer:
    """The tokenizer of `size` tokens that the same texts would have given; `size` is at least 256."""
    described = json.loads(tokenizer.to_str())
    known, merges = described["model"]["vocab"], described["model"]["merges"]
    described["model"]["vocab"] = {piece: number for piece, number in known.items() if number < size}
    described["model"]["merges"] = merges[: size - BYTES]
    return Tokenizer.from_str(json.dumps(described))


def made(cut: str = "french", draw: int | None = 0) -> Path:
    """File of a tokenizer trained on a random half of `documents()`, or on all of them (draw: None)."""
    inputs = {name: sources.content_hash(name) for name in ("service-public", "code-du-travail")}
    code = [corpus, text.normalize, documents, train, _half]
    params = {"cut": CUTS[cut], "draw": draw}

    def make(path: Path) -> None:
        train(_half(documents(), draw), cut).save(str(path))

    return derived(f"french_{cut}.json", make, inputs=inputs, params=params, code=code)


def french_tokenizers() -> dict[tuple[str, int | None], Path]:
    """Files of all that the notebook compares: `DRAWS` halves, one half with the usual cut, and all the texts."""
    asked = [("french", None), *(("french", draw) for draw in range(DRAWS)), ("usual", 0)]
    return {one: made(*one) for one in asked}


def load(cut: str = "french", draw: int | None = 0) -> Tokenizer:
    """The tokenizer that `made` keeps."""
    return Tokenizer.from_file(str(made(cut, draw)))


def existing(name: str) -> Tokenizer:
    """The tokenizer of `smollm2`, `gemma` or `minilm`, read without its model nor transformers, which take seconds."""
    minilm = name == "minilm"
    folder = language_models.minilm_folder() if minilm else language_models.causal_lm_folder(name)
    return Tokenizer.from_file(str(folder / "tokenizer.json"))


def pieces(texts: Sequence[str], cut: str = "french") -> np.ndarray:
    """Pieces of each text, (N,) int: the fewest tokens that any vocabulary could take with this cut."""
    split = pre_tokenizers.Split(Regex(CUTS[cut]), "isolated")
    return np.array([len(split.pre_tokenize_str(one)) for one in texts])


def count(tokenizer: Any, texts: Sequence[str]) -> np.ndarray:
    """Tokens of each text, (N,) int, without marks of beginning and end.

    tokenizer: of the tokenizers library, or a fast one of transformers.
    """
    inner = getattr(tokenizer, "backend_tokenizer", tokenizer)
    inner.no_truncation()
    inner.no_padding()  # MiniLM's file asks for it: a batch would count as its longest text
    return np.array([len(found.ids) for found in inner.encode_batch_fast(list(texts), add_special_tokens=False)])


def translations() -> "pd.DataFrame":
    """The Declaration in every language that is official in some country and has a two-letter code, where complete.

    Columns: language (str, such as fr), fr and en (str, its names), code (str, the translation), parts (list of 31
    str, normalized). Countries, usual scripts and names are those of Unicode's CLDR, as Babel has them. Of several
    translations, those numbered apart are left out; then comes the usual script, then the shortest code, which names
    no variant, then the fewest bytes.
    """
    import pandas as pd
    from babel import Locale

    found = _complete()
    taken = pd.DataFrame([min(some.itertuples(index=False), key=_rank) for _, some in found.groupby("language")])
    for lang in ("fr", "en"):
        taken[lang] = taken["language"].map(Locale(lang).languages)
    return taken[["language", "fr", "en", "code", "parts"]]


def _complete() -> "pd.DataFrame":
    """Complete translations in official languages: language, tag, code, parts."""
    import pandas as pd

    official, rows = _official(), []
    for code, found in corpus.udhr().groupby("code"):
        tag = str(found["bcp47"].iloc[0])
        language = tag.partition("-")[0]
        parts = [text.normalize(one) for one in found.sort_values("article")["text"]]
        whole = len(parts) == PARTS and found["article"].nunique() == PARTS and all(parts)
        if whole and len(language) == 2 and language in official and not str(code)[0].isdigit():
            rows.append({"language": language, "tag": tag, "code": code, "parts": parts})
    return pd.DataFrame(rows)


def _official() -> set[str]:
    from babel.core import get_global

    status = {"official", "de_facto_official"}
    spoken = get_global("territory_languages").values()
    return {tag.partition("_")[0] for one in spoken for tag, said in one.items() if said["official_status"] in status}


def _rank(one: Any) -> tuple[bool, int, int]:
    """Sorts a language's translations (rows of `_complete`), the one to take first."""
    from babel.core import get_global

    usual = get_global("likely_subtags").get(one.language, "").split("_")
    scripts = [part for part in one.tag.split("-")[1:] if len(part) == 4 and part.isalpha()]
    return any(script not in usual for script in scripts), len(one.code), sum(len(part.encode()) for part in one.parts)


def _half(texts: Sequence[str], draw: int | None) -> Sequence[str]:
    if draw is None:
        return texts
    order = np.random.default_rng(draw).permutation(len(texts))
    return [texts[place] for place in order[: len(texts) // 2]]
