"""What several test modules of the lab share."""

import pytest


@pytest.fixture(scope="module")
def one_thread():
    """Small tensors on several threads wait for one another on a busy machine."""
    import torch

    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)
