import json
import math

import numpy as np
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from safetensors.numpy import save_file

from lib.lab import evidence, sources
from lib.lab.evidence import RecordError, gather

RECORD = {
    "slug": "tiny", "profile": "quick", "parameters": {"seed": 0},
    "results": {
        "bits": {"value": 2.0, "unit": "bits/byte", "ci": [1.9, 2.1], "n": 3, "level": 0.95},
        "odd": {"value": "two", "unit": None, "ci": None, "n": None},
        "bare": {"value": 3, "unit": None, "ci": [1.0], "n": None},
    },
    "verdict": {"value": "holds", "rule": {"fr": "La règle.", "en": "The rule."}},
    "identity": {
        "digest": "abcd", "inputs": {"code-du-travail": "sha512-x"}, "modules": {"lib.lab.base": "1"},
        "versions": {"numpy": "2.0"},
    },
    "provenance": {
        "commit": "41e148da27fe", "date": "2026-11-26", "platform": "Linux", "python": "3.11", "cpu": "A CPU",
        "gpu": None, "seconds": 12.5, "energy": {"wh": 0.07, "method": "estimated"},
    },
}  # fmt: skip
MODEL = {
    "name": "tiny", "modality": "text", "tokenizer": "bpe", "shape": {"vocabulary": 8, "context": 4},
    "recipe": {"steps": 10}, "tokens": 400, "n_parameters": 100, "notes": {"purpose": "To test."},
    "training": ["code-du-travail"], "testing": ["service-public"], "values": {"bits per byte": "bits"},
}  # fmt: skip
KEYS = ("value", "ci", "wh", "commit", "fr", "en", "purpose", "")
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.sampled_from(["", " a ", "é", "0.5"]),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.sampled_from([*KEYS]), inner, max_size=2),
    max_leaves=6,
)


def changed(tree, path, value):
    """A copy of a tree with one leaf changed."""
    copy = json.loads(json.dumps(tree))
    place = copy
    for key in path[:-1]:
        place = place[key]
    place[path[-1]] = value
    return copy


def test_a_whole_record_answers_what_it_holds():
    found = gather(RECORD, MODEL)
    assert found["version"].value == {"commit": "41e148da27fe", "run": "abcd"}
    assert found["software"].value == {"python": "3.11", "numpy": "2.0"}
    assert found["hardware"].value == {"cpu": "A CPU", "platform": "Linux"}  # no GPU, nothing said of one
    assert found["seconds"].value == {"s": 12.5}
    assert found["energy"].value == {"wh": 0.07, "method": "estimated"}
    assert found["modules"].value == ["lib.lab.base"]
    assert found["procedure"].value == {"fr": "La règle.", "en": "The rule."}
    assert found["choices"].value == {"vocabulary": 8, "context": 4, "steps": 10}
    assert found["format"].value == {"vocabulary": 8, "context": 4, "tokenizer": "bpe"}
    assert found["flop"].value == 6 * 100 * 400
    assert found["purpose"] == evidence.Answer("To test.", evidence.DOCSTRING)
    assert found["measures"].value["bits per byte"]["ci"] == [1.9, 2.1]
    assert found["uncertainty"].value == {"bits per byte": {"ci": [1.9, 2.1], "level": 0.95, "n": 3}}
    assert all(answer.source for answer in found.values())
    assert not {"licence", "provider", "distribution"} & set(found)  # nobody recorded them


def test_a_source_counts_only_if_the_run_read_it():
    found = gather(RECORD, MODEL)
    told = sources.load()["code-du-travail"]
    assert found["training_holds"].value == told.holds
    assert found["training_package"].value == [f"npm: {told.package} {told.version}"]
    assert found["training_licence"].value == ["Licence Ouverte 2.0"]
    assert not any(key.startswith("testing") for key in found)  # service-public is not among the inputs
    other = gather(changed(RECORD, ("identity", "inputs"), {"nowhere": "x"}), MODEL | {"training": ["nowhere"]})
    assert not any(key.startswith("training") for key in other)


def test_a_published_model_is_known_from_its_source_only():
    found = gather({}, {"source": "smollm2"})
    assert set(found) == {"licence", "provider", "distribution", "documentation", "version"}
    assert found["licence"].value == "Apache-2.0"
    assert gather({}, {"source": "nowhere"}) == {}


def test_an_empty_run_answers_nothing():
    assert gather({}, {}) == gather(None, None) == {}
    assert gather({"results": {}, "identity": {}, "provenance": {}}, {"notes": {}, "values": {}}) == {}


