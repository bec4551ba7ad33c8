import subprocess
import sys

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.feature_extraction.text import TfidfVectorizer

from lib.lab import corpus, themes

LONG = "Le salarié qui souhaite partir en congé prévient son employeur par une lettre datée et signée."


def in_order(some, words):
    """Whether words are some of the others, in their order."""
    rest = iter(words)
    return all(word in rest for word in some)


@given(st.lists(st.sampled_from(["un", "deux", "trois", "été"]), max_size=40).map(" ".join))
def test_a_near_copy_lacks_words_and_adds_none(text):
    copy = themes.near_copy(text)
    assert themes.near_copy(text) == copy
    assert in_order(copy.split(), text.split())
    assert copy == " ".join(copy.split())


def test_near_copies_lack_one_word_in_ten():
    texts = [f"{number} {LONG} {LONG}" for number in range(300)]
    kept = [len(themes.near_copy(text).split()) / len(text.split()) for text in texts]
    assert np.mean(kept) == pytest.approx(0.9, abs=0.01)
    assert min(kept) > 0.6
    assert len({themes.near_copy(text).partition(" ")[2] for text in texts}) > 200  # each chosen by its own text


def test_a_near_copy_is_the_same_in_another_process():
    program = f"from lib.lab.themes import near_copy; print(ascii(near_copy({LONG!r})))"
    said = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True).stdout
    assert said.strip() == ascii(themes.near_copy(LONG))


def test_one_of_each_group_of_near_copies_is_kept():
    other = "La carte grise se demande en ligne sur le site de la préfecture."
    texts = [LONG, other, LONG.replace("Le", "Un"), "Comment adopter un enfant ?", other]
    assert themes._kept(texts, ["travail", "papiers", "travail", "famille", "papiers"]).tolist() == [1, 1, 0, 1, 0]


def test_near_copies_filed_under_two_themes_are_all_left_out():
    texts = [LONG, "Comment adopter un enfant ?", LONG]
    assert themes._kept(texts, ["travail", "famille", "argent"]).tolist() == [False, True, False]


def test_likeness_passes_from_one_sheet_to_the_next():
    words = [f"mot{number}" for number in range(60)]
    chain = [" ".join(words[start : start + 50]) for start in (0, 5, 10)]
    vectors = TfidfVectorizer(sublinear_tf=True).fit_transform(chain)
    alike = (vectors @ vectors.T).toarray() >= themes.ALIKE
    assert alike[0, 1]
    assert alike[1, 2]
    assert not alike[0, 2]
    assert themes._kept(chain, ["travail"] * 3).tolist() == [True, False, False]


@pytest.fixture
def tiny(project, monkeypatch):
    """Sheets of each audience, as the corpus gives them."""

    def sheets(rows):
        return pd.DataFrame(rows, columns=["sheet_id", "title", "theme", "text"])

    def long(word):
        return " ".join(f"{word}{number}" for number in range(70))

    audiences = {
        "particuliers": sheets(
            [
                ("F3", "Trois", "Travail", long("c")),
                ("F1", "Un titre long", "Argent", long("a")),
                ("F2", "Sans thème", "", long("b")),
                ("F4", "Court", "Argent", "un lien"),
                ("F5", "Cinq", "Argent", long("c")),
            ]
        ),
        "professionnels": sheets(
            [("F1", "Un", "", long("a")), ("F9", "Neuf", "", long("d")), ("F8", "C", "", "court")]
        ),
        "associations": sheets([("F7", "Sept", "", "mot " + "x" * 300)]),
    }
    monkeypatch.setattr(corpus, "service_public", lambda audience="particuliers": audiences[audience].copy())
    monkeypatch.setattr(themes.sources, "content_hash", lambda name: name)


def test_sheets_hold_titles_first_words_and_spoiled_versions(tiny):
    frame = themes.sheets()
    assert list(frame.columns) == ["sheet_id", "theme", *themes.VERSIONS]
    assert list(frame["sheet_id"]) == ["F1"]  # F3 and F5 say the same under two themes
    assert frame["text"][0] == "Un titre long\n" + " ".join(f"a{number}" for number in range(30))
    assert frame["truncated"][0] == "Un titre long"
    assert frame["copy"][0] == themes.near_copy(frame["text"][0])


def test_passages_off_topic_come_from_other_sheets(tiny):
    expected = [f"Neuf\n{' '.join(f'd{number}' for number in some)}" for some in (range(30), range(30, 60))]
    assert themes.off_topic() == expected


@pytest.mark.network
def test_the_real_sheets_are_a_clean_task_of_ten_themes():
    frame = themes.sheets()
    assert list(frame.columns) == ["sheet_id", "theme", *themes.VERSIONS]
    assert frame["theme"].nunique() == 10
    assert frame["sheet_id"].is_unique
    assert list(frame["sheet_id"]) == sorted(frame["sheet_id"])
    assert 2500 < len(frame) < 2980
    whole = corpus.service_public()
    whole = whole[(whole["theme"] != "") & (whole["text"].str.len() >= themes.MINIMUM)]
    vectors = TfidfVectorizer(sublinear_tf=True).fit_transform(whole["text"])
    vectors = vectors[whole["sheet_id"].isin(frame["sheet_id"]).to_numpy()]
    assert vectors.shape[0] == len(frame)
    alike = (vectors @ vectors.T).tocoo()
    assert alike.data[alike.row != alike.col].max() < themes.ALIKE
    assert list(frame["copy"]) == [themes.near_copy(text) for text in frame["text"]]
    assert (frame["truncated"].str.split().map(len) == themes.CUT).all()
    left = frame["copy"].str.split().map(len).sum() / frame["text"].str.split().map(len).sum()
    assert left == pytest.approx(0.9, abs=0.005)


@pytest.mark.network
def test_the_real_passages_off_topic_share_nothing_with_the_sheets():
    found, frame = themes.off_topic(), themes.sheets()
    assert len(found) > 1000
    assert not set(found) & set(frame["text"])
    bodies = {text.partition("\n")[2] for text in frame["text"]}
    assert not {text.partition("\n")[2] for text in found} & bodies
    tfidf = TfidfVectorizer(sublinear_tf=True).fit([*found, *frame["text"]])
    closest = (tfidf.transform(found) @ tfidf.transform(frame["text"]).T).max(axis=1).toarray()
    assert (closest >= themes.ALIKE).mean() < 0.001  # one passage, on redundancy, that employers read too
