import random

import pandas as pd
import pytest

from lib.lab import corpus, niche, sources, text

NOUNS = ["salarié", "contrat", "travail", "congé", "délai", "montant", "conseil", "comité", "projet", "niveau"]
NOUNS += ["régime", "service", "titre", "temps", "début", "moyen", "poste", "droit"]


def sentence(draw, length=40):
    """Nouns after their determiner, so that gaps can be found."""
    return " ".join(f"le {draw.choice(NOUNS)}" for _ in range(length // 2))


@pytest.fixture
def small(project, monkeypatch):
    """A Code and sheets of random nouns; one sheet quotes the Code at length."""
    draw = random.Random(1)
    paths = [f"Partie législative > {part} partie : A > Livre {book}" for part in niche.PARTS for book in range(12)]
    law = pd.DataFrame(
        {"section_path": [path for path in paths for _ in range(3)], "text": [sentence(draw) for _ in range(288)]}
    )
    sheets = pd.DataFrame(
        {"sheet_title": [f"Fiche {n}" for n in range(60)], "text": [sentence(draw) for _ in range(60)]}
    )
    monkeypatch.setattr(corpus, "code_du_travail", lambda: law)
    monkeypatch.setattr(corpus, "fact_sheets", lambda: sheets)
    monkeypatch.setattr(sources, "content_hash", lambda name: name)
    return law, sheets


def test_whole_chapters_and_sheets_are_kept_apart(small):
    found = niche.documents()
    assert len(found) == 348
    assert (found.groupby(["source", "group"])["read"].nunique() == 1).all()
    assert 0 < (~found["read"]).mean() < 0.3
    assert sorted(found.loc[found["source"] == "code", "part"].unique()) == list(range(1, 9))
    assert (found.loc[found["source"] == "sheets", "part"] == 0).all()


def test_a_passage_that_quotes_what_is_read_is_left_out():
    words = [f"mot{'abcdefghij'[n // 10]}{'abcdefghij'[n % 10]}" for n in range(niche.WORDS)]
    whole = " ".join(words)
    assert niche._passage(whole, set()) == whole
    assert niche._passage(whole, niche.grams(" ".join(words[: niche.GRAM]), niche.GRAM)) == ""
    assert niche._passage(whole, niche.grams(" ".join(words[: niche.GRAM - 1]), niche.GRAM)) == whole
    assert niche._passage(" ".join(words[:-1]), set()) == ""  # too short
    assert niche._passage(" ".join(word * 3 for word in words), set()) == ""  # too long


def test_sequences_of_words_are_those_of_a_loop():
    words = [f"m{'abcdefghijklm'[n]}" for n in range(12)]
    expected = {hash(tuple(words[start : start + 5])) for start in range(len(words) - 4)}
    assert niche.grams(" ".join(words).upper(), 5) == expected
    assert niche.grams(" ".join(words[:4]), 5) == set()


def test_what_is_known_of_a_passage_is_counted_word_by_word(small):
    documents = niche.documents()
    read = [text.words(one) for one in documents["text"][documents["read"]]]
    known = {tuple(some[at : at + niche.SHORT]) for some in read for at in range(len(some) - niche.SHORT + 1)}
    apart = documents[~documents["read"] & (documents["passage"] != "")]
    assert len(apart) > 3
    for passage, share in zip(apart["passage"], apart["known"], strict=True):
        words = text.words(passage)
        own = {tuple(words[at : at + niche.SHORT]) for at in range(len(words) - niche.SHORT + 1)}
        assert share == pytest.approx(len(own & known) / len(own))
    assert (documents["known"][documents["read"] & (documents["passage"] != "")] == 1).all()


def test_an_exam_asks_what_specialists_have_not_read(small, monkeypatch):
    monkeypatch.setattr(niche, "KNOWN", 5)
    rows, documents = niche.exam(5, 3, 4, 10, 4, 0), niche.documents()
    kinds = rows["kind"].value_counts().to_dict()
    assert kinds == {"code": 5, "sheets": 3, "theme": 4, "labelled": 10, "gap": 16}
    read = set(documents["text"][documents["read"]])
    of = rows["kind"].isin(["code", "theme", "sheets"])
    assert not any(whole.startswith(passage) for passage in rows["text"][of] for whole in read)
    assert not set(rows["text"][rows["kind"] == "code"]) & set(rows["text"][rows["kind"] == "theme"])
    assert (rows["part"][rows["kind"] == "labelled"] > 0).all()
    other = niche.exam(5, 3, 4, 10, 4, 1)
    assert set(other["text"][other["kind"] == "code"]) != set(rows["text"][rows["kind"] == "code"])


def test_a_gap_has_one_right_word_in_its_sentence(small, monkeypatch):
    monkeypatch.setattr(niche, "KNOWN", 5)
    documents = niche.documents()
    rows = niche.gap_rows(documents, 4, 0)
    apart = list(documents["text"][~documents["read"]])
    assert (rows.groupby("item")["right"].sum() == 1).all()
    for _, four in rows.groupby("item"):
        assert four["text"].nunique() == 4
        assert four["prefix"].nunique() == 1
        right = four[four["right"]].iloc[0]
        assert any(right["prefix"] + right["text"] in whole for whole in apart)
        assert len({one.split(maxsplit=1)[1] for one in four["text"]}) == 1  # the same words follow


def test_a_lesson_is_what_may_be_read_in_the_order_of_a_seed(small):
    documents = niche.documents()
    lesson = niche.lesson(3)
    assert sorted(lesson) == sorted(documents["text"][documents["read"]])
    assert lesson == niche.lesson(3)
    assert lesson != niche.lesson(4)


def test_the_tokenizer_is_learned_on_what_is_read(small, monkeypatch):
    monkeypatch.setattr(niche, "VOCABULARY", 280)
    bpe = niche.tokenizer()
    assert bpe.get_vocab_size() <= 280
    assert len(bpe.encode("le salarié").ids) < len("le salarié".encode())
    assert bpe.decode(bpe.encode("le salarié").ids) == "le salarié"
