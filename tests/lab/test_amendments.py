"""Numbers of the law, found, asked about, and changed."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lib.lab import amendments, text

BEFORE = "Le salarié qui demande un congé informe son employeur dans un délai de"


def code(*texts: str, state: str = "VIGUEUR") -> pd.DataFrame:
    return pd.DataFrame({"state": [state] * len(texts), "text": list(texts)})


def test_durations_are_numbers_with_a_unit():
    found = amendments.durations("Un délai de dix-huit mois, puis deux fois quinze jours et vingt-quatre heures.")
    assert [(one.number, one.unit) for one in found] == [
        ("dix-huit", "mois"), ("quinze", "jours"), ("vingt-quatre", "heures"),
    ]  # fmt: skip
    assert found[0].before == "Un délai de"


@pytest.mark.parametrize(
    "said", ["cent trente jours", "soixante-dix jours", "deux cents trente ans", "vingt-deux mois"]
)
def test_parts_of_larger_numbers_are_left_alone(said):
    assert amendments.durations(f"pendant {said}") == []


def test_facts_state_one_duration_each_in_force_and_once():
    one = f"{BEFORE} deux mois. Il n'y a rien d'autre."
    frame = amendments.facts(code(one, one, "Dans un délai de six mois.", f"{BEFORE} six mois ou huit jours."), 6)
    assert list(frame["article"]) == [0]
    row = frame.iloc[0]
    assert (row["before"], row["number"], row["unit"]) == ("son employeur dans un délai de", "deux", "mois")
    assert one[row["start"] : row["stop"]] == "deux"
    assert amendments.facts(code(one, state="ABROGE"), 6).empty


def test_numbers_of_articles_are_taken_out_of_questions():
    frame = amendments.facts(code(f"Par exception à l'article L. 1221-19, {BEFORE.lower()} trois mois."), 40)
    assert "1221" not in frame["before"][0]


def test_options_hold_the_law_first_and_differ():
    frame = pd.DataFrame({"number": ["deux", "trois", "six", "dix", "huit"], "unit": ["mois"] * 5})
    drawn = amendments.options(frame, np.random.default_rng(0))
    assert list(drawn[:, 0]) == list(frame["number"])
    assert all(len(set(row)) == amendments.OPTIONS for row in drawn)
    assert (drawn == amendments.options(frame, np.random.default_rng(0))).all()
    with pytest.raises(ValueError, match="3 numbers only"):
        amendments.options(frame[:3], np.random.default_rng(0))


def test_amending_changes_the_number_and_nothing_else():
    law = f"{BEFORE} deux mois."
    found = amendments.durations(law)[0]
    assert amendments.amend(law, found.start, found.stop, "cinq") == f"{BEFORE} cinq mois."


@given(st.lists(st.sampled_from(["a", "bb", "ccc"]), min_size=1, max_size=20), st.integers(0, 5), st.integers(0, 9))
def test_rewording_keeps_order_and_the_end(words, kept, seed):
    said = amendments.reword(" ".join(words), 0.5, kept, np.random.default_rng(seed)).split()
    rest = iter(words)
    assert all(word in rest for word in said)
    assert said[len(said) - min(kept, len(words)) :] == words[len(words) - min(kept, len(words)) :]


def test_rewording_nothing_or_everything():
    rng = np.random.default_rng(0)
    assert amendments.reword(BEFORE, 0.0, 0, rng) == BEFORE
    assert amendments.reword(BEFORE, 1.0, 2, rng) == "délai de"


def test_the_passage_is_the_one_that_the_question_ends_like():
    article = f"Le préfet statue sous huit jours. {BEFORE} deux mois."
    rank, found = amendments.find(BEFORE, ["Rien ici.", article])
    assert (rank, found.number) == (1, "deux")
    assert amendments.find(BEFORE, ["Rien ici."]) is None
    assert amendments.find(BEFORE, []) is None


def test_last_words():
    assert amendments.last_words("un deux trois", 2) == "deux trois"
    assert amendments.last_words("un", 2) == "un"


def test_rows_end_with_the_answer():
    bpe = text.train_bpe([f"{BEFORE} deux mois trois ans"] * 3, 300)
    rows, sizes = amendments.lay_out(bpe, [BEFORE, "de"], ["deux mois", "trois ans"], 24)
    assert rows.shape == (2, 25)
    for row, size, answer in zip(rows, sizes, (" deux mois", " trois ans"), strict=True):
        assert bpe.decode(row[-size:].tolist()) == answer
        assert row[0] == 0
    assert bpe.decode(rows[1].tolist(), skip_special_tokens=True) == "de trois ans"
    with pytest.raises(ValueError, match="does not fit"):
        amendments.lay_out(bpe, ["de"], ["deux mois"], 1)


@pytest.mark.parametrize(
    ("answer", "number"),
    [("deux mois", "deux"), (" « Dix-huit » mois", "dix-huit"), ("vingt-quatre", "vingt-quatre"), ("vingt-deux", ""),
     ("dixième", ""), ("environ deux", ""), ("", ""), ("2 mois", "deux"),
     ("24", "vingt-quatre"), ("11", ""), ("2,5 ans", ""), ("2017", ""), ("deux.", "deux")],
)  # fmt: skip
def test_reading_a_number(answer, number):
    assert amendments.read_number(answer) == number
