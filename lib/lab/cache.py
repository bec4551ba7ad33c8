"""Files made once and kept by content: derived data, embeddings, converted models. Knows nothing of what they hold."""

import contextlib
import glob
import json
import os
import shutil
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path

from lib.lab import paths
from lib.lab.normalize import code_digest, digest


@contextlib.contextmanager
def atomic(path: Path) -> Iterator[Path]:
    """Yield a temporary path beside `path`, renamed onto it on success and removed on failure.

    The caller writes a file or makes a folder there; readers see the old content or the new, never a part.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    holder = Path(tempfile.mkdtemp(prefix=f".{path.name}.", dir=path.parent))
    made = holder / path.name
    try:
        yield made
        if path.is_dir() and made.is_dir():
            os.replace(path, holder / ".old")
        os.replace(made, path)
    finally:
        shutil.rmtree(holder, ignore_errors=True)


def clear(path: Path) -> None:
    """Remove what makers of `path` left when they were killed. The caller holds its lock."""
    for holder in path.parent.glob(f".{glob.escape(path.name)}.*"):
        if holder.is_dir():
            if not path.exists() and (holder / ".old").exists():  # killed between the two renames
                os.replace(holder / ".old", path)
            shutil.rmtree(holder, ignore_errors=True)


def write_text(path: Path, text: str) -> bool:
    """Write a text file atomically; say whether it changed. A file that holds the text already is left as it is."""
    with contextlib.suppress(OSError, UnicodeDecodeError):
        if path.read_text(encoding="utf-8") == text:
            return False
    with atomic(path) as made:
        made.write_text(text, encoding="utf-8")
    return True


@contextlib.contextmanager
def locked(path: Path) -> Iterator[None]:
    """Hold an exclusive lock named after `path`; processes that want the same one wait."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with (path.parent / f".{path.name}.lock").open("w") as handle:
        try:
            import fcntl
        except ImportError:  # Windows: two makers do the work twice, and the last rename wins
            yield
        else:
            fcntl.flock(handle, fcntl.LOCK_EX)
            yield


def derived_path(
    name: str,
    *,
    inputs: Mapping[str, str] | None = None,
    params: Mapping[str, object] | None = None,
    code: Sequence[object] = (),
) -> Path:
    """Where a derived file belongs: its name, and a key of input hashes, parameters and normalized code."""
    described = json.dumps([sorted((inputs or {}).items()), sorted((params or {}).items())], default=str)
    key = digest(described, *(code_digest(thing) for thing in code))[:16]
    stem, dot, suffix = name.partition(".")
    return paths.cache_dir() / f"{stem}-{key}{dot}{suffix}"


def derived(
    name: str,
    make: Callable[[Path], object],
    *,
    inputs: Mapping[str, str] | None = None,
    params: Mapping[str, object] | None = None,
    code: Sequence[object] = (),
) -> Path:
    """Path of a derived file or folder, made by `make(path)` when this content was never made before.

    inputs: name -> content hash; params: whatever else decides the content; code: the functions or modules that
    make it. Two processes that ask at once make it once. A file of that very name in `paths.kept_dir` was made by
    the same code from the same inputs: it is taken as it is.
    """
    path = derived_path(name, inputs=inputs, params=params, code=code)
    kept = paths.kept_dir() / path.name
    if kept.exists() and not path.exists():
        return kept
    if not path.exists():
        with locked(path):
            clear(path)
            if not path.exists():
                with atomic(path) as made:
                    make(made)
    return path
