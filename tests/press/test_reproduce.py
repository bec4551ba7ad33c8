import json
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lib.cli import main
from lib.lab import sources
from lib.press import doctor
from lib.press.notebooks import find
from lib.press.reproduce import agree, compare, environment, inputs, rate_lines, rates
from tests.conftest import BODY, accept_by_hand


def record(verdict="holds", **results):
    return {"results": results, "verdict": {"value": verdict}}


def value(number, tol=None, kind="exact", ci=None):
    return {"value": number, "tol": tol, "kind": kind, "ci": ci, "unit": None, "n": None}


def only(rows, name):
    return next(row for row in rows if row["name"] == name)


@pytest.mark.parametrize(
    ("here", "ok", "identical"), [(0.5, True, True), (0.5004, True, False), (0.502, False, False), (None, False, False)]
)
def test_exact_values_agree_within_their_tolerance(here, ok, identical):
    row = only(compare(record(x=value(0.5, 1e-3)), record(x=value(here, 1e-3))), "x")
    assert (row["ok"], row["identical"]) == (ok, identical)


def test_an_interval_counts_as_much_as_its_value():
    row = only(compare(record(x=value(0.5, 1e-3, ci=[0.4, 0.6])), record(x=value(0.5, 1e-3, ci=[0.4, 0.7]))), "x")
    assert not row["ok"]


def test_measured_values_are_compared_by_ratio_only():
    row = only(compare(record(t=value(2.0, kind="measured")), record(t=value(5.0, kind="measured"))), "t")
    assert (row["ok"], row["ratio"]) == (True, 2.5)


def test_a_missing_or_new_value_and_another_verdict_do_not_agree():
    rows = compare(record(x=value(1)), record("fails", y=value(1)))
    assert [(row["name"], row["ok"]) for row in rows] == [("x", False), ("y", False), ("verdict", False)]


def test_a_verdict_that_rests_on_what_is_measured_is_measured_too():
    slow, quick = (value(number, kind="measured") for number in (1.3, 0.8))
    accepted, here = record("fails", t=slow, x=value(1)), record("holds", t=quick, x=value(1))
    for evidence, kind in ((["x"], "exact"), (["x", "t"], "measured")):
        accepted["verdict"]["evidence"] = evidence
        row = only(compare(accepted, here), "verdict")
        assert (row["kind"], row["ok"], row["identical"]) == (kind, kind == "measured", False)


def test_lists_texts_and_rows_agree_item_by_item():
    assert agree([{"a": 1.0, "b": "x"}], [{"a": 1.0005, "b": "x"}], 1e-3)
    assert not agree([{"a": 1.0, "b": "x"}], [{"a": 1.0, "b": "y"}], 1e-3)
    assert not agree([1.0], [1.0, 2.0], 1.0)
    assert not agree(True, False, 1.0)
    assert not agree(1.0, None, 1.0)


@given(st.floats(-1e6, 1e6), st.floats(-1e6, 1e6), st.floats(0, 10))
def test_agreement_is_distance_against_tolerance(before, now, tol):
    assert agree(before, now, tol) == (math.fabs(before - now) <= tol or before == now)


def test_four_rates_fall_short_apart(project, monkeypatch):
    monkeypatch.setattr(doctor, "locked_versions", lambda: {"numpy": "1", "torch": "2"})
    monkeypatch.setattr(doctor, "unlike_lock", lambda: {"torch": "1.9"})
    (project.root / "data/facts").mkdir()
    for name in "ab":
        (project.root / f"data/facts/{name}.csv").write_text("x\n1\n")
    accept_by_hand(project, head={"inputs": ["facts/a.csv", "facts/b.csv"]})
    notebooks = find()
    assert inputs(notebooks)["shortfall"] == []
    (project.root / "data/facts/b.csv").write_text("x\n2\n")
    rows = [{"name": "mean", "ok": True}, {"name": "gap", "ok": False}]
    told = rates(
        environment(), inputs(notebooks), [{"slug": "tiny", "total": 2, "rows": rows}], {"other": "ValueError: no"}
    )
    assert [(name, rate["ok"], rate["total"]) for name, rate in told.items()] == [
        ("environment", 1, 2), ("inputs", 1, 2), ("runs", 1, 2), ("results", 1, 2),
    ]  # fmt: skip
    assert [rate["shortfall"] for rate in told.values()] == [
        ["torch is 1.9, not 2"],
        ["facts/b.csv: not what the quick result of tiny read"],
        ["other: ValueError: no"],
        ["tiny: gap"],
    ]
    assert rate_lines(told)[0].split() == ["packages", "installed", "as", "pinned:", "1", "of", "2", "(50%)"]


def test_an_input_that_cannot_be_had_falls_short(project, monkeypatch):
    accept_by_hand(project, head={"inputs": []})
    (notebook,) = find()
    notebook.meta["inputs"] = ["far"]
    monkeypatch.setattr(sources, "load", lambda: {"far": None})

    def fetch(*names):
        raise sources.SourceError("no network")

    monkeypatch.setattr(sources, "fetch", fetch)
    monkeypatch.setattr(sources, "verify", lambda *names: {"far": "not here"})
    assert inputs([notebook]) == {
        "what": "inputs verified", "ok": 0, "total": 1, "shortfall": ["far: not here"],
    }  # fmt: skip


@pytest.mark.parametrize("fault", ["environment", "inputs", "runs", "results"])
def test_any_shortfall_is_status_1_and_named(project, capsys, fault):
    (project.root / "data/facts").mkdir()
    facts = project.root / "data/facts/a.csv"
    facts.write_text("x\n1\n")
    project.write(head={"inputs": ["facts/a.csv"]})
    assert main(["run", "tiny"]) == 0
    assert main(["accept", "tiny"]) == 0
    capsys.readouterr()
    if fault == "environment":
        (project.root / "requirements.lock").write_text("numpy==0.1\nno-such-package==1.0\n")
    if fault == "inputs":
        facts.write_text("x\n2\n")
    if fault == "runs":
        project.write(body=["1 / 0"], head={"inputs": ["facts/a.csv"]})
    if fault == "results":
        changed = [BODY[0], BODY[1].replace("mean = float(", "mean = 1e-3 + float("), BODY[2]]
        project.write(body=changed, head={"inputs": ["facts/a.csv"]})
    assert main(["reproduce", "--json"]) == 1
    told = json.loads(capsys.readouterr().out)["rates"]
    assert [name for name, rate in told.items() if rate["shortfall"]] == [fault]
    assert main(["reproduce"]) == 1
    assert told[fault]["what"] in capsys.readouterr().out
