"""Weeks that hold something: what is sure, drawn, and possible at most."""

from itertools import product

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from lib.lab import weeks

N_WEEKS = 6
WINDOW = st.tuples(st.integers(-2, 7), st.integers(0, 3)).map(lambda pair: (pair[0], pair[0] + pair[1]))


def by_trying(known: set[int], windows: list[tuple[int, int]]) -> int:
    """Every placement of every event, one by one."""
    places = [range(low, high + 1) for low, high in windows]
    return max(len({week for week in {*known, *tried} if 0 <= week < N_WEEKS}) for tried in product(*places))


@settings(max_examples=200, deadline=None)
@given(st.sets(st.integers(-1, 6), max_size=4), st.lists(WINDOW, max_size=5))
def test_no_placement_covers_more_and_one_covers_as_much(known, windows):
    assert weeks.most_covered(known, windows, N_WEEKS) == by_trying(known, windows)


def test_an_event_goes_where_only_it_can():
    assert weeks.most_covered([], [(0, 3), (0, 0)], 4) == 2  # the wide one leaves week 0 to the narrow one


def test_days_are_drawn_between_the_lags_of_the_deck_or_in_the_known_span():
    rng = np.random.default_rng(0)
    deck = np.array([3.0, 10.0])
    known = [np.nan] * 200
    days = weeks.drawn_days([100] * 400, {100: deck}, rng, known + [5] * 200, known + [9] * 200)
    assert sorted(np.unique(days[:200])) == [*range(90, 98)]
    assert sorted(np.unique(days[200:])) == [5, 6, 7, 8, 9]


def test_without_a_deck_for_its_day_an_event_takes_the_lags_of_all():
    unknown = [np.nan] * 300
    days = weeks.drawn_days([50] * 300, {10: [1.0], 20: [4.0]}, np.random.default_rng(0), unknown, unknown)
    assert sorted(np.unique(days)) == [46, 47, 48, 49]


def test_share_counts_each_week_once_and_none_outside():
    assert weeks.share_covered([0, 6, 7, 70, -1], 4, known=[3]) == 3 / 4


def test_more_makers_cover_no_less_and_all_of_them_what_is_covered():
    held = np.array([[1, 0, 0, 0, 0, 0], [0, 1, 0, 0, 0, 0], [1, 0, 1, 0, 0, 0]], dtype=bool)
    shares = weeks.shares_by_makers(held, [1, 2, 3], 50, np.random.default_rng(0))
    assert shares.shape == (3, 50)
    assert (np.diff(shares.mean(axis=1)) > 0).all()
    assert (shares[2] == 0.5).all()
