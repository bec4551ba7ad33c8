"""Has a model changed? Sequential tests on marks that come day after day, at a rate of false alarms chosen beforehand.

Knows daily values; knows nothing of models or tasks. R streams, T days; on the first days of a stream nothing changed.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

Statistic = Callable[[np.ndarray], np.ndarray]  # (R, T) daily values -> (R, T), higher is more suspect


def cusum(values: np.ndarray, mean: float | np.ndarray, slack: float, falls: bool = True) -> np.ndarray:
    """Page's cumulative sum of what exceeds the mean by more than the slack, never below 0: (R, T) from (R, T).

    mean: one for all streams, or (R, 1). slack: half the change one wants to see soon, in the unit of the values.
    falls: watch for lower values. Page 1954.
    """
    steps = (mean - values if falls else values - mean) - slack
    total = steps.cumsum(axis=1)
    lowest = np.minimum(np.minimum.accumulate(total, axis=1), 0.0)
    return total - lowest


def two_sided_cusum(values: np.ndarray, mean: float | np.ndarray, slack: float) -> np.ndarray:
    """The larger of the two cumulative sums, for falls and for rises: (R, T) from (R, T)."""
    return np.maximum(cusum(values, mean, slack), cusum(values, mean, slack, falls=False))


def ks(counts: np.ndarray, reference: Sequence[float] | np.ndarray, window: int) -> np.ndarray:
    """Kolmogorov-Smirnov distance of the last `window` days from a reference, times the root of their size: (R, T).

    counts: (R, T, K) how many of a day's values fall in each of K ordered bins; reference: (K,) counts of the days
    before. The first days have a shorter window. Smirnov 1948.
    """
    before = np.cumsum(np.asarray(reference, dtype=float))
    days = np.cumsum(counts, axis=1, dtype=float)
    days[:, window:] = days[:, window:] - days[:, :-window]
    size = days.sum(axis=2)
    shares = np.cumsum(days, axis=2) / np.maximum(size, 1)[..., None]
    return np.abs(shares - before / before[-1]).max(axis=2) * np.sqrt(size)


def limit(quiet: np.ndarray, false_alarms: float) -> float:
    """The value that a statistic of unchanged streams (R, T) ever exceeds in at most this share of them."""
    highest = np.sort(quiet.max(axis=1))
    allowed = int(false_alarms * len(highest))  # streams that may exceed it
    return float(highest[len(highest) - 1 - allowed])


def first_alarm(statistic: np.ndarray, above: float, since: int = 0) -> np.ndarray:
    """Day of the first alarm at or after day `since`, counted from it, 1 for that very day; (R,) float.

    Infinite when the stream ends without one; earlier alarms are false ones, counted by `alarmed_before`.
    """
    late = statistic[:, since:] > above
    return np.where(late.any(axis=1), late.argmax(axis=1) + 1.0, np.inf)


def alarmed_before(statistic: np.ndarray, above: float, day: int) -> np.ndarray:
    """Whether each stream gave an alarm before a day, (R,) bool."""
    return np.asarray((statistic[:, :day] > above).any(axis=1))


@dataclass
class Monitor:
    """Watches one daily value, such as the share of right answers to some questions, for a fall or any change.

    mean, slack: see `cusum`; above: the limit; total: what has accumulated, for falls and rises.
    """

    mean: float
    slack: float
    above: float
    falls_only: bool = True
    total: tuple[float, float] = (0.0, 0.0)

    @classmethod
    def fit(
        cls, marks: Sequence[float] | np.ndarray, a_day: int, *, horizon: int = 90, false_alarms: float = 0.05,
        change: float = 0.1, falls_only: bool = True, n_streams: int = 2000, seed: int = 0,
    ) -> "Monitor":  # fmt: skip
        """A monitor for days of `a_day` marks, from marks of the model as it is now.

        marks: (N,) each 0 or 1, or any score; horizon: days within which at most `false_alarms` of unchanged streams
        give an alarm, that the mean is only known from these marks being allowed for; change: of the mean, that one
        wants to see soonest. Raises ValueError when there are few marks.
        """
        known = np.asarray(marks, dtype=float)
        if len(known) < 2 * a_day or a_day < 1:
            raise ValueError(f"{len(known)} marks are too few to know what {a_day} marks a day look like; give more")
        rng, slack = np.random.default_rng(seed), change / 2
        days = known[rng.integers(0, len(known), (n_streams, horizon, a_day))].mean(axis=2)  # (R, T)
        means = known[rng.integers(0, len(known), (n_streams, len(known)))].mean(axis=1, keepdims=True)  # (R, 1)
        quiet = cusum(days, means, slack) if falls_only else two_sided_cusum(days, means, slack)
        return cls(float(known.mean()), slack, limit(quiet, false_alarms), falls_only)

    def see(self, marks: Sequence[float] | np.ndarray) -> bool:
        """Take in a day's marks; whether it is time to raise the alarm."""
        value = float(np.mean(marks))
        down = max(0.0, self.total[0] + self.mean - value - self.slack)
        up = max(0.0, self.total[1] + value - self.mean - self.slack)
        self.total = (down, up)
        return (down if self.falls_only else max(down, up)) > self.above
