"""The same seed gives the same numbers, in every library that draws any."""

import random

import numpy as np
import pytest
import torch

from lib.lab.seeding import seed_everything


@pytest.fixture(autouse=True)
def as_before():
    threads, strict = torch.get_num_threads(), torch.are_deterministic_algorithms_enabled()
    yield
    torch.set_num_threads(threads)
    torch.use_deterministic_algorithms(strict)


def drawn(seed):
    seed_everything(seed)
    return random.random(), float(np.random.random()), float(torch.rand(()))


def test_a_seed_decides_what_python_numpy_and_torch_draw():
    assert drawn(3) == drawn(3)
    assert all(one != other for one, other in zip(drawn(3), drawn(4), strict=True))


def test_threads_are_fixed_and_algorithms_deterministic():
    seed_everything(0, threads=1)
    assert torch.get_num_threads() == 1
    assert torch.are_deterministic_algorithms_enabled()
