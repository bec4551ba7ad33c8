import math

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from lib.lab import corpus, retrieval

CODE = pd.DataFrame(
    {
        "cid": ["A", "B", "C", "D", "E"],
        "section_path": ["I > 1 > a", "I > 1 > a", "I > 1 > b", "I > 2", "II"],
        "text": ["le préavis", "la démission", "le licenciement", "les congés payés", "le préavis de congé"],
    }
)
patient = settings(deadline=None)  # the machine may be busy
tables = hnp.arrays(np.float64, st.tuples(st.integers(1, 5), st.integers(1, 30)), elements=st.integers(0, 4).map(float))


@pytest.fixture
def sheets(monkeypatch):
    """A tiny Code and the sections of four sheets, two of which share a title."""
    rows = [
        ("s1", "Préavis", "Préavis", ["A"]),
        ("s1", "Préavis", "Durée (art. L1234-1)", ["E", "A"]),
        ("s2", "préavis ", "Sans texte", []),
        ("s3", "préavis ", "Dispense", ["B"]),
        ("s4", "Congés", "Durée", ["D"]),
        ("s5", "Rupture", "Sources", list("ABCDE") * 3),
    ]
    frame = pd.DataFrame(rows, columns=["sheet_id", "sheet_title", "section_title", "cited"])
    monkeypatch.setattr(corpus, "code_du_travail", CODE.copy)
    monkeypatch.setattr(corpus, "fact_sheets", frame.copy)


def test_sections_that_cite_the_code_become_questions(sheets):
    code, sections = retrieval.load()
    pd.testing.assert_frame_equal(code, CODE)
    assert list(sections["sheet_id"]) == ["s1", "s1", "s3", "s4", "s5"]
    assert list(sections["group"]) == ["préavis", "préavis", "préavis", "congés", "rupture"]
    assert sections["title"][1] == "Préavis : Durée (art. L1234-1)"
    assert sections["question"][1] == "Préavis : Durée"
    assert [list(gold) for gold in sections["gold"][:4]] == [[0], [0, 4], [1], [3]]
    assert list(sections["asked"]) == [False, True, True, True, False]  # no title of its own; too many citations


def test_a_small_trial_keeps_whole_groups_and_what_they_cite(sheets):
    groups = {tuple(retrieval.load(sheets=1, seed=seed)[1]["sheet_id"]) for seed in range(12)}
    assert groups == {("s1", "s1", "s3"), ("s4",), ("s5",)}
    seed = next(seed for seed in range(12) if list(retrieval.load(sheets=1, seed=seed)[1]["sheet_id"]) == ["s4"])
    code, sections = retrieval.load(sheets=1, articles=3, seed=seed)
    assert len(code) == 3
    assert list(code["cid"]) == sorted(code["cid"])
    assert list(code["cid"].iloc[sections["gold"][0]]) == ["D"]
    assert code.equals(retrieval.load(sheets=1, articles=3, seed=seed)[0])


@pytest.mark.parametrize(
    "spelling",
    [
        *("L1234-1", "L. 1234-1", "L.1234-1", "L 1234-1", "L.\u00a01234-1", "R. *1234-1", "D3121-5-12", "L123-4"),
        *("(L1234-1)", "(article L1234-1)", "article R. 1234-1", "articles L1234-1", "art. D. 1234-1", "art L1234-1"),
        *("L1234-1 du Code du travail", "(art. L. 1234-1 du Code du travail)"),
    ],
)
def test_article_numbers_are_left_out_of_questions(spelling):
    assert retrieval.without_articles(f"Le préavis {spelling} : quelle durée ?") == "Le préavis : quelle durée ?"
    assert retrieval.without_articles(f"Voir {spelling}, {spelling}") == "Voir ,"


@pytest.mark.parametrize("title", ["35 heures en 2019-2020", "COVID-19 : le D1234", "L'article du 12-10", "PL1234-1"])
def test_other_numbers_stay(title):
    assert retrieval.without_articles(title) == title


