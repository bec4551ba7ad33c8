"""What `guidon check` finds wrong in the sources: anatomy, twins, names, typed-in numbers, states. Changes nothing."""

import ast
import difflib
import json
import re
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import yaml

from lib.lab import paths
from lib.press import asides, prose, record, store
from lib.press.identity import is_derived
from lib.press.notebooks import KINDS, LANGS, PROFILES, Cell, Notebook, NotebookError, load, load_yaml

MAX_LINES = 15
SMALL_COUNT = 10  # whole numbers up to this, without unit or per cent, are counts of the design, not results


@dataclass(frozen=True)
class Problem:
    """One thing to mend, and where."""

    file: str
    cell: int | None
    rule: str
    message: str

    def __str__(self) -> str:
        place = self.file if self.cell is None else f"{self.file}, cell {self.cell}"
        return f"{place}: {self.message} [{self.rule}]"

    def as_dict(self) -> dict[str, Any]:
        return asdict(self)


def check_notebook(notebook: Notebook, states: bool = True) -> list[Problem]:
    """Every problem of one notebook, in reading order."""
    name = notebook.path.name
    found = [Problem(name, None, "anatomy", message) for message in _front_matter(notebook)]
    found += [Problem(name, None, "anatomy", message) for message in _anatomy(notebook)]
    found += [Problem(name, cell, "twins", message) for cell, message in _twins(notebook)]
    found += [Problem(name, cell, "exercises", message) for cell, message in _exercises(notebook)]
    for cell in notebook.code:
        found += [Problem(name, cell.index, "code", message) for message in _code(cell)]
    found += [Problem(name, cell, "outputs", message) for cell, message in _outputs(notebook.path)]
    known = known_names(notebook)
    for cell in notebook.cells:
        found += [
            Problem(name, cell.index, "names", message) for text in prose_of(cell) for message in _names(text, known)
        ]
        if cell.kind == "markdown" and "typed" not in cell.tags:
            found += [Problem(name, cell.index, "numbers", message) for message in typed_numbers(cell.source)]
    if states:
        found += [Problem(name, cell, "names", message) for cell, message in _unwritable(notebook)]
        found += [Problem(name, None, "state", message) for message in _state(notebook)]
    return found


def check_note(path: Path) -> list[Problem]:
    """Every problem of a note: front matter, names, and numbers typed by hand in one that names results."""
    from lib.press import pages

    try:
        front, body = pages.split(path)
    except prose.ProseError as error:
        return [Problem(path.name, None, "anatomy", str(error))]
    found = [
        Problem(path.name, None, "anatomy", f"front matter lacks {name}")
        for name in ("title", "description", "date") if not front.get(name)
    ]  # fmt: skip
    texts = [*(str(front.get(name) or "") for name in ("title", "description")), body]
    try:
        asides.read(body, path.name)
    except prose.ProseError as error:
        found.append(Problem(path.name, None, "anatomy", str(error).partition(": ")[2]))
    found += [Problem(path.name, None, "names", message) for text in texts for message in _names(text, [])]
    if any(True for text in texts for _ in prose.names(text)):
        found += [Problem(path.name, None, "numbers", message) for text in texts for message in typed_numbers(text)]
    return found


def check_file(path: Path) -> list[Problem]:
    """Problems of a notebook by its path, one that cannot be read included."""
    try:
        return check_notebook(load(path))
    except NotebookError as error:
        return [Problem(path.name, None, "anatomy", str(error))]


