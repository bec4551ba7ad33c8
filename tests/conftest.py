"""A small project in a temporary folder, with notebooks that each name one behaviour."""

import json
from pathlib import Path
from typing import Any

import pytest

HEAD = {
    "title": {"fr": "Un titre", "en": "A title"},
    "description": {"fr": "Une description.", "en": "A description."},
    "date": "2026-11-24",
    "categories": {"fr": ["données"], "en": ["data"]},
    "kind": "claim",
    "claim": {"fr": "On dit que.", "en": "They say that.", "source": "A note (1 April 2024)"},
    "profiles": {"smoke": {"size": 10}, "quick": {}, "full": {"size": 1000}},
}
PARAMETERS = "seed: int = 0  # any whole number\nsize: int = 100  # rows: enough for a test"
SETUP = "import numpy as np\n\nfrom lib.lab.results import Results\n\nresults = Results()"
BODY = [
    'results.rule(fr="La règle.", en="The rule.")',
    "mean = float(np.random.default_rng(seed).normal(size=size).mean())\n"
    'results.record("mean", mean, ci=(mean - 1, mean + 1), n=size, tol=1e-6, unit="points")',
    'results.verdict(holds=mean > -9, fails=mean <= -9, evidence=["mean"], effect="mean")',
]


def cell(kind: str, source: str, number: int, tags: tuple[str, ...] = ()) -> dict[str, Any]:
    """A notebook cell as JSON."""
    made: dict[str, Any] = {"cell_type": kind, "id": f"cell-{number}", "metadata": {"tags": list(tags)} if tags else {}}
    return made | {"source": source} | ({"outputs": [], "execution_count": None} if kind == "code" else {})


def notebook_json(
    body: list[str] | None = None,
    head: dict[str, Any] | None = None,
    parameters: str = PARAMETERS,
    prose: tuple[str, str] = ("Moyenne : {{ mean | number(2) }}.", "Mean: {{ mean | number(2) }}."),
) -> dict[str, Any]:
    """A whole experiment as JSON: front matter, parameters, set-up, prose twins, body."""
    cells = [cell("raw", json.dumps(HEAD | (head or {}), ensure_ascii=False), 0)]
    cells += [cell("code", parameters, 1, ("parameters",)), cell("code", SETUP, 2)]
    cells += [cell("markdown", prose[0], 3, ("fr",)), cell("markdown", prose[1], 4, ("en",))]
    cells += [cell("code", source, 5 + number) for number, source in enumerate(BODY if body is None else body)]
    spec = {"display_name": "Python 3", "language": "python", "name": "python3"}
    return {"cells": cells, "metadata": {"kernelspec": spec}, "nbformat": 4, "nbformat_minor": 5}


class Project:
    """A project in a folder of its own."""

    def __init__(self, root: Path) -> None:
        self.root = root

    def write(self, name: str = "data/01_tiny.ipynb", **parts: Any) -> Path:
        """Write a notebook made of these parts."""
        path = self.root / "notebooks" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(notebook_json(**parts), ensure_ascii=False), encoding="utf-8")
        return path


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Project:
    """An empty project that every path of `lib.lab.paths` points into."""
    root = tmp_path / "project"
    (root / "data").mkdir(parents=True)
    (root / "data" / "sources.toml").write_text("", encoding="utf-8")
    monkeypatch.setenv("GUIDON_ROOT", str(root))
    for name in ("GUIDON_RAW", "GUIDON_CACHE", "GUIDON_BUILD"):
        monkeypatch.delenv(name, raising=False)
    return Project(root)
