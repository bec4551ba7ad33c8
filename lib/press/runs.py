"""Run notebooks headless through Papermill, keep what finished, report what failed. Knows nothing of publication."""

import contextlib
import datetime as dt
import json
import os
import platform
import re
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lib.lab import paths
from lib.lab.cache import atomic, locked
from lib.press import identity, record, store
from lib.press.console import Bar, Board, say
from lib.press.notebooks import Notebook

_prepared: set[tuple[str, str]] = set()  # derived files that this process has seen made: a sweep asks once
WATTS_PER_CORE = 10.0  # assumed draw of a busy core with its share of the machine; an estimate, said so in the record


@dataclass(frozen=True)
class Outcome:
    """How one run ended."""

    notebook: Notebook
    profile: str
    result: store.Result | None = None
    error: str = ""
    reused: bool = False


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


def run_all(
    notebooks: list[Notebook], profile: str, board: Board, *, jobs: int = 1, force: bool = False,
    overrides: dict[str, Any] | None = None,
) -> list[Outcome]:  # fmt: skip
    """Run each notebook in a profile, at most `jobs` at once; finished runs of the same identity are reused."""
    cores = Cores(os.cpu_count() or 1)

    def one(notebook: Notebook) -> Outcome:
        bar = board.bar(f"{notebook.slug} ({profile})", len(notebook.cells) + 1)
        with cores.held(notebook.threads):
            outcome = run(notebook, profile, overrides, force=force, bar=bar)
        seconds = outcome.result.record["provenance"]["seconds"] if outcome.result else 0
        kept = f"kept, as nothing changed since its {seconds:.0f} s run"
        bar.done(f"failed: {outcome.error}" if outcome.error else kept if outcome.reused else f"ran in {seconds:.1f} s")
        return outcome

    with ThreadPoolExecutor(max_workers=max(1, jobs)) as pool:
        return list(pool.map(one, notebooks))


def run(
    notebook: Notebook, profile: str, overrides: dict[str, Any] | None = None, *, force: bool = False,
    bar: Bar | None = None,
) -> Outcome:  # fmt: skip
    """Run a notebook unless a finished run has the same identity. A failure is an outcome, kept with its traceback."""
    made = identity.compute(notebook, profile, overrides)
    folder = store.run_folder(notebook.slug, profile, made.digest)
    with locked(folder):
        if not force and (folder / "record.json").is_file():
            result = store.Result(record.load(folder / "record.json"), folder)
            return Outcome(notebook, profile, result=result, reused=True)
        problem = prepare_inputs(notebook)
        if problem:
            return Outcome(notebook, profile, error=problem)
        with atomic(folder) as working:
            working.mkdir()
            error = _execute(notebook, profile, made, working, bar)
        if error:
            return Outcome(notebook, profile, error=error)
        return Outcome(notebook, profile, result=store.Result(record.load(folder / "record.json"), folder))


def prepare_inputs(notebook: Notebook) -> str:
    """Fetch the sources a notebook declares and make its derived files; return what went wrong, or nothing."""
    from lib.lab import sources

    declared = [name for name in notebook.inputs if name in sources.load()]
    try:
        if declared:  # without a name, everything is fetched
            sources.fetch(*declared)
    except sources.SourceError as error:
        return str(error)
    for name in notebook.inputs:
        known = (str(paths.cache_dir()), name)
        if identity.is_derived(name) and known not in _prepared:
            problem = _prepare(name)
            if problem:
                return problem
            _prepared.add(known)
    return ""


def _prepare(name: str) -> str:
    """Make a derived file in a process of its own, passing on the progress it tells; return what went wrong."""
    command = [sys.executable, "-m", "lib.lab.prepare", name]
    environment = {**os.environ, "PYTHONHASHSEED": "0", "TOKENIZERS_PARALLELISM": "false", "CI": "true"}
    last = "no message"
    with subprocess.Popen(command, cwd=paths.root(), env=environment, stderr=subprocess.PIPE, text=True) as work:
        for line in work.stderr or ():
            last = line.strip() or last
            if re.search(r": \d+%, \d+ s$", last):
                say(last)
    return f"{name} could not be made: {last}" if work.returncode else ""