def _front_matter(notebook: Notebook) -> Iterator[str]:
    for name in ("title", "description"):
        for lang in LANGS:
            if not notebook.text(name, lang):
                yield f"front matter lacks {name}.{lang}"
    categories = notebook.meta.get("categories")
    if not (isinstance(categories, dict) and all(categories.get(lang) for lang in LANGS)):
        yield "front matter lacks categories in fr and en"
    if notebook.kind not in KINDS:
        yield f"kind is one of {', '.join(KINDS)}, not {notebook.kind}"
    claim = notebook.meta.get("claim") or {}
    if notebook.kind == "claim" and not all(claim.get(part) for part in (*LANGS, "source")):
        yield "a claim needs claim.fr, claim.en and claim.source"
    if notebook.kind == "claim" and not all(notebook.text("effect", lang) for lang in LANGS):
        yield "a claim needs effect.fr and effect.en: what the verdict's headline value is"
    if not re.fullmatch(r"\d{4}-\d\d-\d\d", str(notebook.meta.get("date"))):
        yield "front matter lacks a date such as 2026-11-24"
    for profile in (notebook.meta.get("profiles") or {}) | {"smoke": None, "quick": None}:
        try:
            notebook.values(profile)
        except NotebookError as error:
            yield str(error)
    if set(notebook.meta.get("profiles") or {}) - set(PROFILES) == set() and "smoke" not in notebook.meta.get(
        "profiles", {}
    ):
        yield "profiles lack smoke, the small one that tests run"
    yield from _inputs(notebook)


def _inputs(notebook: Notebook) -> Iterator[str]:
    from lib.lab import sources

    known = sources.load()
    for name in notebook.inputs:
        if name not in known and not is_derived(name) and not (paths.root() / "data" / name).is_file():
            near = difflib.get_close_matches(name, known, 3)
            yield f"input {name} is not in data/sources.toml{'; near: ' + ', '.join(near) if near else ''}"


def _anatomy(notebook: Notebook) -> Iterator[str]:
    if not any("parameters" in cell.tags for cell in notebook.cells):
        yield "no cell is tagged `parameters`"
    elif "seed" not in notebook.parameters:
        yield "the parameters cell has no seed"
    for name, parameter in notebook.parameters.items():
        if not parameter.comment:
            yield f"parameter {name} has no comment that says its unit and why"
    calls = _calls(notebook)
    if notebook.kind == "claim":
        for call in ("rule", "record", "verdict"):
            if call not in calls:
                yield f"a claim needs results.{call}(...)"


def _calls(notebook: Notebook) -> set[str]:
    called = set()
    for cell in notebook.code:
        try:
            tree = ast.parse(cell.source)
        except SyntaxError:
            continue
        called |= {node.attr for node in ast.walk(tree) if isinstance(node, ast.Attribute)}
    return called


def _twins(notebook: Notebook) -> Iterator[tuple[int, str]]:
    cells = [cell for cell in notebook.cells if cell.kind == "markdown"]
    for cell in cells:
        if cell.lang is None:
            yield cell.index, "a prose cell is tagged `fr` or `en`"
    by_index = {cell.index: cell for cell in notebook.cells}
    for cell in cells:
        step = {"fr": 1, "en": -1}.get(cell.lang or "")
        twin = by_index.get(cell.index + step) if step else None
        if step and (twin is None or twin.lang != {"fr": "en", "en": "fr"}[cell.lang or ""]):
            yield cell.index, f"this {cell.lang} cell has no twin {'after' if step == 1 else 'before'} it"


_EXERCISE = re.compile(r"^(?:\*\*[A-Z]\. |#+ (?:\d+\. )?Exerci[cs]e\s*$)", re.MULTILINE)  # **A. Title.** or a heading


def _exercises(notebook: Notebook) -> Iterator[tuple[int, str]]:
    """Exercises that no solution follows at once, and solutions that JupyterLab would show to whoever opens it."""
    for place, cell in enumerate(notebook.cells):
        count = len(_EXERCISE.findall(cell.source)) if cell.kind == "markdown" else 0
        rest = notebook.cells[place + 1 :]
        after = next((one for one in rest if one.kind == "code" or (one.lang == cell.lang and _is_exercise(one))), None)
        if count > 1:
            yield cell.index, f"{count} exercises in one cell; give each its own, and its solution after it"
        elif count and (after is None or "solution" not in after.tags):
            yield cell.index, "an exercise without a solution; tag the code cell after it `solution`"
        if "solution" in cell.tags and not cell.folded:
            yield cell.index, "a solution is collapsed in JupyterLab: View, Collapse Selected Code, then save"


