"""Static students of a sentence encoder: one vector for each token of a vocabulary, which the encoder gave to it alone.

Knows how to ask the teacher and to count tokens. Knows nothing of what is then done with the vectors (weights, fewer
dimensions), nor of tasks. V tokens, D the teacher's width.
"""

import contextlib
import io
import json
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from lib.lab import corpus, models, progress, retrieval, sources, text, themes
from lib.lab.cache import derived
from lib.lab.normalize import digest

if TYPE_CHECKING:
    from model2vec import StaticModel
    from scipy.sparse import csr_matrix

LEAST = 5  # times that the Code uses a word, for it to join the teacher's own pieces of words


def students(teacher: str = "minilm") -> "dict[str, StaticModel]":
    """Raw students, neither weighted nor reduced: `own`, the pieces of words that MiniLM reads; `law`, these and the
    words of the Code. Made once, in half a minute for `minilm`.

    Another teacher (a name that `models.sentence_encoder` knows) is asked for the vectors of MiniLM's vocabularies.
    """
    from model2vec import StaticModel

    inputs = {name: sources.content_hash(name) for name in ("minilm", "code-du-travail")}
    code = [_distill, _with_words, law_words, corpus, text]
    folder = derived("students", lambda path: _distill(path, law_words()), inputs=inputs, code=code)
    found = {name: StaticModel.from_pretrained(folder / name) for name in ("own", "law")}
    if teacher != "minilm":
        for name, student in found.items():
            student.embedding = models.embed(teacher, [_spoken(token) for token in student.tokens], f"tokens_{name}")
    return found


def law_words() -> list[str]:
    """Words that the Code du travail uses at least five times, the most frequent first."""
    counts = Counter(word for passage in retrieval.documents(corpus.code_du_travail()) for word in text.words(passage))
    return [word for word, count in sorted(counts.items(), key=lambda found: (-found[1], found[0])) if count >= LEAST]


def bodies() -> list[str]:
    """What follows the title in each sheet of `themes.sheets()`: its first words."""
    return list(themes.sheets()["text"].str.partition("\n")[2])


def body_embeddings(teacher: str = "minilm") -> np.ndarray:
    """(N, D) vectors of `bodies()`, kept in the cache."""
    return models.embed(teacher, bodies(), "sheet_bodies")


def title_embeddings(teacher: str = "minilm") -> np.ndarray:
    """(N, D) vectors of the titles of `themes.sheets()`, as questions, kept in the cache."""
    return models.embed(teacher, list(themes.sheets()["text"].str.partition("\n")[0]), "sheet_titles", query=True)


def token_counts(student: "StaticModel", texts: Sequence[str]) -> "csr_matrix":
    """(N, V) how often each text uses each token, kept; unknown tokens are left out, as the student does."""
    from scipy.sparse import load_npz, save_npz

    params = {"texts": digest(*texts), "tokens": digest(*student.tokens)}
    made = derived("tokens.npz", lambda path: save_npz(path, _count(student, texts)), params=params, code=[_count])
    return load_npz(made)


def _count(student: "StaticModel", texts: Sequence[str]) -> "csr_matrix":
    from scipy.sparse import csr_matrix

    rows = student.tokenize(list(texts))
    starts = np.cumsum([0, *(len(row) for row in rows)])
    flat = np.concatenate([np.asarray(row, dtype=np.int64) for row in rows])
    counts = csr_matrix((np.ones(len(flat), dtype=np.float32), flat, starts), shape=(len(rows), len(student.tokens)))
    counts.sum_duplicates()
    return counts


def _spoken(token: str) -> str:
    """A token as another teacher may read it: `##tion`, the middle of a word, is `tion`."""
    return token.removeprefix("##") or token


def _distill(folder: Path, words: Sequence[str], teacher: Path | None = None) -> None:
    """Ask the teacher for the vector of every token alone: no weights, no reduction, float32."""
    from model2vec.distill import distill

    source = str(teacher or models.minilm_folder())
    with models.threads(models.THREADS), progress.bar("distilling students, once", 2) as advance:
        with contextlib.redirect_stderr(io.StringIO()):  # model2vec's own bars
            own = distill(source, None, "cpu", pca_dims=None, sif_coefficient=None, quantize_to="float32")
        own.save_pretrained(folder / "own")
        advance(1)
        with contextlib.redirect_stderr(io.StringIO()):
            _with_words(own, words, source).save_pretrained(folder / "law")
        advance(1)


def _with_words(student: "StaticModel", words: Sequence[str], source: str) -> "StaticModel":
    """The same student with the words that it lacks: what model2vec does with a vocabulary, minutes faster."""
    from model2vec import StaticModel
    from model2vec.distill.inference import create_embeddings
    from tokenizers import Tokenizer
    from transformers import AutoModel, AutoTokenizer

    known = set(student.tokens)
    spelled = dict.fromkeys(student.tokenizer.normalizer.normalize_str(word) for word in words)
    new = [word for word in spelled if word not in known]
    reader = AutoTokenizer.from_pretrained(source, local_files_only=True)
    model = AutoModel.from_pretrained(source, local_files_only=True)
    vectors = create_embeddings(model, reader(new)["input_ids"], "cpu", reader.pad_token_id)  # (new, D)
    rules = json.loads(student.tokenizer.to_str())
    rules["model"]["vocab"] |= {word: len(student.tokens) + place for place, word in enumerate(new)}
    wider = np.concatenate([student.embedding, vectors.astype(np.float32)])
    return StaticModel(wider, Tokenizer.from_str(json.dumps(rules)), config=student.config, normalize=True)
