"""Make one derived file before the run that needs it: `python -m lib.lab.prepare retrieval.code_embeddings`."""

import importlib
import sys


def prepare(name: str) -> None:
    """Call a function of `lib.lab` that takes no argument and makes its file when it is not there yet."""
    module, _, function = name.partition(".")
    getattr(importlib.import_module(f"lib.lab.{module}"), function)()


if __name__ == "__main__":
    prepare(sys.argv[1])
