"""What makes a run give the same numbers twice. Knows Python, numpy and torch."""

import os
import random
import sys


def seed_everything(seed: int, threads: int = 1) -> None:
    """Seed Python, numpy and torch (when a notebook has imported it), fix threads, ask for deterministic algorithms.

    Thread counts of BLAS libraries are read when they load, so the runner sets them in the environment as well.
    """
    import numpy as np

    random.seed(seed)
    np.random.seed(seed)
    os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
    torch = sys.modules.get("torch")
    if torch is not None:
        torch.manual_seed(seed)
        torch.use_deterministic_algorithms(True)
        torch.set_num_threads(threads)
