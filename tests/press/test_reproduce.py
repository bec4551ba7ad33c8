import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lib.press.reproduce import agree, compare


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


def test_lists_texts_and_rows_agree_item_by_item():
    assert agree([{"a": 1.0, "b": "x"}], [{"a": 1.0005, "b": "x"}], 1e-3)
    assert not agree([{"a": 1.0, "b": "x"}], [{"a": 1.0, "b": "y"}], 1e-3)
    assert not agree([1.0], [1.0, 2.0], 1.0)
    assert not agree(True, False, 1.0)
    assert not agree(1.0, None, 1.0)


@given(st.floats(-1e6, 1e6), st.floats(-1e6, 1e6), st.floats(0, 10))
def test_agreement_is_distance_against_tolerance(before, now, tol):
    assert agree(before, now, tol) == (math.fabs(before - now) <= tol or before == now)
