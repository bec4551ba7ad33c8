"""Sounds: powers that come out as asked, bands that follow a tone, files that players can read."""

import io
import wave

import numpy as np
import pytest
import torch
from bs4 import BeautifulSoup
from hypothesis import given
from hypothesis import strategies as st

from lib.lab import sounds

RATE = 11025


def tone(hertz, seconds=1.0, rate=RATE):
    return np.sin(2 * np.pi * hertz * np.arange(int(seconds * rate)) / rate).astype(np.float32)


@given(st.floats(-20, 40), st.integers(0, 2**32 - 1))
def test_the_noise_is_as_strong_as_asked(snr_db, seed):
    rng = np.random.default_rng(seed)
    sound = 0.3 * tone(440)
    mixed = sounds.add_noise(sound, sounds.white(len(sound), rng), snr_db)
    found = 10 * np.log10(np.mean(sound.astype(float) ** 2) / np.mean((mixed - sound).astype(float) ** 2))
    assert found == pytest.approx(snr_db, abs=0.05)


def test_what_has_no_power_or_length_is_refused():
    with pytest.raises(ValueError, match="no power"):
        sounds.add_noise(np.zeros(10, np.float32), np.ones(10, np.float32), 10)
    with pytest.raises(ValueError, match="same length"):
        sounds.add_noise(np.ones(10, np.float32), np.ones(11, np.float32), 10)
    with pytest.raises(ValueError, match="there is none"):
        sounds.babble(10, [], np.random.default_rng(0))


def test_another_rate_keeps_what_is_low_and_drops_what_is_high():
    low, high = (sounds.resample(tone(hertz, rate=2 * RATE), 2 * RATE, RATE) for hertz in (500, 9000))
    assert len(low) == RATE
    assert np.std(low) == pytest.approx(np.sqrt(0.5), rel=0.02)
    assert np.std(high) < 0.01


def test_babble_and_pieces_are_drawn_from_the_seed():
    others = [tone(300), tone(500, 0.4)]
    first, second, other = (sounds.babble(RATE, others, np.random.default_rng(seed)) for seed in (1, 1, 2))
    assert first.shape == (RATE,)
    assert np.array_equal(first, second)
    assert not np.array_equal(first, other)
    long = np.arange(1000, dtype=np.float32)
    cut = sounds.piece(long, 10, np.random.default_rng(0))
    assert np.array_equal(np.diff(cut), np.ones(9))


def test_bands_follow_a_tone_upwards():
    energies = sounds.log_mel(torch.tensor(np.stack([tone(hertz) for hertz in (200, 800, 3000)])), RATE)
    assert energies.shape == (3, 40, 1 + RATE // sounds.HOP)
    loudest = energies[:, :, 20].argmax(dim=1)
    assert loudest.tolist() == sorted(set(loudest.tolist()))
    weights = sounds.mel_weights(RATE, 40)
    centres = weights.T @ torch.linspace(0, RATE / 2, 129)
    assert bool((weights >= 0).all())
    assert int(loudest[1]) in (torch.argsort((centres / weights.sum(0).clamp(min=1e-9) - 800).abs())[:2]).tolist()
    assert bool(torch.isfinite(sounds.log_mel(torch.zeros(1, RATE), RATE)).all())
    stretched = sounds.log_mel(torch.tensor(tone(800)[None]), RATE, warp=1.2)[0, :, 20].argmax()
    assert int(stretched) == int(sounds.log_mel(torch.tensor(tone(960)[None]), RATE)[0, :, 20].argmax())


@given(st.lists(st.floats(-1, 1, width=32), min_size=1, max_size=50))
def test_a_file_holds_the_sound(values):
    sound = np.array(values, dtype=np.float32)
    made = sounds.wav(sound, 8000)
    assert made == sounds.wav(sound, 8000)
    with wave.open(io.BytesIO(made)) as file:
        assert (file.getframerate(), file.getsampwidth(), file.getnframes()) == (8000, 1, len(sound))
        read = np.frombuffer(file.readframes(len(sound)), np.uint8).astype(float) - 128
    peak = np.abs(sound).max() or 1.0
    assert np.abs(read / 127 - sounds.LOUDEST * sound / peak).max() <= 0.5 / 127 + 1e-6


def test_players_are_named_and_told(monkeypatch):
    told = {}
    monkeypatch.setattr("lib.lab.plots._display", lambda kind, content, lang: told.update({lang: (kind, content)}))
    heard = sounds.Heard(
        tone(440), 'va <là> "ici"', {"fr": 'Voix "A"', "en": "Voice <A>"}, {"fr": "(n)", "en": "(heard)"}
    )
    sounds.show([heard, heard], rate=RATE, caption={"fr": "Des sons", "en": "Sounds"})
    assert set(told) == {"fr", "en"}
    for lang, label in (("fr", 'Voix "A"'), ("en", "Voice <A>")):
        kind, markup = told[lang]
        page = BeautifulSoup(markup, "html.parser")
        assert kind == "text/html"
        assert [one["aria-label"] for one in page.select("audio")] == [label, label]
        assert all(
            one["preload"] == "none" and one["src"].startswith("data:audio/wav;base64,") for one in page("audio")
        )
        assert 'va <là> "ici"' in page.get_text()
    assert [one["lang"] for one in BeautifulSoup(told["en"][1], "html.parser").select("li span")] == ["fr", "fr"]
