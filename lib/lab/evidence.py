"""What is known of a model: everything that a run's record, its code and data/sources.toml answer, by key.

Knows where a record keeps what, and leaves out what is missing or makes no sense; writes no sentence of its own, and
knows nothing of the documents that are drawn up from the answers.
"""

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lib.lab import paths, sources

CODE, DOCSTRING, FILE = "declared in the code", "what the code says of itself", "the file of weights"


class RecordError(ValueError):
    """A record that cannot be read as one."""


@dataclass(frozen=True)
class Answer:
    """Something that was recorded, and where. value: what JSON holds; {"fr": ..., "en": ...} is one text."""

    value: Any
    source: str


def read_record(place: str | Path) -> dict[str, Any]:
    """A run's record: a file, or its path under data/. Raises RecordError when it is not a JSON object."""
    file = next((one for one in (paths.root() / "data" / place, Path(place)) if one.is_file()), None)
    if file is None:
        raise RecordError(f"there is no record at {place}, neither under data/ nor from here")
    try:
        found = json.loads(file.read_text(encoding="utf-8"))
    except ValueError as error:
        raise RecordError(f"{file.name} is not JSON: {error}") from None
    if not isinstance(found, dict):
        raise RecordError(f"{file.name} holds no record: an object is expected")
    return found


def read_weights(file: Path) -> dict[str, Any]:
    """What a safetensors file says of itself: name, bytes, tensors, n_parameters, types of numbers."""
    from safetensors import safe_open

    with safe_open(str(file), framework="np") as held:
        parts = [held.get_slice(name) for name in held.keys()]  # noqa: SIM118
        sizes, types = [math.prod(one.get_shape()) for one in parts], {str(one.get_dtype()) for one in parts}
    said = {"file": file.name.partition("-")[0], "bytes": file.stat().st_size, "tensors": len(sizes)}
    return said | {"n_parameters": sum(sizes), "types": sorted(types)}


def training_flop(n_parameters: float, tokens: float) -> float:
    """Operations of training, 6 a parameter and token. Guidelines C(2025) 5045, annex A.2.2; Kaplan et al. 2020."""
    return 6.0 * n_parameters * tokens


def gather(record: Mapping[str, Any] | None, model: Mapping[str, Any] | None) -> dict[str, Answer]:
    """Everything that a record, a declared model and data/sources.toml answer, by key.

    record: of a run, whole or not. model: name, modality, tokenizer, shape and recipe (mappings of numbers),
    n_parameters, tokens (read in training), weights (of `read_weights`), notes (purpose, rationale, objective: what
    the code says of itself), training and testing (names of sources, believed only if the record read them), values
    (label -> name of a result), source (a name in data/sources.toml, when the model comes from there); all optional.
    What is missing, empty, of another type or not finite is no answer.
    """
    record, model = record or {}, model or {}
    found: dict[str, Answer] = {}

    def note(key: str, value: Any, source: str) -> None:
        kept = _clean(value)
        if kept is not None:
            found[key] = Answer(kept, source)

    _note_record(record, note)
    _note_model(model, note)
    read = _at(record, "identity", "inputs")
    for role in ("training", "testing"):
        names = [name for name in _list(model.get(role)) if isinstance(read, Mapping) and name in read]
        _note_sources(role, names, note)
    asked = model.get("values")
    results = record.get("results")
    if isinstance(asked, Mapping) and isinstance(results, Mapping):
        told = {label: _measure(results.get(name)) for label, name in asked.items() if isinstance(name, str)}
        note("measures", told, "record.json: results")
        spread = {label: {key: one.get(key) for key in ("ci", "level", "n")} for label, one in told.items() if one}
        note("uncertainty", spread if any(one["ci"] for one in spread.values()) else None, "record.json: results")
    return found


def _note_record(record: Mapping[str, Any], note: Any) -> None:
    ran, made = "record.json: provenance", "record.json: identity"
    commit, digest = _at(record, "provenance", "commit"), _at(record, "identity", "digest")
    note("commit", _text(commit), ran)
    note("version", {"commit": _text(commit), "run": _text(digest)}, f"{ran}, identity")
    note("date", _text(_at(record, "provenance", "date")), ran)
    parts = {key: _at(record, "provenance", key) for key in ("cpu", "gpu", "platform")}
    if any(_text(one) for one in parts.values()):
        note("hardware", {key: _text(one) for key, one in parts.items()}, ran)
    note("seconds", {"s": _amount(_at(record, "provenance", "seconds"))}, ran)
    energy = _amount(_at(record, "provenance", "energy", "wh"))
    if energy is not None:
        note("energy", {"wh": energy, "method": _text(_at(record, "provenance", "energy", "method"))}, ran)
    versions = _at(record, "identity", "versions")
    if isinstance(versions, Mapping) and versions:
        note("software", {"python": _text(_at(record, "provenance", "python")), **versions}, made)
    modules = _at(record, "identity", "modules")
    note("modules", list(modules) if isinstance(modules, Mapping) else None, made)
    if digest and _text(record.get("slug")):
        note("log", {key: record.get(key) for key in ("slug", "profile")} | {"run": digest}, "record.json")
    note("procedure", _at(record, "verdict", "rule"), "record.json: verdict")


