import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import ks_2samp

from lib.lab import drift

DAYS = st.lists(st.floats(-1, 1), min_size=1, max_size=30)


def by_hand(values, mean, slack, falls):
    """Page's recursion, a day after the other."""
    found, total = [], 0.0
    for value in values:
        total = max(0.0, total + ((mean - value) if falls else (value - mean)) - slack)
        found.append(total)
    return found


@given(DAYS, st.floats(-1, 1), st.floats(0, 0.5), st.booleans())
def test_the_cumulative_sum_is_pages_recursion(values, mean, slack, falls):
    found = drift.cusum(np.array([values]), mean, slack, falls)
    assert found[0] == pytest.approx(by_hand(values, mean, slack, falls), abs=1e-9)


def test_both_sides_are_the_larger_of_two():
    values = np.array([[0.9, 0.9, 0.1, 0.1, 0.1]])
    both = drift.two_sided_cusum(values, 0.5, 0.1)
    assert both == pytest.approx(np.maximum(drift.cusum(values, 0.5, 0.1), drift.cusum(values, 0.5, 0.1, falls=False)))
    assert both[0, 1] == pytest.approx(0.6)
    assert both[0, -1] == pytest.approx(0.9)


@given(st.integers(1, 4), st.integers(0, 10**6))
def test_the_distance_is_that_of_scipy_on_the_last_days(window, seed):
    rng = np.random.default_rng(seed)
    values = rng.integers(0, 5, (1, 6, 8))  # a stream, six days of eight values in five bins
    before = rng.integers(0, 5, 50)
    counts = np.stack([[np.bincount(day, minlength=5) for day in stream] for stream in values])
    found = drift.ks(counts, np.bincount(before, minlength=5), window)
    for day in range(6):
        last = values[0, max(0, day + 1 - window) : day + 1].ravel()
        assert found[0, day] == pytest.approx(ks_2samp(last, before).statistic * np.sqrt(len(last)))


@pytest.mark.parametrize("rate", [0.0, 0.05, 0.5])
def test_no_more_streams_than_allowed_pass_the_limit(rate):
    quiet = np.random.default_rng(1).normal(size=(400, 20)).cumsum(axis=1)
    above = drift.limit(quiet, rate)
    assert (quiet.max(axis=1) > above).mean() == pytest.approx(rate, abs=1 / 400)
    assert (quiet.max(axis=1) > above).mean() <= rate


def test_alarms_are_counted_from_the_change_on():
    statistic = np.array([[0, 9, 0, 0, 5, 0], [0, 0, 0, 0, 0, 0], [0, 0, 0, 7, 0, 0]])
    assert drift.first_alarm(statistic, 4, since=3).tolist() == [2, np.inf, 1]
    assert drift.alarmed_before(statistic, 4, 3).tolist() == [True, False, False]


def test_a_monitor_sees_a_fall_soon_and_rarely_cries_for_nothing():
    rng = np.random.default_rng(0)
    marks = (rng.random(500) < 0.7).astype(float)
    delays, false = [], 0
    for _ in range(200):
        monitor = drift.Monitor.fit(marks, 20, horizon=60, n_streams=200)
        false += any(monitor.see(rng.choice(marks, 20)) for _ in range(60))
        monitor.total = (0.0, 0.0)
        days = (day for day in range(1, 200) if monitor.see(rng.random(20) < 0.4))
        delays.append(next(days))
    assert false / 200 < 0.1
    assert np.median(delays) <= 5


def test_a_monitor_sees_a_rise_only_when_asked():
    marks = [0.0, 1.0] * 50
    both = drift.Monitor.fit(marks, 10, falls_only=False)
    falls = drift.Monitor.fit(marks, 10)
    assert any(both.see([1.0] * 10) for _ in range(30))
    assert not any(falls.see([1.0] * 10) for _ in range(30))
    assert any(falls.see([0.0] * 10) for _ in range(30))


@pytest.mark.parametrize(("marks", "a_day"), [([1.0] * 19, 10), ([], 1), ([1.0] * 9, 0)])
def test_too_few_marks_are_refused(marks, a_day):
    with pytest.raises(ValueError, match="too few"):
        drift.Monitor.fit(marks, a_day)
