"""A question box over the Code du travail: an index that a page can carry, the search, questions to try it on.

Every weight is a small whole number and every sum is exact, so that the page's own script ranks as Python does, to the
last article. Knows words and weights; knows nothing of thresholds, pages and widgets. N documents: S sections of fact
sheets, then A articles; V words; P postings.
"""

import itertools
import json
import math
import re
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

import numpy as np

from lib.lab import archives, corpus, retrieval, sources
from lib.lab.cache import derived

if TYPE_CHECKING:
    import pandas as pd

LETTERS = 7  # of a word that count: does for a stemmer, in one line of any language
TOP = 63  # the largest weight: one character of the packed index
FLOOR = 3  # smaller weights are left out: a sixth of the page, and no difference on a trial third of the sheets
K1, B = 1.2, 0.75  # BM25's usual settings
ALPHABET = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
ARTICLE_URL = "https://www.legifrance.gouv.fr/codes/article_lc/"
SILENT = (  # words of any question, whatever it is about: they are in the index and weigh nothing
    "a ai as au aux avec c ce ces cet cette combien comment d dans de des dois doit du elle en est et etre eux faire "
    "fait faut il ils j je l la le les leur leurs lui m ma me mes moi mon n ne nos notre nous on ont ou par pas peut "
    "peuvent peux pour pourquoi puis qu quand que quel quelle quelles quels qui quoi s sa se ses si son sont sur t ta "
    "te tes toi ton tu un une vos votre vous y"
)
_WORD = re.compile(r"[a-z0-9]+")
_LIGATURES = str.maketrans({"œ": "oe", "æ": "ae"})
_NUMBER = r"[LRD]\*?\.? ?\d{3,4}(?:-\d+)*"
_CITED = re.compile(rf"Code du travail ?: ?articles? (?P<list>(?:(?:,| et | à |;| )* ?{_NUMBER})+)", re.IGNORECASE)
_RANGE = re.compile(rf"(?P<first>{_NUMBER})(?: à (?P<last>{_NUMBER}))?")


@dataclass(frozen=True)
class Index:
    """Weights of words in documents, what sections cite, where articles stand.

    words: number of each word; starts: (V + 1,) where its postings begin; documents, weights: (P,) int, by word then
    document; citing: (C, 2) section and article of each citation, both counted from 0; places: (A,) number of the
    Code's own section that holds each article, growing.
    """

    words: dict[str, int]
    starts: np.ndarray
    documents: np.ndarray
    weights: np.ndarray
    citing: np.ndarray
    places: np.ndarray
    sections: int
    articles: int


def tokenize(text: str) -> list[str]:
    """Words without case, accents and endings: a to z and digits, cut after LETTERS characters."""
    bare = re.sub("[\u0300-\u036f]", "", unicodedata.normalize("NFD", text.lower()))
    return [word[:LETTERS] for word in _WORD.findall(bare.translate(_LIGATURES))]


def load_sections() -> "pd.DataFrame":
    """The sections of fact sheets that cite 1 to 10 articles: what leads from plain words to the law.

    Columns of `corpus.fact_sheets`, and group (str, the sheet's title in small letters).
    """
    sections = corpus.fact_sheets()
    cited = sections["cited"].map(len)
    sections = sections[(cited > 0) & (cited <= retrieval.MOST_CITED)].reset_index(drop=True)
    return sections.assign(group=sections["sheet_title"].str.strip().str.lower())


def load_public() -> "pd.DataFrame":
    """Sheets of service-public.fr that name articles of the Code du travail as their texts of reference.

    Columns: sheet_id (str), title (str), cited (array of str: numbers of articles that `corpus.code_du_travail` has,
    those between two ends included). The box never reads these sheets.
    """
    import pandas as pd

    def make(path: Path) -> None:
        rows = [
            row
            for _, handle in archives.stream(sources.path("service-public"), "package/data/particuliers/F[0-9]*.json")
            for row in _references(handle)
        ]
        pd.DataFrame(rows).to_parquet(path, index=False)

    inputs = {"service-public": sources.content_hash("service-public")}
    frame = pd.read_parquet(
        derived("public_questions.parquet", make, inputs=inputs, code=[_references, _below, _text, corpus.plain])
    )
    numbers = corpus.code_du_travail()["number"].tolist()
    frame["cited"] = [cited_numbers(text, numbers) for text in frame.pop("references")]
    return frame


