"""Sources fetched, derived files made in a process of their own, and nothing asked twice."""

import json
import sys

import pytest

from lib.lab import paths, sources
from lib.press import inputs
from lib.press.notebooks import load

MAKER = """\
from pathlib import Path

from lib.lab import cache

FIRST, SECOND = "a word", "another"


def write(path: Path) -> None:
    path.write_text(FIRST, encoding="utf-8")


def file() -> None:
    cache.derived("one.txt", write, params={"word": FIRST})
    cache.derived("two.txt", write, params={"word": SECOND})
"""


STAND_IN = """\
#!{python}
import sys
from pathlib import Path

import lib.lab
from lib.lab.prepare import prepare

with open("{root}/asked", "a") as file:
    print(*sys.argv[1:], file=file)
lib.lab.__path__.append("{root}/lab")
assert sys.argv[1:3] == ["-m", "lib.lab.prepare"]
prepare(sys.argv[3], Path(sys.argv[4]))
"""


@pytest.fixture
def maker(project, monkeypatch):
    """A module that stands in lib.lab, which makes two files; with a count of the processes that made any."""
    folder = project.root / "lab"
    folder.mkdir()
    (folder / "words.py").write_text(MAKER, encoding="utf-8")
    script = project.root / "python"  # stands for `python -m lib.lab.prepare NAME LIST`
    script.write_text(STAND_IN.format(python=sys.executable, root=project.root), encoding="utf-8")
    script.chmod(0o755)
    monkeypatch.setattr(inputs.paths, "lab_dir", lambda: folder)
    monkeypatch.setattr(inputs.sys, "executable", str(script))
    return folder / "words.py"


def prepared(project):
    """What went wrong, and how often a process was started so far."""
    problem = inputs.prepare(load(project.write(head={"inputs": ["words.file"]})))
    asked = project.root / "asked"
    return problem, len(asked.read_text().splitlines()) if asked.exists() else 0


def kept(name):
    (found,) = paths.cache_dir().glob(f"{name}-*.txt")
    return found


def test_derived_files_are_made_once_and_listed(project, maker):
    assert not inputs.is_made("words.file")
    assert prepared(project) == ("", 1)
    assert kept("one").read_text() == "a word"
    (listed,) = (paths.cache_dir() / "made").glob("words.file-*.json")
    assert json.loads(listed.read_text()) == [kept("one").name, kept("two").name]
    assert inputs.is_made("words.file")
    assert prepared(project) == ("", 1)


def test_a_file_that_was_removed_is_made_again(project, maker):
    prepared(project)
    kept("two").unlink()
    assert prepared(project) == ("", 2)
    assert kept("two").exists()


def test_other_code_or_other_sources_make_other_files(project, maker):
    prepared(project)
    maker.write_text(MAKER.replace("a word", "a longer word"), encoding="utf-8")
    assert prepared(project) == ("", 2)
    assert len(list(paths.cache_dir().glob("one-*.txt"))) == 2
    table = '[a]\nkind = "npm"\npackage = "a"\nversion = "1"\nintegrity = "sha512-a"\nlicence = "MIT"\nurl = "u"\n'
    table += 'attribution = {fr = "a", en = "a"}\nholds = {fr = "a", en = "a"}\n'
    paths.sources_file().write_text(table, encoding="utf-8")
    assert prepared(project) == ("", 3)
    assert prepared(project) == ("", 3)


def test_a_comment_makes_nothing_anew(project, maker):
    prepared(project)
    maker.write_text(MAKER + "\n# a comment\n", encoding="utf-8")
    assert prepared(project) == ("", 1)


@pytest.mark.parametrize("content", ["", "[", "[]", '["one.txt"]'])
def test_a_list_that_is_broken_or_empty_is_not_believed(project, maker, content):
    prepared(project)
    (listed,) = (paths.cache_dir() / "made").glob("words.file-*.json")
    listed.write_text(content, encoding="utf-8")
    assert prepared(project) == ("", 2)
    assert inputs.is_made("words.file")


def test_a_file_kept_with_the_sources_counts(project, maker):
    prepared(project)
    paths.kept_dir().mkdir(parents=True)
    for name in ("one", "two"):
        kept(name).rename(paths.kept_dir() / kept(name).name)
    assert prepared(project) == ("", 1)


def test_what_fails_is_told_and_listed_nowhere(project, maker, capsys):
    maker.write_text(MAKER.replace("path.write_text", "raise ValueError('no luck') or path.write_text"))
    problem, _ = prepared(project)
    assert problem == "words.file could not be made: ValueError: no luck"
    assert not inputs.is_made("words.file")


def test_a_derived_input_tells_how_far_it_is(project, maker, capsys):
    said = "import sys\n\nprint('a warning', file=sys.stderr)\nprint('making it: 40%, 3 s', file=sys.stderr)\n"
    maker.write_text(MAKER + said, encoding="utf-8")
    assert prepared(project) == ("", 1)
    assert capsys.readouterr().err == "making it: 40%, 3 s\n"


def test_only_what_a_notebook_declares_is_fetched(project, monkeypatch):
    asked = []
    monkeypatch.setattr(sources, "load", lambda: {"one": None, "two": None})
    monkeypatch.setattr(sources, "fetch", lambda *names: asked.append(names))
    assert inputs.prepare(load(project.write())) == ""
    assert asked == []
    assert inputs.prepare(load(project.write(head={"inputs": ["two"]}))) == ""
    assert asked == [("two",)]
