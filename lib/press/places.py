"""Where runs are made: this machine, or a Dask cluster when an address is given. Knows nothing of how one is made."""

import contextlib
import os
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, as_completed
from dataclasses import dataclass, field
from typing import Any, Protocol

from lib.press import runs, warm
from lib.press.console import Board
from lib.press.notebooks import Notebook
from lib.press.runs import Outcome


@dataclass(frozen=True)
class Order:
    """One run to be made."""

    notebook: Notebook
    profile: str = "quick"
    overrides: dict[str, Any] = field(default_factory=dict)
    force: bool = False

    @property
    def title(self) -> str:
        return f"{self.notebook.slug} ({self.profile})"


class Place(Protocol):
    """Where runs happen: this machine or a cluster."""

    def submit(self, order: Order) -> "Future[Any]":
        """Ask for a run."""

    def collect(self, order: Order, future: "Future[Any]") -> Outcome:
        """What came of it, kept here."""

    def stop(self) -> None:
        """End what runs and forget what waits."""


class Cores:
    """As many threads at once as there are cores; a run waits for its share."""

    def __init__(self, total: int) -> None:
        self.free, self.total, self.turn = total, total, threading.Condition()

    def take(self, threads: int) -> int:
        wanted = min(threads, self.total)
        with self.turn:
            self.turn.wait_for(lambda: self.free >= wanted)
            self.free -= wanted
        return wanted

    def give(self, threads: int) -> None:
        with self.turn:
            self.free += threads
            self.turn.notify_all()

    @contextlib.contextmanager
    def held(self, threads: int) -> Iterator[None]:
        """Have these threads while the block runs."""
        taken = self.take(threads)
        try:
            yield
        finally:
            self.give(taken)


class Here:
    """This machine: at most `jobs` runs at once, and never more threads than cores."""

    def __init__(self, jobs: int, cores: int, board: Board | None = None) -> None:
        self.pool = ThreadPoolExecutor(max_workers=max(1, jobs))
        self.cores, self.board, self.stopped = Cores(cores), board, threading.Event()

    def submit(self, order: Order) -> "Future[Outcome]":
        return self.pool.submit(self._run, order)

    def _run(self, order: Order) -> Outcome:
        with self.cores.held(order.notebook.threads):
            if self.stopped.is_set():
                raise runs.Stopped
            bar = self.board.bar(order.title, len(order.notebook.cells) + 1) if self.board else None
            outcome = runs.run(
                order.notebook, order.profile, order.overrides, force=order.force, bar=bar, stopped=self.stopped
            )
        if bar:
            bar.done(outcome.told)
        return outcome

    def collect(self, order: Order, future: "Future[Outcome]") -> Outcome:
        return future.result()

    def stop(self) -> None:
        from lib.press.provisioner import end_kernels

        self.stopped.set()
        self.pool.shutdown(wait=False, cancel_futures=True)
        while any(thread.is_alive() for thread in self.pool._threads):
            end_kernels()
            time.sleep(0.05)


@contextlib.contextmanager
def place(
    orders: Sequence[Order],
    *,
    jobs: int | None = None,
    cores: int | None = None,
    dask: str | None = None,
    board: Board | None = None,
) -> Iterator[Place]:
    """Where to have these runs made: a Dask cluster when an address is given, else here.

    jobs: None is as many as there are cores for. cores: used at most, all by default. board: where each run has its
    bar. Raises ClusterError.
    """
    if dask:
        from lib.press.cluster import Cluster

        with Cluster(dask, orders, board) as cluster:
            yield cluster
        return
    if len(orders) > 2:
        warm.expect_many()
    there = min(os.cpu_count() or 1, cores or sys.maxsize)
    least = min((order.notebook.threads for order in orders), default=1)
    here = Here(jobs or max(1, there // least), there, board)
    try:
        yield here
    finally:
        here.pool.shutdown()


def perform(
    orders: Sequence[Order], place: Place, each: Callable[[int, Outcome], None] = lambda number, outcome: None
) -> list[Outcome]:
    """Have all these runs made; `each` is told of every one as it ends. One that fails stops no other.

    Those with the fewest threads start first: they fit beside one another, and no core waits between two others.
    """
    outcomes: dict[int, Outcome] = {}
    try:
        numbered = sorted(enumerate(orders), key=lambda one: one[1].notebook.threads)
        futures = {place.submit(order): number for number, order in numbered}
        for future in as_completed(futures):
            number = futures[future]
            outcomes[number] = place.collect(orders[number], future)
            each(number, outcomes[number])
    except BaseException:
        place.stop()
        raise
    return [outcomes[number] for number in range(len(orders))]
