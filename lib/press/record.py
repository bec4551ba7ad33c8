"""The result record of a run: collected from its executed notebook, checked against it. Knows no folders."""

import ast
import json
from pathlib import Path
from typing import Any

from lib.lab.results import MIME, RULE, VERDICT
from lib.press import digests

SCHEMA = 1


class RecordError(ValueError):
    """A record that does not say what a record must say."""


def read_notebook(path: Path) -> dict[str, Any]:
    """An executed notebook as plain JSON. Raises RecordError."""
    try:
        notebook = json.loads(path.read_text(encoding="utf-8"))
        return notebook if isinstance(notebook["cells"], list) else {}
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise RecordError(f"{path.name} is not a notebook that can be read: {error}") from error


def scraps(notebook: dict[str, Any]) -> dict[str, Any]:
    """Everything the notebook recorded, by name, in order."""
    found: dict[str, Any] = {}
    for cell in notebook["cells"]:
        for output in cell.get("outputs") or []:
            scrap = (output.get("data") or {}).get(MIME)
            if isinstance(scrap, dict) and "name" in scrap:
                found[str(scrap["name"])] = scrap.get("data")
    return found


def collect(notebook: dict[str, Any]) -> dict[str, Any]:
    """The `results` and `verdict` fields of the record that this executed notebook holds."""
    found = scraps(notebook)
    rule, verdict = found.pop(RULE, None), found.pop(VERDICT, None)
    return {"results": found, "verdict": {**verdict, "rule": rule} if verdict else None}


def code_cells(notebook: dict[str, Any]) -> list[dict[str, Any]]:
    """The code cells of an executed notebook that are the author's: neither parameters nor injected."""
    skipped = {"parameters", "injected-parameters"}
    cells = [cell for cell in notebook["cells"] if cell["cell_type"] == "code"]
    return [cell for cell in cells if not skipped & set((cell.get("metadata") or {}).get("tags") or ())]


def joined(text: str | list[str] | None) -> str:
    """A text of a notebook, which the format keeps whole or by lines."""
    return "".join(text or "")


def source(cell: dict[str, Any]) -> str:
    """A cell's source as one text."""
    return joined(cell.get("source"))


def injected(notebook: dict[str, Any]) -> dict[str, Any]:
    """The parameters that the run was given, from the cell that Papermill wrote. Raises ValueError, SyntaxError."""
    found: dict[str, Any] = {}
    for cell in notebook["cells"]:
        if "injected-parameters" in ((cell.get("metadata") or {}).get("tags") or ()):
            with digests.parsing:
                for node in ast.parse(source(cell)).body:
                    if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name):
                        found[node.targets[0].id] = ast.literal_eval(node.value)
    return found


def is_hollow(record: dict[str, Any], notebook: dict[str, Any]) -> bool:
    """Whether a record is not what its executed notebook holds: edited by hand, copied, or never run."""
    cells = code_cells(notebook)
    if any(cell.get("execution_count") is None for cell in cells if source(cell).strip()):
        return True
    try:
        code = digests.code(source(cell) for cell in cells)
        held = collect(notebook) | {"parameters": injected(notebook)}
        told = record["identity"]
        same = code == told["code"] and held == {name: record[name] for name in held}
        return not same or told["parameters"] != record["parameters"]
    except (KeyError, TypeError, ValueError, SyntaxError):
        return True


def load(path: Path) -> dict[str, Any]:
    """Read a record. Raises RecordError when it is damaged or from another version of this project."""
    try:
        record = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise RecordError(f"{path.parent.name}/{path.name} cannot be read: {error}") from error
    needed = ("slug", "profile", "parameters", "results", "identity", "provenance")
    missing = [name for name in needed if not isinstance(record, dict) or name not in record]
    if missing or record.get("schema") != SCHEMA:
        raise RecordError(f"{path.parent.name}/{path.name} is not a record of this version; run the experiment again")
    return record
