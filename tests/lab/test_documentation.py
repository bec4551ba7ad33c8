import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lib.lab import documentation, paths
from lib.lab.documentation import DocumentationError, Field
from lib.lab.evidence import Answer, gather
from tests.lab.test_evidence import JSON, MODEL, RECORD

HEAD = "\t".join(documentation.COLUMNS) + "\n"
LINE = "annex_xi\tS1 2(e)\tprogram\tenergy\tpart\t\tl'énergie\tthe energy\n"


def table(project, text):
    folder = project.root / "data" / "facts"
    folder.mkdir(exist_ok=True)
    (folder / documentation.TABLE).write_text(text, encoding="utf-8")


def test_the_table_has_the_points_of_the_regulation():
    known = documentation.fields()
    points = {name: list(dict.fromkeys(one.heading for one in known if one.document == name)) for name in
              documentation.NAMES}  # fmt: skip
    first = [f"1({one})" for one in "abcdefgh"] + [f"2({one})" for one in "abcdefgh"]
    assert points["annex_iv"] == [*first, "3", "4", "5", "6", "7", "8", "9"]
    every = [f"S1 1({one})" for one in "abcdef"] + [f"S1 2({one})" for one in "abcde"]
    assert points["annex_xi"] == [*every, "S2 1", "S2 2", "S2 3"]
    assert points["model_card"] == [f"4.{one}" for one in range(1, 10)]
    assert points["data_sheet"] == [f"3.{one}" for one in range(1, 8)]
    assert {one.when for one in known if one.heading.startswith("S2")} == {"systemic_risk"}
    texts = [(one.document, one.heading, one.fr) for one in known]
    assert len(texts) == len(set(texts))
    assert all(one.value is None and one.filled == 0 for one in known)


def test_every_key_of_the_table_can_be_answered():
    read = RECORD | {"identity": RECORD["identity"] | {"inputs": {"code-du-travail": "", "service-public": ""}}}
    whole = gather(read, MODEL | {"notes": {"purpose": "p", "rationale": "r", "objective": "o"}})
    keys = set(whole) | set(gather({}, {"source": "smollm2"}))
    assert {one.key for one in documentation.fields() if one.key} <= keys


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("a\tb\n", "its first line must hold document, heading"),
        (HEAD + LINE.replace("annex_xi", "annex_x"), "line 2: document is one of"),
        (HEAD + LINE.replace("program", "robot"), "line 2: who is one of program, person, nobody, not 'robot'"),
        (HEAD + LINE.replace("part", "half"), "line 2: how is one of"),
        (HEAD + LINE.replace("energy\tpart", "\tpart"), "line 2: heading, fr and en are needed"),
        (HEAD + LINE.replace("l'énergie", " "), "line 2: heading, fr and en are needed"),
        (HEAD + LINE + "annex_xi\t1\n", "line 3: 8 columns are expected"),
        (HEAD + LINE.replace("\n", "\tmore\n"), "line 2: 8 columns are expected"),
    ],
)
def test_a_table_that_is_wrong_is_told_with_its_line(project, text, said):
    table(project, text)
    with pytest.raises(DocumentationError, match=documentation.TABLE) as caught:
        documentation.fields()
    assert said in str(caught.value)


def test_a_draft_answers_what_was_recorded_and_leaves_the_rest_blank():
    found = gather(RECORD, MODEL)
    drawn = documentation.draft("annex_xi", found)
    by_key = {one.key: one for one in drawn if one.key}
    assert by_key["energy"].value == {"wh": 0.07, "method": "estimated"}
    assert by_key["energy"].filled == 0.5  # of the run, not of the training alone
    assert by_key["n_parameters"].filled == 1
    assert by_key["licence"].value is None
    assert by_key["licence"].filled == 0
    for one in drawn:
        assert (one.value is None) == (one.key not in found)
        assert bool(one.source) == (one.value is not None)


def test_without_energy_the_field_stays_blank():
    silent = RECORD | {"provenance": {key: one for key, one in RECORD["provenance"].items() if key != "energy"}}
    drawn = documentation.draft("annex_xi", gather(silent, MODEL))
    assert [one.filled for one in drawn if one.heading == "S1 2(e)"] == [0]


@pytest.mark.parametrize("name", documentation.NAMES)
def test_an_empty_run_fills_no_field(name):
    drawn = documentation.draft(name, gather({}, {}))
    assert drawn
    assert not any(one.filled for one in drawn)