def test_documents_begin_with_the_titles_above_them():
    assert retrieval.headings(CODE) == ["I 1 a", "I 1 a", "I 1 b", "I 2", "II"]
    assert retrieval.documents(CODE)[:1] == ["1 a le préavis"]
    assert retrieval.documents(CODE, last=1)[2:4] == ["b le licenciement", "2 les congés payés"]


def test_articles_of_a_section_have_its_number():
    assert retrieval.parts(CODE).tolist() == [0, 0, 1, 2, 3]
    assert retrieval.parts(CODE, above=1).tolist() == [1, 1, 1, 0, 2]
    assert retrieval.parts(CODE, above=9).tolist() == [0, 0, 0, 0, 1]


def test_bm25_finds_the_words_whatever_their_ending():
    documents = retrieval.tokenize(CODE["text"])
    assert documents[3][1:] == retrieval.tokenize(["congé payé"])[0]
    scores = retrieval.bm25(documents, retrieval.tokenize(["des congés", "licenciements", "inconnu"]))
    assert scores.shape == (3, 5)
    assert (scores[0] > 0).tolist() == [False, False, False, True, True]
    assert (scores[1] > 0).tolist() == [False, False, True, False, False]
    assert (scores[2] == 0).all()


def test_bm25_is_the_published_formula():
    documents, k1, b = retrieval.tokenize(CODE["text"]), 0.9, 0.4
    words = documents[0]
    found = retrieval.bm25(documents, [words], k1=k1, b=b)[0]
    mean = np.mean([len(document) for document in documents])
    for document, score in zip(documents, found, strict=True):
        expected = 0.0
        for word in words:
            df, tf = sum(word in other for other in documents), document.count(word)
            idf = math.log(1 + (len(documents) - df + 0.5) / (df + 0.5))
            expected += idf * tf / (tf + k1 * (1 - b + b * len(document) / mean))
        assert score == pytest.approx(expected, rel=1e-5)


@patient
@given(tables, st.integers(1, 40))
def test_ranking_is_a_stable_sort(scores, depth):
    expected = np.argsort(-scores, axis=1, kind="stable")[:, :depth]
    assert (retrieval.ranking(scores, depth) == expected).all()


@patient
@given(tables, st.integers(1, 25), st.integers(1, 60), st.integers(0, 9))
def test_fused_scores_are_sums_of_reciprocal_ranks(scores, depth, k, seed):
    other = np.random.default_rng(seed).permuted(scores, axis=1)
    expected = np.zeros(scores.shape)
    for one in (scores, other):
        for row, ranked in enumerate(np.argsort(-one, axis=1, kind="stable")):
            for rank, place in enumerate(ranked[:depth], start=1):
                expected[row, place] += 1 / (k + rank)
    assert retrieval.rrf(scores, other, k=k, depth=depth) == pytest.approx(expected)


def test_fusion_by_hand():
    fused = retrieval.rrf(np.array([[3.0, 2.0, 1.0]]), np.array([[0.0, 9.0, 0.0]]), depth=2)
    assert fused[0] == pytest.approx([1 / 61 + 1 / 62, 1 / 62 + 1 / 61, 0])
    assert fused[0, 0] > fused[0, 1]  # equals: the first ranking decides
    assert retrieval.ranking(retrieval.rrf(np.array([[1.0, 2.0]]), np.array([[2.0, 1.0]]))).tolist() == [[1, 0]]


@patient
@given(tables, st.integers(1, 8), st.integers(0, 99))
def test_the_best_of_a_part_is_that_of_a_loop(scores, n_parts, seed):
    drawn = np.random.default_rng(seed).integers(0, n_parts, scores.shape[1])
    part = np.unique(drawn, return_inverse=True)[1]
    expected = [[max(row[part == own]) for own in part] for row in scores]
    assert (retrieval.best_in(scores, part) == expected).all()


