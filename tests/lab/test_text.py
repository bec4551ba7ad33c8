import math
import unicodedata
from collections import Counter

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from lib.lab import cache, corpus, text

TEXTS = ["Le chat voit l'oiseau. Le chat mange.", "Un chien voit le chat : 3 fois !", ""]
FRENCH = "L'employeur remet au salarié un bulletin de paie. Le salarié garde le bulletin de paie. " * 5
french = st.sampled_from("eé\u0301 \u2019\u2013\u00a0")
few_words = st.lists(st.lists(st.sampled_from(["un", "deux", "trois"]), max_size=8).map(" ".join), max_size=4)


@pytest.fixture(scope="module")
def bpe():
    return text.train_bpe([FRENCH, "Été comme hiver, 35 heures."], 300)


def test_one_spelling_for_what_is_written_several_ways():
    written = "  L\u2019e\u0301te\u0301\u00a0\u202f\n est\u2011il \u2013 fi\u00adni \u2014\t? "
    assert text.normalize(written) == "L'été est-il - fini - ?"


@given(st.text(french | st.characters(exclude_characters="\u00ad", exclude_categories=["Cs"])))
def test_a_normal_text_is_composed_single_spaced_and_stays_as_it_is(written):
    found = text.normalize(written)
    assert text.normalize(found) == found
    assert unicodedata.is_normalized("NFC", found)
    assert found == " ".join(found.split())
    assert not set(found) & set("\u2019\u02bc\u2013\u2014\u2011")
    assert text.normalize(unicodedata.normalize("NFD", written)) == found


def test_words_are_letters_in_lower_case():
    assert text.words("L'Été, c'est 35 heures : peut-être_demain ŒUVRE2") == [
        *("l", "été", "c", "est", "heures", "peut", "être", "demain", "œuvre"),
    ]
    assert text.words("12 345 %") == []


@given(few_words, st.integers(1, 4))
def test_distinct_ngrams_are_counted_by_hand(texts, n):
    found = [tuple(one.split()[start : start + n]) for one in texts for start in range(len(one.split()) - n + 1)]
    expected = len(set(found)) / len(found) if found else 0.0
    assert text.distinct_ngrams(texts, n) == expected


def test_ngrams_do_not_cross_texts():
    assert text.distinct_ngrams(["a b", "a b"], 2) == 0.5
    assert text.distinct_ngrams(["a", "b"], 2) == 0.0
    assert text.distinct_ngrams(iter(["a b a b"]), 2) == pytest.approx(2 / 3)


@given(few_words, st.integers(0, 4), st.integers(1, 4))
def test_rare_words_occur_that_many_times(texts, most, least):
    counts = Counter(" ".join(texts).split())
    expected = {word for word in counts if least <= counts[word] <= most}
    assert text.rare_words(texts, most=most, least=least) == expected


def test_the_tail_of_a_vocabulary():
    assert text.rare_words(TEXTS, most=1) == {"l", "oiseau", "mange", "un", "chien", "fois"}
    assert text.rare_words(TEXTS, most=2, least=2) == {"voit"}


def test_retention_is_the_share_of_words_still_used():
    assert text.retention({"chat", "souris"}, TEXTS) == 0.5
    assert text.retention(["chat", "voit", "le", "ch"], iter(TEXTS)) == 0.75
    assert text.retention({"chat"}, []) == 0.0
    with pytest.raises(ValueError, match="no words to look for"):
        text.retention(set(), TEXTS)


def test_share_of_counts_running_words():
    assert text.share_of({"chat", "le"}, TEXTS) == 6 / 14
    assert text.share_of(set(), TEXTS) == 0
    assert text.share_of({"chat"}, []) == 0


def test_a_uniform_model_over_bytes_pays_eight_bits():
    assert text.bits_per_byte([math.log(256)] * 10, 10) == pytest.approx(8)
    assert text.bits_per_byte(math.log(2), [1]) == pytest.approx(1)


@given(st.lists(st.floats(0, 50), min_size=1), st.lists(st.integers(1, 9), min_size=1))
def test_bits_per_byte_follow_the_formula(nats, sizes):
    assert text.bits_per_byte(nats, sizes) == pytest.approx(sum(nats) / math.log(2) / sum(sizes), abs=1e-12)


def test_bits_of_no_bytes_are_refused():
    with pytest.raises(ValueError, match="no bytes"):
        text.bits_per_byte([1.0], 0)
    with pytest.raises(ValueError, match="no bytes"):
        text.bits_per_byte([], [])


def test_a_tokenizer_has_the_size_asked_and_begins_with_the_end(bpe):
    assert bpe.get_vocab_size() == 300
    assert bpe.token_to_id(text.END) == 0
    assert bpe.token_to_id("Ġbulletin") > 256


def test_training_twice_gives_the_same_tokenizer():
    assert text.train_bpe([FRENCH], 280).to_str() == text.train_bpe([FRENCH], 280).to_str()


@settings(deadline=None)
@given(st.text())
def test_any_text_comes_back_whole(bpe, written):
    assume(text.END not in written)
    (row,) = text.encode(bpe, [written])
    assert row.dtype == np.int64
    assert text.decode(bpe, [row]) == [written]
    assert text.token_bytes(bpe)[row].sum() == len(written.encode())


def test_frequent_words_cost_fewer_tokens_than_bytes(bpe):
    rows = text.encode(bpe, [FRENCH, "zyx"])
    assert len(rows[0]) < len(FRENCH.encode()) / 4
    assert len(rows[1]) == 3


def test_marks_of_the_end_are_not_text(bpe):
    (row,) = text.encode(bpe, ["Le bulletin"])
    assert text.decode(bpe, np.array([[0, *row, 0]])) == ["Le bulletin"]
    sizes = text.token_bytes(bpe)
    assert sizes.shape == (300,)
    assert sizes[0] == 0
    assert (sizes[1:] >= 1).all()
    assert (sizes[1:257] == 1).all()


def test_the_french_tokenizer_is_trained_once_on_normal_text(project, monkeypatch):
    import pandas as pd

    read = []

    def service_public():
        read.append(1)
        return pd.DataFrame({"text": [FRENCH.replace("'", "\u2019"), "Été"]})

    monkeypatch.setattr(corpus, "service_public", service_public)
    monkeypatch.setattr(text.sources, "content_hash", lambda name: f"hash of {name}")
    text.load_bpe.cache_clear()
    first, again, other = text.load_bpe(290), text.load_bpe(290), text.french_bpe(280)
    assert first is again
    assert len(read) == 2
    assert first.to_str() == text.train_bpe([FRENCH.strip(), "Été"], 290).to_str()
    assert other.parent == cache.paths.cache_dir()
    text.load_bpe.cache_clear()
