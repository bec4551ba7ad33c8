"""How the command line speaks: progress that moves in a terminal, plain lines elsewhere. Knows nothing of the work."""

import os
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any, Protocol


class Bar(Protocol):
    """One line of progress."""

    def advance(self, steps: int = 1) -> None: ...

    def done(self, note: str = "") -> None: ...


class _Plain:
    def __init__(self, title: str, total: int | None) -> None:
        self.title, self.total, self.count, self.started, self.said = title, total, 0, time.monotonic(), 0.0
        say(f"{title} ...")

    def advance(self, steps: int = 1) -> None:
        self.count += steps
        elapsed = time.monotonic() - self.started
        if self.total and elapsed - self.said > 20:
            self.said = elapsed
            say(f"{self.title}: {self.count} of {self.total}, {elapsed:.0f} s")

    def done(self, note: str = "") -> None:
        say(f"{self.title}: {note or 'done'}, {time.monotonic() - self.started:.1f} s")


class _Rich:
    def __init__(self, progress: Any, title: str, total: int | None, brief: bool) -> None:
        self.progress, self.task, self.title = progress, progress.add_task(title, total=total), title
        self.brief = brief

    def advance(self, steps: int = 1) -> None:
        self.progress.advance(self.task, steps)

    def done(self, note: str = "") -> None:
        if self.brief:
            self.progress.remove_task(self.task)
            return
        total = next(task.total for task in self.progress.tasks if task.id == self.task) or 1
        text = f"{self.title}: {note or 'done'}"
        self.progress.update(self.task, total=total, completed=total, description=text)


class Board:
    """Several bars at once; `bar(title, total)` adds one, from any thread."""

    def __init__(self, progress: Any | None) -> None:
        self.progress, self.lock = progress, threading.Lock()

    @property
    def is_live(self) -> bool:
        """Whether what is shown moves, so that `show` has an effect."""
        return self.progress is not None

    def show(self, header: Sequence[str], rows: Sequence[Sequence[str]], note: str = "") -> None:
        """Put a table under the bars, in place of the last one. Nothing where nobody watches."""
        if self.progress is None:
            return
        from rich.table import Table

        table = Table(*header, box=None, caption=note or None, caption_justify="left")
        for row in rows:
            table.add_row(*row)
        self.progress.below = table

    def bar(self, title: str, total: int | None = None, brief: bool = False) -> Bar:
        """Add a bar. brief: one of many, which is taken away when it is done."""
        with self.lock:
            return _Rich(self.progress, title, total, brief) if self.progress else _Plain(title, total)


def is_interactive() -> bool:
    """Whether a person watches: a terminal, and not a CI machine."""
    return sys.stderr.isatty() and not os.environ.get("CI")


def say(text: str) -> None:
    """Print one line to the standard error, where progress goes."""
    print(text, file=sys.stderr, flush=True)


def short(value: Any) -> str:
    """A value in a table's cell."""
    text = "-" if value is None else f"{value:.4g}" if isinstance(value, float) else str(value)
    return text if len(text) <= 24 else text[:23] + "…"


def os_error(error: OSError) -> str:
    """What the system would not do, and with which file."""
    if not error.strerror:
        return str(error)
    return f"{error.strerror}: {error.filename}" if error.filename else error.strerror


@contextmanager
def board() -> Iterator[Board]:
    """Show progress while the block runs."""
    if not is_interactive():
        yield Board(None)
        return
    from rich.console import Console, RenderableType
    from rich.progress import (
        BarColumn,
        MofNCompleteColumn,
        Progress,
        SpinnerColumn,
        TextColumn,
        TimeElapsedColumn,
        TimeRemainingColumn,
    )  # fmt: skip

    class Bars(Progress):
        below: RenderableType = ""

        def get_renderables(self) -> Iterator[RenderableType]:
            yield from super().get_renderables()
            yield self.below

    columns = (
        SpinnerColumn(), TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn(),
        TimeRemainingColumn(),
    )  # fmt: skip
    with Bars(*columns, console=Console(stderr=True)) as progress:
        yield Board(progress)
