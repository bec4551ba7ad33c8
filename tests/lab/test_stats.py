import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import f1_score

from lib.lab import stats

LABELS = np.array(list("bacabcabdd"))
VALUES = np.arange(10.0) ** 2


def brute_force(values, groups, statistic, seed, n_resamples):
    """The statistic of each resample, one group at a time."""
    names = sorted(set(groups))
    rng = np.random.default_rng(seed)
    found = []
    for _ in range(n_resamples):
        drawn = [names[place] for place in rng.integers(0, len(names), len(names))]
        found.append(statistic(np.concatenate([values[groups == name] for name in drawn])))
    return found


def test_nineteen_intervals_in_twenty_hold_the_mean_of_a_normal_law():
    rng = np.random.default_rng(0)
    intervals = [stats.bootstrap_ci(rng.normal(3, 2, 50), seed=number, n_resamples=400) for number in range(500)]
    covered = np.mean([low <= 3 <= high for low, high in intervals])
    assert 0.91 <= covered <= 0.97
    widths = np.diff(intervals, axis=1)
    assert widths.mean() == pytest.approx(2 * 1.96 * 2 / np.sqrt(50), rel=0.05)


def test_a_wider_level_holds_a_narrower_one():
    wide, narrow = (stats.bootstrap_ci(VALUES, seed=0, level=level) for level in (0.99, 0.8))
    assert wide[0] < narrow[0] < VALUES.mean() < narrow[1] < wide[1]


@pytest.mark.parametrize("statistic", [np.mean, np.median, lambda rows: float(np.mean(rows))])
@pytest.mark.parametrize("groups", [None, LABELS])
def test_groups_are_drawn_whole(statistic, groups):
    found = stats.bootstrap_ci(VALUES, statistic, seed=4, n_resamples=300, groups=groups)
    labels = np.array(list("abcdefghij")) if groups is None else groups
    expected = brute_force(VALUES, labels, statistic, 4, 300)
    assert found == pytest.approx(tuple(np.quantile(expected, [0.025, 0.975])), rel=1e-12)


def test_items_that_go_together_widen_the_interval():
    values, groups = np.repeat(np.random.default_rng(0).normal(size=20), 10), np.repeat(np.arange(20), 10)
    alone, together = stats.bootstrap_ci(values, seed=0), stats.bootstrap_ci(values, seed=0, groups=groups)
    ratio = (together[1] - together[0]) / (alone[1] - alone[0])
    assert ratio == pytest.approx(np.sqrt(10), rel=0.1)
    low, high = stats.bootstrap_ci(values, seed=0, groups=["same"] * 200)
    assert (low, high) == pytest.approx((values.mean(), values.mean()))


def test_rows_of_several_values_are_resampled_as_rows():
    rows = np.random.default_rng(0).normal(size=(30, 4))
    fast, slow = (stats.bootstrap_ci(rows, how, seed=1, n_resamples=200) for how in (np.mean, lambda some: some.mean()))
    assert fast == pytest.approx(slow, rel=1e-12)
    assert fast == pytest.approx(stats.bootstrap_ci(rows.mean(axis=1), seed=1, n_resamples=200), rel=1e-12)


def test_the_same_seed_gives_the_same_interval_whatever_is_held_at_once(monkeypatch):
    before = stats.bootstrap_ci(VALUES, seed=3, groups=LABELS)
    assert stats.bootstrap_ci(VALUES, seed=3, groups=LABELS) == before
    assert stats.bootstrap_ci(VALUES, seed=5) != stats.bootstrap_ci(VALUES, seed=3)
    monkeypatch.setattr(stats, "CHUNK", 7)
    assert stats.bootstrap_ci(VALUES, seed=3, groups=LABELS) == before


def test_a_paired_difference_is_that_of_each_item():
    a, b = VALUES + np.linspace(1, 2, 10), VALUES
    difference, low, high = stats.paired_difference_ci(a, b, seed=2, n_resamples=500, groups=LABELS)
    assert difference == pytest.approx(1.5)
    expected = brute_force(a - b, LABELS, np.mean, 2, 500)
    assert (low, high) == pytest.approx(tuple(np.quantile(expected, [0.025, 0.975])), rel=1e-9)
    assert stats.paired_difference_ci([2, 3, 5], [1, 2, 4], seed=0) == (1.0, 1.0, 1.0)
    assert stats.paired_difference_ci([True, False], [True, False], seed=0) == (0.0, 0.0, 0.0)


def test_pairs_of_other_shapes_are_refused():
    with pytest.raises(ValueError, match="paired values come in equal numbers"):
        stats.paired_difference_ci([1, 2, 3], [1, 2], seed=0)
    with pytest.raises(ValueError, match="paired values come in equal numbers"):
        stats.paired_difference_ci([1], [[1]], seed=0)


def test_an_interval_is_made_of_quantiles():
    assert stats.interval(np.arange(101)) == pytest.approx((2.5, 97.5))
    assert stats.interval(np.arange(101), level=0.5) == pytest.approx((25, 75))


def test_weights_count_the_draws_of_each_item():
    weights = stats.resample_weights(7, seed=0, n_resamples=50)
    assert weights.shape == (50, 7)
    assert (weights.sum(axis=1) == 7).all()
    means = weights @ VALUES[:7] / 7
    assert stats.interval(means) == pytest.approx(stats.bootstrap_ci(VALUES[:7], seed=0, n_resamples=50))


