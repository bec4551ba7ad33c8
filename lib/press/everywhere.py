"""Every post for every place that is asked for: what is up to date stays, and what fails stops no other."""

import os
import time
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from lib.press import console, exports, finished, stamps
from lib.press.pages import Page

STATUSES = ("made", "kept", "failed")


@dataclass(frozen=True)
class Done:
    """What became of one export; bytes: of all its files."""

    slug: str
    to: str
    lang: str
    status: str
    folder: Path
    bytes: int = 0
    time_s: float = 0.0
    error: str = ""

    def as_dict(self) -> dict[str, Any]:
        return {**asdict(self), "folder": os.path.relpath(self.folder), "time_s": round(self.time_s, 3)}


def run(
    targets: Sequence[str], langs: Sequence[str], options: exports.Options, board: console.Board
) -> Iterator[Done]:  # fmt: skip
    """Export every post, the quick targets first; what became of each, as soon as it is known. Publishes first."""
    chosen = [target for target in exports.TARGETS if target in targets]
    out, kept = exports.ready(chosen), stamps.Stamps()
    every = [(target, page) for target in chosen for lang in langs for page in finished.listing(lang)]
    bar = board.bar("exports", len(every))
    for target, page in every:
        yield _one(page, target, out, options, kept, board)
        bar.advance()
    bar.done()


def _one(
    page: Page, target: str, out: Path, options: exports.Options, kept: stamps.Stamps, board: console.Board
) -> Done:  # fmt: skip
    """Export one post, unless it is there as it would be."""
    start, slug, place = time.monotonic(), Path(page.path).stem, options.place(target)
    status, size, error = "kept", 0, ""
    try:
        told = kept.current(page, place, options.given(target), exports.voice(target, page.lang))
        if told is None:
            told, anew = exports.make(page, target, out, options, kept, board)
            status = "made" if anew else "kept"
        size = sum(told["files"].values())
    except Exception as problem:  # of one post; the others are none of its business
        if os.environ.get("GUIDON_TRACEBACK"):
            raise
        known = isinstance(problem, ValueError | RuntimeError | OSError)
        told_so = console.os_error(problem) if isinstance(problem, OSError) else str(problem)
        status, error = "failed", told_so if known else f"{type(problem).__name__}: {problem}"
    where = exports.folder(place, page.lang, slug)
    return Done(slug, target, page.lang, status, where, size, time.monotonic() - start, error)


def table(done: Sequence[Done]) -> list[list[str]]:
    """How many were made, kept and failed, and how large they are: a row for each target and language, then all."""
    groups = dict.fromkeys((one.to, one.lang) for one in done)
    rows = [[*group, *_summed([one for one in done if (one.to, one.lang) == group])] for group in groups]
    return [*rows, ["all", "", *_summed(done)]]


def _summed(done: Sequence[Done]) -> list[str]:
    counts = [str(sum(one.status == status for one in done)) for status in STATUSES]
    return [*counts, f"{sum(one.bytes for one in done) / 1e6:.1f} MB", f"{sum(one.time_s for one in done):.1f} s"]