@pytest.mark.parametrize("odd", [None, "", "0.07", -1, 0, math.nan, math.inf, True, [], {"x": 1}])
def test_an_amount_that_makes_no_sense_is_no_answer(odd):
    for path, key in ((("provenance", "energy", "wh"), "energy"), (("provenance", "seconds"), "seconds")):
        assert key not in gather(changed(RECORD, path, odd), MODEL)
    assert "flop" not in gather(RECORD, MODEL | {"tokens": odd})
    assert "energy" not in gather(changed(RECORD, ("provenance", "energy"), odd), MODEL)


def test_energy_without_its_method_says_no_method():
    assert gather(changed(RECORD, ("provenance", "energy"), {"wh": 1}), MODEL)["energy"].value == {"wh": 1}


def test_a_result_that_is_no_number_is_no_measure():
    assert "measures" not in gather(RECORD, {"values": {"odd": "odd", "gone": "gone", "list": ["bits"]}})
    found = gather(RECORD, {"values": {"bare": "bare"}})
    assert found["measures"].value == {"bare": {"value": 3}}
    assert "uncertainty" not in found  # one bound is no interval


def test_parameters_are_counted_in_the_file_of_weights(tmp_path):
    file = tmp_path / "small-0123.safetensors"
    save_file({"a": np.zeros((2, 3), np.float32), "b": np.zeros(4, np.float16)}, file)
    told = evidence.read_weights(file)
    assert told == {
        "file": "small", "bytes": file.stat().st_size, "tensors": 2, "n_parameters": 10, "types": ["F16", "F32"],
    }  # fmt: skip
    found = gather({}, {"weights": told, "n_parameters": 99, "tokens": 5})
    assert found["n_parameters"] == evidence.Answer(10, evidence.FILE)
    assert found["flop"].value == 300


def test_a_record_is_read_by_its_path_under_data_or_from_anywhere(project, tmp_path):
    inside = project.root / "data" / "results" / "record.json"
    inside.parent.mkdir(parents=True)
    inside.write_text('{"slug": "inside"}', encoding="utf-8")
    assert evidence.read_record("results/record.json") == {"slug": "inside"}
    outside = tmp_path / "mine.json"
    outside.write_text('{"slug": "mine"}', encoding="utf-8")
    assert evidence.read_record(outside) == {"slug": "mine"}
    with pytest.raises(RecordError, match=r"no record at results/other\.json"):
        evidence.read_record("results/other.json")
    for text, said in (("{", "is not JSON"), ("[1]", "holds no record")):
        outside.write_text(text, encoding="utf-8")
        with pytest.raises(RecordError, match=said):
            evidence.read_record(outside)
    outside.write_bytes(b"\xff\xfe{}")
    with pytest.raises(RecordError, match="is not JSON"):
        evidence.read_record(outside)


def leaves(value):
    """Everything at the ends of a tree, as JSON writes it."""
    if isinstance(value, dict):
        return {leaf for one in value.values() for leaf in leaves(one)}
    if isinstance(value, list):
        return {leaf for one in value for leaf in leaves(one)}
    return {json.dumps(value.strip() if isinstance(value, str) else value)}


@settings(max_examples=300, suppress_health_check=[HealthCheck.too_slow])
@given(
    st.dictionaries(st.sampled_from([*RECORD, "other"]), JSON, max_size=6),
    st.dictionaries(st.sampled_from([*MODEL, "weights"]), JSON, max_size=6),
)
@example({}, {"name": None, "notes": True})
def test_whatever_is_given_nothing_is_invented(record, model):
    found = gather(record, model)
    given_leaves = leaves(record) | leaves(model) | {json.dumps(key) for key in _keys(record)}
    for key, answer in found.items():
        json.dumps(answer.value, allow_nan=False)
        if key != "flop":
            assert leaves(answer.value) <= given_leaves


def _keys(value):
    if isinstance(value, dict):
        yield from value
        for one in value.values():
            yield from _keys(one)


@settings(max_examples=40)
@given(st.sampled_from(["results", "identity", "provenance", "verdict"]), JSON)
def test_an_odd_part_leaves_the_others_as_they_are(part, odd):
    found = gather(RECORD | {part: odd}, MODEL)
    assert found["architecture"].value == MODEL["shape"]
    if part != "provenance":
        assert found["seconds"].value == {"s": 12.5}
