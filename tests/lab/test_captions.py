"""Digits, what is measured on them and what captions say: against drawn strokes and sentences read by hand."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lib.lab import captions


@pytest.fixture(scope="module")
def digits():
    return captions.digits()


def stroke(*, shift: int, grey: int = 16) -> np.ndarray:
    """A vertical line whose upper half lies `shift` columns further right."""
    image = np.zeros((8, 8))
    image[:4, 3 + shift] = grey
    image[4:, 3] = grey
    return image.ravel()


def test_a_thick_stroke_is_darker_than_a_thin_one():
    thin, thick = stroke(shift=0, grey=4), stroke(shift=0, grey=12)
    assert captions.darkness(np.stack([thin, thick])).tolist() == [0.25, 0.75]
    assert captions.darkness(np.zeros(64)) == 0


def test_thirds_are_those_of_each_label():
    values, labels = [1, 2, 3, 30, 20, 10], [0, 0, 0, 1, 1, 1]
    assert captions.thirds(values, labels).tolist() == [0, 1, 2, 2, 1, 0]


def test_each_digit_has_as_many_thin_as_thick(digits):
    for third in (digits.thickness, digits.slant):
        counts = np.array([np.bincount(third[digits.labels == digit], minlength=3) for digit in range(10)])
        assert counts.min() > 50
        assert (counts.max(axis=1) - counts.min(axis=1) <= 12).all()  # equal values fall together


def test_captions_name_each_digit_once():
    rows = captions.named()
    assert len(rows) == len(captions.SEEN)
    assert rows[0][7] == "le chiffre sept"
    assert all(len(set(row)) == 10 for row in [*rows, *captions.named(captions.NEW_SENTENCES), *captions.shapes()])


def test_looks_say_only_what_stands_out():
    assert captions.looks("un {} {}", 3, 2, 0) == "un trois épais et penché à gauche"
    assert captions.looks("un {} {}", 3, 1, 2) == "un trois penché à droite"
    assert captions.looks("un {} {}", 3, 1, 1) == "un trois"


def test_what_judges_is_not_what_teaches():
    taught = {caption for row in captions.named() for caption in row}
    assert not taught & {caption for row in captions.named(captions.NEW_SENTENCES) for caption in row}
    said = set(" ".join(taught).split())
    for _, names in captions.OTHER_WORDS:
        assert len(names) == 10
        assert said & set(names) <= {"six"}  # French and English write it alike
    assert all(len(names) == 10 for _, names in captions.DETOURS)


@pytest.mark.parametrize("digit", [3, 5, 6, 7, 8, 9])
def test_an_absent_digit_is_made_of_parts_of_others(digit):
    others = [shape for other, shape in enumerate(captions.SHAPES) if other != digit]
    top, bottom = captions.SHAPES[digit]
    assert captions.SHAPES[digit] not in others
    assert top in {shape[0] for shape in others}
    assert bottom in {shape[1] for shape in others}


def test_shapes_never_name_the_digit():
    said = set(" ".join(caption for row in captions.shapes() for caption in row).replace(",", "").split())
    assert not said & set(captions.NAMES[2:])


def test_grams_are_runs_of_words():
    table, known = captions.grams(["un sept fin", "Un sept."])
    assert known == ["fin", "sept", "sept fin", "un", "un sept", "un sept fin"]
    assert table[1].tolist() == pytest.approx([0, 3**-0.5, 0, 3**-0.5, 3**-0.5, 0])
    again, same = captions.grams(["deux"], known)
    assert same == known
    assert not again.any()


def test_grams_tell_which_part_is_where():
    table, _ = captions.grams(["boucle en haut, trait en bas", "trait en haut, boucle en bas"])
    assert (table[0] != table[1]).any()


@given(st.lists(st.text(max_size=40), min_size=1, max_size=5))
def test_rows_of_grams_have_length_one_or_nothing(texts):
    table, known = captions.grams(texts)
    assert table.shape == (len(texts), len(known))
    lengths = np.linalg.norm(table, axis=1)
    assert all(length == pytest.approx(1) or length == 0 for length in lengths)
