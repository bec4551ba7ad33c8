"""Costs of a fresh process."""

import io
import json
import types

import pytest

from lib.lab import fresh


def test_a_function_runs_in_a_process_of_its_own():
    found = fresh.measure("text.words", text="Le contrat, rompu")
    assert found["result"] == ["le", "contrat", "rompu"]
    assert found["import_mib"] > 1
    assert 0 <= found["added_mib"] < 50
    assert 0 <= found["s"] < 10


def test_what_fails_there_is_told_here():
    with pytest.raises(RuntimeError, match=r"stats\.nothing failed in its process: AttributeError"):
        fresh.measure("stats.nothing")


def test_the_highest_is_counted_even_when_memory_is_given_back(monkeypatch, capsys):
    def hold(mib):
        some = bytearray(mib * 2**20)
        some[::4096] = b"x" * len(some[::4096])  # pages that are not written take no memory
        return len(some)

    monkeypatch.setattr(fresh.importlib, "import_module", lambda name: types.SimpleNamespace(hold=hold))
    for mib in (96, 32):  # the second is not hidden by the first
        monkeypatch.setattr(fresh.sys, "stdin", io.StringIO(json.dumps({"mib": mib})))
        fresh.main("any.hold")
        found = json.loads(capsys.readouterr().out)
        assert found["result"] == mib * 2**20
        assert mib - 2 < found["added_mib"] < mib + 8


def test_memory_held_is_never_more_than_the_most():
    held, most = fresh.memory_mib()
    assert 0 < held <= most


def test_without_the_kernels_count_it_asks_the_system(monkeypatch):
    monkeypatch.setattr(fresh.Path, "is_file", lambda path: False)
    held, most = fresh.memory_mib()
    assert held > 1
    assert most > held / 2