def _note_model(model: Mapping[str, Any], note: Any) -> None:
    code = CODE
    for key in ("name", "modality", "tokenizer"):
        note(key, _text(model.get(key)), code)
    notes = model.get("notes")
    for key, value in notes.items() if isinstance(notes, Mapping) else ():
        note(key, _text(value), DOCSTRING)
    shape, recipe, held = (model.get(key) for key in ("shape", "recipe", "weights"))
    note("architecture", shape if isinstance(shape, Mapping) else None, code)
    note("recipe", recipe if isinstance(recipe, Mapping) else None, code)
    if isinstance(shape, Mapping) and isinstance(recipe, Mapping) and shape and recipe:
        note("choices", {**shape, **recipe}, code)
        kept = {key: shape[key] for key in ("vocabulary", "context") if key in shape}
        note("format", kept | {"tokenizer": _text(model.get("tokenizer"))} if kept else None, code)
    counted = _amount(_at(held, "n_parameters")) or _amount(model.get("n_parameters"))
    tokens = _amount(model.get("tokens"))
    note("n_parameters", counted, FILE if _amount(_at(held, "n_parameters")) else code)
    note("weights", held if isinstance(held, Mapping) else None, FILE)
    note("tokens", tokens, code)
    note("flop", training_flop(counted, tokens) if counted and tokens else None, "6 × n_parameters × tokens")
    known = sources.load().get(str(model.get("source")))
    if known:
        told = f"sources.toml: {known.name}"
        note("licence", known.licence, told)
        note("provider", dict(known.attribution), told)
        note("distribution", f"{known.kind}: {known.package}", told)
        note("documentation", known.url, told)
        note("version", known.version, told)


def _note_sources(role: str, names: list[str], note: Any) -> None:
    known = [sources.load()[name] for name in names if name in sources.load()]
    told = "sources.toml: " + ", ".join(one.name for one in known)
    for key, values in {
        "name": [one.name for one in known],
        "package": [f"{one.kind}: {one.package} {one.version}" for one in known],
        "version": [one.version for one in known],
        "licence": [one.licence for one in known],
        "url": [one.url for one in known],
        "hash": [one.hash for one in known],
    }.items():
        note(f"{role}_{key}", values, told)
    for key, texts in {"holds": [one.holds for one in known], "origin": [one.attribution for one in known]}.items():
        if texts:
            note(f"{role}_{key}", {lang: " ; ".join(one[lang] for one in texts) for lang in ("fr", "en")}, told)


def _measure(result: Any) -> dict[str, Any] | None:
    """A result of a record with what tells how sure it is, None when it is not a finite number."""
    if not isinstance(result, Mapping) or _number(result.get("value")) is None:
        return None
    bounds = [_number(one) for one in _list(result.get("ci"))]
    sure = bounds if len(bounds) == 2 and None not in bounds else None
    return {"value": _number(result["value"])} | {key: result.get(key) for key in ("unit", "level", "n")} | {"ci": sure}


def _at(place: Any, *keys: str) -> Any:
    """What lies at a path of keys, None where there is nothing."""
    for key in keys:
        place = place.get(key) if isinstance(place, Mapping) else None
    return place


def _list(value: Any) -> list[Any]:
    return list(value) if isinstance(value, (list, tuple)) else []


def _text(value: Any) -> str | None:
    return value.strip() or None if isinstance(value, str) else None


def _number(value: Any) -> float | int | None:
    is_number = isinstance(value, (int, float)) and not isinstance(value, bool)
    return value if is_number and math.isfinite(value) else None


def _amount(value: Any) -> float | int | None:
    """A number above zero."""
    found = _number(value)
    return found if found is not None and found > 0 else None


def _clean(value: Any) -> Any:
    """A value without what says nothing: None, NaN, empty texts, lists and mappings. None when nothing is left."""
    if isinstance(value, Mapping):
        kept = {str(key): one for key, item in value.items() if (one := _clean(item)) is not None}
        return kept or None
    if isinstance(value, (list, tuple)):
        return [one for item in value if (one := _clean(item)) is not None] or None
    if isinstance(value, str):
        return value.strip() or None
    return value if isinstance(value, bool) else _number(value)
