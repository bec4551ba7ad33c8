"""What became of a verdict: one entry for each accepted result that said something else. Knows no pages."""

import contextlib
import json
from pathlib import Path
from typing import Any

from lib.press import identity

FILE = "history.json"


def read(folder: Path) -> list[dict[str, Any]]:
    """The entries of an accepted result, oldest first; empty where none were kept."""
    with contextlib.suppress(OSError, ValueError):
        found = json.loads((folder / FILE).read_text(encoding="utf-8"))
        return found if isinstance(found, list) else []
    return []


def extended(entries: list[dict[str, Any]], old: dict[str, Any] | None, new: dict[str, Any]) -> list[dict[str, Any]]:
    """The entries with one more, unless the new record says what the last entry says.

    An entry: date, commit, verdict, effect, ci, and what changed since the entry before it.
    """
    entry = _entry(new)
    if entries and all(entries[-1].get(name) == entry[name] for name in ("verdict", "effect", "ci")):
        return entries
    return [*entries, entry | {"changed": _changed(old, new)}]


def since(entries: list[dict[str, Any]]) -> dict[str, Any] | None:
    """The entry from which the verdict has been what it is now."""
    last: dict[str, Any] | None = None
    for entry in reversed(entries):
        if last is not None and entry.get("verdict") != last.get("verdict"):
            break
        last = entry
    return last


def _entry(record: dict[str, Any]) -> dict[str, Any]:
    verdict = record.get("verdict") or {}
    result = record["results"].get(verdict.get("effect") or "") or {}
    told = record["provenance"]
    return {
        "date": told["date"][:10], "commit": told.get("commit"), "verdict": verdict.get("value"),
        "effect": result.get("value"), "ci": result.get("ci"),
    }  # fmt: skip


def _changed(old: dict[str, Any] | None, new: dict[str, Any]) -> list[str]:
    """Which parts of the identity are not what they were: code, parameters, modules, inputs, versions."""
    if old is None:
        return []
    told = {name: part for name, part in new["identity"].items() if name != "digest"}
    return identity.Identity(**told).differences(old["identity"])
