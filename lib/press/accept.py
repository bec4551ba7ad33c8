"""Make a finished local run the published result. Knows what may be published; runs nothing."""

import json
import shutil
from pathlib import Path

from lib.lab import paths
from lib.lab.cache import atomic
from lib.press import history, record, store
from lib.press.notebooks import Notebook

LIMIT_BYTES = 400_000


class AcceptError(ValueError):
    """A run that cannot be published as it is."""


def accept(notebook: Notebook, profile: str) -> store.Result:
    """Copy the last good run of today's notebook to data/results. Raises AcceptError."""
    run = store.local(notebook, profile)
    if run is None:
        why = "its last run failed" if store.failed(notebook, profile) else "it has not been run as it is today"
        raise AcceptError(f"{notebook.slug} ({profile}): {why}; `guidon run {notebook.slug} --profile {profile}` first")
    if record.is_hollow(run.record, record.read_notebook(run.notebook)):
        raise AcceptError(
            f"{notebook.slug} ({profile}): its record is not what its notebook holds; run it with --force"
        )
    size = sum(path.stat().st_size for path in run.folder.iterdir())
    if size > LIMIT_BYTES:
        raise AcceptError(
            f"{notebook.slug}: {size // 1000} kB is over the {LIMIT_BYTES // 1000} kB of a result; simplify its figures"
        )
    for path in run.folder.iterdir():
        leak = private_text(path.read_text(encoding="utf-8"))
        if leak:
            raise AcceptError(f"{notebook.slug}: {path.name} holds {leak}, a path of this machine; do not print it")
    folder = paths.results_dir() / profile / notebook.slug
    before = store.finished(folder)
    entries = history.read(folder)
    if before and not entries:  # accepted before a history was kept
        entries = history.extended([], None, before.record)
    entries = history.extended(entries, before.record if before else None, run.record)
    with atomic(folder) as made:
        made.mkdir()
        (made / history.FILE).write_text(json.dumps(entries, ensure_ascii=False, indent=1) + "\n", encoding="utf-8")
        for name in ("record.json", "executed.ipynb"):
            shutil.copyfile(run.folder / name, made / name)
    return store.Result(record.load(folder / "record.json"), folder)


def private_text(text: str) -> str | None:
    """A path of this machine that a text holds, or None."""
    home = str(Path.home())
    private = [str(paths.root()), *([home] if len(home) > 2 else [])]
    return next((path for path in private if json.dumps(path)[1:-1] in text and len(path) > 2), None)
