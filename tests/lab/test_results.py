import math

import numpy as np
import pytest
from IPython.utils.capture import capture_output

from lib.lab.results import MIME, ResultError, Results


def emitted(work):
    """The scraps that a piece of work displays, in order."""
    with capture_output() as captured:
        work()
    return [output.data[MIME] for output in captured.outputs]


@pytest.fixture
def ruled(shell):
    results = Results()
    results.rule(fr="La règle.", en="The rule.")
    return results


@pytest.fixture
def shell():
    from IPython.testing.globalipapp import start_ipython

    return start_ipython()


def test_a_record_is_displayed_as_a_scrap(ruled):
    scraps = emitted(lambda: ruled.record("mrr", np.float32(0.25), ci=(0.2, 0.3), n=464, tol=1e-3))
    data = {"value": 0.25, "unit": None, "ci": [0.2, 0.3], "n": 464, "tol": 1e-3, "kind": "exact", "level": 0.95}
    assert scraps == [{"name": "mrr", "data": data, "encoder": "json", "version": 1}]


def test_an_interval_says_its_level(ruled):
    ruled.record("usual", 1, ci=(0, 2))
    ruled.record("wide", 1, ci=(0, 2), level=0.9875)
    ruled.record("bare", 1)
    assert [ruled.values[name].get("level") for name in ("usual", "wide", "bare")] == [0.95, 0.9875, None]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"name": "two words", "value": 1}, "not a name"),
        ({"name": "x", "value": 0.5}, "needs tol"),
        ({"name": "x", "value": math.nan, "tol": 1}, "not a number"),
        ({"name": "x", "value": object()}, "cannot be recorded"),
        ({"name": "x", "value": 1, "ci": (3, 2)}, "low, high"),
        ({"name": "x", "value": 1, "kind": "guessed"}, "exact"),
        ({"name": "x", "value": 1, "ci": (0, 2), "level": 95}, "level is a share"),
    ],
)
def test_what_cannot_be_recorded_is_refused(ruled, arguments, message):
    with pytest.raises(ResultError, match=message):
        ruled.record(**arguments)
    assert ruled.values == {}


def test_a_name_is_recorded_once(ruled):
    ruled.record("n", 1)
    with pytest.raises(ResultError, match="twice"):
        ruled.record("n", 2)


@pytest.mark.parametrize(
    ("holds", "fails", "mixed", "expected"),
    [
        (True, False, False, "holds"),
        (False, True, False, "fails"),
        (False, False, True, "mixed"),
        (0, 0, 0, "undecided"),
    ],
)
def test_the_verdict_follows_from_the_conditions(ruled, holds, fails, mixed, expected):
    ruled.record("n", 3)
    assert ruled.verdict(holds=holds, fails=fails, mixed=mixed, evidence=["n"]) == expected


def test_a_verdict_without_a_rule_or_evidence_or_with_two_answers_is_refused(shell, ruled):
    results = Results()
    results.record("n", 3)
    with pytest.raises(ResultError, match="announce the rule"):
        results.verdict(holds=True, fails=False, evidence=["n"])
    results.rule(fr="r", en="r")
    with pytest.raises(ResultError, match="before the rule"):
        results.verdict(holds=True, fails=False, evidence=["n"])
    with pytest.raises(ResultError, match="not recorded: absent"):
        results.verdict(holds=True, fails=False, evidence=["absent"])
    with pytest.raises(ResultError, match="none given"):
        results.verdict(holds=True, fails=False, evidence=[])
    ruled.record("n", 3)
    with pytest.raises(ResultError, match="at once"):
        ruled.verdict(holds=True, fails=True, evidence=["n"])
    with pytest.raises(ResultError, match="one rule"):
        ruled.rule(fr="autre", en="other")
