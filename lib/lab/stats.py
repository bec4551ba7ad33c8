"""Intervals by resampling. Knows numbers and groups; knows nothing of models."""

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import ArrayLike


def _resampled_indices(n: int, groups: Sequence | None, n_resamples: int, seed: int) -> list[np.ndarray]:
    rng = np.random.default_rng(seed)
    if groups is None:
        return list(rng.integers(0, n, size=(n_resamples, n)))
    _, codes = np.unique(np.asarray(groups), return_inverse=True)
    members = [np.flatnonzero(codes == code) for code in range(codes.max() + 1)]
    draws = rng.integers(0, len(members), size=(n_resamples, len(members)))
    return [np.concatenate([members[code] for code in draw]) for draw in draws]


def bootstrap_ci(
    values: ArrayLike,
    statistic: Callable[[np.ndarray], float] = np.mean,
    *,
    seed: int,
    n_resamples: int = 2000,
    level: float = 0.95,
    groups: Sequence | None = None,
) -> tuple[float, float]:
    """Percentile bootstrap interval of a statistic.

    values: (N,) or (N, K), rows are resampled; groups: (N,) labels, whole groups are resampled. Efron 1979.
    """
    data = np.asarray(values)
    found = [statistic(data[rows]) for rows in _resampled_indices(len(data), groups, n_resamples, seed)]
    low, high = np.quantile(found, [(1 - level) / 2, (1 + level) / 2])
    return float(low), float(high)


def paired_difference_ci(
    a: ArrayLike,
    b: ArrayLike,
    *,
    seed: int,
    n_resamples: int = 2000,
    level: float = 0.95,
    groups: Sequence | None = None,
) -> tuple[float, float, float]:
    """Mean of a - b with its interval: (difference, low, high). a, b: (N,), the same items in the same order."""
    difference = np.asarray(a, dtype=float) - np.asarray(b, dtype=float)
    low, high = bootstrap_ci(difference, seed=seed, n_resamples=n_resamples, level=level, groups=groups)
    return float(difference.mean()), low, high
