"""Practical sheets of service-public.fr as a classification task: guess the theme from the title and the first words.

Knows the task, its clean examples and the spoiled versions of them that a badly made data set would hold. Knows nothing
of classifiers, nor of which examples are spoiled.
"""

import random
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from lib.lab import corpus, models, sources
from lib.lab.cache import derived

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd

WORDS = 30  # read of each sheet, after its title: more of them make embedding slow on a CPU and change little
CUT = 3  # words left of a truncated example
DROPPED = 0.1  # share of the words that a near-copy lacks
ALIKE = 0.8  # cosine of the whole texts (TF-IDF) above which two sheets say the same
MINIMUM = 200  # characters: shorter sheets only point elsewhere
VERSIONS = ("text", "truncated", "copy")  # columns of `sheets()` that hold a version of the example


def sheets() -> "pd.DataFrame":
    """One row a sheet, near-copies left out, in the order of sheet_id.

    Columns: sheet_id, theme (str, one of 10), text (str, title and first words), truncated (str, its first words only),
    copy (str, the same with one word in ten left out).
    """
    import pandas as pd

    made = derived("themes.parquet", _write_sheets, inputs=_inputs(), code=[sys.modules[__name__], corpus])
    return pd.read_parquet(made)


def off_topic() -> list[str]:
    """Passages of the sheets for businesses and associations: same site and style, but none of the ten themes."""
    import pandas as pd

    personal = set(corpus.service_public()["sheet_id"])
    others = pd.concat([corpus.service_public(audience) for audience in ("professionnels", "associations")])
    others = others[~others["sheet_id"].isin(personal) & (others["text"].str.len() >= MINIMUM)]
    found = []
    for start in (0, WORDS):
        words = others["text"].str.split().str[start : start + WORDS].str.join(" ")
        found += list((others["title"] + "\n" + words)[words.str.count(" ") >= WORDS // 2 - 1])
    return found


def embeddings() -> "dict[str, np.ndarray]":
    """MiniLM vectors (N, 384) of each version of `sheets()`, and of `off_topic()` under "off_topic"; computed once."""
    frame = sheets()
    found = {name: models.embed("minilm", list(frame[name]), f"themes_{name}") for name in VERSIONS}
    return found | {"off_topic": models.embed("minilm", off_topic(), "themes_off_topic")}


def near_copy(text: str) -> str:
    """The text without one word in ten, chosen by the text itself: the same text always loses the same words."""
    draw = random.Random(text)
    return " ".join(word for word in text.split() if draw.random() >= DROPPED)


def _inputs() -> dict[str, str]:
    return {"service-public": sources.content_hash("service-public")}


def _write_sheets(path: Path) -> None:
    frame = corpus.service_public()
    frame = frame[(frame["theme"] != "") & (frame["text"].str.len() >= MINIMUM)].sort_values("sheet_id")
    frame = frame[_kept(list(frame["text"]), list(frame["theme"]))]
    text = frame["title"] + "\n" + frame["text"].str.split().str[:WORDS].str.join(" ")
    versions = {"text": text, "truncated": text.str.split().str[:CUT].str.join(" "), "copy": text.map(near_copy)}
    frame[["sheet_id", "theme"]].assign(**versions).to_parquet(path, index=False)


def _kept(texts: list[str], themes: list[str]) -> "np.ndarray":
    """Mask (N,): one of each group of near-copies, and none of a group that is filed under several themes."""
    import numpy as np
    from scipy.sparse.csgraph import connected_components
    from sklearn.feature_extraction.text import TfidfVectorizer

    vectors = TfidfVectorizer(sublinear_tf=True).fit_transform(texts)
    _, group = connected_components(vectors @ vectors.T >= ALIKE, directed=False)
    of_group: dict[int, set[str]] = {}
    for number, theme in zip(group, themes, strict=True):
        of_group.setdefault(number, set()).add(theme)
    kept = np.zeros(len(texts), dtype=bool)
    kept[np.unique(group, return_index=True)[1]] = True
    return kept & np.array([len(of_group[number]) == 1 for number in group])
