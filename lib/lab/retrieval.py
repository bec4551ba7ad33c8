"""Finding the articles of law that a question calls for: questions, documents, scores, rankings, metrics.

Knows the Code's tree and what the fact sheets cite; knows nothing of training or of figures. Q questions, N articles,
S sections of sheets. Scores are (Q, N), higher is better; articles are named by their position in the frame.
"""

import re
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from lib.lab import corpus, models

if TYPE_CHECKING:
    import pandas as pd
    from bm25s import BM25
    from scipy.sparse import csr_matrix

PASSAGE_CHARS = 800  # of an article that encoders read: MiniLM stops at 256 tokens
MOST_CITED = 10  # articles; a section that cites more lists sources rather than answers a question
_ARTICLE = re.compile(r"\(?\b(?:art(?:icles?|\.)?\s*)?[LRD]\.?\s?\*?\d{3,4}-\d+(?:-\d+)*(?:\s+du Code du travail)?\)?")


def load(sheets: int = 0, articles: int = 0, seed: int = 0) -> tuple["pd.DataFrame", "pd.DataFrame"]:
    """(articles, sections): the Code du travail, and every section of a fact sheet that cites it.

    articles: columns of `corpus.code_du_travail`. sections: sheet_id, group (str, the sheet's title in small letters:
    what a split keeps together), title (str, of sheet and section), question (str, the title without article numbers),
    gold (array of positions in articles), asked (bool, a section with a title of its own and 1 to 10 citations).
    sheets, articles: how many to draw, for a small trial; 0 means all.
    """
    code, sections = corpus.code_du_travail(), corpus.fact_sheets()
    sections = sections[sections["cited"].map(len) > 0].reset_index(drop=True)
    sections["group"] = sections["sheet_title"].str.strip().str.lower()
    rng = np.random.default_rng(seed)
    if sheets:
        drawn = rng.choice(sorted(set(sections["group"])), sheets, replace=False)
        sections = sections[sections["group"].isin(drawn)].reset_index(drop=True)
    if articles:
        cited = code["cid"].isin({cid for row in sections["cited"] for cid in row}).to_numpy()
        others = rng.permutation(np.flatnonzero(~cited))[: max(0, articles - cited.sum())]
        code = code.iloc[np.sort(np.append(np.flatnonzero(cited), others))].reset_index(drop=True)
    position = {cid: place for place, cid in enumerate(code["cid"])}
    sections["gold"] = sections["cited"].map(lambda row: np.array(sorted(position[cid] for cid in row)))
    sections["title"] = sections["sheet_title"] + " : " + sections["section_title"]
    sections["question"] = [without_articles(title) for title in sections["title"]]
    named = sections["section_title"] != sections["sheet_title"]
    sections["asked"] = named & (sections["cited"].map(len) <= MOST_CITED)
    return code, sections[["sheet_id", "group", "title", "question", "gold", "asked"]]


def without_articles(title: str) -> str:
    """A question without the article numbers that would give its answer away."""
    return " ".join(_ARTICLE.sub(" ", title).split())


def headings(code: "pd.DataFrame", last: int = 0) -> list[str]:
    """The titles above each article, joined: all of them, or the last few."""
    return [" ".join(path.split(" > ")[-last:]) for path in code["section_path"]]


def documents(code: "pd.DataFrame", last: int = 2) -> list[str]:
    """Each article's text after the titles above it."""
    return [f"{above} {text}" for above, text in zip(headings(code, last), code["text"], strict=True)]


def parts(code: "pd.DataFrame", above: int = 0) -> np.ndarray:
    """(N,) number of the Code's section that holds each article, or of the one `above` levels higher."""
    paths = [tuple(path.split(" > ")) for path in code["section_path"]]
    kept = [" > ".join(path[: max(1, len(path) - above)]) for path in paths]
    return np.unique(kept, return_inverse=True)[1]


def code_embeddings(model: str = "minilm") -> np.ndarray:
    """(N, 384) vectors of the whole Code, two titles and text, cut at 800 characters; minutes the first time."""
    return article_embeddings(corpus.code_du_travail(), model)


def article_embeddings(code: "pd.DataFrame", model: str = "minilm") -> np.ndarray:
    """(N, D) vectors of these articles, L2-normalized, kept in the cache."""
    return models.embed(model, [text[:PASSAGE_CHARS] for text in documents(code)], "articles")


def sheet_embeddings(model: str = "minilm") -> np.ndarray:
    """(S, 384) vectors of the questions of every section that cites the Code."""
    return question_embeddings(list(load()[1]["question"]), model)


def question_embeddings(questions: Sequence[str], model: str = "minilm") -> np.ndarray:
    """(Q, D) vectors of questions, L2-normalized, kept in the cache."""
    return models.embed(model, list(questions), "questions", query=True)


def tokenize(texts: Sequence[str]) -> list[list[str]]:
    """French stems of each text, no stop word removed."""
    import bm25s
    import Stemmer

    stemmer = Stemmer.Stemmer("french")
    return bm25s.tokenize(list(texts), stopwords=None, stemmer=stemmer, return_ids=False, show_progress=False)


