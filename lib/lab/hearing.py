"""A small model that hears words: sounds -> words, moment by moment. Knows sounds and labels; nothing of what is meant.

Convolutions over the log-mel energies of a sound say which word each moment belongs to; the words are the runs of the
likeliest path, in which a change of word costs something. It learns from sounds whose words have known times, mixed
with noise; to hear, it is given sounds alone.
"""

from collections.abc import Sequence

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from lib.lab import progress, sounds

RATE = 11025  # samples a second
BANDS = 40  # of energy
STRIDE = 4  # moments of a spectrum for one moment of words: 46 ms
SWITCH = 4.0  # nats that a change of word costs: shorter runs than a syllable are noise
WARPS = tuple(float(one) for one in np.linspace(0.85, 1.2, 8))  # by which frequencies are stretched: other throats
AT_ONCE = 64  # sounds heard at once


class _Block(nn.Module):
    """Adds to what goes through it what it finds in two seconds or less around each moment."""

    def __init__(self, width: int, apart: int) -> None:
        super().__init__()
        self.look = nn.Conv1d(width, width, 5, padding=2 * apart, dilation=apart, bias=False)
        self.norm = nn.BatchNorm1d(width)

    def forward(self, x: Tensor) -> Tensor:
        return x + F.relu(self.norm(self.look(x)))


class Ear(nn.Module):
    """The model. words: what it can hear; place 0 is no word. (B, BANDS, T) -> (B, 1 + words, T / STRIDE) log-shares"""

    def __init__(self, words: Sequence[str], width: int = 96) -> None:
        super().__init__()
        self.words = tuple(words)
        layers: list[nn.Module] = []
        for size in (BANDS, width):
            layers += [nn.Conv1d(size, width, 5, stride=2, padding=2, bias=False), nn.BatchNorm1d(width), nn.ReLU()]
        self.body = nn.Sequential(*layers, *(_Block(width, apart) for apart in (1, 2, 3)))
        self.head = nn.Conv1d(width, 1 + len(self.words), 1)

    def forward(self, energies: Tensor) -> Tensor:
        return self.head(self.body(energies)).log_softmax(1)


