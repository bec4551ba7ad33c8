"""Low-rank adapters (LoRA, Hu et al. 2021) for our small models: added, trained side by side, merged into the weights.

Knows weights; knows nothing of what they are taught. An adapter is A B, added to each matrix of a model; E members have
each their own, on weights that stay as they were. Shapes: A (E, in, rank), B (E, rank, out).
"""

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn.utils import parametrize

from lib.lab.training import Llama

MATRICES = ("qkv", "out", "gate_up", "down")  # of each block: all but embeddings and norms
SCALE = 2.0  # what A B is multiplied by: peft's lora_alpha / r, at its usual value


class _LowRank(nn.Module):
    """A matrix plus its adapter: A drawn as peft draws it, B zero, so that nothing changes at first."""

    def __init__(self, matrix: Tensor, rank: int, draws: Sequence[torch.Generator]) -> None:
        super().__init__()
        _, rows, columns = matrix.shape
        bound = rows**-0.5
        first = [(2 * torch.rand(rows, rank, generator=draw) - 1) * bound for draw in draws]
        self.a = nn.Parameter(torch.stack(first).to(matrix.device))
        self.b = nn.Parameter(matrix.new_zeros(len(draws), rank, columns))

    def forward(self, matrix: Tensor) -> Tensor:
        return torch.baddbmm(matrix, self.a, self.b, alpha=SCALE)


def add_adapters(model: Llama, rank: int, seeds: Sequence[int]) -> None:
    """Give each member an adapter drawn by its seed; from now on the model learns nothing else."""
    model.requires_grad_(False)
    draws = [torch.Generator().manual_seed(int(seed)) for seed in seeds]
    for block in model.blocks:
        for name in MATRICES:
            parametrize.register_parametrization(block, name, _LowRank(getattr(block, name), rank, draws))


def merge_adapters(model: Llama) -> None:
    """Add the adapters into the weights, which can learn again."""
    for block in model.blocks:
        for name in MATRICES:
            parametrize.remove_parametrizations(block, name)
    model.requires_grad_(True)
