"""An ear: labels on their moments, paths against a search of all paths, tones that a tiny one learns to tell apart."""

from itertools import product

import numpy as np
import pytest
import torch

from lib.lab import hearing, sounds

WORDS = ("bas", "haut")


def tone(hertz, seconds=0.4):
    return np.sin(2 * np.pi * hertz * np.arange(int(seconds * hearing.RATE)) / hearing.RATE).astype(np.float32)


SAID = {"bas": tone(300), "haut": tone(1500)}


def lesson(*words):
    """A sound made of tones, and its labels."""
    sound = np.concatenate([SAID[word] for word in words])
    return sound, hearing.label(len(sound), [(word, 0.4 * place) for place, word in enumerate(words)], WORDS)


def test_labels_stand_on_their_moments():
    sound, labels = lesson("bas", "haut")
    moments = int(hearing.features([sound])[1][0])
    assert len(labels) == moments
    assert labels.tolist() == sorted(labels)
    half = 0.4 * hearing.RATE / sounds.HOP / hearing.STRIDE
    assert (labels == 1).sum() == pytest.approx(half, abs=1)
    assert set(labels) == {1, 2}


def test_labels_leave_the_beginning_free_and_know_their_words():
    labels = hearing.label(hearing.RATE, [("haut", 0.5)], WORDS)
    assert labels[0] == 0
    assert labels[-1] == 2
    with pytest.raises(ValueError, match="not in tuple"):
        hearing.label(hearing.RATE, [("x", 0.0)], WORDS)


def test_features_do_not_depend_on_the_company():
    alone, length = hearing.features([SAID["bas"]])
    together, lengths = hearing.features([SAID["bas"], tone(700, 0.9)])
    assert int(length[0]) == int(lengths[0])
    inside = len(SAID["bas"]) // sounds.HOP - 2  # at the very end the window meets silence instead of a mirror
    torch.testing.assert_close(alone[0, :, :inside], together[0, :, :inside], atol=0.2, rtol=0)
    assert float(together[0, :, inside + 4 :].abs().max()) == 0.0


def test_the_path_is_the_best_of_all():
    rng = np.random.default_rng(0)
    shares = np.log(rng.dirichlet(np.ones(3), size=(4, 6))).transpose(0, 2, 1)  # (B, words, T)
    found = hearing.likeliest(shares, np.full(4, 6), switch=1.0)
    for row in range(4):
        worth = {
            path: sum(shares[row, word, moment] for moment, word in enumerate(path)) - np.sum(np.diff(path) != 0)
            for path in product(range(3), repeat=6)
        }
        assert worth[tuple(found[row])] == pytest.approx(max(worth.values()))


def test_what_stands_behind_a_sound_changes_nothing():
    rng = np.random.default_rng(1)
    shares = np.log(rng.dirichlet(np.ones(3), size=(1, 9))).transpose(0, 2, 1)
    short = hearing.likeliest(shares[:, :, :5], np.array([5]))
    long = hearing.likeliest(shares, np.array([5]))
    assert short[0].tolist() == long[0, :5].tolist()


def test_an_ear_learns_two_tones_and_the_same_seed_the_same_ear():
    said = [("bas",), ("haut",), ("bas", "haut"), ("haut", "bas"), ("bas", "haut", "bas")]
    some, labels = zip(*(lesson(*words) for words in said), strict=True)
    noise = [sounds.white(4 * hearing.RATE, np.random.default_rng(0))]
    made = []
    for _ in range(2):
        torch.manual_seed(0)
        ear = hearing.Ear(WORDS, width=16)
        losses = hearing.train(ear, some, labels, noise, seed=0, steps=30, batch=8, rate=0.02)
        made.append((losses, hearing.hear([ear], some)[0]))
    assert made[0] == made[1]
    assert np.mean(made[0][0][-5:]) < 0.3 * made[0][0][0]
    assert made[0][1] == list(said)


def test_outlines_find_the_nearest_sound():
    kept = hearing.outline([SAID["bas"], SAID["haut"], tone(700)])
    assert kept.shape == (3, hearing.BANDS * 24)
    asked = hearing.outline([tone(1500, 0.6), tone(310, 0.3)])
    assert (asked @ kept.T).argmax(axis=1).tolist() == [1, 0]