def features(some: Sequence[np.ndarray], warp: float = 1.0) -> tuple[Tensor, Tensor]:
    """Energies of sounds, each band's mean taken out, and how many moments of words each has: (B, BANDS, T), (B,).

    warp: by how much frequencies are stretched.
    """
    longest = max(map(len, some))
    waves = torch.tensor(np.stack([np.pad(one, (0, longest - len(one))) for one in some]))
    energies = sounds.log_mel(waves, RATE, BANDS, warp)
    lengths = torch.tensor([1 + len(one) // sounds.HOP for one in some])
    inside = (torch.arange(energies.shape[2]) < lengths[:, None])[:, None]
    means = (energies * inside).sum(2, keepdim=True) / inside.sum(2, keepdim=True)
    return (energies - means) * inside / 3, moments(lengths)


def moments(spectra: Tensor) -> Tensor:
    """Moments of words for so many of the spectrum."""
    return (spectra + STRIDE - 1) // STRIDE


def label(n_samples: int, starts: Sequence[tuple[str, float]], words: Sequence[str]) -> np.ndarray:
    """The word of each moment of a sound, (moments,) int: 1 and up, in the order of `words`.

    starts: (word, second) in order; a word lasts until the next one, the last until the end.
    """
    a_second = RATE / sounds.HOP / STRIDE
    found = np.zeros(int(moments(torch.tensor(1 + n_samples // sounds.HOP))), dtype=np.int64)
    for place, (word, second) in enumerate(starts):
        end = starts[place + 1][1] if place + 1 < len(starts) else len(found) / a_second
        found[round(second * a_second) : round(end * a_second)] = 1 + words.index(word)
    return found


def train(
    ear: Ear, some: Sequence[np.ndarray], labels: Sequence[np.ndarray], noises: Sequence[np.ndarray], *, seed: int,
    steps: int, batch: int = 32, snr_db: tuple[float, float] = (-5.0, 25.0), rate: float = 4e-3,
) -> list[float]:  # fmt: skip
    """Teach an ear in place; the loss of each step, in nats a moment.

    noises: long ones, of which pieces are mixed with the sounds, each time anew.
    """
    rng = np.random.default_rng(seed)
    optimizer = torch.optim.AdamW(ear.parameters(), lr=rate, weight_decay=0.01)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, rate, total_steps=steps, pct_start=0.2)
    by_length, losses = np.argsort([len(one) for one in some], kind="stable"), []
    window = min(4 * batch, len(some))  # sounds of like length together: little is padded
    ear.train()
    with progress.bar("learning to hear", steps) as advance:
        for _ in range(steps):
            start = rng.integers(0, len(some) - window + 1)
            chosen = by_length[start + rng.integers(0, window, batch)].tolist()
            mixed = [_mixed(some[place], noises, snr_db, rng) for place in chosen]
            shares = ear(features(mixed, WARPS[int(rng.integers(len(WARPS)))])[0])
            wanted = torch.full((batch, shares.shape[2]), -100)
            for row, place in enumerate(chosen):
                wanted[row, : len(labels[place])] = torch.from_numpy(labels[place])
            loss = F.nll_loss(shares, wanted)
            optimizer.zero_grad()
            loss.backward()
            nn.utils.clip_grad_norm_(ear.parameters(), 5.0)
            optimizer.step()
            schedule.step()
            losses.append(float(loss.detach()))
            advance(1)
    ear.eval()
    return losses


def _mixed(
    sound: np.ndarray, noises: Sequence[np.ndarray], snr_db: tuple[float, float], rng: np.random.Generator
) -> np.ndarray:
    noise = noises[int(rng.integers(len(noises)))]
    return sounds.add_noise(sound, sounds.piece(noise, len(sound), rng), rng.uniform(*snr_db))


def hear(ears: Sequence[Ear], some: Sequence[np.ndarray]) -> list[list[tuple[str, ...]]]:
    """The words that each ear hears in each sound: (ears, sounds) of words."""
    found: list[list[tuple[str, ...]]] = [[] for _ in ears]
    with torch.inference_mode():
        for start in range(0, len(some), AT_ONCE):
            energies, lengths = features(some[start : start + AT_ONCE])
            for ear, heard in zip(ears, found, strict=True):
                paths = likeliest(ear(energies).numpy(), lengths.numpy())
                heard += [_runs(path[:length], ear.words) for path, length in zip(paths, lengths.tolist(), strict=True)]
    return found


def likeliest(shares: np.ndarray, lengths: np.ndarray, switch: float = SWITCH) -> np.ndarray:
    """The best path through words, a change costing `switch` nats: (B, words, T) logs, (B,) -> (B, T) int. Viterbi."""
    n_sounds, n_words, longest = shares.shape
    logs = np.array(shares, dtype=np.float64)
    logs.transpose(0, 2, 1)[np.arange(longest) >= lengths[:, None]] = 0.0  # behind the end all cost the same
    score, before = logs[:, :, 0], np.zeros((longest, n_sounds, n_words), dtype=np.int64)
    rows = np.arange(n_sounds)
    for moment in range(1, longest):
        best = score.argmax(axis=1)
        moved = score[rows, best][:, None] - switch
        stays = score >= moved
        before[moment] = np.where(stays, np.arange(n_words), best[:, None])
        score = np.where(stays, score, moved) + logs[:, :, moment]
    path = np.zeros((n_sounds, longest), dtype=np.int64)
    path[:, -1] = score.argmax(axis=1)
    for moment in range(longest - 1, 0, -1):
        path[:, moment - 1] = before[moment, rows, path[:, moment]]
    return path


def _runs(path: np.ndarray, words: Sequence[str]) -> tuple[str, ...]:
    """Each run of a word once; no word ends a run, so that a word said twice with a silence between is heard twice."""
    starts = np.flatnonzero(np.diff(path, prepend=0))
    return tuple(words[path[start] - 1] for start in starts if path[start])


def outline(some: Sequence[np.ndarray], n_moments: int = 24) -> np.ndarray:
    """Sounds at one length, as unit vectors: what a search for the nearest one compares. (B, BANDS * n_moments)"""
    rows = []
    for one in some:
        energies, _ = features([one])
        resized = F.interpolate(energies, size=n_moments, mode="linear", align_corners=True)
        rows.append(F.normalize(resized.flatten(1), dim=1))
    return torch.cat(rows).numpy()
