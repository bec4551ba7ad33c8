"""Where runs and accepted results are kept, and in what state they are. Runs nothing."""

import contextlib
import json
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lib.lab import paths
from lib.press import identity, record
from lib.press.notebooks import PROFILES, Notebook, NotebookError, select

STATES = ("missing", "failed", "hollow", "stale", "in-sync")


@dataclass(frozen=True)
class Result:
    """A record with the executed notebook that holds it: a local run or an accepted result."""

    record: dict[str, Any]
    folder: Path

    @property
    def notebook(self) -> Path:
        return self.folder / "executed.ipynb"

    @property
    def profile(self) -> str:
        return str(self.record["profile"])

    @property
    def verdict(self) -> str | None:
        verdict = self.record.get("verdict")
        return verdict["value"] if verdict else None


def _result(folder: Path) -> Result | None:
    if not (folder / "record.json").is_file():
        return None
    return Result(record.load(folder / "record.json"), folder)


def accepted(slug: str) -> dict[str, Result]:
    """The accepted results of an experiment by profile, `full` first. Raises RecordError."""
    found = {profile: _result(paths.results_dir() / profile / slug) for profile in ("full", "quick")}
    return {profile: result for profile, result in found.items() if result}


def deciding(slug: str) -> Result | None:
    """The accepted result that decides the verdict: `full` where there is one, else `quick`."""
    return next(iter(accepted(slug).values()), None)


def deciding_record(slug: str) -> dict[str, Any] | None:
    """The record of the accepted result that decides, for prose that names another experiment."""
    found = deciding(slug)
    return found.record if found else None


def find(text: str) -> Result:
    """A result by what a person writes: the folder of a run, `slug`, or `slug:profile`; the accepted one comes first.

    Raises NotebookError for a name that is none, RecordError for a folder without a record or a slug without a result.
    """
    folder = Path(text)
    if os.sep in text or folder.is_dir():
        result = _result(folder)
        if result is None:
            raise record.RecordError(f"{text} holds no record.json; give the folder of a finished run")
        return result
    slug, _, profile = text.partition(":")
    (notebook,) = select([slug])
    if profile and profile not in PROFILES:
        raise NotebookError(f"no profile {profile!r}; choose one of {', '.join(PROFILES)}")
    result = accepted(slug).get(profile) if profile else deciding(slug)
    result = result or local(notebook, profile or "quick")
    if result is None:
        raise record.RecordError(f"{text} has no result; `guidon run {slug}` makes one")
    return result


def run_folder(slug: str, profile: str, digest: str) -> Path:
    return paths.build_dir() / "runs" / slug / f"{profile}-{digest}"


def local(notebook: Notebook, profile: str, overrides: dict[str, Any] | None = None) -> Result | None:
    """The finished local run of today's notebook, if there is one."""
    return _result(run_folder(notebook.slug, profile, identity.compute(notebook, profile, overrides).digest))


def finished(folder: Path) -> Result | None:
    """The run in this folder, when it is there and whole: a damaged one is as good as none."""
    with contextlib.suppress(record.RecordError):
        return _result(folder)
    return None


def failed(notebook: Notebook, profile: str) -> Path | None:
    """The folder of today's run when it failed: it holds the notebook with the traceback."""
    folder = run_folder(notebook.slug, profile, identity.compute(notebook, profile).digest)
    return folder if (folder / "failure.json").is_file() else None


def state_of(notebook: Notebook, result: Result) -> str:
    """`hollow`, `stale` or `in-sync`."""
    told = result.record
    try:
        sound = told["slug"] == notebook.slug and identity.is_whole(told["identity"])
        if not sound or record.is_hollow(told, record.read_notebook(result.notebook)):
            return "hollow"
    except record.RecordError:
        return "hollow"
    return "stale" if changes(notebook, result) else "in-sync"


def changes(notebook: Notebook, result: Result) -> list[str]:
    """What changed since this result was made, in words; empty when it still stands."""
    return identity.compute(notebook, result.profile).differences(result.record["identity"])


def state(notebook: Notebook, profile: str = "quick") -> str:
    """The state of what would be published for a profile, or of the last local run where nothing is accepted."""
    result = accepted(notebook.slug).get(profile) or local(notebook, profile)
    if result:
        return state_of(notebook, result)
    return "failed" if failed(notebook, profile) else "missing"


def reproduction(slug: str, profile: str = "quick") -> dict[str, Any] | None:
    """What `guidon reproduce` found on this machine, if it was run."""
    path = reproduction_file(slug, profile)
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None


def reproduction_file(slug: str, profile: str = "quick") -> Path:
    return paths.build_dir() / "reproduced" / (f"{slug}.json" if profile == "quick" else f"{slug}-{profile}.json")
