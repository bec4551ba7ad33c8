"""Progress of long work in `lib.lab`: a bar in a terminal, a line now and then elsewhere, nothing in a notebook.

Knows nothing of the work. Silent in a kernel, whose outputs must be the same at every run.
"""

import os
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager

PATIENCE_S = 2.0  # what ends sooner says nothing
EVERY_S = 20.0  # between plain lines


@contextmanager
def bar(title: str, total: int, quiet: bool = False) -> Iterator[Callable[[int], None]]:
    """Yield `advance(steps)`; call it with 0 to let time pass. Nothing is shown in the first two seconds."""
    if quiet or "ipykernel" in sys.modules:
        yield lambda steps: None
        return
    with ExitStack() as stack:
        yield (_moving if sys.stderr.isatty() and not os.environ.get("CI") else _plain)(title, total, stack)


def _moving(title: str, total: int, stack: ExitStack) -> Callable[[int], None]:
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

    columns = (TextColumn("{task.description}"), BarColumn(), TimeElapsedColumn(), TimeRemainingColumn())
    progress = Progress(*columns, console=Console(stderr=True))
    task, started = progress.add_task(title, total=total), time.monotonic()

    def advance(steps: int) -> None:
        progress.advance(task, steps)
        if not progress.live.is_started and time.monotonic() - started > PATIENCE_S:
            stack.enter_context(progress)

    return advance


def _plain(title: str, total: int, _stack: ExitStack) -> Callable[[int], None]:
    started = said = time.monotonic()
    said += PATIENCE_S - EVERY_S
    done = 0

    def advance(steps: int) -> None:
        nonlocal said, done
        done += steps
        now = time.monotonic()
        if now - said > EVERY_S:
            said = now
            print(f"{title}: {done / max(total, 1):.0%}, {now - started:.0f} s", file=sys.stderr, flush=True)

    return advance
