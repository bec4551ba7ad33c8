"""Run notebooks headless through Papermill, keep what finished, report what failed. Knows nothing of publication."""

import datetime as dt
import json
import os
import platform
import shutil
import subprocess
import sys
import threading
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lib.lab import paths
from lib.lab.cache import atomic, clear, locked
from lib.press import console, identity, inputs, record, store
from lib.press.console import Bar
from lib.press.notebooks import Notebook

WATTS_PER_CORE = 10.0  # assumed draw of a busy core with its share of the machine; an estimate, said so in the record


@dataclass(frozen=True)
class Outcome:
    """How one run ended."""

    notebook: Notebook
    profile: str
    result: store.Result | None = None
    error: str = ""
    reused: bool = False

    @property
    def told(self) -> str:
        """In words, for a line of progress."""
        if self.error or self.result is None:
            return f"failed: {self.error}"
        seconds = self.result.record["provenance"]["seconds"]
        kept = f"kept, as nothing changed since its {seconds:.0f} s run"
        return kept if self.reused else f"ran in {seconds:.1f} s"


class Stopped(Exception):
    """The person who asked for a run does not want it any more."""


def run(
    notebook: Notebook, profile: str, overrides: dict[str, Any] | None = None, *, force: bool = False,
    bar: Bar | None = None, stopped: threading.Event | None = None,
) -> Outcome:  # fmt: skip
    """Run a notebook unless a finished run has the same identity. A failure is an outcome, kept with its traceback.

    Raises Stopped when the event is set before the end.
    """
    made = identity.compute(notebook, profile, overrides)
    folder = store.run_folder(notebook.slug, profile, made.digest)
    try:
        with locked(folder):
            clear(folder)
            result = None if force else store.finished(folder)
            if result:
                return Outcome(notebook, profile, result=result, reused=True)
            error = inputs.prepare(notebook)
            if not error:
                with atomic(folder) as working:
                    working.mkdir()
                    error = _execute(notebook, profile, made, working, bar)
                    if stopped is not None and stopped.is_set():
                        raise Stopped
            if error:
                return Outcome(notebook, profile, error=error)
            return Outcome(notebook, profile, result=store.Result(record.load(folder / "record.json"), folder))
    except OSError as problem:  # a disk that is full, a folder that may not be written
        return Outcome(notebook, profile, error=console.os_error(problem))


def _execute(notebook: Notebook, profile: str, made: identity.Identity, working: Path, bar: Bar | None) -> str:
    """Execute into the folder; return the error, or nothing."""
    # jsonschema would build the grammar of addresses, in a second; nothing here checks one. None: "not installed".
    sys.modules.setdefault("rfc3987_syntax", None)  # type: ignore[arg-type]
    import nbformat
    import papermill
    from papermill.log import logger

    logger.setLevel("ERROR")
    source = nbformat.read(notebook.path, as_version=4)  # type: ignore[no-untyped-call]
    ended: list[Any] = [source]
    started = time.monotonic()
    error = ""
    try:
        papermill.execute_notebook(
            source, None, parameters=made.parameters, engine_name="guidon", kernel_name="python3",
            progress_bar=False, execution_timeout=notebook.minutes * 60, threads=made.threads,
            workdir=str(paths.root()), on_cell=bar.advance if bar else None, on_end=ended.append,
        )  # fmt: skip
    except Exception as failure:  # what a notebook raises, a kernel that dies, a time-out: each layer has its own
        error = " ".join(_in_words(failure, notebook).split())[:300]
    seconds = time.monotonic() - started
    executed = json.loads(nbformat.writes(ended[-1]))  # type: ignore[no-untyped-call]
    error = error or _missing(notebook, executed)
    notice = _notice(error, executed["cells"])
    executed = _cleaned(executed, failed=bool(error))
    if error:
        executed["cells"].insert(0, notice)
        _write_json(working / "failure.json", {"error": error, "seconds": seconds})
    else:
        _write_record(notebook, profile, made, executed, seconds, working)
    _write_json(working / "executed.ipynb", executed)
    return error


def _in_words(failure: Exception, notebook: Notebook) -> str:
    """What a person needs to know of a failure."""
    if hasattr(failure, "ename"):  # raised in a cell
        return f"{failure.ename}: {failure.evalue}"  # type: ignore[attr-defined]
    if type(failure).__name__ == "CellTimeoutError":
        return f"Timeout: it ran longer than the {notebook.minutes:g} minutes that its first cell allows (`minutes`)"
    if "Kernel died" in str(failure) or type(failure).__name__ == "DeadKernelError":
        return (
            "DeadKernelError: the kernel died; it was ended from outside, perhaps for want of memory, or ended itself"
        )
    return f"{type(failure).__name__}: {failure}"


def _missing(notebook: Notebook, executed: dict[str, Any]) -> str:
    """What a notebook that came to its end did not say."""
    if notebook.kind == "claim" and record.collect(executed)["verdict"] is None:
        return f"{notebook.slug} ended without a verdict; end it with results.verdict(...)"
    return ""


def _notice(error: str, cells: list[dict[str, Any]]) -> dict[str, Any]:
    """A cell that says at the top of a failed notebook what went wrong, and where.

    A kernel that dies may not have told that a cell began; Papermill wrote down when it sent it.
    """
    code = [cell for cell in cells if cell["cell_type"] == "code"]
    failed = [cell for cell in code if any(output["output_type"] == "error" for output in cell["outputs"])]
    begun = [cell for cell in code if cell["metadata"].get("papermill", {}).get("start_time")]
    text = f"# This run failed\n\n~~~~text\n{error}\n~~~~\n"
    for cell in (failed or begun)[-1:]:
        text += f"\nin code cell {code.index(cell) + 1} of {len(code)}:\n\n~~~~python\n{record.source(cell)}\n~~~~\n"
    return {"cell_type": "markdown", "id": "failure", "metadata": {}, "source": text}


def _write_json(path: Path, content: Any) -> None:
    path.write_text(json.dumps(content, ensure_ascii=False, indent=1) + "\n", encoding="utf-8")


def _write_record(
    notebook: Notebook, profile: str, made: identity.Identity, executed: dict[str, Any], seconds: float, working: Path
) -> None:
    content = {
        "schema": record.SCHEMA,
        "slug": notebook.slug,
        "profile": profile,
        "parameters": made.parameters,
        **record.collect(executed),
        "identity": {"digest": made.digest, **made.as_dict()},
        "provenance": provenance(seconds, made.threads),
    }
    _write_json(working / "record.json", content)


def _cleaned(executed: dict[str, Any], failed: bool) -> dict[str, Any]:
    """Without what only matters while running: Papermill's metadata, which hold paths and times, and stderr.

    What libraries say on stderr (bars, warnings with times and paths) differs from run to run; a failed run keeps it.
    """
    executed["metadata"] = {
        name: executed["metadata"][name] for name in ("kernelspec",) if name in executed["metadata"]
    }
    for cell in executed["cells"]:
        tags = (cell.get("metadata") or {}).get("tags")
        cell["metadata"] = {"tags": tags} if tags else {}
        if cell["cell_type"] == "code" and not failed:
            cell["outputs"] = [output for output in cell["outputs"] if output.get("name") != "stderr"]
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
