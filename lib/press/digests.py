"""Digest and imports of pieces of Python, remembered by content between commands. Knows nothing of notebooks."""

import ast
import contextlib
import hashlib
import json
import threading
from collections.abc import Iterable
from functools import lru_cache
from pathlib import Path

from lib.lab import paths
from lib.lab.cache import write_text
from lib.lab.normalize import digest, normalize

parsing = threading.RLock()  # CPython 3.11's ast counts its depth for all threads together, and raises SystemError
LIMIT = 5000  # remembered pieces; past that the memory starts again


@lru_cache(maxsize=8)
def _memory(path: Path) -> dict[str, tuple[str, list[str]]]:
    with contextlib.suppress(OSError, ValueError):
        found = json.loads(path.read_text(encoding="utf-8"))
        return found if len(found) < LIMIT else {}
    return {}


def describe(sources: Iterable[str]) -> list[tuple[str, list[str]]]:
    """(digest of the normalized code, imported names) of each piece. Raises SyntaxError."""
    path = paths.build_dir() / "digests.json"
    memory = _memory(path)
    known = len(memory)
    described = []
    with parsing:
        for source in sources:
            key = hashlib.sha256(source.encode()).hexdigest()
            if key not in memory:
                memory[key] = (digest(normalize(source)), imports(ast.parse(source)))
            described.append(memory[key])
        if len(memory) > known:
            with contextlib.suppress(OSError):  # remembering is only for speed
                write_text(path, json.dumps(memory))
    return described


def code(sources: Iterable[str]) -> str:
    """One digest for pieces of code in order. Raises SyntaxError."""
    return digest(*(found for found, _ in describe(sources)))


def imports(tree: ast.AST) -> list[str]:
    """The absolute names that code imports; `from lib.lab import x` gives `lib.lab.x`."""
    names: list[str] = []
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            inside = node.module == "lib.lab"
            names += [f"lib.lab.{alias.name}" for alias in node.names] if inside else [node.module]
    return names
