"""Survival with delayed entry: against lifelines, by hand, and by resampling."""

import numpy as np
import pytest
from lifelines import KaplanMeierFitter

from lib.lab import lifetimes, stats


@pytest.fixture
def watched():
    rng = np.random.default_rng(1)
    entry = rng.integers(0, 50, 120).astype(float)
    return entry, entry + rng.integers(1, 200, 120), rng.random(120) < 0.6


def test_agrees_with_lifelines(watched):
    entry, end, died = watched
    ages = np.arange(1, 250)
    fitted = KaplanMeierFitter().fit(end, died, entry=entry + 0.5)  # lifelines has who comes on a day at risk that day
    assert np.allclose(lifetimes.survival(entry, end, died, ages), fitted.predict(ages), atol=1e-12)


def test_by_hand():
    found = lifetimes.survival([0, 0, 2], [1, 3, 3], [True, True, False], [0, 1, 2, 3])
    assert np.allclose(found, [1, 0.5, 0.5, 0.25])  # at 1 one of two dies; at 3 one of two, the late one at risk too


def test_weights_are_repeated_rows(watched):
    entry, end, died = watched
    weights = stats.resample_weights(len(end), seed=0, n_resamples=3)
    ages = np.arange(0, 240, 10)
    found = lifetimes.survival(entry, end, died, ages, weights)
    for row, curve in zip(weights.astype(int), found, strict=True):
        again = lifetimes.survival(*(np.repeat(one, row) for one in (entry, end, died)), ages)
        assert np.allclose(curve, again)


def test_watched_for_no_time_is_refused():
    with pytest.raises(ValueError, match="exit above entry"):
        lifetimes.survival([1], [1], [True], [2])
