"""Sounds as arrays: made lighter, mixed with noise, turned into features, and heard on a page. Knows nothing of words.

A sound is (samples,) float32 between -1 and 1.
"""

import base64
import functools
import html
import io
import math
import wave
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

if TYPE_CHECKING:
    import torch

WINDOW, HOP = 256, 128  # samples: 23 and 12 ms at 11,025 Hz, as is usual for speech
QUIET = 1e-5  # energy added before the logarithm: silence stays finite
LOUDEST = 0.9  # peak of a sound that is heard
HEARD = 8000  # samples a second of what a page plays: a telephone's, and light


def resample(sound: np.ndarray, rate: int, wanted: int) -> np.ndarray:
    """The same sound at another rate; what that rate cannot hold is taken out first. (N,) -> (N * wanted / rate,)"""
    from scipy.signal import resample_poly

    common = math.gcd(rate, wanted)
    return resample_poly(sound, wanted // common, rate // common).astype(np.float32)


def add_noise(sound: np.ndarray, noise: np.ndarray, snr_db: float) -> np.ndarray:
    """A sound and a noise of the same length, mixed so that their mean powers are `snr_db` apart.

    Raises ValueError when one of them is silent or their lengths differ.
    """
    if sound.shape != noise.shape:
        raise ValueError(f"a sound and its noise have the same length, not {sound.shape} and {noise.shape}")
    powers = [float(np.mean(np.square(one, dtype=np.float64))) for one in (sound, noise)]
    if not all(powers):
        raise ValueError("silence has no power to set a noise by")
    return (sound + noise * np.sqrt(powers[0] / powers[1] / 10 ** (snr_db / 10))).astype(np.float32)


def white(length: int, rng: np.random.Generator) -> np.ndarray:
    """Noise of equal power at all frequencies. (length,)"""
    return rng.standard_normal(length).astype(np.float32)


def babble(length: int, others: Sequence[np.ndarray], rng: np.random.Generator, voices: int = 8) -> np.ndarray:
    """Several sounds at once, drawn from others, each repeated from a place drawn at random. (length,)

    Raises ValueError when there is nothing to draw from.
    """
    if not others:
        raise ValueError("babble is made of other sounds, and there is none")
    total = np.zeros(length, dtype=np.float32)
    for place in rng.integers(0, len(others), voices):
        one = others[place]
        total += np.take(one, np.arange(length) + rng.integers(0, len(one)), mode="wrap")
    return total


def piece(noise: np.ndarray, length: int, rng: np.random.Generator) -> np.ndarray:
    """A piece of a longer noise, from a place drawn at random. (length,)"""
    start = int(rng.integers(0, len(noise) - length))
    return noise[start : start + length]


@functools.cache
def mel_weights(rate: int, bands: int, warp: float = 1.0) -> "torch.Tensor":
    """Triangles evenly spaced in mels, 2595 log10(1 + f / 700), from 60 Hz to half the rate. (WINDOW / 2 + 1, bands)

    warp: frequencies are stretched by it first, as by a shorter throat.
    """
    import torch

    top, low = (2595 * np.log10(1 + hertz / 700) for hertz in (rate / 2, 60.0))
    edges = 700 * (10 ** (np.linspace(low, top, bands + 2) / 2595) - 1)  # hertz
    hertz = warp * np.linspace(0, rate / 2, WINDOW // 2 + 1)[:, None]
    rising, falling = (hertz - edges[:-2]) / np.diff(edges)[:-1], (edges[2:] - hertz) / np.diff(edges)[1:]
    return torch.tensor(np.maximum(0, np.minimum(rising, falling)), dtype=torch.float32)


def log_mel(sounds: "torch.Tensor", rate: int, bands: int = 40, warp: float = 1.0) -> "torch.Tensor":
    """Logarithm of the energy in each band and moment. (B, samples) -> (B, bands, 1 + samples // HOP)

    warp: see `mel_weights`.
    """
    import torch

    spectrum = torch.stft(sounds, WINDOW, HOP, window=torch.hann_window(WINDOW), return_complex=True)
    energy = spectrum.real.square() + spectrum.imag.square()  # (B, frequencies, moments)
    return torch.log(torch.einsum("bft,fm->bmt", energy, mel_weights(rate, bands, warp)) + QUIET)


def wav(sound: np.ndarray, rate: int) -> bytes:
    """A WAV file of one channel, 8 bits a sample: light, and every browser plays it. The same sound, the same bytes.

    The loudest sample is set to nine tenths of full scale.
    """
    peak = float(np.abs(sound).max(initial=0.0)) or 1.0
    samples = np.rint(128 + 127 * LOUDEST / peak * np.asarray(sound, dtype=np.float64)).astype(np.uint8)
    buffer = io.BytesIO()
    with wave.open(buffer, "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(1)
        file.setframerate(rate)
        file.writeframes(samples.tobytes())
    return buffer.getvalue()


class Heard(NamedTuple):
    """A sound to hear: its samples, the words said in it, and in each language a label and a note behind the words."""

    sound: np.ndarray
    transcript: str
    label: Mapping[str, str]
    note: Mapping[str, str]


def show(heard: Iterable[Heard], *, rate: int, caption: Mapping[str, str], spoken: str = "fr") -> None:
    """Display players once per language, each with its label, and its transcript and note beside it.

    caption: {"fr": text, ...}; spoken: the language of the transcripts. Nothing plays, or is fetched, unasked.
    """
    from lib.lab.plots import _display

    each = list(heard)
    for lang, title in caption.items():
        items = "".join(_player(one, rate, lang, spoken) for one in each)
        _display("text/html", f'<div class="sounds"><p>{html.escape(title)}</p><ul>{items}</ul></div>', lang)


def _player(one: Heard, rate: int, lang: str, spoken: str) -> str:
    """An item of the list; the player is named by what is heard in it, for those who do not see it."""
    said = html.escape(one.transcript)
    said = said if spoken == lang else f'<span lang="{spoken}">{said}</span>'
    said = f"«\u00a0{said}\u00a0»" if lang == "fr" else f"“{said}”"
    label, note = html.escape(one.label[lang]), html.escape(one.note[lang])
    data = base64.b64encode(wav(resample(one.sound, rate, HEARD), HEARD)).decode()
    return (
        f"<li><p><strong>{label}</strong> {said} {note}</p>"
        f'<audio controls preload="none" aria-label="{label}" src="data:audio/wav;base64,{data}"></audio></li>'
    )
