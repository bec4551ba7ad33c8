"""Handwritten digits and what French captions say of them: wordings to learn from, wordings kept aside.

Knows what is measured on images, and sentences; knows nothing of models. Axes: N images, 64 pixels row by row.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from lib.lab import digits as drawn

NAMES = drawn.WORDS

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
    file = drawn.load()
    thick, slant = (thirds(measure(file.images), file.labels) for measure in (darkness, drawn.slant))
    return Digits(file.images, file.labels, file.forms, thick, slant)


def darkness(images: ArrayLike) -> np.ndarray:
    """Mean grey of the pixels that hold ink, from 0 to 1: a thick stroke fills them. (..., 64) -> (...)"""
    pixels = np.asarray(images, dtype=float)
    return pixels.sum(axis=-1) / drawn.LEVELS / np.maximum((pixels > 0).sum(axis=-1), 1)


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
