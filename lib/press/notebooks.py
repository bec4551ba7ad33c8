"""What a source notebook declares: its front matter, parameters, profiles and cells. Knows nothing of runs."""

import ast
import difflib
import json
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import yaml

from lib.lab import paths
from lib.press.digests import parsing

LANGS = ("fr", "en")
KINDS = ("claim", "demonstration", "tutorial")
PROFILES = ("smoke", "quick", "full")
SERIES = ("data", "models", "applications", "society", "tutorials")


class NotebookError(ValueError):
    """A notebook that cannot be read as one of ours; the message names the file and says what to do."""


@dataclass(frozen=True)
class Cell:
    """One cell of a source notebook."""

    index: int
    id: str
    kind: str  # "raw", "markdown" or "code"
    source: str
    tags: tuple[str, ...] = ()
    slide: str = ""  # what JupyterLab's property inspector calls the slide type
    folded: bool = False  # whether JupyterLab opens the notebook with this code collapsed

    @property
    def code(self) -> str:
        """The source of a code cell without its options for the renderer."""
        return "\n".join(line for line in self.source.splitlines() if not line.startswith("#|")).strip("\n")

    @property
    def lang(self) -> str | None:
        """The language of a prose cell, or None for a cell that both languages share."""
        return next((lang for lang in LANGS if lang in self.tags), None)

    @property
    def narration(self) -> bool:
        """Whether it is what a video says, and nothing that a page shows."""
        return "narration" in self.tags


@dataclass(frozen=True)
class Parameter:
    """One line of the parameters cell: `name: type = value  # unit: why`."""

    name: str
    type: str
    default: Any
    comment: str = ""


@dataclass(frozen=True)
class Notebook:
    """A source notebook, read and split; nothing in it is run."""

    path: Path
    meta: dict[str, Any]
    cells: tuple[Cell, ...] = field(repr=False)

    @property
    def slug(self) -> str:
        """The file's name without its number: `01_label_noise.ipynb` is `label_noise`."""
        return re.sub(r"^\d+_", "", self.path.stem)

    @property
    def series(self) -> str:
        return self.path.parent.name

    @property
    def kind(self) -> str:
        return str(self.meta.get("kind", "claim"))

    @property
    def inputs(self) -> list[str]:
        return [str(name) for name in self.meta.get("inputs") or []]

    @property
    def threads(self) -> int:
        return int(self.meta.get("threads", 1))

    @property
    def minutes(self) -> float:
        return float(self.meta.get("minutes", 10))

    @property
    def code(self) -> list[Cell]:
        """The code cells, without the parameters cell."""
        return [cell for cell in self.cells if cell.kind == "code" and "parameters" not in cell.tags]

    def text(self, name: str, lang: str) -> str:
        """A front-matter text in a language, such as `title`; empty when there is none."""
        value = self.meta.get(name) or ""
        return str(value.get(lang) or "") if isinstance(value, dict) else str(value)

    @cached_property
    def parameters(self) -> dict[str, Parameter]:
        """The declared parameters, in order. Raises NotebookError on anything but literals."""
        cell = next((cell for cell in self.cells if "parameters" in cell.tags), None)
        with parsing:
            return dict(_parameters(cell.source, self.path)) if cell else {}

    def values(self, profile: str, overrides: dict[str, Any] | None = None) -> dict[str, Any]:
        """Every parameter's value in a profile, with overrides. Raises NotebookError on an unknown name or type."""
        if profile not in PROFILES:
            raise NotebookError(f"no profile {profile!r}; choose one of {', '.join(PROFILES)}")
        given = {**((self.meta.get("profiles") or {}).get(profile) or {}), **(overrides or {})}
        values = {name: parameter.default for name, parameter in self.parameters.items()}
        for name, value in given.items():
            values[name] = self._checked(name, value)
        return values

    def _checked(self, name: str, value: Any) -> Any:
        if name not in self.parameters:
            near = difflib.get_close_matches(name, self.parameters, 3) or list(self.parameters)
            told = f"; it has {', '.join(near)}" if near else ""
            raise NotebookError(f"{self.slug} has no parameter {name if name.isidentifier() else repr(name)}{told}")
        default = self.parameters[name].default
        try:
            if isinstance(default, float) and type(value) is int:
                value = float(value)
            json.dumps(value, allow_nan=False, ensure_ascii=False).encode()
        except (TypeError, ValueError, OverflowError, RecursionError) as error:
            raise NotebookError(f"{self.slug}: {name} takes no such value; a record could not hold it") from error
        if default is not None and type(value) is not type(default):
            how = f"; for a text, write {name}='\"...\"'" if isinstance(default, str) else ""
            told = f"{self.slug}: {name} is {self.parameters[name].type}, not {type(value).__name__}{how}"
            raise NotebookError(told)
        return value