def bm25_index(documents: Sequence[Sequence[str]], **options: float) -> "BM25":
    """Index of tokenized texts; options: k1 and b of bm25s, whose defaults are 1.5 and 0.75."""
    import bm25s

    index = bm25s.BM25(**options)
    index.index(list(documents), show_progress=False)
    return index


def bm25(documents: Sequence[Sequence[str]], questions: Sequence[Sequence[str]], **options: float) -> np.ndarray:
    """Scores (Q, N) of tokenized texts, with the options of `bm25_index`."""
    index = bm25_index(documents, **options)
    return np.stack([index.get_scores(list(words)) for words in questions])


def ranking(scores: np.ndarray, depth: int = 20) -> np.ndarray:
    """(Q, depth) positions, best first; between equals, the Code's order decides."""
    depth = min(depth, scores.shape[1])
    cuts = np.partition(scores, -depth, axis=1)[:, -depth]
    able = [np.flatnonzero(row >= cut) for row, cut in zip(scores, cuts, strict=True)]
    best = [ids[np.argsort(-row[ids], kind="stable")][:depth] for row, ids in zip(scores, able, strict=True)]
    return np.stack(best)


def rrf(*scores: np.ndarray, k: int = 60, depth: int = 20) -> np.ndarray:
    """Reciprocal-rank fusion (Q, N): the sum of 1 / (k + rank) over the first `depth` of each ranking.

    Between articles of one rank in two rankings, the first ranking decides. Cormack, Clarke and Büttcher 2009.
    """
    fused = np.zeros(scores[0].shape)
    for place, one in enumerate(scores):
        ranked = ranking(one, depth)  # (Q, depth)
        votes = (1 - 1e-9 * place) / (k + 1 + np.arange(ranked.shape[1]))
        gained = np.take_along_axis(fused, ranked, axis=1) + votes
        np.put_along_axis(fused, ranked, gained, axis=1)
    return fused


def best_in(scores: np.ndarray, part: np.ndarray) -> np.ndarray:
    """(Q, N) for each article, the best score in its part of the Code. part: (N,) as `parts` numbers them."""
    order = np.argsort(part, kind="stable")
    starts = np.flatnonzero(np.diff(part[order], prepend=-1))
    return np.maximum.reduceat(scores[:, order], starts, axis=1)[:, part]


def citations(gold: Sequence[np.ndarray], n_articles: int) -> "csr_matrix":
    """(S, N) sparse, 1 where a section cites an article."""
    from scipy.sparse import csr_matrix

    sections = np.repeat(np.arange(len(gold)), [len(cited) for cited in gold])
    ones = np.ones(len(sections), dtype=np.float32)
    return csr_matrix((ones, (sections, np.concatenate(list(gold)))), shape=(len(gold), n_articles))


def remembered(similarity: np.ndarray, cited: "csr_matrix", nearest: int = 10, sharpness: int = 6) -> np.ndarray:
    """(Q, N) how much the questions answered before point to each article.

    similarity: (Q, S) cosines with those questions; cited: (S, N). The `nearest` vote for what they cite, by
    (cosine / best cosine) ** sharpness, shared by the root of how many articles they cite.
    """
    from scipy.sparse import csr_matrix

    votes = np.zeros_like(similarity)
    ranked = ranking(similarity, nearest)  # (Q, nearest)
    cosine = np.maximum(np.take_along_axis(similarity, ranked, axis=1), 1e-6)
    np.put_along_axis(votes, ranked, (cosine / cosine.max(axis=1, keepdims=True)) ** sharpness, axis=1)
    votes /= np.sqrt(np.asarray(cited.sum(axis=1)).ravel())
    return (csr_matrix(votes) @ cited).toarray()


def folds(groups: Sequence[str], n_folds: int, seed: int) -> np.ndarray:
    """(S,) fold of each row; rows of a group are in the same one."""
    names, codes = np.unique(np.asarray(groups, dtype=str), return_inverse=True)
    return np.random.default_rng(seed).permutation(len(names))[codes] % n_folds


def metrics(ranked: np.ndarray, gold: Sequence[np.ndarray]) -> "pd.DataFrame":
    """One row a question: hit1, hit10, recall20, mrr10, ndcg10. ranked: (Q, 20 or more) positions."""
    import pandas as pd

    found = np.stack([np.isin(row, cited) for row, cited in zip(ranked, gold, strict=True)])  # (Q, depth)
    sizes = np.array([len(cited) for cited in gold])
    gains = 1 / np.log2(np.arange(2, 12))
    ten = found[:, :10]
    ideal = np.array([gains[:size].sum() for size in sizes])
    return pd.DataFrame(
        {
            "hit1": ten[:, 0].astype(float),
            "hit10": ten.any(axis=1).astype(float),
            "recall20": found[:, :20].sum(axis=1) / sizes,
            "mrr10": np.where(ten.any(axis=1), 1 / (1 + ten.argmax(axis=1)), 0.0),
            "ndcg10": ten @ gains[: ten.shape[1]] / ideal,
        }
    )
