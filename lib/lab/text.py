"""French text as a language model meets it: cleaned, cut into words or tokens of our own byte-level BPE, counted.

Knows strings and token numbers; knows nothing of models.
"""

import math
import re
import unicodedata
from collections import Counter
from collections.abc import Collection, Iterable, Sequence
from functools import lru_cache
from pathlib import Path

import numpy as np
from numpy.typing import ArrayLike
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers

from lib.lab import cache, corpus, sources

END = "<|end|>"  # token 0: ends a document and begins a passage
_WORD = re.compile(r"[^\W\d_]+")
_SAME = str.maketrans({"\u2019": "'", "\u02bc": "'", "\u2013": "-", "\u2014": "-", "\u2011": "-", "\u00ad": None})


def normalize(text: str) -> str:
    """One spelling for what is written several ways: NFC, one space, straight apostrophes, short dashes."""
    return " ".join(unicodedata.normalize("NFC", text).translate(_SAME).split())


def words(text: str) -> list[str]:
    """Words in lower case; digits, signs and elisions' apostrophes separate them."""
    return [found.lower() for found in _WORD.findall(text)]


def distinct_ngrams(texts: Iterable[str], n: int) -> float:
    """Share of the n-grams of words that are different from one another, between 0 and 1 (distinct-n, Li et al. 2016).

    n-grams do not cross texts. Longer collections repeat more: compare collections of one size only. 0 when empty.
    """
    seen: Counter[tuple[str, ...]] = Counter()
    for text in texts:
        tokens = words(text)
        seen.update(zip(*(tokens[start:] for start in range(n)), strict=False))
    return len(seen) / seen.total() if seen else 0.0


def rare_words(texts: Iterable[str], *, most: int, least: int = 1) -> set[str]:
    """Words that occur between `least` and `most` times in a collection: the tail of its vocabulary."""
    counts = Counter(word for text in texts for word in words(text))
    return {word for word, count in counts.items() if least <= count <= most}


def retention(kept: Collection[str], texts: Iterable[str]) -> float:
    """Share of some words that a collection still uses. Raises ValueError when there are no words to look for."""
    if not kept:
        raise ValueError("no words to look for")
    found = {word for text in texts for word in words(text)}
    return sum(word in found for word in kept) / len(kept)


def share_of(some: Collection[str], texts: Iterable[str]) -> float:
    """Share of running words that belong to `some`, between 0 and 1; 0 when there are no words."""
    counts = Counter(word for text in texts for word in words(text))
    return sum(count for word, count in counts.items() if word in some) / max(1, counts.total())


def bits_per_byte(nats: ArrayLike, n_bytes: ArrayLike) -> float:
    """Bits that a model pays for a byte of text: comparable whatever the tokenizer. Raises ValueError on no bytes."""
    total = float(np.sum(n_bytes))
    if total <= 0:
        raise ValueError("no bytes to divide by")
    return float(np.sum(nats, dtype=np.float64)) / math.log(2) / total


def train_bpe(texts: Sequence[str], size: int) -> Tokenizer:
    """Byte-level BPE of `size` tokens, the first of which ends a document; encodes any text. Sennrich et al. 2016."""
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    trainer = trainers.BpeTrainer(
        vocab_size=size, special_tokens=[END], initial_alphabet=sorted(alphabet), show_progress=False
    )
    tokenizer.train_from_iterator(texts, trainer)
    return tokenizer


def encode(tokenizer: Tokenizer, texts: Sequence[str]) -> list[np.ndarray]:
    """Token numbers of each text, (T,) int64."""
    return [np.array(found.ids, dtype=np.int64) for found in tokenizer.encode_batch_fast(list(texts))]


def decode(tokenizer: Tokenizer, rows: ArrayLike) -> list[str]:
    """Text of each row of token numbers, without marks of beginning and end. rows: (N, T) int"""
    return tokenizer.decode_batch(np.asarray(rows).tolist(), skip_special_tokens=True)


def token_bytes(tokenizer: Tokenizer) -> np.ndarray:
    """Bytes of text that each token stands for, (V,) int64; 0 for the end of a document."""
    pieces = [tokenizer.id_to_token(number) or "" for number in range(tokenizer.get_vocab_size())]
    return np.array([0 if piece == END else len(piece) for piece in pieces])  # one character a byte, in byte-level BPE


def french_bpe(size: int = 1024) -> Path:
    """The tokenizer of our small models, trained once on the service-public sheets; read it with `load_bpe`."""

    def make(path: Path) -> None:
        texts = [normalize(text) for text in corpus.service_public()["text"]]
        train_bpe(texts, size).save(str(path))

    return cache.derived(
        "french_bpe.json",
        make,
        inputs={"service-public": sources.content_hash("service-public")},
        params={"size": size},
        code=[corpus, normalize, train_bpe],
    )


@lru_cache(maxsize=4)
def load_bpe(size: int = 1024) -> Tokenizer:
    """The tokenizer that `french_bpe` makes."""
    return Tokenizer.from_file(str(french_bpe(size)))