def cited_numbers(text: str, numbers: list[str]) -> list[str]:
    """The articles that lines such as "Code du travail : articles L1221-19 à L1221-26" name, in the Code's order.

    numbers: the Code's, in order. What the Code does not have (any more), or has in another order, is left out.
    """
    place = {number: at for at, number in reversed(list(enumerate(numbers)))}
    found: set[int] = set()
    for line in text.replace("\u00a0", " ").split("\n"):
        listed = _CITED.match(re.sub(" +", " ", line))
        for one in _RANGE.finditer(listed["list"]) if listed else ():
            first, last = (re.sub("[. ]", "", one[end] or one["first"]) for end in ("first", "last"))
            if first in place and last in place:
                found.update(range(place[first], place[last] + 1))
    return [numbers[at] for at in sorted(found)]


def _references(handle: IO[bytes]) -> Iterator[dict[str, Any]]:
    content = handle.read()
    if b"Code du travail" not in content:  # parsing is what takes time
        return
    sheet = json.loads(content)
    parts = sheet["children"][-1]["children"]
    named = [_text(node) for part in parts for node in _below(part, "Reference")]
    if any(line.startswith("Code du travail") for line in named):
        title = next(_text(part) for part in parts if part["name"] == "dc:title")
        yield {"sheet_id": sheet["id"], "title": corpus.plain(title), "references": "\n".join(named)}


def _below(node: dict[str, Any], name: str) -> Iterator[dict[str, Any]]:
    if node.get("name") == name:
        yield node
    for child in node.get("children", ()):
        yield from _below(child, name)


def _text(node: dict[str, Any]) -> str:
    return node["text"] if node["type"] == "text" else "".join(map(_text, node.get("children", ())))


def build(code: "pd.DataFrame", sections: "pd.DataFrame") -> Index:
    """Index of sections (both titles and text) and articles (number, last two titles, text). Robertson et al. 1994.

    Lengths are compared among documents of one kind: a section is much longer than an article.
    """
    sheets = (sections["sheet_title"] + " " + sections["section_title"] + " " + sections["text"]).tolist()
    law = [f"{number} {text}" for number, text in zip(code["number"], retrieval.documents(code), strict=True)]
    tokens = [tokenize(text) for text in (*sheets, *law)]
    every = sorted({*tokenize(SILENT), *(word for document in tokens for word in document)})
    words = {word: number for number, word in enumerate(every)}
    lengths = np.array([len(document) for document in tokens])
    numbers = np.array([words[word] for document in tokens for word in document], dtype=np.int64)
    owner = np.repeat(np.arange(len(tokens)), lengths)
    pairs, counts = np.unique(numbers * len(tokens) + owner, return_counts=True)
    term, document = np.divmod(pairs, len(tokens))
    impacts = _impacts(term, document, counts, _relative(lengths, len(sections)))
    weights = np.rint(impacts * TOP / impacts.max()).astype(np.int64)
    kept = (weights >= FLOOR) & ~np.isin(term, [words[word] for word in tokenize(SILENT)])
    term, document, weights = term[kept], document[kept], weights[kept]
    starts = np.searchsorted(term, np.arange(len(words) + 1))
    return Index(words, starts, document, weights, _citing(code, sections), _places(code), len(sections), len(code))


def _relative(lengths: np.ndarray, n_sections: int) -> np.ndarray:
    """(N,) length of each document over the mean of its kind."""
    kinds = (lengths[:n_sections], lengths[n_sections:])
    return np.concatenate([kind / max(1.0, kind.mean()) for kind in kinds if len(kind)])


def _impacts(term: np.ndarray, document: np.ndarray, counts: np.ndarray, relative: np.ndarray) -> np.ndarray:
    """(P,) BM25's share of each word in each document's score."""
    present = np.bincount(term)[term]
    rarity = np.log1p((len(relative) - present + 0.5) / (present + 0.5))
    return rarity * counts * (K1 + 1) / (counts + K1 * (1 - B + B * relative[document]))


def _citing(code: "pd.DataFrame", sections: "pd.DataFrame") -> np.ndarray:
    place = {cid: number for number, cid in enumerate(code["cid"])}
    rows = [(number, place[cid]) for number, cited in enumerate(sections["cited"]) for cid in cited if cid in place]
    return np.array(sorted(rows), dtype=np.int64).reshape(-1, 2)


def _places(code: "pd.DataFrame") -> np.ndarray:
    path = code["section_path"].to_numpy()
    return np.cumsum(np.append(False, path[1:] != path[:-1]))


