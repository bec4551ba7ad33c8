"""Every notebook of the project: sound sources, a smoke run that ends with all it declares, sound accepted results."""

import pytest

from lib.lab import sources
from lib.press import check, prose, record, runs, store
from lib.press.notebooks import LANGS, find

NOTEBOOKS = {notebook.slug: notebook for notebook in find()}
each = pytest.mark.parametrize("notebook", NOTEBOOKS.values(), ids=NOTEBOOKS)


@pytest.fixture(autouse=True)
def apart(tmp_path, monkeypatch):
    """Runs go to a folder of their own; downloads and derived files are shared."""
    monkeypatch.setenv("GUIDON_BUILD", str(tmp_path / "build"))


@each
def test_sources_are_sound(notebook):
    assert [str(problem) for problem in check.check_notebook(notebook)] == []


@each
@pytest.mark.network
def test_smoke_run_ends_with_all_that_the_prose_names(notebook):
    outcome = runs.run(notebook, "smoke")
    assert outcome.error == ""
    assert outcome.result is not None
    found = outcome.result.record
    assert found["results"]
    assert found["verdict"] is not None or notebook.kind != "claim"  # a demonstration may have one
    other = {slug: result.record for slug in NOTEBOOKS if (result := store.deciding(slug))}
    context = prose.Context(found, other.get)
    for cell in notebook.cells:
        for text in check.prose_of(cell):
            prose.fill(text, context, cell.lang or "fr", prose.Where(notebook.path.name, cell.index))
    executed = record.read_notebook(outcome.result.notebook)
    outputs = [output for cell in executed["cells"] for output in cell.get("outputs") or []]
    drawn = [(output.get("metadata") or {}).get("guidon", {}).get("lang") for output in outputs]
    assert {lang: drawn.count(lang) for lang in LANGS} == dict.fromkeys(LANGS, drawn.count("fr"))
    assert drawn.count("fr") >= 1


@each
def test_what_is_published_is_whole_and_in_sync(notebook):
    accepted = store.accepted(notebook.slug)
    assert "quick" in accepted, f"guidon run {notebook.slug}, then guidon accept {notebook.slug}"
    for profile, result in accepted.items():
        assert store.state_of(notebook, result) == "in-sync", (profile, store.changes(notebook, result))
        assert sum(path.stat().st_size for path in result.folder.iterdir()) < 400_000


def test_every_input_has_a_licence_and_an_attribution():
    known = sources.load()
    for notebook in NOTEBOOKS.values():
        for name in notebook.inputs:
            if name in known:
                assert known[name].licence
                assert set(known[name].attribution) == set(LANGS)
                assert known[name].licence.replace("-", " ") in known[name].attribution["en"]
