"""Runs on an existing Dask cluster: what a worker must share with the client, how a run goes there and comes back.

Dask places, moves and repeats the runs; each is an ordinary run in the worker's own copy of the project. Knows nothing
of how a run is made.
"""

import os
import threading
import time
from collections import deque
from collections.abc import Mapping, Sequence
from concurrent.futures import CancelledError, Future
from functools import cache, partial
from pathlib import Path
from types import TracebackType
from typing import Any

from lib.lab import paths
from lib.lab.cache import atomic, clear, locked
from lib.lab.normalize import digest
from lib.press import doctor, identity, places, record, runs, store, warm
from lib.press.console import Bar, Board, os_error, say
from lib.press.notebooks import NotebookError, select

PATIENCE_S = 10.0  # for the scheduler to answer, and for a good worker to come
CLOSE_S = 2.0  # for a connection to end as it should
EVERY_S = 1.0  # between two looks at which workers are there
LOCK = "requirements.lock"
FILES = ("record.json", "executed.ipynb", "failure.json")
_cores = places.Cores(os.cpu_count() or 1)  # of a worker: the runs of one process share them


class ClusterError(RuntimeError):
    """A cluster that cannot be reached, or that cannot do this work."""


@cache
def environment() -> dict[str, str]:
    """What every machine must have in common: the lock, and what is installed of it."""
    lock = paths.root() / LOCK
    if not lock.is_file():
        return {LOCK: "missing"}
    return {LOCK: digest(lock.read_text(encoding="utf-8")), **doctor.unlike_lock()}


def differences(slug: str, profile: str, overrides: dict[str, Any], wanted: Mapping[str, Any]) -> list[str]:
    """What this machine has that is not as the client has it, in words; empty when a run here is a run there."""
    mine, theirs = environment(), wanted["environment"]
    found = [
        name if name == LOCK else f"{name} ({mine.get(name, 'as pinned')}; there {theirs.get(name, 'as pinned')})"
        for name in sorted({*mine, *theirs})
        if mine.get(name) != theirs.get(name)
    ]
    try:
        (notebook,) = select([slug])
        return found + identity.compute(notebook, profile, overrides).differences(wanted["identity"])
    except (NotebookError, OSError) as error:
        return [*found, str(error)]


class Refused(Exception):
    """A worker is not as the client is: its address, and what differs."""


def work(slug: str, profile: str, overrides: dict[str, Any], wanted: Mapping[str, Any], force: bool) -> dict[str, Any]:
    """Run on a worker: the error, and the files of the run. Raises Refused."""
    from distributed import get_worker

    unlike = differences(slug, profile, overrides, wanted)
    if unlike:
        raise Refused(get_worker().address, unlike)
    (notebook,) = select([slug])
    warm.expect_many()
    with _cores.held(notebook.threads):
        outcome = runs.run(notebook, profile, overrides, force=force)
    folder = store.run_folder(slug, profile, identity.compute(notebook, profile, overrides).digest)
    files = {name: (folder / name).read_bytes() for name in FILES if (folder / name).is_file()}
    return {"error": outcome.error, "reused": outcome.reused, "files": files}