def _is_exercise(cell: Cell) -> bool:
    return cell.kind == "markdown" and bool(_EXERCISE.search(cell.source))


def _code(cell: Cell) -> Iterator[str]:
    lines = [line for line in cell.source.splitlines() if line.strip() and not line.lstrip().startswith("#")]
    if len(lines) > MAX_LINES:
        yield f"{len(lines)} lines of code; one idea a cell, {MAX_LINES} lines at the most"
    if re.search(r"^\s*[!%]", cell.source, re.MULTILINE):
        yield "a magic or shell line; notebooks hold plain Python"
    try:
        tree = ast.parse(cell.source)
    except SyntaxError as error:
        yield f"not Python: {error.msg}"
        return
    for node in ast.walk(tree):
        if isinstance(node, ast.ExceptHandler) and node.type is None:
            yield "a bare except hides what went wrong"
        if (
            isinstance(node, ast.Constant)
            and isinstance(node.value, str)
            and re.match(r"(/home/|/Users/|[A-Z]:\\)", node.value)
        ):
            yield "an absolute path works on one machine only"
    yield from _figure(cell)


def options(cell: Cell) -> dict[str, Any]:
    """The `#|` options of a code cell. Raises yaml.YAMLError."""
    lines = [line[2:].removeprefix(" ") for line in cell.source.splitlines() if line.startswith("#|")]
    found = load_yaml("\n".join(lines))
    return found if isinstance(found, dict) else {}


def prose_of(cell: Cell) -> list[str]:
    """The texts of a cell that name results: the whole of a prose cell, captions and alternative texts of a figure."""
    if cell.kind != "code":
        return [cell.source] if cell.kind == "markdown" else []
    try:
        found = [options(cell).get(name) for name in ("fig-cap", "fig-alt")]
    except yaml.YAMLError:
        return []  # told as a problem of the code
    return [str(text) for texts in found if isinstance(texts, dict) for text in texts.values()]


def _figure(cell: Cell) -> Iterator[str]:
    try:
        found = options(cell)
    except yaml.YAMLError as error:
        yield f"its #| options are not YAML: {str(error).splitlines()[0]}"
        return
    if "plots.show(" not in cell.source:
        return
    if not str(found.get("label", "")).startswith("fig-"):
        yield "a figure needs `#| label: fig-...`"
    for name in ("fig-cap", "fig-alt"):
        value = found.get(name)
        if not (isinstance(value, dict) and all(value.get(lang) for lang in LANGS)):
            yield f"a figure needs `#| {name}:` in fr and en"


def _outputs(path: Path) -> Iterator[tuple[int, str]]:
    for index, cell in enumerate(json.loads(path.read_text(encoding="utf-8"))["cells"]):
        if cell.get("outputs") or cell.get("execution_count"):
            yield index, "sources are kept without outputs; run `make strip`"


def known_names(notebook: Notebook) -> list[str] | None:
    """The names prose may use: those of the accepted or local record, else those that the code records.

    None when the code makes names as it runs and there is no record yet: nothing can be said then.
    """
    always = [*(f"parameters.{name}" for name in notebook.parameters), "verdict"]
    try:
        result = store.deciding(notebook.slug) or store.local(notebook, "quick") or store.local(notebook, "smoke")
        if result and not store.changes(notebook, result):
            return [*result.record["results"], *always]
        trees = [ast.parse(cell.source) for cell in notebook.code]
    except (NotebookError, record.RecordError, SyntaxError):
        return None  # each is a problem of its own, told elsewhere
    found = [_first_argument(node) for tree in trees for node in ast.walk(tree) if _is_record(node)]
    return None if None in found else [*(name for name in found if name), *always]


def _is_record(node: ast.AST) -> bool:
    return isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr == "record"


def _first_argument(node: ast.AST) -> str | None:
    first = node.args[0] if isinstance(node, ast.Call) and node.args else None
    return first.value if isinstance(first, ast.Constant) and isinstance(first.value, str) else None


