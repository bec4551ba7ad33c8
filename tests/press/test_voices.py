"""Voices: the real espeak-ng, and a stand-in for piper."""

import stat
import wave
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lib.press import voices

SAID = [["Bonjour à tous,", "voici trois mots."], ["Une autre phrase."]]


def first_sound_s(path):
    """When something is heard, in a file."""
    return np.flatnonzero(np.abs(voices.read(path)) > voices.QUIET)[0] / voices.RATE


@pytest.mark.parametrize("lang", ["fr", "en"])
def test_espeak_speaks_and_nothing_is_spoken_twice(project, lang):
    voice, made = voices.choose(lang), []
    found = voices.clips(voice, SAID, lambda: made.append(1))
    assert len(made) == 2
    for clip, pieces in zip(found, SAID, strict=True):
        assert 0.5 < clip.time_s < 5
        assert len(clip.starts_s) == len(pieces)
        assert first_sound_s(clip.path) < 0.1
    assert 0.4 < found[0].starts_s[1] < found[0].time_s - 0.4
    assert voices.clips(voice, [*SAID, ["Une de plus."]], lambda: made.append(1))[:2] == found
    assert len(made) == 3


def test_the_second_half_starts_when_it_is_told_to(project):
    """Heard alone, the halves last as long as the words say: the voice's own clock is right."""
    voice = voices.choose("fr")
    whole, first = voices.clips(voice, [["Un deux trois quatre.", "Cinq six sept huit."], ["Un deux trois quatre."]])
    sound, start = voices.read(whole.path), whole.starts_s[1]
    assert first.time_s - 0.1 < start < first.time_s + 0.9  # the pause between is at most so long
    before, after = sound[round((start - 0.12) * voices.RATE) :][:1500], sound[round(start * voices.RATE) :][:4000]
    assert np.abs(before).mean() < np.abs(after).mean() / 3


def test_a_voice_that_is_not_there_says_so(project):
    with pytest.raises(voices.VoiceError, match="nobody"):
        voices.clips(voices.Voice("espeak", "nobody"), SAID)


PIPER = """#!{python}
import sys, wave
text = sys.stdin.read()
assert sys.argv[1:4:2] == ["--model", "--output_file"], sys.argv
with wave.open(sys.argv[4], "wb") as file:
    file.setnchannels(1); file.setsampwidth(2); file.setframerate(16000)
    file.writeframes(bytes(8000) + b"\\x00\\x40" * 16000)
"""


def test_a_better_voice_speaks_where_there_is_one(project, tmp_path, monkeypatch):
    import os
    import sys

    program = tmp_path / "bin/piper"
    program.parent.mkdir()
    program.write_text(PIPER.format(python=sys.executable))
    program.chmod(program.stat().st_mode | stat.S_IXUSR)
    (tmp_path / "fr_FR-one.onnx").write_bytes(b"")
    monkeypatch.setenv("PATH", f"{program.parent}{os.pathsep}{os.environ['PATH']}")
    monkeypatch.setenv("GUIDON_VOICES", str(tmp_path))
    assert voices.choose("en").program == "espeak"
    voice = voices.choose("fr")
    assert voice.program == "piper"
    clip = voices.clips(voice, [["Quatre.", "Huit."]])[0]
    assert clip.time_s == pytest.approx(1, abs=0.05)
    assert clip.starts_s[1] == pytest.approx(8 / 14, abs=0.05)
    with wave.open(str(clip.path)) as file:
        assert file.getframerate() == voices.RATE


@given(
    pieces=st.lists(st.text(alphabet="abc ", min_size=1, max_size=12), min_size=1, max_size=5),
    words=st.lists(st.tuples(st.integers(0, 60), st.floats(0, 9)), max_size=8),
)
def test_pieces_start_in_order_and_within_the_sound(pieces, words):
    found = voices.starts(pieces, sorted(words), 5.0)
    assert len(found) == len(pieces)
    assert found[0] == 0
    assert all(one <= other <= 5 for one, other in pairwise([*found, 5.0]))


def test_silence_around_a_sound_is_cut():
    sound = np.concatenate([np.zeros(voices.RATE), np.full(voices.RATE, 0.5), np.zeros(voices.RATE)]).astype(np.float32)
    kept, cut = voices.trimmed(sound)
    assert len(kept) / voices.RATE == pytest.approx(1.03, abs=0.01)
    assert cut == pytest.approx(0.99, abs=0.01)
    assert len(voices.trimmed(np.zeros(10, dtype=np.float32))[0]) == 0
