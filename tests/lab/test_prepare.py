"""Derived files are made by name."""

import pytest

from lib.lab import prepare, text


def test_a_function_of_the_lab_is_called_by_name(monkeypatch):
    called = []
    monkeypatch.setattr(text, "french_bpe", lambda: called.append(1))
    prepare.prepare("text.french_bpe")
    assert called == [1]


@pytest.mark.parametrize("name", ["text.no_such_function", "no_such_module.f"])
def test_a_wrong_name_is_an_error(name):
    with pytest.raises((AttributeError, ModuleNotFoundError)):
        prepare.prepare(name)
