"""Numbers in words, read back by a reader of their own."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lib.press import numerals

FR = {word: number for number, word in enumerate(numerals._FR)} | {
    "vingt": 20, "vingts": 20, "trente": 30, "quarante": 40, "cinquante": 50, "soixante": 60,
}  # fmt: skip
EN = {word: number for number, word in enumerate(numerals._EN)} | {
    word: 10 * number for number, word in enumerate(numerals._EN_TENS) if word != "-"
}
SIZES = {
    "fr": {"mille": 10**3, "million": 10**6, "millions": 10**6, "milliard": 10**9, "milliards": 10**9},
    "en": {"thousand": 10**3, "million": 10**6, "billion": 10**9, "trillion": 10**12},
}


def read(text, lang):
    """The number that words say: sums, and products by what follows."""
    total, part = 0, 0
    for word in re.split(r"[ -]", text):
        if word in ("et", "and"):
            continue
        if word in SIZES[lang]:
            total, part = total + (part or 1) * SIZES[lang][word], 0
        elif word in ("cent", "cents", "hundred"):
            part = (part or 1) * 100
        elif lang == "fr" and word in ("vingt", "vingts") and part % 100 == 4:
            part += 76  # quatre-vingt
        else:
            part += (FR if lang == "fr" else EN)[word]
    return total + part


@given(st.integers(0, 10**12 - 1), st.sampled_from(["fr", "en"]))
def test_a_number_in_words_is_read_back(number, lang):
    assert read(numerals.cardinal(number, lang), lang) == number


@pytest.mark.parametrize(
    ("number", "fr", "en"),
    [
        (0, "zéro", "zero"),
        (21, "vingt et un", "twenty-one"),
        (71, "soixante et onze", "seventy-one"),
        (80, "quatre-vingts", "eighty"),
        (81, "quatre-vingt-un", "eighty-one"),
        (91, "quatre-vingt-onze", "ninety-one"),
        (99, "quatre-vingt-dix-neuf", "ninety-nine"),
        (200, "deux cents", "two hundred"),
        (1001, "mille un", "one thousand and one"),
        (1234, "mille deux cent trente-quatre", "one thousand two hundred and thirty-four"),
        (80_000, "quatre-vingt mille", "eighty thousand"),
        (80_000_000, "quatre-vingts millions", "eighty million"),
        (2_000_003, "deux millions trois", "two million and three"),
    ],
)
def test_numbers_are_written_as_people_say_them(number, fr, en):
    assert numerals.cardinal(number, "fr") == fr
    assert numerals.cardinal(number, "en") == en


@pytest.mark.parametrize(
    ("number", "fr", "en"),
    [
        (1, "premier", "first"), (2, "deuxième", "second"), (4, "quatrième", "fourth"), (5, "cinquième", "fifth"),
        (9, "neuvième", "ninth"), (12, "douzième", "twelfth"), (20, "vingtième", "twentieth"),
        (21, "vingt et unième", "twenty-first"), (80, "quatre-vingtième", "eightieth"),
        (100, "centième", "one hundredth"),
    ],
)  # fmt: skip
def test_ranks(number, fr, en):
    assert numerals.ordinal(number, "fr") == fr
    assert numerals.ordinal(number, "en") == en


def test_the_first_has_a_feminine():
    assert numerals.ordinal(1, "fr", feminine=True) == "première"


@pytest.mark.parametrize(
    ("number", "told"),
    [(1999, "nineteen ninety-nine"), (2005, "two thousand and five"), (2024, "twenty twenty-four"),
     (1905, "nineteen oh five"), (1900, "nineteen hundred"), (2000, "two thousand")],
)  # fmt: skip
def test_english_years(number, told):
    assert numerals.year(number) == told
