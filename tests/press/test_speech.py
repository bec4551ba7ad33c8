"""What is read aloud, word by word."""

import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lib.press import speech

NB, NARROW = "\u00a0", "\u202f"
FRENCH = {
    f"51{NB}% (44 à 57)": "cinquante et un pour cent, entre quarante-quatre et cinquante-sept",
    f"54{NB}% (de 48{NB}% à 60{NB}%), contre": (
        "cinquante-quatre pour cent, entre quarante-huit et soixante pour cent, contre"
    ),
    f"de 48{NB}% à 60{NB}%": "de quarante-huit à soixante pour cent",
    f"−4{NB}% (−5{NB}% à −3{NB}%)": "moins quatre pour cent, entre moins cinq et moins trois pour cent",
    f"+4,5{NB}%": "plus quatre virgule cinq pour cent",
    "1,84 bit par octet": "un virgule quatre-vingt-quatre bit par octet",
    "0,05": "zéro virgule zéro cinq",
    "0,439": "zéro virgule quatre cent trente-neuf",
    "0,12345": "zéro virgule un deux trois quatre cinq",
    "2,5 milliards": "deux virgule cinq milliards",
    f"12{NB}€": "douze euros",
    f"1{NARROW}234,50{NB}€": "mille deux cent trente-quatre euros cinquante",
    f"0,05{NB}€": "cinq centimes",
    "art. L1234-1": "article L mille deux cent trente-quatre tiret un",
    "article L. 1221-1": "article L mille deux cent vingt et un tiret un",
    "nᵒ 12": "numéro douze",
    "le RAG, une IA, LoRA": "le rague, une I A, Lora",
    "MRR@10 de BM25": "M R R à dix de B M vingt-cinq",
    "SmolLM2-135M": "Smol L M deux, cent trente-cinq M",
    "le 1er février 2024": "le premier février deux mille vingt-quatre",
    "la 2e fois, 21 fois": "la deuxième fois, vingt et une fois",
    "1 question et 21 articles": "une question et vingt et un articles",
    f"5{NB}min 30{NB}s": "cinq minutes trente secondes",
    "de 2020–2024": "de deux mille vingt à deux mille vingt-quatre",
    f"11{NARROW}545 articles": "onze mille cinq cent quarante-cinq articles",
    "(RAG) rend « mieux » ; Llama 3.3": "rague, rend mieux ; Llama trois point trois",
    "annexe IV": "annexe quatre",
    "voir https://a.b/c": "voir",
}
ENGLISH = {
    "51% (44% to 57%)": "fifty-one percent, between forty-four and fifty-seven percent",
    "3.0 points (1.9 to 4.3, 95% interval).": (
        "three point zero points, between one point nine and four point three, ninety-five percent interval."
    ),
    "€1,234.50": "one thousand two hundred and thirty-four euros and fifty cents",
    "€2.5 billion": "two point five billion euros",
    "$0.05": "five cents",
    "in 2024, of 1,999": "in twenty twenty-four, of one thousand nine hundred and ninety-nine",
    "the 21st, in the 1990s": "the twenty-first, in the nineteen nineties",
    "LLMs, the AI Act": "L L M's, the A I Act",
    f"1{NB}min 5{NB}s": "one minute five seconds",
    "Annexes IV and XI": "Annexes four and eleven",
    "version 1.2.3": "version one point two point three",
    "on 1 February 2024": "on the first of February twenty twenty-four",
    "e.g. 1.2 times": "for example one point two times",
}


@pytest.mark.parametrize(("written", "said"), FRENCH.items())
def test_french_as_one_says_it(written, said):
    assert speech.spoken(written, "fr") == said


@pytest.mark.parametrize(("written", "said"), ENGLISH.items())
def test_english_as_one_says_it(written, said):
    assert speech.spoken(written, "en") == said


@given(st.floats(0, 1e9).map(lambda value: round(value, 3)), st.integers(0, 3), st.sampled_from(["fr", "en"]))
def test_every_number_that_prose_writes_is_read_in_words(value, places, lang):
    from lib.press import prose

    for name, argument in (("number", str(places)), ("percent", str(places)), ("money", "EUR")):
        written = prose.format_result({"value": value}, name, lang, argument)
        assert not re.search(r"[\d%€,.]", speech.spoken(f"vaut {written} ici", lang)), written


@given(
    st.text(alphabet=st.characters(codec="utf-8", exclude_categories=["Cs"]), max_size=60),
    st.sampled_from(["fr", "en"]),
)
def test_any_text_can_be_read(text, lang):
    told = speech.spoken(text, lang)
    assert "  " not in told
    assert told == told.strip()


def test_sentences_are_whole():
    text = "Un. Selon Rolnick et al. Les autres aussi (ou pas. Non).\nDeux lignes ! « Trois. » Fin"
    assert speech.sentences(text) == [
        "Un.", "Selon Rolnick et al. Les autres aussi (ou pas. Non).", "Deux lignes !", "« Trois. »", "Fin",
    ]  # fmt: skip


def test_a_long_sentence_is_cut_where_it_breathes_and_never_in_a_number():
    text = (
        "La recherche choisie en aveugle place un article cité parmi les dix premiers, "
        f"dans 54{NB}% des cas (de 48{NB}% à 60{NB}%), contre 38{NB}% pour BM25 tel quel, sur 11 545 articles."
    )
    cut = speech.pieces(text, "fr")
    assert " ".join(cut) == text
    assert cut[0].endswith("premiers,")
    assert all(len(piece) <= speech.LINE * speech.LINES for piece in cut)
    assert sum("11 545" in piece for piece in cut) == 1


@settings(deadline=None)
@given(
    st.lists(st.text(alphabet="abc12,.%()", min_size=1, max_size=9), min_size=1, max_size=40),
    st.sampled_from(["fr", "en"]),
)
def test_pieces_say_what_the_sentence_says(words, lang):
    text = " ".join(words)
    cut = speech.pieces(text, lang)
    assert " ".join(cut) == text
    said = " ".join(speech.spoken(piece, lang) for piece in cut)
    assert re.findall(r"\w+", said) == re.findall(r"\w+", speech.spoken(text, lang))
