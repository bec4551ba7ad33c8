"""Numbers that the Code du travail states, and a law that changes some of them: facts, questions, passages, rows.

A fact is the one duration that an article states ("trois mois"); its question is what stands before it. Knows texts and
rows of token numbers; knows nothing of models, nor of who answers. N facts, O options, T tokens.
"""

import re
from collections import Counter
from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from lib.lab import retrieval, text

if TYPE_CHECKING:
    import pandas as pd
    import torch
    from tokenizers import Tokenizer

NUMBERS = (
    "dix-huit", "vingt-quatre", "deux", "trois", "quatre", "cinq", "six", "sept", "huit", "neuf", "dix", "douze",
    "quinze", "vingt", "trente",
)  # fmt: skip
FIGURES = dict(zip(map(str, (18, 24, *range(2, 11), 12, 15, 20, 30)), NUMBERS, strict=True))  # as one may write them
UNITS = ("mois", "jours", "ans", "heures", "semaines", "années")
OPTIONS = 4  # numbers offered to choose from: what the law says, and three others
FEWEST = 8  # words before a number: fewer do not tell what is asked
_PARTS = r"(?:cent|cents|mille|soixante|quarante|cinquante)"  # before a number, they make it part of another
_DURATION = re.compile(rf"(?<![\w-])({'|'.join(NUMBERS)}) ({'|'.join(UNITS)})\b")
_COMPOUND = re.compile(rf"\b{_PARTS}[ -]$")


class Passage(NamedTuple):
    """A duration found in a text, and the words before it."""

    before: str
    number: str
    unit: str
    start: int  # place of the number in the text
    stop: int


def durations(article: str) -> list[Passage]:
    """Every duration that a text states, in its order. article: as `text.normalize` spells it."""
    found = [match for match in _DURATION.finditer(article) if not _COMPOUND.search(article[: match.start()])]
    return [Passage(article[: one.start()].rstrip(), one[1], one[2], one.start(1), one.end(1)) for one in found]


def facts(code: "pd.DataFrame", words: int) -> "pd.DataFrame":
    """Articles in force that state exactly one duration, with different words before it; one row a fact.

    code: a frame of `corpus.code_du_travail` whose text is normalized. Columns: article (int, position in the frame),
    before (str, the last `words` words before the number, numbers of articles taken out), number, unit (str), start,
    stop (int, place of the number in the article).
    """
    import pandas as pd

    rows = []
    for place, (state, article) in enumerate(zip(code["state"], code["text"], strict=True)):
        found = durations(article) if state == "VIGUEUR" else []
        if len(found) == 1 and len(asked := retrieval.without_articles(found[0].before).split()) >= FEWEST:
            rows.append((place, " ".join(asked[-words:]), *found[0][1:]))
    frame = pd.DataFrame(rows, columns=["article", "before", "number", "unit", "start", "stop"])
    return frame.drop_duplicates("before").reset_index(drop=True)


def options(frame: "pd.DataFrame", rng: np.random.Generator) -> np.ndarray:
    """(N, O) numbers: what the law says first, then others that it says with this unit, the frequent ones oftener.

    Raises ValueError when a unit comes with too few numbers to choose from.
    """
    counts = {unit: Counter(rows["number"]) for unit, rows in frame.groupby("unit")}
    chosen = []
    for number, unit in zip(frame["number"], frame["unit"], strict=True):
        others = {one: count for one, count in sorted(counts[unit].items()) if one != number}
        if len(others) < OPTIONS - 1:
            raise ValueError(f"{unit} comes with {len(others) + 1} numbers only; {OPTIONS} are needed")
        chances = np.array(list(others.values())) / sum(others.values())
        chosen.append([number, *rng.choice(list(others), OPTIONS - 1, replace=False, p=chances)])
    return np.array(chosen, dtype=object)


def amend(article: str, start: int, stop: int, number: str) -> str:
    """The article with another number at this place."""
    return f"{article[:start]}{number}{article[stop:]}"


def reword(question: str, dropped: float, kept: int, rng: np.random.Generator) -> str:
    """A question with a share of its words left out at random, but for the last `kept`: telegram style."""
    words = question.split()
    stays = rng.random(len(words)) >= dropped
    return " ".join(word for place, word in enumerate(words) if stays[place] or place >= len(words) - kept)


def find(question: str, articles: Sequence[str], words: int = 8) -> tuple[int, Passage] | None:
    """Of the first article that states a duration, the one before which the question's last words stand.

    articles: best first -> (rank, passage), or nothing. Between equals, the first duration wins.
    """
    wanted = set(text.words(" ".join(question.split()[-words:])))
    for rank, article in enumerate(articles):
        found = durations(article)
        if found:
            return rank, max(found, key=lambda one: len(wanted & set(text.words(one.before)[-words - 2 :])))
    return None


def last_words(some: str, words: int) -> str:
    """The end of a text."""
    return " ".join(some.split()[-words:])


def lay_out(
    tokenizer: "Tokenizer", befores: Sequence[str], answers: Sequence[str], length: int
) -> tuple["torch.Tensor", np.ndarray]:
    """Rows that end with an answer, and how many tokens it has: (N, length + 1) int, (N,) int.

    Shorter rows begin with token 0 as often as needed; longer ones lose their first tokens. Raises ValueError when an
    answer alone fills a row.
    """
    import torch

    rows, sizes = np.zeros((len(befores), length + 1), dtype=np.int64), np.zeros(len(befores), dtype=np.int64)
    read, said = text.encode(tokenizer, befores), text.encode(tokenizer, [f" {answer}" for answer in answers])
    for place, (first, last) in enumerate(zip(read, said, strict=True)):
        if len(last) >= length:
            raise ValueError(f"an answer of {len(last)} tokens does not fit in a row of {length}")
        joined = np.concatenate([first, last])[-length:]
        rows[place, length + 1 - len(joined) :], sizes[place] = joined, len(last)
    return torch.from_numpy(rows), sizes


def read_number(answer: str) -> str:
    """The number that an answer begins with, in words or in figures, or nothing."""
    said = re.match(rf"\W*({'|'.join(NUMBERS)}|\d+)\b(?![-,.]?\w)", text.normalize(answer).lower())
    return FIGURES.get(said[1], said[1] if said[1] in NUMBERS else "") if said else ""
