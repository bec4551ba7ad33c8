"""How long things last when some outlive the watch and some were there before it. Knows nothing of what they are."""

import numpy as np
from numpy.typing import ArrayLike


def survival(
    entry: ArrayLike, exit: ArrayLike, died: ArrayLike, ages: ArrayLike, weights: np.ndarray | None = None
) -> np.ndarray:
    """Share that lives beyond each age: (A,), or (R, A) with weights (R, N) of `stats.resample_weights`.

    entry: (N,) age at which each comes under watch; exit: (N,) age at which it dies or the watch ends, above entry;
    died: (N,) bool; ages: (A,). Kaplan and Meier 1958, with delayed entry: only those under watch are at risk.
    """
    start, end, dead = np.asarray(entry, float), np.asarray(exit, float), np.asarray(died, bool)
    if not (start < end).all():
        raise ValueError("each must be under watch for some time: exit above entry")
    rows = np.ones((1, len(end))) if weights is None else weights
    times = np.unique(end[dead])  # (E,)
    risk = rows @ ((start[:, None] < times) & (end[:, None] >= times))  # (R, E)
    deaths = rows @ (dead[:, None] & (end[:, None] == times))
    stays = 1 - np.divide(deaths, risk, out=np.zeros_like(risk), where=risk > 0)
    curve = np.concatenate([np.ones((len(rows), 1)), np.cumprod(stays, axis=1)], axis=1)
    found = curve[:, np.searchsorted(times, np.asarray(ages, float), side="right")]
    return found[0] if weights is None else found
