import json

import pandas as pd
import pytest

from lib.lab import corpus, vocabularies

FRENCH = ["L'employeur n'est pas tenu d'embaucher aujourd'hui.", "L'homme et la femme sont libres : 35 heures !"] * 3


@pytest.fixture(scope="module")
def tokenizer():
    return vocabularies.train(FRENCH)


def slow_pieces(sentence):
    """The French cut, one character at a time."""
    found, place = [], 0
    kinds = [str.isalpha, str.isnumeric, lambda sign: not (sign.isalpha() or sign.isnumeric() or sign.isspace())]
    while place < len(sentence):
        start, place = place, place + (sentence[place] == " ")
        kind = next(kind for kind in kinds if kind(sentence[place]))
        while place < len(sentence) and kind(sentence[place]):
            place += 1
        if kind is str.isalpha and sentence[place : place + 1] == "'":
            place += 1
        found.append(sentence[start:place])
    return found


@pytest.mark.parametrize("sentence", FRENCH[:2])
def test_pieces_are_words_signs_and_elisions(sentence):
    assert vocabularies.pieces([sentence]).tolist() == [len(slow_pieces(sentence))]


def test_an_elided_word_keeps_its_apostrophe_in_the_french_cut_only(tokenizer):
    usual = vocabularies.train(FRENCH, "usual")
    assert tokenizer.encode("L'homme").tokens == ["L'", "homme"]
    assert usual.encode("L'homme").tokens == ["L", "'", "homme"]
    assert vocabularies.pieces(["L'homme"]).tolist() == [2]
    assert vocabularies.pieces(["L'homme"], "usual").tolist() == [3]


def test_the_usual_cut_is_that_of_byte_level_tokenizers():
    from tokenizers import pre_tokenizers

    sentence = "  They're L'homme, 35 %... Été\n\nfin "
    expected = pre_tokenizers.ByteLevel(add_prefix_space=False).pre_tokenize_str(sentence)
    assert vocabularies.pieces([sentence], "usual").tolist() == [len(expected)]


def test_as_far_as_the_text_goes_each_piece_is_a_token(tokenizer):
    assert tokenizer.get_vocab_size() < vocabularies.LARGEST
    assert vocabularies.count(tokenizer, FRENCH).tolist() == vocabularies.pieces(FRENCH).tolist()
    assert tokenizer.decode(tokenizer.encode("Œuvre à 3 €").ids) != ""


@pytest.mark.parametrize("size", [256, 257, 270, 300])
def test_a_shrunk_tokenizer_is_the_one_that_would_have_been_trained(tokenizer, size):
    shrunk, trained = vocabularies.shrink(tokenizer, size), vocabularies.train(FRENCH, size=size)
    assert shrunk.get_vocab_size() == trained.get_vocab_size() == size
    for sentence in (*FRENCH, "Tout autre chose, déjà vu ?"):
        assert shrunk.encode(sentence).tokens == trained.encode(sentence).tokens


def test_the_smallest_vocabulary_pays_a_token_a_byte(tokenizer):
    smallest = vocabularies.shrink(tokenizer, 256)
    assert vocabularies.count(smallest, FRENCH).tolist() == [len(sentence.encode()) for sentence in FRENCH]


def test_training_twice_gives_the_same_tokenizer(tokenizer):
    again = vocabularies.train(FRENCH)
    assert json.loads(again.to_str()) == json.loads(tokenizer.to_str())


def test_tokens_are_counted_without_marks_whatever_the_library(tokenizer):
    from transformers import PreTrainedTokenizerFast

    padded = vocabularies.shrink(tokenizer, 300)
    padded.enable_padding()
    padded.enable_truncation(4)
    wrapped = PreTrainedTokenizerFast(tokenizer_object=padded, model_max_length=4)
    plain = vocabularies.shrink(tokenizer, 300)
    expected = [len(plain.encode(sentence, add_special_tokens=False).ids) for sentence in FRENCH]
    assert len(set(expected)) > 1
    assert vocabularies.count(plain, FRENCH).tolist() == expected
    assert vocabularies.count(wrapped, FRENCH).tolist() == expected


