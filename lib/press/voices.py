"""Spoken text as sound, sentence by sentence, kept by content. Knows voices; knows nothing of what is said.

Where `piper` is installed and a model for the language lies in the folder that GUIDON_VOICES names, that voice speaks.
"""

import json
import os
import shutil
import subprocess
import wave
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lib.lab import paths
from lib.lab.cache import atomic
from lib.lab.normalize import digest

if TYPE_CHECKING:
    import numpy as np

RATE = 22050  # samples a second, of espeak-ng and of piper's usual voices
SPEED = 165  # words a minute, for espeak-ng
QUIET = 0.01  # of full scale: below it nothing is heard
ESPEAK = {"fr": "fr", "en": "en"}  # of France, of Britain


class VoiceError(RuntimeError):
    """No voice, or one that does not speak; the message says what to do."""


@dataclass(frozen=True)
class Voice:
    """Who speaks: a program, and the name of its voice or the path of its model."""

    program: str
    name: str


@dataclass(frozen=True)
class Clip:
    """One sentence as sound: a file, its seconds, and from when each of its pieces is heard."""

    path: Path
    time_s: float
    starts_s: tuple[float, ...]


def choose(lang: str) -> Voice:
    """The best voice there is for a language. Raises VoiceError."""
    models = sorted(Path(os.environ.get("GUIDON_VOICES") or os.devnull).glob(f"{lang}[_-]*.onnx"))
    if models and shutil.which("piper"):
        return Voice("piper", str(models[0]))
    try:
        import espeakng_loader  # noqa: F401
    except ImportError as error:
        raise VoiceError("there is no voice: pip install espeakng-loader") from error
    return Voice("espeak", ESPEAK[lang])


def clips(voice: Voice, sentences: Sequence[Sequence[str]], made: Callable[[], object] = lambda: None) -> list[Clip]:
    """A clip for each sentence, given as its pieces; those spoken before are not spoken again. Raises VoiceError."""
    folder = paths.build_dir() / "speech"
    keys = [folder / f"{_key(voice, pieces)}.json" for pieces in sentences]
    missing = {key: pieces for key, pieces in zip(keys, sentences, strict=True) if not key.is_file()}
    speak = {"piper": _piper, "espeak": _espeak}[voice.program]
    for key, (sound, starts) in zip(missing, speak(voice, list(missing.values())), strict=True):
        with atomic(key.with_suffix(".wav")) as path:
            write(path, sound)
        with atomic(key) as path:  # last: where it is, the sound is
            path.write_text(json.dumps({"time_s": len(sound) / RATE, "starts_s": starts}), encoding="utf-8")
        made()
    told = [json.loads(key.read_text(encoding="utf-8")) for key in keys]
    return [
        Clip(key.with_suffix(".wav"), one["time_s"], tuple(one["starts_s"]))
        for key, one in zip(keys, told, strict=True)
    ]


def _key(voice: Voice, pieces: Sequence[str]) -> str:
    return digest(voice.program, Path(voice.name).name, str(SPEED), str(QUIET), *pieces)[:24]


def read(path: Path) -> "np.ndarray":
    """A sound as numbers between -1 and 1, one channel: (samples,) float32."""
    import numpy as np

    with wave.open(str(path)) as file:
        return np.frombuffer(file.readframes(file.getnframes()), dtype="<i2").astype(np.float32) / 32768


def write(path: Path, sound: "np.ndarray") -> None:
    """Write such numbers as a WAV file."""
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(RATE)
        file.writeframes((sound * 32767).round().astype("<i2").tobytes())


def trimmed(sound: "np.ndarray") -> tuple["np.ndarray", float]:
    """A sound without the silence around it, and the seconds cut before it."""
    import numpy as np

    heard = np.flatnonzero(np.abs(sound) > QUIET)
    if not len(heard):
        return sound[:0], 0.0
    start, end = max(0, heard[0] - RATE // 100), heard[-1] + RATE // 50
    return sound[start:end], start / RATE


def _espeak(voice: Voice, sentences: Sequence[Sequence[str]]) -> Any:
    """(sound, starts of the pieces) of each sentence."""
    from lib.lab import espeak

    asked = [espeak.Said(" ".join(pieces), voice.name, SPEED) for pieces in sentences]
    try:
        for pieces, (whole, words) in zip(sentences, espeak.speak(asked), strict=True):
            sound, cut = trimmed(whole)
            yield sound, starts(pieces, words, len(sound) / RATE, cut)
    except espeak.EspeakError as error:
        raise VoiceError(str(error)) from error


def starts(pieces: Sequence[str], words: Sequence[tuple[int, float]], time_s: float, cut_s: float = 0) -> list[float]:
    """From when each piece is heard. words: (place of its first character, from 0; second), in a text of all pieces."""
    found, place = [0.0], 0
    for piece, following in pairwise(pieces):
        place += len(piece) + 1
        share = place / (place + len(following))  # should the voice tell no word from there on
        at = next((second - cut_s for start, second in words if start >= place), time_s * share)
        found.append(min(max(at, found[-1]), time_s))
    return found


def _piper(voice: Voice, sentences: Sequence[Sequence[str]]) -> Any:
    """The same, from piper; it tells no words, so that a piece starts where its share of the letters does."""
    for pieces in sentences:
        with atomic(paths.build_dir() / "speech" / "piper.wav") as path:
            command = ["piper", "--model", voice.name, "--output_file", str(path)]
            done = subprocess.run(command, input=" ".join(pieces), capture_output=True, text=True, encoding="utf-8")
            if done.returncode or not path.is_file():
                raise VoiceError(f"piper does not speak with {Path(voice.name).name}: {done.stderr.strip()[-200:]}")
            sound, _ = trimmed(resampled(path))
        letters = [sum(len(one) + 1 for one in pieces[:number]) for number in range(len(pieces) + 1)]
        yield sound, [len(sound) / RATE * count / letters[-1] for count in letters[:-1]]


def resampled(path: Path) -> "np.ndarray":
    """A sound at our rate, whatever its own."""
    import numpy as np

    with wave.open(str(path)) as file:
        rate = file.getframerate()
    sound = read(path)
    places = np.arange(0, len(sound), rate / RATE)
    return np.interp(places, np.arange(len(sound)), sound).astype(np.float32) if rate != RATE else sound