def _unwritable(notebook: Notebook) -> Iterator[tuple[int, str]]:
    """(cell, what is wrong) with values that the accepted result has and that no filter writes as prose asks."""
    own = store.deciding_record(notebook.slug)
    if own is None:
        return
    context = prose.Context(own, store.deciding_record)
    for cell in notebook.cells:
        for text in prose_of(cell):
            try:
                prose.fill(text, context, cell.lang or LANGS[0], prose.Where(notebook.path.name, cell.index))
            except prose.UnknownName:
                continue  # told with all names that are not known
            except prose.ProseError as error:
                yield cell.index, "line " + str(error).partition(", line ")[2]


def _names(text: str, known: list[str] | None) -> Iterator[str]:
    for name, line in prose.names(text):
        first = name.partition(".")[0]
        if known is None or name in known or first == "provenance":
            continue
        context = prose.Context(other={first: store.deciding_record(first) if "." in name else None}.get)
        if context.find(name):
            continue
        near = difflib.get_close_matches(name, known, 3)
        hint = f"did you mean {', '.join(near)}?" if near else context.hint(name)
        yield f"unknown name {name}, line {line}; {hint}"


# What is not a result: code, mathematics, links, citations, filled-in names, and numbers that name something.
_NUMBERED = (
    "sections?|articles?|art\\.|chapitres?|chapters?|annexes?|annex|livres?|books?|parties?|parts?|figures?|tables?"
    "|tableaux?|titres?|titles?|n°|no\\.|numéros?|notes?|nature|pages?|p\\.|vol\\."
)
_MONTHS = (
    "janvier|février|mars|avril|mai|juin|juillet|août|septembre|octobre|novembre|décembre"
    "|January|February|March|April|May|June|July|August|September|October|November|December"
)
_NOT_RESULTS = re.compile(
    r"(`{3,}.*?`{3,}|`[^`]*`|\$\$.*?\$\$|\$[^$\n]+\$|\{\{[^}]*\}\}|\]\([^)]*\)|\[@[^\]]*\]|<[^>]+>|https?://\S+"
    r"|^\s*\d+[.)]\s"  # the marker of a list
    r"|\b(?:1[5-9]|20|21)\d\d\b"  # years
    rf"|\b(?:{_NUMBERED})[\s\u00a0]*[A-Z]*[\s\u00a0.]*\d[\d.\-]*"
    rf"|\b\d{{1,2}}(?:er)?\s+(?:{_MONTHS})\b"
    r"|[\w.]*[A-Za-z_@-][\w.@-]*\d[\w.@-]*)",  # names that hold a digit: BM25, e5, L1234-5
    re.DOTALL | re.MULTILINE | re.IGNORECASE,
)
_TYPED = re.compile(r"(?<![\w.,])[+−-]?\d+(?:[.,\u00a0\u202f ]\d+)*(?:[\u00a0\u202f ]?(?:%|€|\$|ms\b|s\b|Wh\b))?")


def typed_numbers(text: str) -> Iterator[str]:
    """Numbers typed by hand in prose, by rule: years, dates, references, names and small counts are none."""
    for match in _TYPED.finditer(_NOT_RESULTS.sub(" ", text)):
        if not (match[0].isdigit() and int(match[0]) <= SMALL_COUNT):
            yield f"{match[0]!r} is typed by hand; record it and write {{{{ name }}}}"


def _state(notebook: Notebook) -> Iterator[str]:
    try:
        results = store.accepted(notebook.slug)
    except record.RecordError as error:
        yield str(error)
        return
    for profile, result in results.items():
        try:
            state, changes = store.state_of(notebook, result), store.changes(notebook, result)
        except NotebookError:
            return  # told as a problem of the notebook itself
        if state != "in-sync":
            changed = ", ".join(changes[:4])
            yield f"its accepted {profile} result is {state}{': ' + changed + ' changed' if changed else ''}"
