"""The environment of every kernel that this project starts. Knows no kernels."""

import os

QUIET = "ignore:IProgress not found"  # tqdm's, on import, where ipywidgets are missing: no reader's concern


# Every library's own way to be told its threads; read when it is loaded.
THREADS = tuple(
    f"{name}_NUM_THREADS" for name in ("OMP", "MKL", "OPENBLAS", "NUMEXPR", "NUMBA", "VECLIB_MAXIMUM", "RAYON")
)


def kernel_environment(threads: int = 1) -> dict[str, str]:
    """The environment of every run: same hash seed, threads, locale and time zone; no call to a hub."""
    fixed = {
        "PYTHONHASHSEED": "0",
        "LC_ALL": "C.UTF-8",
        "TZ": "UTC",
        "MPLBACKEND": "agg",
        "TOKENIZERS_PARALLELISM": "false",
        "CUBLAS_WORKSPACE_CONFIG": ":4096:8",
        "HF_HUB_DISABLE_TELEMETRY": "1",
        "TRANSFORMERS_VERBOSITY": "error",
        "TORCH_LOGS": "-torch.utils._pytree",  # torchao registers what torch says it need not
        "PYDEVD_DISABLE_FILE_VALIDATION": "1",
        "PYTHONWARNINGS": QUIET,
    }
    fixed |= {name: str(threads) for name in THREADS}
    return {**os.environ, **fixed}
