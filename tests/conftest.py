"""A small project in a temporary folder, with notebooks that each name one behaviour."""

import importlib.metadata
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
    "effect": {"fr": "L'écart moyen", "en": "Mean gap"},
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


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """What downloads and computes comes first, one after the other in one process: two such would wait for cores."""
    items.sort(key=lambda item: item.get_closest_marker("network") is None)
    for item in items:
        if item.get_closest_marker("network") and not item.get_closest_marker("xdist_group"):
            item.add_marker(pytest.mark.xdist_group("network"))


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


def alive(pid: int) -> bool:
    """Whether a process runs: one that nobody has buried yet does not."""
    try:
        with open(f"/proc/{pid}/stat") as file:
            return file.read().rpartition(")")[2].split()[0] not in "ZX"
    except OSError:
        return False


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
    pinned = f"numpy=={importlib.metadata.version('numpy')} \\\n    --hash=sha256:0\n"
    (root / "requirements.lock").write_text(pinned, encoding="utf-8")
    monkeypatch.setenv("GUIDON_ROOT", str(root))
    for name in ("GUIDON_RAW", "GUIDON_CACHE", "GUIDON_BUILD"):
        monkeypatch.delenv(name, raising=False)
    return Project(root)


SVG = (
    '<svg xmlns="http://www.w3.org/2000/svg" width="70pt" height="42pt" viewBox="0 0 70 42">'
    '<path d="M0 0 L70 42" stroke="black"/></svg>'
)
FIGURE = (
    "#| label: fig-mean\n#| fig-cap: {fr: 'La moyenne vaut {{ mean | number(1) }}.',"
    " en: 'The mean is {{ mean | number(1) }}.'}\n"
    "#| fig-alt: {fr: 'Un trait.', en: 'A line.'}\nplots.show(draw, labels={})"
)


def scrap(name: str, data: Any) -> dict[str, Any]:
    """An output as `lib.lab.results` displays it."""
    from lib.lab.results import MIME

    payload = {"name": name, "data": data, "encoder": "json", "version": 1}
    return {"output_type": "display_data", "data": {MIME: payload}, "metadata": {}}


def accept_by_hand(project: Project, mean: float = 0.5, verdict: str = "holds", **parts: Any) -> None:
    """Write the tiny experiment with a figure, and an accepted result for it, without starting a kernel."""
    from lib.press import identity, record
    from lib.press.notebooks import load

    path = project.write(**{"body": [*BODY, FIGURE]} | parts)
    notebook = load(path)
    made = identity.compute(notebook, "quick")
    executed = json.loads(path.read_text(encoding="utf-8"))
    held = {"value": mean, "unit": "points", "ci": [mean - 0.1, mean + 0.1], "n": 100, "tol": 1e-6, "kind": "exact"}
    figures = [
        {"output_type": "display_data", "data": {"image/svg+xml": SVG}, "metadata": {"guidon": {"lang": lang}}}
        for lang in ("fr", "en")
    ]
    outputs = {
        5: [scrap("guidon.rule", {"fr": "La règle.", "en": "The rule."})],
        6: [scrap("mean", held), {"output_type": "stream", "name": "stdout", "text": "printed\n"}],
        7: [scrap("guidon.verdict", {"value": verdict, "evidence": ["mean"], "effect": "mean"})],
        8: figures,
    }
    for number, one in enumerate(executed["cells"]):
        if one["cell_type"] == "code":
            one |= {"execution_count": number, "outputs": outputs.get(number, [])}
    given = "\n".join(f"{name} = {value!r}" for name, value in made.parameters.items())
    executed["cells"].insert(2, cell("code", given, 99, ("injected-parameters",)) | {"execution_count": 99})
    told = {"commit": "abc123", "dirty": False, "date": "2026-11-20T10:00:00+00:00", "platform": "Linux x86_64"}
    told |= {"python": "3.11.7", "cpu": "A CPU (2 cores)", "gpu": None, "seconds": 12.5, "energy": None}
    content = {"schema": 1, "slug": notebook.slug, "profile": "quick", "parameters": made.parameters}
    content |= {**record.collect(executed), "identity": {"digest": made.digest, **made.as_dict()}, "provenance": told}
    folder = project.root / "data" / "results" / "quick" / notebook.slug
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "executed.ipynb").write_text(json.dumps(executed), encoding="utf-8")
    (folder / "record.json").write_text(json.dumps(content), encoding="utf-8")


@pytest.fixture
def website(project: Project) -> Project:
    """The project with the site's own files: configuration, home and list pages, two notes."""
    import shutil

    real = Path(__file__).resolve().parents[1]
    (project.root / "en").mkdir()
    for name in ("_quarto.yml", "en/_metadata.yml"):
        shutil.copyfile(real / name, project.root / name)
    for page in ("index", "about", "claims", "tutorials", "notes", "formats"):
        for lang, folder in (("fr", ""), ("en", "en/")):
            include = {"index": "latest", "about": ""}.get(page, page)
            body = (
                f"{{{{< include posts/_{include}.md >}}}}" if include else "## Un\n\na\n\n## Deux\n\nb\n\n## Trois\n\nc"
            )
            text = f'---\ntitle: "{page} {lang}"\ndescription: "d"\nlang: {lang}\n---\n\n{body}\n'
            (project.root / folder / f"{page}.qmd").write_text(text, encoding="utf-8")
    writing = project.root / "notebooks" / "writing"
    writing.mkdir(parents=True)
    for lang, text in (("fr", "L'économie vaut {{ tiny.mean }}."), ("en", "The economy is {{ tiny.mean }}.")):
        front = f'---\ntitle: "Une note"\ndescription: "n"\ndate: 2026-11-{23 if lang == "fr" else 22}\n---\n\n'
        (writing / f"001-first.{lang}.qmd").write_text(front + text + "\n", encoding="utf-8")
    accept_by_hand(project)
    return project
