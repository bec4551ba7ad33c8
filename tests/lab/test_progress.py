"""Progress of long work: silent when short, lines where nobody watches, nothing in a notebook's outputs."""

import re
import sys
import types

import pytest

from lib.lab import progress


@pytest.fixture
def clock(monkeypatch):
    """A clock that tests move by hand."""
    now = [100.0]
    monkeypatch.setattr(progress.time, "monotonic", lambda: now[0])
    monkeypatch.delitem(sys.modules, "ipykernel", raising=False)
    return now


def test_what_ends_within_two_seconds_says_nothing(clock, capsys):
    with progress.bar("short", 10) as advance:
        for _ in range(10):
            clock[0] += 0.19
            advance(1)
    assert capsys.readouterr() == ("", "")


def test_long_work_says_a_line_soon_and_then_now_and_then(clock, capsys):
    with progress.bar("long", 100) as advance:
        for _ in range(100):
            clock[0] += 1
            advance(1)
    lines = capsys.readouterr().err.splitlines()
    assert lines[0] == "long: 3%, 3 s"
    assert [int(re.search(r"(\d+) s$", line)[1]) for line in lines] == [3, 24, 45, 66, 87]


def test_time_may_pass_without_a_step(clock, capsys):
    with progress.bar("waiting", 0) as advance:
        clock[0] += 5
        advance(0)
    assert capsys.readouterr().err == "waiting: 0%, 5 s\n"


def test_a_kernel_and_a_quiet_caller_see_nothing(clock, capsys, monkeypatch):
    with progress.bar("quiet", 2, quiet=True) as advance:
        clock[0] += 50
        advance(1)
    monkeypatch.setitem(sys.modules, "ipykernel", types.ModuleType("ipykernel"))
    with progress.bar("notebook", 2) as advance:
        clock[0] += 50
        advance(1)
    assert capsys.readouterr() == ("", "")


def test_a_terminal_gets_a_bar_that_moves(clock, capsys, monkeypatch):
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True, raising=False)
    monkeypatch.delenv("CI", raising=False)
    with progress.bar("moving", 4) as advance:
        clock[0] += 3
        advance(1)
        clock[0] += 3
        advance(3)
    assert "moving" in capsys.readouterr().err
