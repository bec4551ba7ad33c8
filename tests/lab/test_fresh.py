"""Costs of a fresh process."""

import json
import os
import subprocess
import sys

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


TWICE = """
import io, json, sys, types
from lib.lab import fresh

def hold(mib):
    some = bytearray(mib * 2**20)
    some[::4096] = b"x" * len(some[::4096])  # pages that are not written take no memory
    return len(some)

fresh.importlib.import_module = lambda name: types.SimpleNamespace(hold=hold)
for mib in (96, 32):
    sys.stdin = io.StringIO(json.dumps({"mib": mib}))
    fresh.main("any.hold")
"""


def test_the_highest_is_counted_even_when_memory_is_given_back():
    done = subprocess.run(
        [sys.executable, "-c", TWICE], capture_output=True, text=True, check=True, env=os.environ | fresh.GIVE_BACK
    )
    found = [json.loads(line) for line in done.stdout.splitlines()]
    for mib, one in zip((96, 32), found, strict=True):  # the second is not hidden by the first
        assert one["result"] == mib * 2**20
        assert mib - 2 < one["added_mib"] < mib + 8


def test_memory_held_is_never_more_than_the_most():
    held, most = fresh.memory_mib()
    assert 0 < held <= most


def test_without_the_kernels_count_it_asks_the_system(monkeypatch):
    monkeypatch.setattr(fresh.Path, "is_file", lambda path: False)
    held, most = fresh.memory_mib()
    assert held > 1
    assert most > held / 2