@pytest.mark.parametrize(("name", "asked"), [("minilm", "minilm_folder"), ("gemma", "causal_lm_folder")])
def test_an_existing_tokenizer_is_read_from_its_model_s_folder(tokenizer, monkeypatch, tmp_path, name, asked):
    tokenizer.save(str(tmp_path / "tokenizer.json"))
    monkeypatch.setattr(vocabularies.language_models, asked, lambda *_: tmp_path)
    assert vocabularies.existing(name).to_str() == tokenizer.to_str()


def test_files_are_made_once_from_half_of_the_documents(monkeypatch, tmp_path):
    seen = []
    texts = tuple(f"Le texte numéro {number}." for number in range(10))

    def train(some, cut):
        seen.append(list(some))
        return vocabularies.Tokenizer.from_str(first)

    first = vocabularies.train(texts).to_str()
    monkeypatch.setattr(vocabularies, "documents", lambda: texts)
    monkeypatch.setattr(vocabularies, "train", train)
    monkeypatch.setenv("GUIDON_CACHE", str(tmp_path))
    monkeypatch.setattr(vocabularies, "derived", lambda name, make, **_: _kept(tmp_path / name, make))
    assert vocabularies.load("french", 3).get_vocab_size() == vocabularies.load("french", 3).get_vocab_size()
    assert vocabularies.load("usual", None).to_str() == first
    assert [len(some) for some in seen] == [5, 10]
    assert set(seen[0]) < set(texts)
    assert seen[1] == list(texts)


def _kept(path, make):
    if not path.exists():
        make(path)
    return path


def test_what_the_notebook_compares_is_all_made(monkeypatch):
    monkeypatch.setattr(vocabularies, "made", lambda cut, draw: (cut, draw))
    found = vocabularies.french_tokenizers()
    assert found == {key: key for key in found}
    assert {("french", None), ("usual", 0), ("french", 0), ("french", vocabularies.DRAWS - 1)} <= set(found)
    assert len(found) == vocabularies.DRAWS + 2


def udhr(*codes):
    """Translations by code, tag and number of parts, each with its parts out of order."""
    rows = [
        {"code": code, "bcp47": tag, "article": number, "text": f"{code}\u2019s  part {number}"}
        for code, tag, parts in codes for number in reversed(range(parts))
    ]  # fmt: skip
    return pd.DataFrame(rows)


def test_one_complete_translation_a_language(monkeypatch):
    known = udhr(
        ("fra", "fr", 31), ("068", "fr", 31), ("deu_1901", "de-1901", 31), ("deu_x", "de", 31), ("spa", "es", 30),
        ("azj_cyrl", "az-Cyrl", 31), ("azj_latin", "az-Latn", 31), ("bre", "br", 31), ("gsw", "gsw", 31),
    )  # fmt: skip
    monkeypatch.setattr(corpus, "udhr", lambda: known)
    found = vocabularies.translations().set_index("language")
    assert found["code"].to_dict() == {"fr": "fra", "de": "deu_x", "az": "azj_latin"}
    assert found["fr"].to_dict() == {"fr": "français", "de": "allemand", "az": "azerbaïdjanais"}
    assert found["en"]["de"] == "German"
    assert found["parts"]["fr"] == [f"fra's part {number}" for number in range(31)]


def test_a_part_without_text_makes_a_translation_incomplete(monkeypatch):
    known = udhr(("fra", "fr", 31), ("spa", "es", 31))
    known.loc[(known["code"] == "spa") & (known["article"] == 7), "text"] = " "
    monkeypatch.setattr(corpus, "udhr", lambda: known)
    assert vocabularies.translations()["language"].tolist() == ["fr"]