def load_yaml(text: str) -> Any:
    """YAML of a file of ours, read by libyaml where it is there: ten times faster. Raises yaml.YAMLError."""
    return yaml.load(text, Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader))


def shown(text: str) -> str:
    """What somebody wrote, as an error can quote it: short, on one line."""
    return repr(text if len(text) < 40 else f"{text[:39]}…")


def parse_value(text: str) -> Any:
    """A parameter's value as it is written on a command line, in YAML. Raises NotebookError."""
    try:
        return yaml.safe_load(text)
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        raise NotebookError(f"{shown(text)} is not a value; a text with signs in it goes in double quotes") from error


def _parameters(source: str, path: Path) -> Iterator[tuple[str, Parameter]]:
    lines = source.splitlines()
    try:
        body = ast.parse(source).body
    except SyntaxError as error:
        raise NotebookError(f"{path.name}: the parameters cell is not Python: {error.msg}") from error
    for node in body:
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant):
            continue
        if isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name) and node.value is not None:
            name, kind = node.target.id, ast.unparse(node.annotation)
        elif isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name):
            name, kind = node.targets[0].id, ""
        else:
            raise NotebookError(f"{path.name}: the parameters cell holds more than literals, at line {node.lineno}")
        try:
            value = ast.literal_eval(node.value)  # type: ignore[arg-type]
        except ValueError as error:
            raise NotebookError(f"{path.name}: parameter {name} is not a literal") from error
        comment = lines[(node.end_lineno or node.lineno) - 1].partition("#")[2].strip()
        yield name, Parameter(name, kind or type(value).__name__, value, comment)


def load(path: Path) -> Notebook:
    """Read a source notebook. Raises NotebookError."""
    try:
        raw = json.loads(path.read_text(encoding="utf-8"))
        cells = tuple(_cells(raw))
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise NotebookError(f"{path.name} is not a notebook that can be read: {error}") from error
    if not cells or cells[0].kind != "raw":
        raise NotebookError(f"{path.name} does not start with a raw cell of YAML; `guidon new` writes one")
    try:
        meta = load_yaml(cells[0].source.strip().strip("-"))
    except yaml.YAMLError as error:
        raise NotebookError(f"{path.name}: its first cell is not YAML: {str(error).splitlines()[0]}") from error
    if not isinstance(meta, dict):
        raise NotebookError(f"{path.name}: its first cell is not a mapping of names to values")
    return Notebook(path=path, meta=meta, cells=cells)


def _cells(raw: dict[str, Any]) -> Iterator[Cell]:
    for index, cell in enumerate(raw["cells"]):
        source = cell.get("source", "")
        yield Cell(
            index=index,
            id=str(cell.get("id", index)),
            kind=cell["cell_type"],
            source="".join(source) if isinstance(source, list) else source,
            tags=tuple((cell.get("metadata") or {}).get("tags") or ()),
            slide=str(((cell.get("metadata") or {}).get("slideshow") or {}).get("slide_type") or "").strip("-"),
            folded=bool(((cell.get("metadata") or {}).get("jupyter") or {}).get("source_hidden")),
        )


def find() -> list[Notebook]:
    """Every notebook of the project, by series, then number. Raises NotebookError when two share a slug."""
    found: dict[str, Notebook] = {}
    for series in SERIES:
        for path in sorted((paths.notebooks_dir() / series).glob("[0-9]*_*.ipynb")):
            notebook = load(path)
            if notebook.slug in found:
                raise NotebookError(f"{path.name} and {found[notebook.slug].path.name} share the slug {notebook.slug}")
            found[notebook.slug] = notebook
    return list(found.values())


def select(slugs: list[str]) -> list[Notebook]:
    """The notebooks of these slugs, or all of them. Raises NotebookError with the nearest names."""
    every = {notebook.slug: notebook for notebook in find()}
    for slug in slugs:
        if slug not in every:
            near = difflib.get_close_matches(slug, every, 3) or list(every)
            raise NotebookError(f"no experiment {slug}; there is {', '.join(near)}")
    return [every[slug] for slug in slugs] or list(every.values())
