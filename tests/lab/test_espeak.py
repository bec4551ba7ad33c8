"""espeak-ng, the real one."""

import numpy as np
import pytest

from lib.lab import espeak
from lib.lab.espeak import Said


def sounds(*asked):
    return [sound for sound, _ in espeak.speak(asked)]


def test_a_sentence_is_heard_and_its_words_are_timed():
    [(sound, words)] = list(espeak.speak([Said("Avance de trois cases.")]))
    assert sound.dtype == np.float32
    assert 0.05 < np.abs(sound).max() <= 1
    assert [place for place, _ in words] == [0, 7, 10, 16]
    times = [second for _, second in words]
    assert times == sorted(times)
    assert times[-1] < len(sound) / espeak.RATE


def test_the_same_asked_again_sounds_the_same():
    one, other, again = sounds(Said("Tourne à gauche."), Said("Recule."), Said("Tourne à gauche."))
    assert np.array_equal(one, again)
    assert len(one) != len(other)
    assert np.array_equal(sounds(Said("Tourne à gauche."))[0], one)


def test_voice_speed_and_pitch_are_heard():
    usual, quick, woman, high = sounds(
        Said("Va tout droit."), Said("Va tout droit.", speed=300), Said("Va tout droit.", voice="fr+f3"),
        Said("Va tout droit.", pitch=90),
    )  # fmt: skip
    assert len(quick) < 0.8 * len(usual)
    for other in (woman, high):
        assert len(other) != len(usual) or not np.allclose(other, usual)


def test_a_voice_that_is_not_there_says_so():
    with pytest.raises(espeak.EspeakError, match="nobody"):
        sounds(Said("Bonjour."), Said("Bonjour.", voice="nobody"))


def test_nothing_asked_is_nothing_said():
    assert sounds() == []
