"""What a notebook declares that it reads, fetched or made before its run. Knows nothing of runs."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

from lib.lab import paths
from lib.lab.normalize import digest
from lib.press import identity
from lib.press.console import say
from lib.press.notebooks import Notebook


def prepare(notebook: Notebook) -> str:
    """Fetch the sources a notebook declares and make its derived files; return what went wrong, or nothing."""
    from lib.lab import sources

    declared = [name for name in notebook.inputs if name in sources.load()]
    try:
        if declared:  # without a name, everything is fetched
            sources.fetch(*declared)
    except sources.SourceError as error:
        return str(error)
    for name in notebook.inputs:
        if identity.is_derived(name) and not is_made(name):
            problem = _make(name)
            if problem:
                return problem
    return ""


def is_made(name: str) -> bool:
    """Whether a derived input is all there, as far as can be told without importing what makes it.

    It was made by the code and from the sources of now, and every file that it consisted of then still exists.
    """
    try:
        files = json.loads(_list(name).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return False
    places = (paths.cache_dir(), paths.kept_dir())
    return bool(files) and all(any((place / file).exists() for place in places) for file in files)


def _list(name: str) -> Path:
    """Where the file names of a derived input are listed: another place for other code or other sources."""
    from lib.lab import sources

    files, _ = identity.reach([f"lib.lab.{name.partition('.')[0]}"])
    key = digest(name, repr(sorted(identity.modules(files).items())), repr(sources.load()))
    return paths.cache_dir() / "made" / f"{name}-{key[:16]}.json"


def _make(name: str) -> str:
    """Make a derived file in a process of its own, passing on the progress it tells; return what went wrong."""
    command = [sys.executable, "-m", "lib.lab.prepare", name, str(_list(name))]
    environment = {**os.environ, "PYTHONHASHSEED": "0", "TOKENIZERS_PARALLELISM": "false", "CI": "true"}
    last = "no message"
    with subprocess.Popen(command, cwd=paths.root(), env=environment, stderr=subprocess.PIPE, text=True) as work:
        for line in work.stderr or ():
            last = line.strip() or last
            if re.search(r": \d+%, \d+ s$", last):
                say(last)
    return f"{name} could not be made: {last}" if work.returncode else ""
