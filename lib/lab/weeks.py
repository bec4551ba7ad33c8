"""Weeks with something in them, when only part of the days are known: what is sure, likely, and possible at most.

Knows windows of weeks and lags; knows nothing of what happened in them.
"""

import heapq
from collections.abc import Iterable, Mapping, Sequence

import numpy as np
from numpy.typing import ArrayLike


def most_covered(known: Iterable[int], windows: Iterable[tuple[int, int]], n_weeks: int) -> int:
    """The most of n_weeks weeks that can hold something, each event of unknown day put where it helps most.

    known: weeks that hold an event for sure; windows: first and last week of every other event, both included. Weeks
    outside 0 .. n_weeks - 1 are ignored. Each free week takes the event whose window ends soonest, which no other
    choice beats (Glover 1967, convex bipartite graphs).
    """
    held = {week for week in known if 0 <= week < n_weeks}
    waiting = sorted((max(0, low), min(n_weeks - 1, high)) for low, high in windows if high >= 0 and low < n_weeks)
    ends: list[int] = []
    place, filled = 0, len(held)
    for week in range(n_weeks):
        if week in held:
            continue
        while place < len(waiting) and waiting[place][0] <= week:
            heapq.heappush(ends, waiting[place][1])
            place += 1
        while ends and ends[0] < week:
            heapq.heappop(ends)
        if ends:
            heapq.heappop(ends)
            filled += 1
    return filled


def drawn_days(
    seen: ArrayLike, decks: Mapping[int, ArrayLike], rng: np.random.Generator, low: ArrayLike, high: ArrayLike
) -> np.ndarray:
    """Days drawn for events of unknown day: (N,) int.

    seen: (N,) int, the day each was first seen; decks: by such a day, lags (days from event to sight) of events whose
    day is known; a lag is drawn between those of the deck, or of all decks where there is none for the day. low, high:
    (N,) first and last day of an event where those are known, NaN else; then the day is drawn between them.
    """
    days = np.asarray(seen, dtype=int)
    first, last = np.asarray(low, dtype=float), np.asarray(high, dtype=float)
    uniform = rng.random(len(days))
    everything = np.concatenate([np.asarray(deck, dtype=float) for deck in decks.values()])
    lags = np.zeros(len(days))
    for day in np.unique(days):
        lags[days == day] = np.quantile(np.asarray(decks.get(int(day), everything)), uniform[days == day])
    within = np.floor(first + uniform * (last - first + 1))
    return np.where(np.isnan(first), np.rint(days - lags), within).astype(int)


def share_covered(days: ArrayLike, n_weeks: int, known: Iterable[int] = ()) -> float:
    """Share of n_weeks weeks that hold an event. days: (N,) int from the first day of week 0; known: weeks held too."""
    held = {int(week) for week in np.asarray(days, dtype=int) // 7} | set(known)
    return sum(0 <= week < n_weeks for week in held) / n_weeks


def shares_by_makers(held: ArrayLike, sizes: Sequence[int], n_draws: int, rng: np.random.Generator) -> np.ndarray:
    """Share of weeks that hold an event when only some makers are followed: (len(sizes), n_draws).

    held: (M makers, W weeks) bool; sizes: how many makers are followed, drawn without replacement each time.
    """
    matrix = np.asarray(held, dtype=bool)
    return np.array(
        [
            [matrix[rng.choice(len(matrix), size, replace=False)].any(axis=0).mean() for _ in range(n_draws)]
            for size in sizes
        ]
    )
