"""Heavy-tailed laws told by what sources publish: a mean, a quantile, the share that the largest take.

Every law has a median of one: multiply by the median of the thing told. Knows nothing of what is drawn from it.
"""

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike
from scipy.special import ndtr, ndtri

Form = Literal["lognormal", "pareto"]
HALVINGS = 60  # of an interval of length one: exact to the last bit
THINNEST = 1e-9  # spread of a law that is all in one point


@dataclass(frozen=True)
class Tail:
    """A law of median one.

    spread: any shape; lognormal: standard deviation of the logarithm; pareto: one over its exponent, below one where
    the mean is finite.
    """

    form: Form
    spread: np.ndarray

    def exceeded_by(self, top: ArrayLike) -> np.ndarray:
        """Value that a share `top` exceeds, in medians."""
        share = np.asarray(top, dtype=float)
        if self.form == "lognormal":
            return np.exp(-self.spread * ndtri(share))
        return (0.5 / share) ** self.spread

    def over(self, value: ArrayLike) -> np.ndarray:
        """Share above a value, which is positive and in medians."""
        logs = np.log(np.asarray(value, dtype=float))
        if self.form == "lognormal":
            return ndtr(-logs / self.spread)
        return np.minimum(1.0, 0.5 * np.exp(-logs / self.spread))

    def mean(self) -> np.ndarray:
        """Mean in medians; infinite for a Pareto law of spread one or more."""
        if self.form == "lognormal":
            return np.exp(self.spread**2 / 2)
        below = np.minimum(self.spread, 1.0)
        with np.errstate(divide="ignore"):
            return np.where(self.spread < 1, 2.0**-below / (1 - below), np.inf)

    def held_by(self, top: ArrayLike) -> np.ndarray:
        """Share of the total that the largest, a share `top` of all, hold: one less the Lorenz curve."""
        share = np.asarray(top, dtype=float)
        if self.form == "lognormal":
            return ndtr(self.spread + ndtri(share))
        return share ** np.maximum(0.0, 1 - self.spread)


def from_quantile(top: ArrayLike, value: ArrayLike, form: Form = "lognormal") -> Tail:
    """The law of which a share `top` exceeds `value` medians: above one where `top` is below a half, and conversely."""
    share, logs = np.asarray(top, dtype=float), np.log(np.asarray(value, dtype=float))
    if np.any((share <= 0) | (share >= 1) | (share == 0.5)):
        raise ValueError("a quantile other than the median tells a law: top is between 0 and 1, and not a half")
    return _law(logs / (-ndtri(share) if form == "lognormal" else np.log(0.5 / share)), form)


def from_held(top: ArrayLike, held: ArrayLike, form: Form = "lognormal") -> Tail:
    """The law of which the largest, a share `top` of all, hold a share `held` of the total."""
    share, part = np.asarray(top, dtype=float), np.asarray(held, dtype=float)
    if np.any((share <= 0) | (share >= 1) | (part <= 0) | (part >= 1)):
        raise ValueError("both shares are between 0 and 1")
    return _law(ndtri(part) - ndtri(share) if form == "lognormal" else 1 - np.log(part) / np.log(share), form)


def from_mean(mean: ArrayLike, form: Form = "lognormal") -> Tail:
    """The law whose mean is `mean` medians, above one."""
    ratio = np.asarray(mean, dtype=float)
    if np.any(ratio <= 1):
        raise ValueError("the mean of a heavy-tailed law is above its median")
    if form == "lognormal":
        return _law(np.sqrt(2 * np.log(ratio)), form)
    low, high = np.zeros_like(ratio), np.ones_like(ratio)
    for _ in range(HALVINGS):
        middle = (low + high) / 2
        small = Tail(form, middle).mean() < ratio
        low, high = np.where(small, middle, low), np.where(small, high, middle)
    return _law(low, form)


def _law(spread: np.ndarray, form: Form) -> Tail:
    if np.any(spread < -THINNEST):
        raise ValueError("no law fits: these figures would give it a negative spread")
    return Tail(form, np.maximum(spread, THINNEST))