class Cluster:
    """A Dask cluster as a place for runs. A context manager. Raises ClusterError.

    As many runs are with Dask as its good workers have threads; the others wait here, so that a worker which comes
    late has its share, and one that refuses gets none.
    """

    def __init__(self, address: str, orders: Sequence[places.Order], board: Board | None = None) -> None:
        from distributed import Client

        self.address, self.board, self.bars = address, board, dict[int, Bar]()
        self.good: dict[str, int] = {}  # worker -> its threads
        self.refused: dict[str, list[str]] = {}  # worker -> what is not as here
        self.waiting: deque[tuple[places.Order, Future[Any]]] = deque()
        self.sent: set[Future[Any]] = set()
        self.turn, self.ended = threading.RLock(), threading.Event()
        try:
            self.client = Client(address, timeout=PATIENCE_S, set_as_default=False)
        except (OSError, ValueError, TimeoutError) as error:
            raise ClusterError(
                f"no Dask scheduler answers at {address}; is the address right, and is it on?"
            ) from error
        try:
            self.question = _asked(orders[0]) if orders else None
            self._look()
            if self.refused and not self.good:
                raise ClusterError(self._why_none())
            if not self.good:
                say(f"no worker at {address} yet; waiting for one (dask worker {address})")
        except BaseException:
            self.client.close()
            raise
        threading.Thread(target=self._watch, daemon=True).start()

    def __enter__(self) -> "Cluster":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.ended.set()
        self.client.close(timeout=CLOSE_S)

    def _look(self) -> None:
        """Learn which workers are there, and ask the new ones whether they are as this machine is."""
        told = self.client.scheduler_info(n_workers=-1)["workers"]
        there = {address: int(worker["nthreads"]) for address, worker in told.items()}
        new = [address for address in there if address not in self.good and address not in self.refused]
        if new and self.question:
            answers = self.client.run(differences, *self.question, workers=new, on_error="return")
            for address, unlike in answers.items():
                if isinstance(unlike, Exception):
                    unlike = [f"it cannot run this version of Guidon ({type(unlike).__name__}: {unlike})"]
                if unlike:
                    self._refusal(address, unlike)
        with self.turn:
            self.good = {address: threads for address, threads in there.items() if address not in self.refused}

    def _watch(self) -> None:
        """Follow what becomes of the workers; give up when none has been good for a while, or the scheduler is lost."""
        since = time.monotonic()
        while not self.ended.wait(EVERY_S):
            try:
                self._look()
                lost = self.client.status != "running"
            except Exception:  # in the middle of a lost connection, each layer has its own
                lost = True
            self._send()
            if not lost and (self.good or not self.refused):
                since = time.monotonic()
            elif time.monotonic() - since > PATIENCE_S:
                self._give_up(f"the scheduler at {self.address} was lost" if lost else self._why_none())

    def _give_up(self, why: str) -> None:
        with self.turn:
            given_up = [*self.sent, *(future for _, future in self.waiting)]
            self.waiting.clear()
            self.sent.clear()
        for future in given_up:
            future.set_exception(ClusterError(why))

    def _refusal(self, worker: str, unlike: list[str]) -> None:
        with self.turn:
            self.good.pop(worker, None)
            if worker in self.refused:
                return
            self.refused[worker] = unlike
        say(f"worker {worker} refuses, as it differs from here in: {', '.join(unlike)}")

    def _why_none(self) -> str:
        return f"every worker at {self.address} refuses, as it differs from here"

    def submit(self, order: places.Order) -> "Future[Any]":
        """A finished run is kept; any other goes to the cluster."""
        future: Future[Any] = Future()
        kept = None if order.force else store.finished(_folder(order, _identity(order)))
        if kept:
            future.set_result(runs.Outcome(order.notebook, order.profile, result=kept, reused=True))
            return future
        if self.board:
            self.bars[id(order)] = self.board.bar(order.title)
        with self.turn:
            self.waiting.append((order, future))
        self._send()
        return future

    def _send(self) -> None:
        """Give Dask as many of the runs that wait as its good workers can take."""
        with self.turn:
            while self.waiting and not self.ended.is_set() and len(self.sent) < sum(self.good.values()):
                order, future = self.waiting.popleft()
                # Others may have it when all of these are gone: they run it, or refuse.
                executor = self.client.get_executor(pure=False, workers=list(self.good), allow_other_workers=True)
                self.sent.add(future)
                executor.submit(work, *_asked(order), order.force).add_done_callback(
                    partial(self._back, order, future, executor)
                )

    def _back(self, order: places.Order, future: "Future[Any]", _executor: Any, done: "Future[Any]") -> None:
        """Pass on what came of a run, and send the next. The executor is held, as Dask forgets what nobody holds."""
        with self.turn:
            if future not in self.sent:  # given up meanwhile
                return
            self.sent.remove(future)
        try:
            future.set_result(done.result())
        except Refused as refusal:
            self._refusal(*refusal.args)
            with self.turn:
                self.waiting.appendleft((order, future))
        except CancelledError:
            future.set_exception(ClusterError(f"the scheduler at {self.address} was lost"))
        except Exception as error:  # what Dask says of workers that died
            future.set_exception(error)
        self._send()

    def collect(self, order: places.Order, future: "Future[Any]") -> runs.Outcome:
        """Keep here what a worker made."""
        outcome = self._outcome(order, future)
        if id(order) in self.bars:
            self.bars.pop(id(order)).done(outcome.told)
        return outcome

    def _outcome(self, order: places.Order, future: "Future[Any]") -> runs.Outcome:
        error, result, reused = "", None, False
        try:
            answer = future.result()
            if isinstance(answer, runs.Outcome):
                return answer
            error, reused = answer["error"], answer["reused"]
            result = _keep(order, answer["files"])
        except OSError as problem:
            error = os_error(problem)
        except Exception as problem:  # of Dask, or of an answer that is none
            error = str(problem) if isinstance(problem, ClusterError) else f"{type(problem).__name__}: {problem}"
        if result is None and not error:
            error = "the worker sent no record"
        return runs.Outcome(order.notebook, order.profile, result, " ".join(error.split())[:300], reused)

    def stop(self) -> None:
        """Forget what waits; what runs on a worker comes to its end there, and is kept there."""
        self.ended.set()
        with self.turn:
            self.waiting.clear()


def _asked(order: places.Order) -> tuple[str, str, dict[str, Any], dict[str, Any]]:
    """A run as a worker is told of it: what to run, and what must be the same there as here."""
    wanted = {"environment": environment(), "identity": _identity(order).as_dict()}
    return order.notebook.slug, order.profile, order.overrides, wanted


def _identity(order: places.Order) -> identity.Identity:
    return identity.compute(order.notebook, order.profile, order.overrides)


def _folder(order: places.Order, made: identity.Identity) -> Path:
    return store.run_folder(order.notebook.slug, order.profile, made.digest)


def _keep(order: places.Order, files: Mapping[str, bytes]) -> store.Result | None:
    """Write what a worker sent where a run of this machine would be, unless it is there (a folder that both share)."""
    made = _identity(order)
    folder = _folder(order, made)
    with locked(folder):
        clear(folder)
        if not all((folder / name).is_file() and (folder / name).read_bytes() == files[name] for name in files):
            with atomic(folder) as working:
                working.mkdir()
                for name in FILES:
                    if name in files:
                        (working / name).write_bytes(files[name])
                _check(working, made)
    return store.finished(folder)


def _check(folder: Path, made: identity.Identity) -> None:
    """Refuse a record that is not of this run. Raises RecordError."""
    if not (folder / "record.json").is_file():
        return
    kept = record.load(folder / "record.json")
    hollow = record.is_hollow(kept, record.read_notebook(folder / "executed.ipynb"))
    if hollow or kept["identity"].get("digest") != made.digest:
        raise record.RecordError("the worker sent a record that is not of this run")