@dataclass(frozen=True)
class Scores:
    """What a question gives: scores of the articles (A,) and of the sections (S,), and how sure that is.

    An article's score adds up three: its own, the best of its place in the Code, the best section that cites it.
    sure: a hundred times the best score over the root of the most that these words could give; 0 when none is known.
    """

    law: np.ndarray
    told: np.ndarray
    sure: int


def score(index: Index, question: str, without: np.ndarray | None = None) -> Scores:
    """Add up the weights of a question's words. without: (S,) bool, sections that count for nothing."""
    total, most = np.zeros(index.sections + index.articles, dtype=np.int64), 0
    for word in set(tokenize(question)):
        span = slice(0, 0)
        if word in index.words:
            span = slice(index.starts[index.words[word]], index.starts[index.words[word] + 1])
        total[index.documents[span]] += index.weights[span]
        most += int(index.weights[span].max(initial=0)) if word in index.words else TOP
    told, own = total[: index.sections], total[index.sections :]
    if without is not None:
        told = np.where(without, 0, told)
    best = np.zeros(index.articles, dtype=np.int64)
    np.maximum.at(best, index.citing[:, 1], told[index.citing[:, 0]])
    of_place = np.maximum.reduceat(own, np.flatnonzero(np.diff(index.places, prepend=-1)))
    law = own + of_place[index.places] + best
    return Scores(law, told, math.floor(100 * int(law.max()) / math.sqrt(most)) if most else 0)


def ranking(scores: Scores, depth: int = 10) -> list[int]:
    """The articles that a question finds, best first; between equals, the Code's order decides."""
    ranked = np.argsort(-scores.law, kind="stable")[:depth]
    return [int(article) for article in ranked if scores.law[article] > 0]


def leading(index: Index, article: int, scores: Scores, most: int = 2) -> list[int]:
    """The sections that lead to an article: those that cite it and share words with the question, best first."""
    told = scores.told
    citing = index.citing[index.citing[:, 1] == article, 0]
    ranked = citing[np.argsort(-told[citing], kind="stable")]
    return [int(section) for section in ranked[:most] if told[section] > 0]


def pack(index: Index, code: "pd.DataFrame", sections: "pd.DataFrame") -> str:
    """The index and what is shown of each document, as the script that the page loads.

    Postings of a word: for each document a gap from the one before (digits of 5 bits, 32 added to all but the last)
    and a weight, in ALPHABET.
    """
    paths = [tuple(path.split(" > ")[-2:]) for path in code["section_path"]]
    titles = list(dict.fromkeys(title for path in paths for title in path))
    number = {title: place for place, title in enumerate(titles)}
    lengths = np.bincount(index.places).tolist()
    firsts = np.searchsorted(index.places, np.arange(len(lengths))).tolist()
    runs = [[length, *(number[title] for title in paths[first])] for length, first in zip(lengths, firsts, strict=True)]
    sheets = list(dict.fromkeys(zip(sections["sheet_title"], sections["sheet_url"], strict=True)))
    sheet = {one: place for place, one in enumerate(sheets)}
    cited: list[list[int]] = [[] for _ in range(len(sections))]
    for section, article in index.citing.tolist():
        cited[section].append(article)
    data = {
        "letters": LETTERS, "top": TOP, "url": ARTICLE_URL, "words": " ".join(index.words), "postings": _packed(index),
        "numbers": " ".join(code["number"].str.replace(" ", "\u00a0")),
        "ids": code["id"].str.removeprefix("LEGIARTI").astype(int).tolist(),
        "titles": titles, "places": runs, "sheets": sheets,
        "sections": [
            [sheet[row["sheet_title"], row["sheet_url"]], row["section_title"], row["section_id"].partition("#")[2], to]
            for row, to in zip(sections.to_dict("records"), cited, strict=True)
        ],
    }  # fmt: skip
    text = json.dumps(data, ensure_ascii=False, separators=(",", ":")).replace("</", "<\\/")
    return f"window.guidonQuestions = {text};\n"


def _packed(index: Index) -> str:
    pieces = []
    for start, end in itertools.pairwise(index.starts.tolist()):
        gaps = np.diff(index.documents[start:end], prepend=-1).tolist()
        weights = index.weights[start:end].tolist()
        pieces.append("".join(f"{_digits(gap)}{ALPHABET[weight]}" for gap, weight in zip(gaps, weights, strict=True)))
    return " ".join(pieces)


def _digits(number: int) -> str:
    text = ALPHABET[number & 31]
    while number := number >> 5:
        text = ALPHABET[32 + (number & 31)] + text
    return text
