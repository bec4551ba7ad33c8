"""New notebooks and notes, written from the templates beside this module. Overwrites nothing, runs nothing."""

import datetime as dt
import json
import re
from pathlib import Path

import nbformat

from lib.lab import paths
from lib.lab.cache import locked, write_text
from lib.press.notebooks import SERIES

KINDS = ("experiment", "tutorial", "note")
TEMPLATES = Path(__file__).parent / "templates"
_EXPERIMENTS = tuple(name for name in SERIES if name != "tutorials")
_SLUG = re.compile(r"[a-z][a-z0-9_]{0,59}")
_NUMBERED = re.compile(r"(?P<number>\d+)[_-](?P<slug>[^.]+)")


class ScaffoldError(ValueError):
    """A notebook or note that cannot be started under this name; the message says why."""


def new(kind: str, slug: str, series: str | None = None, title: str | None = None) -> list[Path]:
    """Write a notebook, or the two files of a note, under the next free number; return what was written.

    The series is that of an experiment, `data` unless given. Raises ScaffoldError.
    """
    folder = paths.notebooks_dir() / _series(kind, series)
    if not _SLUG.fullmatch(slug):
        raise ScaffoldError(f"{slug!r} is not a slug: a letter, then lower-case letters, digits and underscores")
    shown = title or slug.replace("_", " ").capitalize()
    with locked(paths.build_dir() / "new"):
        _refuse_taken(slug)
        number = 1 + max((int(found["number"]) for found in _numbered(folder)), default=0)
        if kind == "note":
            return [_write_note(folder / f"{number:03d}-{slug}.{lang}.qmd", lang, shown) for lang in ("fr", "en")]
        return [_write_notebook(folder / f"{number:02d}_{slug}.ipynb", kind, slug, shown)]


def _series(kind: str, series: str | None) -> str:
    if kind not in KINDS:
        raise ScaffoldError(f"no kind {kind!r}; choose one of {', '.join(KINDS)}")
    if kind != "experiment":
        if series:
            raise ScaffoldError(f"a {kind} has no series; leave --series out")
        return {"tutorial": "tutorials", "note": "writing"}[kind]
    if (series or "data") not in _EXPERIMENTS:
        raise ScaffoldError(f"no series {series!r}; choose one of {', '.join(_EXPERIMENTS)}")
    return series or "data"


def _numbered(folder: Path) -> list[re.Match[str]]:
    """The numbered files of a folder, matched."""
    return [found for path in folder.glob("[0-9]*") if (found := _NUMBERED.match(path.name))]


def _refuse_taken(slug: str) -> None:
    """Every post has an address of its own, so no two of any series share a slug."""
    for series in (*SERIES, "writing"):
        for found in _numbered(paths.notebooks_dir() / series):
            if found["slug"] == slug:
                raise ScaffoldError(f"{series}/{found.string} has this slug; choose another")


def _filled(text: str, slug: str, title: str) -> str:
    """A template's front matter or prose with the new name in it; the title is quoted as YAML wants."""
    quoted = json.dumps(title, ensure_ascii=False)
    return text.replace('"guidon-title"', quoted).replace("guidon-slug", slug).replace("1970-01-01", _today())


def _today() -> str:
    return dt.date.today().isoformat()


def _write_notebook(path: Path, kind: str, slug: str, title: str) -> Path:
    notebook = nbformat.read(TEMPLATES / f"{kind}.ipynb", as_version=4)
    for cell in notebook.cells:
        if cell.cell_type != "code":
            cell.source = _filled(cell.source, slug, title)
    nbformat.validate(notebook)
    write_text(path, nbformat.writes(notebook) + "\n")
    return path


def _write_note(path: Path, lang: str, title: str) -> Path:
    template = (TEMPLATES / f"note.{lang}.qmd").read_text(encoding="utf-8")
    write_text(path, _filled(template, path.name.split(".")[0], title))
    return path