def test_weights_are_the_same_for_all_of_a_group():
    weights = stats.resample_weights(10, seed=0, n_resamples=50, groups=LABELS)
    names = sorted(set(LABELS))
    by_group = np.stack([weights[:, list(LABELS).index(name)] for name in names], axis=1)
    assert (weights == by_group[:, [names.index(label) for label in LABELS]]).all()
    assert (by_group.sum(axis=1) == len(names)).all()
    means = weights @ VALUES / weights.sum(axis=1)
    expected = stats.bootstrap_ci(VALUES, seed=0, n_resamples=50, groups=LABELS)
    assert stats.interval(means) == pytest.approx(expected)


answers = st.integers(1, 6).flatmap(
    lambda classes: st.tuples(
        st.just(classes),
        st.lists(st.tuples(*[st.integers(0, classes - 1)] * 2), min_size=1, max_size=25),
    )
)


@settings(deadline=None, max_examples=60)
@given(answers, st.integers(0, 5))
def test_macro_f1_is_that_of_scikit_learn(drawn, seed):
    classes, pairs = drawn
    truth, said = np.array(pairs).T
    asked = {"labels": range(classes), "average": "macro", "zero_division": 0}
    assert stats.macro_f1(truth, said, classes) == pytest.approx(f1_score(truth, said, **asked), abs=1e-12)
    weights = stats.resample_weights(len(pairs), seed=seed, n_resamples=3)
    rows = [np.repeat(np.arange(len(pairs)), weight.astype(int)) for weight in weights]
    expected = [f1_score(truth[some], said[some], **asked) for some in rows]
    found = stats.macro_f1(truth, said, classes, weights)
    assert found.shape == (3,)
    assert found == pytest.approx(expected, abs=1e-12)


def test_macro_f1_by_hand():
    # class 0: 1 hit, 2 true, 1 said; class 1: 1 hit, 1 true, 2 said; class 2: nowhere
    assert stats.macro_f1([0, 0, 1], [0, 1, 1], 3) == pytest.approx((2 / 3 + 2 / 3 + 0) / 3)


def test_the_smallest_detectable_effect_follows_the_formula():
    assert stats.smallest_detectable(-1, 1) == pytest.approx((1.959964 + 0.841621) / 1.959964, rel=1e-6)
    assert stats.smallest_detectable(0.1, 0.3, level=0.9, power=0.5) == pytest.approx(0.1)
    assert stats.smallest_detectable(3, 5, power=0.9) == pytest.approx((1.959964 + 1.281552) / 1.959964, rel=1e-6)


def test_an_effect_of_that_size_is_found_four_times_in_five():
    rng = np.random.default_rng(0)
    spread = 1 / np.sqrt(400)  # of the mean of 400 values
    effect = stats.smallest_detectable(-1.959964 * spread, 1.959964 * spread)
    means = rng.normal(effect, spread, 20_000)
    assert (np.abs(means) > 1.959964 * spread).mean() == pytest.approx(0.8, abs=0.01)


def test_nothing_cannot_be_resampled():
    with pytest.raises(ValueError, match="nothing to resample"):
        stats.bootstrap_ci([], seed=0)
    with pytest.raises(ValueError, match="nothing to resample"):
        stats.bootstrap_ci([], seed=0, groups=[])
    with pytest.raises(ValueError, match="nothing to resample"):
        stats.paired_difference_ci([], [], seed=0)
    with pytest.raises(ValueError, match=r"zero-size|nothing"):
        stats.resample_weights(0, seed=0)


def test_groups_name_every_item():
    with pytest.raises(ValueError, match="one label for each of the 2 items"):
        stats.bootstrap_ci([1, 2], seed=0, groups=["a"])
    with pytest.raises(ValueError, match="one label for each of the 2 items"):
        stats.resample_weights(2, seed=0, groups=["a", "b", "c"])


def test_crossed_means_draw_seeds_and_items():
    values = np.random.default_rng(0).normal(size=(2, 3, 5))  # two conditions, three seeds, five items
    found = stats.crossed_means(values, seed=4, n_resamples=6)
    weights = stats.resample_weights(5, seed=4, n_resamples=6)
    drawn = np.random.default_rng([4, 1]).integers(0, 3, (6, 3))
    for condition in range(2):
        for draw in range(6):
            chosen = values[condition][drawn[draw]]  # (seeds drawn, items)
            expected = np.mean([np.average(row, weights=weights[draw]) for row in chosen])
            assert found[condition, draw] == pytest.approx(expected)


def test_crossed_means_of_one_seed_draw_groups_whole():
    values, groups = np.array([[1.0, 1.0, 5.0, 5.0]]), ["a", "a", "b", "b"]
    found = stats.crossed_means(values, seed=0, n_resamples=200, groups=groups)
    assert set(found) == {1.0, 3.0, 5.0}


def test_differences_of_crossed_means_are_paired():
    values = np.random.default_rng(1).normal(size=(4, 30))
    apart = stats.crossed_means(values + 2, seed=7, n_resamples=50) - stats.crossed_means(
        values, seed=7, n_resamples=50
    )
    assert apart == pytest.approx(2)
