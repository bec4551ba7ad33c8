import datetime as dt
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from lib.lab import paths
from lib.press import scaffold
from lib.press.accept import accept
from lib.press.check import check_notebook
from lib.press.notebooks import find, load
from lib.press.runs import run
from lib.press.scaffold import ScaffoldError, new


def test_numbers_follow_each_other_in_a_series(project):
    project.write("data/03_tiny.ipynb")
    assert [path.name for path in new("experiment", "first_try")] == ["04_first_try.ipynb"]
    assert new("experiment", "other", series="society")[0].parts[-2:] == ("society", "01_other.ipynb")
    assert new("tutorial", "lesson")[0].parts[-2:] == ("tutorials", "01_lesson.ipynb")
    assert [notebook.slug for notebook in find()] == ["tiny", "first_try", "other", "lesson"]


def test_a_note_is_two_files_of_one_number(project):
    assert [path.name for path in new("note", "an_idea")] == ["001-an_idea.fr.qmd", "001-an_idea.en.qmd"]
    french, english = new("note", "second", title='Du "bruit"')
    assert (french.name, english.name) == ("002-second.fr.qmd", "002-second.en.qmd")
    text = french.read_text(encoding="utf-8")
    assert 'title: "Du \\"bruit\\""' in text
    assert f"date: {dt.date.today().isoformat()}" in text
    assert "draft: true" in text


def test_title_slug_and_date_are_filled_in(project):
    notebook = load(new("experiment", "big_idea", title='Deux "fois" plus : vrai ?')[0])
    assert notebook.text("title", "fr") == notebook.text("title", "en") == 'Deux "fois" plus : vrai ?'
    assert str(notebook.meta["date"]) == dt.date.today().isoformat()
    prose = "".join(cell.source for cell in notebook.cells)
    assert "guidon run big_idea" in prose
    assert "guidon-" not in prose
    assert load(new("tutorial", "plain_words")[0]).text("title", "en") == "Plain words"


@pytest.mark.parametrize("slug", ["", "Idea", "an-idea", "idée", "_hidden", "2024", "../up", "a/b", "a" * 61, "a\n"])
def test_a_bad_slug_is_refused_in_one_sentence(project, slug):
    with pytest.raises(ScaffoldError, match="is not a slug"):
        new("experiment", slug)
    assert not paths.notebooks_dir().exists()


@pytest.mark.parametrize("kind", scaffold.KINDS)
def test_nothing_is_overwritten(project, kind):
    before = {path: path.read_bytes() for made in ("experiment", "note") for path in new(made, f"taken_{made}")}
    for slug in ("taken_experiment", "taken_note"):
        with pytest.raises(ScaffoldError, match="has this slug"):
            new(kind, slug)
    assert {path: path.read_bytes() for path in before} == before
    assert len([path for path in paths.notebooks_dir().rglob("*") if path.is_file()]) == 3


def test_wrong_kinds_and_series_are_refused(project):
    with pytest.raises(ScaffoldError, match="no kind 'essay'"):
        new("essay", "idea")
    with pytest.raises(ScaffoldError, match="no series 'tutorials'"):
        new("experiment", "idea", series="tutorials")
    with pytest.raises(ScaffoldError, match="a note has no series"):
        new("note", "idea", series="data")


@pytest.mark.parametrize("kind", ["experiment", "tutorial"])
def test_a_new_notebook_runs_passes_check_and_is_accepted_as_it_is(project, kind):
    shutil.copytree(Path(__file__).parents[2] / "lib" / "lab", project.root / "lib" / "lab")
    path = new(kind, "essai")[0]
    notebook = load(path)
    assert [str(problem) for problem in check_notebook(notebook)] == []
    assert run(notebook, "smoke").error == ""
    outcome = run(notebook, "quick")
    assert outcome.error == ""
    assert outcome.result.record["provenance"]["seconds"] < 60
    assert (outcome.result.verdict is not None) == (kind == "experiment")
    accept(notebook, "quick")
    assert [str(problem) for problem in check_notebook(notebook)] == []


@pytest.mark.parametrize("kind", ["experiment", "tutorial"])
def test_a_new_notebook_is_formatted_as_ours_are(project, kind):
    path = new(kind, "essai")[0]
    config = Path(__file__).parents[2] / "pyproject.toml"
    for words in (["format", "--check"], ["check"]):
        done = subprocess.run(
            [sys.executable, "-m", "ruff", *words, "--no-cache", "--config", str(config), str(path)],
            capture_output=True, text=True,
        )  # fmt: skip
        assert done.returncode == 0, done.stdout


@pytest.mark.parametrize("kind", ["experiment", "tutorial"])
def test_both_languages_have_no_typographic_slip(project, kind):
    for cell in load(new(kind, "essai")[0]).cells:
        if cell.lang == "fr":
            prose = "".join(part for number, part in enumerate(cell.source.split("`")) if number % 2 == 0)
            for sign in (" :", " ;", " ?", " !", " %", " »", "« "):
                assert sign not in prose, (cell.index, sign)
