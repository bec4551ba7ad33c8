"""Intervals by resampling, and how small an effect they can show. Knows numbers and groups; nothing of models."""

from collections.abc import Callable, Iterator, Sequence

import numpy as np
from numpy.typing import ArrayLike

CHUNK = 2**22  # drawn places held at once: 32 MiB


def bootstrap_ci(
    values: ArrayLike,
    statistic: Callable[[np.ndarray], float] = np.mean,
    *,
    seed: int,
    n_resamples: int = 2000,
    level: float = 0.95,
    groups: Sequence | np.ndarray | None = None,
) -> tuple[float, float]:
    """Percentile bootstrap interval of a statistic: (low, high).

    values: (N,) or (N, ...), rows are resampled; groups: (N,) labels, whole groups are resampled; statistic: takes the
    resampled rows. The mean is computed for all resamples at once. Efron and Tibshirani 1993, chapter 13.
    """
    data = np.asarray(values)
    members = _members(len(data), groups)
    if statistic is np.mean:
        found = _resampled_means(data, members, seed, n_resamples)
    else:
        draws = (draw for chunk in _draws(len(members), seed, n_resamples) for draw in chunk)
        found = np.array([statistic(data[np.concatenate([members[place] for place in draw])]) for draw in draws])
    return interval(found, level)


def paired_difference_ci(
    a: ArrayLike,
    b: ArrayLike,
    *,
    seed: int,
    n_resamples: int = 2000,
    level: float = 0.95,
    groups: Sequence | np.ndarray | None = None,
) -> tuple[float, float, float]:
    """Mean of a - b with its interval: (difference, low, high). a, b: (N,), the same items in the same order."""
    first, second = np.asarray(a, dtype=float), np.asarray(b, dtype=float)
    if first.shape != second.shape:
        raise ValueError(f"paired values come in equal numbers, not {first.shape} and {second.shape}")
    difference = first - second
    low, high = bootstrap_ci(difference, seed=seed, n_resamples=n_resamples, level=level, groups=groups)
    return float(difference.mean()), low, high


def interval(resampled: ArrayLike, level: float = 0.95) -> tuple[float, float]:
    """Percentile interval of a statistic's resampled values (R,): (low, high)."""
    low, high = np.quantile(np.asarray(resampled, dtype=float), [(1 - level) / 2, (1 + level) / 2])
    return float(low), float(high)


def resample_weights(
    n: int, *, seed: int, n_resamples: int = 2000, groups: Sequence | np.ndarray | None = None
) -> np.ndarray:
    """How often each of n items is drawn in each resample: (R, n) float64.

    A statistic made of sums is then one matrix product for all resamples. groups: whole groups are drawn.
    """
    codes = np.arange(n) if groups is None else _codes(n, groups)
    n_groups = int(codes.max()) + 1
    counts = [np.bincount(draw, minlength=n_groups) for chunk in _draws(n_groups, seed, n_resamples) for draw in chunk]
    return np.array(counts, dtype=float)[:, codes]  # (R, groups) -> (R, n)


def crossed_means(
    values: ArrayLike, *, seed: int, n_resamples: int = 2000, groups: Sequence | np.ndarray | None = None
) -> np.ndarray:
    """Means of which both the seeds and the items are resampled: (..., R) from (..., S seeds, N items).

    Every seed judges the same items, in one order. The same seed and sizes give the same draws, so that differences
    of two results are paired. groups: (N,) labels of items, whole groups are drawn.
    """
    data = np.asarray(values, dtype=float)
    n_seeds, n_items = data.shape[-2:]
    weights = resample_weights(n_items, seed=seed, n_resamples=n_resamples, groups=groups)  # (R, N)
    per_seed = data @ (weights / weights.sum(axis=1, keepdims=True)).T  # (..., S, R)
    drawn = np.random.default_rng([seed, 1]).integers(0, n_seeds, (n_resamples, n_seeds))  # (R, S)
    return np.take_along_axis(per_seed, np.broadcast_to(drawn.T, per_seed.shape), axis=-2).mean(axis=-2)


def macro_f1(truth: ArrayLike, predicted: ArrayLike, n_classes: int, weights: np.ndarray | None = None) -> np.ndarray:
    """Mean over classes of F1: () without weights, (R,) with weights (R, N) of `resample_weights`.

    truth, predicted: (N,) int in [0, n_classes). A class neither present nor predicted counts 0, as in scikit-learn.
    """
    true, said = np.eye(n_classes)[np.asarray(truth)], np.eye(n_classes)[np.asarray(predicted)]  # (N, C) each
    rows = np.ones((1, len(true))) if weights is None else weights
    hits, size = rows @ (true * said), rows @ (true + said)  # (R, C): F1 = 2 hits / (true + predicted)
    scores = np.divide(2 * hits, size, out=np.zeros_like(hits), where=size > 0).mean(axis=1)
    return scores[0] if weights is None else scores


def smallest_detectable(low: float, high: float, level: float = 0.95, power: float = 0.8) -> float:
    """Effect that a two-sided test at this level finds with this power, from the interval's width.

    Normal approximation: (z of the level + z of the power) standard errors; about 1.43 half-widths by default.
    """
    from scipy.stats import norm

    z_level = norm.ppf((1 + level) / 2)
    return float((high - low) / 2 * (z_level + norm.ppf(power)) / z_level)


def _codes(n: int, groups: Sequence | np.ndarray) -> np.ndarray:
    labels = np.asarray(groups)
    if labels.shape != (n,):
        raise ValueError(f"groups holds one label for each of the {n} items, not {labels.shape}")
    return np.unique(labels, return_inverse=True)[1]


def _members(n: int, groups: Sequence | np.ndarray | None) -> list[np.ndarray]:
    """Rows of each thing that is drawn: single rows without groups."""
    if n == 0:
        raise ValueError("there is nothing to resample")
    if groups is None:
        return list(np.arange(n)[:, None])
    codes = _codes(n, groups)
    return np.split(np.argsort(codes, kind="stable"), np.cumsum(np.bincount(codes))[:-1])


def _draws(n: int, seed: int, n_resamples: int) -> Iterator[np.ndarray]:
    """Places drawn with replacement, (resamples, n) in all, a bounded number at a time."""
    rng = np.random.default_rng(seed)
    at_once = max(1, CHUNK // n)
    for start in range(0, n_resamples, at_once):
        yield rng.integers(0, n, size=(min(at_once, n_resamples - start), n))


def _resampled_means(data: np.ndarray, members: list[np.ndarray], seed: int, n_resamples: int) -> np.ndarray:
    """Mean of each resample (R,), from each group's sum and size."""
    per_row = data.reshape(len(data), -1).astype(float)  # (N, K)
    order, sizes = np.concatenate(members), np.array([len(rows) for rows in members])
    starts = np.concatenate([[0], np.cumsum(sizes)[:-1]])
    sums = np.add.reduceat(per_row.sum(axis=1)[order], starts)  # (G,)
    counts = sizes * per_row.shape[1]
    chunks = _draws(len(members), seed, n_resamples)
    return np.concatenate([sums[draw].sum(axis=1) / counts[draw].sum(axis=1) for draw in chunks])
