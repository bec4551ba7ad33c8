"""What videos are made of, kept by content in build/speech and build/video. Forgets what no post's video needs."""

import shutil
import time
from collections.abc import Collection, Iterable
from pathlib import Path

from lib.lab import paths
from lib.lab.cache import write_text

SPARED_S = 3600  # younger parts stay: another export may be at work, whose list is not written yet


def _lists() -> Path:
    return paths.build_dir() / "video" / "made"


def keep(name: str, files: Iterable[Path]) -> None:
    """Note what the video of a name is made of."""
    write_text(_lists() / f"{name}.txt", "".join(f"{one}\n" for one in sorted({path.name for path in files})))


def forget_others(names: Collection[str]) -> None:
    """Remove what belongs to no video of these names, and what makers left when they were killed."""
    needed: set[str] = set()
    for listed in _lists().glob("*.txt"):
        if listed.stem in names:
            needed.update(listed.read_text(encoding="utf-8").splitlines())
        else:
            listed.unlink(missing_ok=True)
    before = time.time() - SPARED_S
    for folder in (paths.build_dir() / "speech", _lists().parent):
        for path in sorted(folder.glob("*")):  # a sound's .json before its .wav, which it vouches for
            if path.name in needed or path == _lists() or path.stat().st_mtime > before:
                continue
            if path.is_dir():
                shutil.rmtree(path, ignore_errors=True)
            else:
                path.unlink(missing_ok=True)
