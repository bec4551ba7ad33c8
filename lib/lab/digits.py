"""The handwritten digits that scikit-learn ships: images, who wrote them, and what can be measured on them.

Knows images and nothing of text or of models. The images are the test part of the UCI set (Alpaydin and Kaynak 1998,
doi:10.24432/C50P49): 8 x 8 counts of dark pixels from 0 to 16. Its authors say that 13 people wrote them, and keep no
names; but each copied the same form, so that the sequence of digits tells where one copy ends: there are 14 of them.
Axes: N images, 64 pixels row by row.
"""

import re
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

SIDE, LEVELS = 8, 16  # pixels a side; grey levels above white
WORDS = ("zéro", "un", "deux", "trois", "quatre", "cinq", "six", "sept", "huit", "neuf")
FORM_END = re.compile("4908(?:9[83])?")  # how the form ends; one copy lacks two digits, one has a 3 for an 8


@dataclass(frozen=True)
class Digits:
    """Images (N, 64) float64 from 0 to 16, the digit of each (N,) int, the copy of the form it is from (N,) int."""

    images: np.ndarray
    labels: np.ndarray
    forms: np.ndarray


def load() -> Digits:
    """All 1,797 images, in the order of the file."""
    from sklearn.datasets import load_digits

    images, labels = load_digits(return_X_y=True)
    return Digits(images, labels, copies(labels))


def copies(labels: ArrayLike) -> np.ndarray:
    """Number of the copy of the form that each digit belongs to, from the sequence of digits alone. (N,) int

    Raises ValueError when the sequence does not end as the form does.
    """
    text = "".join(str(int(label)) for label in np.asarray(labels))
    ends = [match.end() for match in FORM_END.finditer(text)]
    if not ends or ends[-1] != len(text):
        raise ValueError("these digits do not end as a copy of the form does; are they the whole file, in its order?")
    return np.repeat(np.arange(len(ends)), np.diff([0, *ends]))


def ink(images: ArrayLike) -> np.ndarray:
    """Share of the square that is dark, from 0 to 1. (..., 64) -> (...)"""
    return np.asarray(images, dtype=float).mean(axis=-1) / LEVELS


def slant(images: ArrayLike) -> np.ndarray:
    """Columns to the right for one row up, along the main axis of the ink: positive leans right. (..., 64) -> (...)

    Minus the covariance of row and column over the variance of the row, weighted by the ink; 0 without height.
    """
    weight = np.asarray(images, dtype=float)
    weight = weight / np.maximum(weight.sum(axis=-1, keepdims=True), 1e-9)
    row, column = (axis.ravel() - (SIDE - 1) / 2 for axis in np.indices((SIDE, SIDE)))  # (64,) each
    mean_row, mean_column = weight @ row, weight @ column
    covariance = weight @ (row * column) - mean_row * mean_column
    variance = weight @ row**2 - mean_row**2
    return -covariance / np.where(variance > 1e-9, variance, np.inf)


def as_drawn(images: ArrayLike) -> np.ndarray:
    """The nearest images of the file's kind: whole grey levels from 0 to 16. (..., 64)"""
    return np.clip(np.rint(np.asarray(images, dtype=float)), 0, LEVELS)
