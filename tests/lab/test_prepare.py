"""Derived files are made by name, and listed."""

import json

import pytest

from lib.lab import cache, prepare, text


@pytest.fixture(autouse=True)
def put_back(monkeypatch):
    """It changes what asks for derived files, for the rest of its process."""
    monkeypatch.setattr(cache, "derived", cache.derived)


def test_a_function_of_the_lab_is_called_by_name_and_its_files_are_listed(project, monkeypatch, tmp_path):
    def make():
        for name in ("two.txt", "one.txt", "two.txt"):
            cache.derived(name, lambda path: path.write_text("a word"))

    monkeypatch.setattr(text, "french_bpe", make)
    prepare.prepare("text.french_bpe", tmp_path / "made" / "list.json")
    listed = json.loads((tmp_path / "made" / "list.json").read_text())
    assert listed == sorted(path.name for path in cache.paths.cache_dir().glob("*.txt"))
    assert [name[:4] for name in listed] == ["one-", "two-"]


@pytest.mark.parametrize("name", ["text.no_such_function", "no_such_module.f"])
def test_a_wrong_name_is_an_error_and_lists_nothing(name, tmp_path):
    with pytest.raises((AttributeError, ModuleNotFoundError)):
        prepare.prepare(name, tmp_path / "list.json")
    assert not (tmp_path / "list.json").exists()


def test_a_list_that_cannot_be_written_stops_nothing(project, monkeypatch, tmp_path):
    monkeypatch.setattr(text, "french_bpe", lambda: cache.derived("one.txt", lambda path: path.write_text("a word")))
    (tmp_path / "file").touch()
    prepare.prepare("text.french_bpe", tmp_path / "file" / "list.json")
    assert len(list(cache.paths.cache_dir().glob("one-*.txt"))) == 1
