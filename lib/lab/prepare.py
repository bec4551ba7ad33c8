"""Make one derived input before the run that needs it, and list its files.

python -m lib.lab.prepare retrieval.code_embeddings list.json
"""

import contextlib
import importlib
import json
import sys
from collections.abc import Callable
from functools import wraps
from pathlib import Path
from typing import Any

from lib.lab import cache


def prepare(name: str, told: Path) -> None:
    """Call a function of `lib.lab` that takes no argument and makes its files when they are not there yet.

    told: where to write the names of these files, a JSON list. For a process of its own: what asks for derived files
    must be imported after this.
    """
    files: list[str] = []
    cache.derived = _listing(cache.derived, files)
    module, _, function = name.partition(".")
    getattr(importlib.import_module(f"lib.lab.{module}"), function)()
    with contextlib.suppress(OSError):  # all is made; without a list it is only asked for again
        cache.write_text(told, json.dumps(sorted({*files})) + "\n")


def _listing(derived: Callable[..., Path], files: list[str]) -> Callable[..., Path]:
    """The function, which also adds the name of each file to a list."""

    @wraps(derived)
    def listing(*args: Any, **kwargs: Any) -> Path:
        path = derived(*args, **kwargs)
        files.append(path.name)
        return path

    return listing


if __name__ == "__main__":
    prepare(sys.argv[1], Path(sys.argv[2]))
