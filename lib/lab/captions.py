"""Handwritten digits and what French captions say of them: wordings to learn from, wordings kept aside.

Knows images, what is measured on them and sentences; knows nothing of models. The images are those that scikit-learn
ships, the test part of the UCI set (Alpaydin and Kaynak 1998, doi:10.24432/C50P49): 8 x 8 counts of dark pixels from 0
to 16, by 13 people, each of whom copied one printed form. Axes: N images, 64 pixels row by row.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

SIDE, LEVELS = 8, 16  # pixels a side; grey levels above white
FORM_END = re.compile("4908(?:9[83])?")  # how the form ends; one copy lacks two digits, one has a 3 for an 8
NAMES = ("zéro", "un", "deux", "trois", "quatre", "cinq", "six", "sept", "huit", "neuf")

SEEN = (  # sentences that name a digit, to learn from
    "le chiffre {}", "un {} écrit à la main", "ceci est un {}", "on lit {}",
    "la photo d'un {}", "quelqu'un a tracé un {}", "un {} au crayon", "voici le nombre {}",
)  # fmt: skip
NEW_SENTENCES = ("une image qui montre {}", "il est écrit {} sur le papier", "regardez, c'est un {} !", "{}")
OTHER_WORDS = (  # the same numbers in words that are not learned, but for "six", which English shares
    ("le chiffre {}", tuple("0123456789")),
    ("the digit {}", ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine")),
    ("el número {}", ("cero", "uno", "dos", "tres", "cuatro", "cinco", "seis", "siete", "ocho", "nueve")),
)
DETOURS = (  # one has to understand, or to know
    ("le nombre juste avant {}", (*NAMES[1:], "dix")),
    ("{}", ("rien du tout", "une unité, tout seul", "une paire", "un trio", "les saisons d'une année",
            "les doigts d'une main", "une demi-douzaine", "les jours de la semaine", "les pattes d'une araignée",
            "un de moins que dix")),
)  # fmt: skip

THICKNESS = ("fin", "", "épais")  # thirds of the images of a digit; the middle one is not mentioned
SLANT = ("penché à gauche", "", "penché à droite")
LOOKS = ("un {} {}", "voici un {} {}")  # sentences that say the name and the looks

LOOP, LEFT, RIGHT, UP, STROKE, RING = (
    "une boucle", "un creux ouvert à gauche", "un creux ouvert à droite", "un creux ouvert au-dessus", "un trait",
    "le tour d'un grand rond",
)  # fmt: skip
SHAPES = (  # top and bottom of each digit
    (RING, RING), (STROKE, STROKE), (LEFT, RIGHT), (LEFT, LEFT), (UP, STROKE),
    (RIGHT, LEFT), (RIGHT, LOOP), (LEFT, STROKE), (LOOP, LOOP), (LOOP, LEFT),
)  # fmt: skip
FORMS = ("{} en haut, {} en bas", "on voit {} en haut et {} en bas", "un signe avec {} en haut, {} en bas")


@dataclass(frozen=True)
class Digits:
    """Images (N, 64) float64 from 0 to 16; of each, (N,) int: digit, copy of the form, third of thickness, of slant."""

    images: np.ndarray
    labels: np.ndarray
    writers: np.ndarray
    thickness: np.ndarray
    slant: np.ndarray


def digits() -> Digits:
    """All 1,797 images, in the order of the file. Thirds are those of the digit that an image shows."""
    from sklearn.datasets import load_digits

    images, labels = load_digits(return_X_y=True)
    thick, slant = (thirds(measure(images), labels) for measure in (darkness, lean))
    return Digits(images, labels, copies(labels), thick, slant)


def copies(labels: ArrayLike) -> np.ndarray:
    """Number of the copy of the form that each digit belongs to, from the sequence of digits alone. (N,) int

    The file does not say who wrote what. Raises ValueError when the sequence does not end as the form does.
    """
    text = "".join(str(int(label)) for label in np.asarray(labels))
    ends = [match.end() for match in FORM_END.finditer(text)]
    if not ends or ends[-1] != len(text):
        raise ValueError("these digits do not end as a copy of the form does; are they the whole file, in its order?")
    return np.repeat(np.arange(len(ends)), np.diff([0, *ends]))


def darkness(images: ArrayLike) -> np.ndarray:
    """Mean grey of the pixels that hold ink, from 0 to 1: a thick stroke fills them. (..., 64) -> (...)"""
    pixels = np.asarray(images, dtype=float)
    return pixels.sum(axis=-1) / LEVELS / np.maximum((pixels > 0).sum(axis=-1), 1)


def lean(images: ArrayLike) -> np.ndarray:
    """Columns to the right for one row up, along the ink: positive leans right. (..., 64) -> (...)

    Minus the covariance of row and column over the variance of the row, weighted by the ink; 0 without height.
    """
    weight = np.asarray(images, dtype=float)
    weight = weight / np.maximum(weight.sum(axis=-1, keepdims=True), 1e-9)
    row, column = (axis.ravel() - (SIDE - 1) / 2 for axis in np.indices((SIDE, SIDE)))  # (64,) each
    mean_row, mean_column = weight @ row, weight @ column
    variance = weight @ row**2 - mean_row**2
    return (mean_row * mean_column - weight @ (row * column)) / np.where(variance > 1e-9, variance, np.inf)


def thirds(values: ArrayLike, labels: ArrayLike) -> np.ndarray:
    """Third, 0 to 2, in which a value falls among those of its label. (N,) and (N,) int -> (N,) int"""
    measured, named = np.asarray(values, dtype=float), np.asarray(labels)
    found = np.zeros(len(measured), dtype=int)
    for label in np.unique(named):
        own = named == label
        found[own] = np.searchsorted(np.quantile(measured[own], [1 / 3, 2 / 3]), measured[own], side="right")
    return found


def named(sentences: Sequence[str] = SEEN, names: Sequence[str] = NAMES) -> list[list[str]]:
    """Captions that name each digit: one list a sentence, of one caption a digit."""
    return [[sentence.format(name) for name in names] for sentence in sentences]


def looks(sentence: str, digit: int, thickness: int, slant: int) -> str:
    """A caption with name, thickness and slant; what is in the middle third goes unsaid."""
    said = [words for words in (THICKNESS[thickness], SLANT[slant]) if words]
    return sentence.format(NAMES[digit], " et ".join(said)).strip()


def shapes(sentences: Sequence[str] = FORMS) -> list[list[str]]:
    """Captions that describe each digit without naming it: one list a sentence, of one caption a digit."""
    return [[sentence.format(top, bottom) for top, bottom in SHAPES] for sentence in sentences]


def grams(texts: Sequence[str], known: Sequence[str] = (), longest: int = 3) -> tuple[np.ndarray, list[str]]:
    """Which words and runs of words each text holds, (N, K) float32 with rows of length 1, and the K runs.

    known: the runs to look for; those of the texts when empty. A text that holds none of them is a row of zeros.
    """
    found = [_runs(text, longest) for text in texts]
    kept = list(known) or sorted({run for runs in found for run in runs})
    table = np.array([[run in runs for run in kept] for runs in found], dtype=np.float32)
    return table / np.maximum(np.linalg.norm(table, axis=1, keepdims=True), 1e-9), kept


def _runs(text: str, longest: int) -> set[str]:
    words = re.findall(r"\w+", text.lower())
    return {" ".join(words[at : at + n]) for n in range(1, longest + 1) for at in range(len(words) - n + 1)}