def _execute(notebook: Notebook, profile: str, made: identity.Identity, working: Path, bar: Bar | None) -> str:
    """Execute into the folder; return the error, or nothing."""
    import papermill
    from papermill.exceptions import PapermillException
    from papermill.log import logger

    logger.setLevel("ERROR")
    output = working / "executed.ipynb"
    started = time.monotonic()
    error = ""
    try:
        papermill.execute_notebook(
            notebook.path, output, parameters=made.parameters, engine_name="guidon", kernel_name="python3",
            progress_bar=False, request_save_on_cell_execute=False, execution_timeout=int(notebook.minutes * 60),
            threads=made.threads, workdir=str(paths.root()), on_cell=bar.advance if bar else None,
        )  # fmt: skip
    except PapermillException as failure:
        error = f"{getattr(failure, 'ename', type(failure).__name__)}: {getattr(failure, 'evalue', failure)}"
    except Exception as failure:  # a kernel that dies or a time-out raises whatever its layer raises
        error = f"{type(failure).__name__}: {failure}"
    seconds = time.monotonic() - started
    if output.is_file():
        executed = _cleaned(record.read_notebook(output))
        output.write_text(json.dumps(executed, ensure_ascii=False, indent=1) + "\n", encoding="utf-8")
        if not error:
            return _write_record(notebook, profile, made, executed, seconds, working)
    else:
        shutil.copyfile(notebook.path, output)
    error = " ".join(error.split())[:300]
    (working / "failure.json").write_text(json.dumps({"error": error, "seconds": seconds}), encoding="utf-8")
    return error


def _write_record(
    notebook: Notebook, profile: str, made: identity.Identity, executed: dict[str, Any], seconds: float, working: Path
) -> str:
    collected = record.collect(executed)
    if notebook.kind == "claim" and collected["verdict"] is None:
        error = f"{notebook.slug} ended without a verdict; end it with results.verdict(...)"
        (working / "failure.json").write_text(json.dumps({"error": error, "seconds": seconds}), encoding="utf-8")
        return error
    content = {
        "schema": record.SCHEMA,
        "slug": notebook.slug,
        "profile": profile,
        "parameters": made.parameters,
        **collected,
        "identity": {"digest": made.digest, **made.as_dict()},
        "provenance": provenance(seconds, made.threads),
    }
    (working / "record.json").write_text(json.dumps(content, ensure_ascii=False, indent=1) + "\n", encoding="utf-8")
    return ""


def _cleaned(executed: dict[str, Any]) -> dict[str, Any]:
    """Without Papermill's metadata, which hold paths and times, and without outputs that only matter while running."""
    executed["metadata"] = {
        name: executed["metadata"][name] for name in ("kernelspec",) if name in executed["metadata"]
    }
    for cell in executed["cells"]:
        tags = (cell.get("metadata") or {}).get("tags")
        cell["metadata"] = {"tags": tags} if tags else {}
    return executed


def provenance(seconds: float, threads: int) -> dict[str, Any]:
    """Where and when a run was made: informs the reader, decides nothing."""
    return {
        "commit": _git("rev-parse", "--short=12", "HEAD"),
        "dirty": bool(_git("status", "--porcelain", "--untracked-files=no")),
        "date": dt.datetime.now(dt.UTC).isoformat(timespec="seconds"),
        "platform": f"{platform.system()} {platform.machine()}",
        "python": platform.python_version(),
        "cpu": f"{_cpu()} ({os.cpu_count()} cores)",
        "gpu": _gpu(),
        "seconds": round(seconds, 2),
        "energy": {"wh": round(seconds * threads * WATTS_PER_CORE / 3600, 3), "method": "estimated"},
    }


def _git(*words: str) -> str | None:
    try:
        done = subprocess.run(["git", *words], cwd=paths.root(), capture_output=True, text=True)
    except OSError:
        return None
    return done.stdout.strip() if done.returncode == 0 else None


def _cpu() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return platform.processor() or platform.machine()
    return next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), platform.machine())


def _gpu() -> str | None:
    """The GPU's name when one is there; asks the driver, so that torch need not be imported."""
    if not shutil.which("nvidia-smi"):
        return None
    command = ["nvidia-smi", "--query-gpu=name", "--format=csv,noheader"]
    done = subprocess.run(command, capture_output=True, text=True)
    return done.stdout.strip().splitlines()[0] if done.returncode == 0 and done.stdout.strip() else None
