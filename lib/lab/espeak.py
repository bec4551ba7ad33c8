"""Text spoken by espeak-ng, with the time of each word. Knows sounds; knows nothing of what is said or why.

espeak-ng is under the GPL: its library is loaded in a process of its own, which reads lines of JSON and prints sounds.
"""

import json
import os
import subprocess
import sys
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

RATE = 22050  # samples a second
WORD, END = 1, 0  # kinds of events that espeak-ng tells
_SPEED, _PITCH = 1, 3  # numbers of its parameters


class EspeakError(RuntimeError):
    """espeak-ng does not start or does not speak; the message says which."""


@dataclass(frozen=True)
class Said:
    """What is to be said and how.

    voice: a name of espeak-ng's, such as fr, fr-be, fr+f3; speed: words a minute, 80 to 450; pitch: 0 to 100.
    """

    text: str
    voice: str = "fr"
    speed: int = 165
    pitch: int = 50


def speak(asked: Iterable[Said]) -> Iterator[tuple[np.ndarray, list[tuple[int, float]]]]:
    """For each text, its sound, (samples,) float32 between -1 and 1, and its words: (place of the first character,
    from 0; second). The same text gives the same sound, but for a few voices with an echo (f2, f3, f5,
    Alicia, sandro, victor). Raises EspeakError.
    """
    command, pipe = [sys.executable, "-m", "lib.lab.espeak"], subprocess.PIPE
    with subprocess.Popen(
        command, stdin=pipe, stdout=pipe, stderr=subprocess.DEVNULL, text=True, encoding="utf-8"
    ) as other:
        assert other.stdin
        assert other.stdout
        try:
            for one in asked:
                print(json.dumps(asdict(one)), file=other.stdin, flush=True)
                line = other.stdout.readline()
                if not line:
                    raise EspeakError(f"espeak-ng does not speak with the voice {one.voice}")
                told = json.loads(line)
                samples = np.frombuffer(bytes.fromhex(told["sound"]), dtype="<i2")
                yield samples.astype(np.float32) / 32768, [(place, second) for place, second in told["words"]]
        finally:
            other.kill()  # it holds nothing that could be lost


def _library() -> Any:
    """espeak-ng, ready to speak; only ever called in the process of `main`."""
    import ctypes

    import espeakng_loader

    library = ctypes.CDLL(espeakng_loader.get_library_path())
    rate = library.espeak_Initialize(2, 0, str(espeakng_loader.get_data_path()).encode(), 0x8000)
    if rate != RATE:
        raise EspeakError(f"espeak-ng does not start (it says {rate})")
    return library


def main() -> None:
    """Speak each line of the standard input, a `Said` in JSON; print its samples and words.

    What espeak-ng said last changes a little how it says the next: where the system can fork, a copy that has said
    nothing yet speaks each line.
    """
    library = _library()
    for line in sys.stdin:
        said = Said(**json.loads(line))
        if not hasattr(os, "fork"):
            _say(library, said)
        elif child := os.fork():
            if os.waitpid(child, 0)[1]:
                raise SystemExit(1)
        else:
            _say(library, said)
            os._exit(0)


def _say(library: Any, said: Said) -> None:
    """Print what is said, as a line of JSON."""
    import ctypes

    class Event(ctypes.Structure):
        _fields_ = [
            ("type", ctypes.c_int), ("message", ctypes.c_uint), ("place", ctypes.c_int), ("length", ctypes.c_int),
            ("time_ms", ctypes.c_int), ("sample", ctypes.c_int), ("user", ctypes.c_void_p), ("name", ctypes.c_char * 8),
        ]  # fmt: skip

    sound: list[bytes] = []
    words: list[tuple[int, float]] = []

    def hear(samples: Any, count: int, events: Any) -> int:
        if samples and count > 0:
            sound.append(ctypes.string_at(samples, 2 * count))
        while events[0].type != END:
            if events[0].type == WORD:
                words.append((events[0].place - 1, events[0].time_ms / 1000))
            events = ctypes.cast(ctypes.addressof(events[0]) + ctypes.sizeof(Event), ctypes.POINTER(Event))
        return 0

    listen = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.c_void_p, ctypes.c_int, ctypes.POINTER(Event))(hear)
    library.espeak_SetSynthCallback(listen)
    if library.espeak_SetVoiceByName(said.voice.encode()):
        raise SystemExit(1)
    library.espeak_SetParameter(_SPEED, said.speed, 0)
    library.espeak_SetParameter(_PITCH, said.pitch, 0)
    text = said.text.encode()
    library.espeak_Synth(text, len(text) + 1, 0, 1, 0, 1, None, None)
    library.espeak_Synchronize()
    print(json.dumps({"sound": b"".join(sound).hex(), "words": words}), flush=True)


if __name__ == "__main__":
    main()
