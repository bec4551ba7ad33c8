import json

import pytest

from lib.press import notebooks
from lib.press.notebooks import NotebookError, load, select


def test_a_notebook_says_what_it_declares(project):
    notebook = load(project.write())
    assert (notebook.slug, notebook.series, notebook.kind, notebook.threads) == ("tiny", "data", "claim", 1)
    assert notebook.text("title", "fr") == "Un titre"
    assert [cell.lang for cell in notebook.cells if cell.kind == "markdown"] == ["fr", "en"]
    assert len(notebook.code) == 4
    assert notebook.parameters["size"].comment == "rows: enough for a test"


def test_profiles_and_overrides_give_values(project):
    notebook = load(project.write())
    assert notebook.values("quick") == {"seed": 0, "size": 100}
    assert notebook.values("smoke") == {"seed": 0, "size": 10}
    assert notebook.values("smoke", {"size": 7}) == {"seed": 0, "size": 7}


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        ({"sise": 1}, "no parameter sise; it has size"),
        ({"size": "big"}, "size is int, not str"),
        ({"size": True}, "not bool"),
    ],
)
def test_a_wrong_parameter_is_refused(project, overrides, message):
    with pytest.raises(NotebookError, match=message):
        load(project.write()).values("quick", overrides)


def test_a_whole_number_is_taken_for_a_float(project):
    notebook = load(
        project.write(parameters="seed: int = 0  # s\nrate: float = 0.5  # r", head={"profiles": {"smoke": {}}})
    )
    assert notebook.values("quick", {"rate": 1}) == {"seed": 0, "rate": 1.0}


@pytest.mark.parametrize(
    ("parameters", "message"),
    [("seed: int = len('a')", "not a literal"), ("import os", "more than literals"), ("seed =", "not Python")],
)
def test_the_parameters_cell_holds_literals_only(project, parameters, message):
    with pytest.raises(NotebookError, match=message):
        _ = load(project.write(parameters=parameters)).parameters


@pytest.mark.parametrize("text", ["", "{", "[]", '{"cells": 3}', '{"cells": [{}]}', '{"cells": []}'])
def test_a_damaged_notebook_is_one_clear_sentence(project, text):
    path = project.write()
    path.write_text(text, encoding="utf-8")
    with pytest.raises(NotebookError, match=r"01_tiny\.ipynb"):
        load(path)


def test_front_matter_that_is_not_yaml_is_named(project):
    path = project.write()
    raw = json.loads(path.read_text())
    raw["cells"][0]["source"] = "title: [a"
    path.write_text(json.dumps(raw))
    with pytest.raises(NotebookError, match="not YAML"):
        load(path)


def test_find_orders_by_series_and_refuses_a_shared_slug(project):
    project.write("models/02_b.ipynb")
    project.write("data/03_c.ipynb")
    project.write("data/01_a.ipynb")
    assert [notebook.slug for notebook in notebooks.find()] == ["a", "c", "b"]
    project.write("models/01_a.ipynb")
    with pytest.raises(NotebookError, match="share the slug a"):
        notebooks.find()


def test_an_unknown_slug_gives_the_nearest(project):
    project.write()
    with pytest.raises(NotebookError, match="no experiment tinny; there is tiny"):
        select(["tinny"])
    assert [notebook.slug for notebook in select([])] == ["tiny"]