def test_citations_are_ones_in_a_table():
    table = retrieval.citations([np.array([0, 3]), np.array([2]), np.array([3])], 5)
    assert table.toarray().tolist() == [[1, 0, 0, 1, 0], [0, 0, 1, 0, 0], [0, 0, 0, 1, 0]]


def test_what_was_answered_before_is_remembered():
    cited = retrieval.citations([np.array([0, 1, 2, 3]), np.array([1]), np.array([4])], 6)
    similarity = np.array([[0.8, 0.4, 0.2], [-0.5, -0.2, 0.6]])
    found = retrieval.remembered(similarity, cited, nearest=2, sharpness=2)
    assert found[0] == pytest.approx([1 / 2, 1 / 2 + 1 / 4, 1 / 2, 1 / 2, 0, 0])  # four citations: halved
    assert found[1] == pytest.approx([0, 0, 0, 0, 1, 0], abs=1e-9)
    alone = retrieval.remembered(similarity, cited, nearest=99, sharpness=1)
    assert alone[0] == pytest.approx([1 / 2, 1 / 2 + 1 / 2, 1 / 2, 1 / 2, 1 / 4, 0])


@patient
@given(st.lists(st.sampled_from("abcdefgh"), min_size=1, max_size=30), st.integers(1, 5), st.integers(0, 9))
def test_rows_of_a_group_share_a_fold(groups, n_folds, seed):
    found = retrieval.folds(groups, n_folds, seed)
    fold_of = dict(zip(groups, found, strict=True))
    assert [fold_of[group] for group in groups] == found.tolist()
    sizes = np.bincount(list(fold_of.values()), minlength=n_folds)
    assert len(sizes) == n_folds
    assert sizes.max() - sizes.min() <= 1
    assert (retrieval.folds(groups, n_folds, seed) == found).all()


def by_hand(ranked, cited):
    hits = [place in cited for place in ranked]
    first = next((rank for rank, hit in enumerate(hits[:10], start=1) if hit), math.inf)
    gain = sum(1 / math.log2(rank + 1) for rank, hit in enumerate(hits[:10], start=1) if hit)
    ideal = sum(1 / math.log2(rank + 1) for rank in range(1, min(10, len(cited)) + 1))
    return [float(first == 1), float(first <= 10), sum(hits[:20]) / len(cited), 1 / first, gain / ideal]


@patient
@given(
    st.integers(0, 99),
    st.integers(3, 25),
    st.lists(st.sets(st.integers(0, 29), min_size=1, max_size=15), min_size=1, max_size=5),
)
def test_metrics_are_those_of_a_loop(seed, depth, gold):
    rng = np.random.default_rng(seed)
    ranked = np.stack([rng.permutation(30)[:depth] for _ in gold])
    found = retrieval.metrics(ranked, [np.array(sorted(cited)) for cited in gold])
    assert list(found) == ["hit1", "hit10", "recall20", "mrr10", "ndcg10"]
    expected = [by_hand(row, cited) for row, cited in zip(ranked, gold, strict=True)]
    assert found.to_numpy() == pytest.approx(np.array(expected))


@pytest.mark.network
def test_bm25_finds_what_was_published():
    code, sections = retrieval.load()
    assert (len(code), len(sections)) == (11_545, 740)
    assert not sections["question"].str.contains(r"\d{3,4}-\d").any()
    asked = sections[sections["asked"]]
    scores = retrieval.bm25(retrieval.tokenize(retrieval.documents(code)), retrieval.tokenize(list(asked["title"])))
    found = retrieval.metrics(retrieval.ranking(scores), list(asked["gold"])).mean()
    published = {"hit1": 0.155, "hit10": 0.384, "recall20": 0.325, "mrr10": 0.218}
    assert {name: found[name] for name in published} == pytest.approx(published, abs=0.0005)