def test_what_holds_under_a_condition_is_asked_only_then():
    usual, systemic = (documentation.draft("annex_xi", {}, some) for some in ((), ("systemic_risk",)))
    assert len(systemic) - len(usual) == sum(one.when == "systemic_risk" for one in documentation.fields())
    assert all(not one.when for one in usual)
    with pytest.raises(DocumentationError, match="not 'annex_iii'"):
        documentation.draft("annex_iii", {})


def test_values_are_written_as_the_language_does():
    assert documentation.say(166208, "fr") == "166\u202f208"
    assert documentation.say(2.0154, "fr") == "2,015"
    assert documentation.say(2.0154, "en") == "2.015"
    assert documentation.say(2.042e12, "fr") == "2,04 × 10¹²"
    assert documentation.say({"fr": "un", "en": "one"}, "en") == "one"
    assert documentation.say({"steps": 2000, "gpu": None, "ci": [1.5, 2]}, "en") == "steps: 2,000; ci: 1.5, 2"
    assert documentation.say(True, "fr") == "True"
    assert documentation.say(1e-06, "en") == "1e-06"
    assert documentation.say("0.19.0", "fr") == "0.19.0"  # a version is text


def test_markdown_has_a_row_a_field_and_keeps_its_columns():
    odd = Field("annex_iv", "1(a)", "program", "k", "whole", "", "quoi | qui", "what", value="a|b\nc", source="here")
    french, english = (documentation.to_markdown([odd], lang) for lang in ("fr", "en"))
    assert french.splitlines()[2] == "| 1 a) | quoi \\| qui | a\\|b c | here |"
    assert english.splitlines()[2] == "| 1(a) | what | a\\|b c | here |"
    assert documentation.to_markdown([], "en").count("\n") == 2


def test_a_document_is_written_in_both_languages_and_as_data(tmp_path):
    drawn = documentation.draft("model_card", gather(RECORD, MODEL))
    files = documentation.write("model_card", drawn, tmp_path)
    assert [file.name for file in files] == ["model_card.json", "model_card.fr.md", "model_card.en.md"]
    assert documentation.from_json(files[0].read_text(encoding="utf-8")) == drawn
    assert "déclaré dans le code" in files[1].read_text(encoding="utf-8")
    assert "declared in the code" in files[2].read_text(encoding="utf-8")


@pytest.mark.parametrize("text", ["", "{", "[1]", '[{"document": "x"}]', "3", '[{"surprise": 1}]'])
def test_what_is_no_document_is_refused(text):
    with pytest.raises(DocumentationError, match="this is no document"):
        documentation.from_json(text)


@settings(max_examples=40)
@given(st.dictionaries(st.sampled_from(["energy", "measures", "flop", "recipe", "purpose"]), JSON))
def test_a_document_comes_back_from_json_as_it_was(values):
    found = {key: Answer(json.loads(json.dumps(_finite(one))), "somewhere") for key, one in values.items()}
    drawn = documentation.draft("annex_xi", found)
    assert documentation.from_json(documentation.to_json(drawn)) == drawn
    for lang in ("fr", "en"):
        assert documentation.to_markdown(drawn, lang).count("\n") == len(drawn) + 2


def _finite(value):
    if isinstance(value, dict):
        return {key: _finite(one) for key, one in value.items()}
    if isinstance(value, list):
        return [_finite(one) for one in value]
    return 0.5 if isinstance(value, float) else value


def test_a_document_is_shown_once_a_language_with_what_it_holds_escaped(monkeypatch):
    shown = []
    monkeypatch.setattr("IPython.display.display", lambda data, **more: shown.append((data["text/html"], more)))
    odd = Field("annex_iv", "1(a)", "program", "k", "part", "", "quoi", "what", value="<b>", source="here")
    documentation.show([odd], {"fr": "Le titre", "en": "The title"})
    documentation.show([odd], {"en": "The title"}, folded=False)
    assert [more["metadata"]["guidon"]["lang"] for _, more in shown] == ["fr", "en", "en"]
    assert shown[0][0].startswith("<details><summary>Le titre</summary><table>")
    assert "&lt;b&gt; (en partie)" in shown[0][0]
    assert shown[2][0].startswith("<table><caption>The title</caption>")


def test_the_table_lies_with_the_facts():
    assert (paths.facts_dir() / documentation.TABLE).is_file()
