import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats as scipy_stats

from lib.lab import tails

FORMS = ("lognormal", "pareto")
tops = st.floats(0.001, 0.45)
forms = st.sampled_from(FORMS)


def drawn(tail, n=1_000_000):
    """Values of a law at evenly spaced shares: what a large sample of it is like."""
    return tail.exceeded_by((np.arange(n) + 0.5) / n)


def test_a_lognormal_law_is_scipys():
    tail = tails.Tail("lognormal", np.array(1.3))
    law = scipy_stats.lognorm(1.3)
    assert tail.mean() == pytest.approx(law.mean())
    assert tail.over([0.2, 1, 30]) == pytest.approx(law.sf([0.2, 1, 30]))
    assert tail.exceeded_by([0.9, 0.5, 0.01]) == pytest.approx(law.isf([0.9, 0.5, 0.01]))


def test_a_pareto_law_is_scipys():
    tail = tails.Tail("pareto", np.array(1 / 2.5))
    law = scipy_stats.pareto(2.5, scale=0.5**0.4)
    assert law.median() == pytest.approx(1)
    assert tail.mean() == pytest.approx(law.mean())
    assert tail.over([0.2, 1, 30]) == pytest.approx(law.sf([0.2, 1, 30]))
    assert tail.exceeded_by([0.9, 0.5, 0.01]) == pytest.approx(law.isf([0.9, 0.5, 0.01]))


@pytest.mark.parametrize(("form", "spread"), [("lognormal", 0.9), ("pareto", 0.3)])
def test_mean_and_share_held_are_those_of_many_draws(form, spread):
    tail = tails.Tail(form, np.array(spread))
    values = np.sort(drawn(tail))[::-1]
    assert tail.mean() == pytest.approx(values.mean(), rel=2e-3)
    for top in (0.5, 0.1, 0.01):
        held = values[: int(top * len(values))].sum() / values.sum()
        assert tail.held_by(top) == pytest.approx(held, abs=2e-3)


@given(forms, tops, st.floats(1.01, 1000))
def test_a_quantile_is_found_again(form, top, value):
    tail = tails.from_quantile(top, value, form)
    assert tail.over(value) == pytest.approx(top, rel=1e-6)
    assert tail.exceeded_by(top) == pytest.approx(value, rel=1e-6)


@given(forms, tops, st.floats(0.1, 0.95))
def test_a_share_held_is_found_again(form, top, extra):
    held = top + (1 - top) * extra
    assert tails.from_held(top, held, form).held_by(top) == pytest.approx(held, rel=1e-6)


@given(forms, st.floats(1.01, 50))
def test_a_mean_is_found_again(form, mean):
    assert tails.from_mean(mean, form).mean() == pytest.approx(mean, rel=1e-6)


def test_a_low_quantile_and_its_mirror_give_one_lognormal_law():
    low, high = tails.from_quantile(0.9, 1 / 3), tails.from_quantile(0.1, 3)
    assert low.spread == pytest.approx(high.spread)


def test_figures_come_as_arrays():
    tail = tails.from_held(0.1, np.array([[0.5], [0.9]]))
    assert tail.over(np.array([1, 10, 100])).shape == (2, 3)
    assert np.all(np.diff(tail.over(np.array([1, 10, 100])), axis=1) < 0)


def test_a_law_without_a_mean_says_so():
    assert tails.Tail("pareto", np.array(1.2)).mean() == np.inf
    assert tails.Tail("pareto", np.array(1.2)).held_by(0.01) == 1


@pytest.mark.parametrize("form", FORMS)
def test_impossible_figures_are_refused(form):
    with pytest.raises(ValueError, match="not a half"):
        tails.from_quantile(0.5, 1, form)
    with pytest.raises(ValueError, match="negative spread"):
        tails.from_quantile(0.1, 0.5, form)
    with pytest.raises(ValueError, match="negative spread"):
        tails.from_held(0.5, 0.1, form)
    with pytest.raises(ValueError, match="between 0 and 1"):
        tails.from_held(0.1, 1.0, form)
    with pytest.raises(ValueError, match="above its median"):
        tails.from_mean(1.0, form)
