"""A sweep whose processes are killed a hundred times, at random moments from a fixed seed."""

import contextlib
import json
import os
import random
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

import pandas as pd
import psutil
import pytest

from lib.press import record
from tests.conftest import BODY

KILLS, POINTS = 100, 30  # points of one sweep; when all its points are done, the next sweep begins
pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(sys.platform == "win32", reason="there is no SIGKILL to send"),
]


class Sweeps:
    """Sweeps over as many seeds as the kills need, each started again until it is done."""

    def __init__(self, build: Path, log: Path) -> None:
        self.build, self.log, self.number = build, log, 0
        self.process: subprocess.Popen | None = None
        self.seen: dict[Path, tuple[int, int, int]] = {}  # finished run -> inode, date, starts of its seed by then

    def start(self) -> None:
        seeds = f"seed={self.number * POINTS}:{(self.number + 1) * POINTS}"
        words = [sys.executable, "-m", "lib.cli", "sweep", "tiny", "-p", seeds, "--jobs", "2"]
        environment = {**os.environ, "GUIDON_BUILD": str(self.build), "LOG": str(self.log)}
        quiet = subprocess.DEVNULL
        self.process = subprocess.Popen(words, env=environment, stdout=quiet, stderr=quiet)

    def go_on(self) -> None:
        """Have a sweep running: this one again, or the next one when it is done."""
        assert self.process is not None
        status = self.process.poll()
        if status is not None:
            self.number += status == 0
            self.start()

    def finish(self) -> None:
        assert self.process is not None
        while self.process.wait() != 0:
            self.start()

    def starts(self) -> Counter[int]:
        return Counter(map(int, self.log.read_text().split())) if self.log.exists() else Counter()

    def check(self) -> None:
        """Every finished run is whole, and stays as it was when it was first seen."""
        for path in (self.build / "runs/tiny").glob("quick-*/record.json"):
            found = path.stat()
            kept = record.load(path)
            assert not record.is_hollow(kept, record.read_notebook(path.parent / "executed.ipynb")), path
            now = (found.st_ino, found.st_mtime_ns, self.starts()[kept["parameters"]["seed"]])
            assert self.seen.setdefault(path, now) == now, f"{path} was made again"

    def table(self, number: int) -> pd.DataFrame:
        """The finished table of one sweep, as text; seconds are measured, all else is exact."""
        tables = [pd.read_csv(path, dtype=str) for path in (self.build / "sweeps/tiny").glob("*/table.csv")]
        (found,) = [table for table in tables if table["seed"][0] == str(number * POINTS)]
        return found.drop(columns="seconds")


def victims(process: subprocess.Popen) -> list[psutil.Process]:
    """Whatever the command started: kernels, the fork server, the process that waits."""
    try:
        return psutil.Process(process.pid).children(recursive=True)
    except psutil.Error:
        return []


def one_of(found: list[psutil.Process], drawn: random.Random) -> psutil.Process | None:
    return drawn.choice(found) if found else None


def test_a_hundred_kills_change_nothing(project, tmp_path):
    start = "import os\n\nwith open(os.environ['LOG'], 'a') as log:\n    log.write(f'{seed}\\n')"
    project.write(body=[start, *BODY, "import time\n\ntime.sleep(0.05)"])
    drawn = random.Random(20261125)
    disturbed = Sweeps(tmp_path / "disturbed", tmp_path / "log")
    disturbed.start()
    killed: Counter[str] = Counter()
    runner = False
    while killed.total() < KILLS:
        time.sleep(drawn.uniform(0, 7.0) if runner else drawn.uniform(0, 0.6))
        disturbed.go_on()
        assert disturbed.process is not None
        victim = psutil.Process(disturbed.process.pid) if runner else one_of(victims(disturbed.process), drawn)
        if victim is None:  # it has started nothing yet: a new runner has libraries to import before it does anything
            continue
        with contextlib.suppress(psutil.NoSuchProcess):
            victim.kill()
            killed["runner" if runner else "other"] += 1
        runner = drawn.random() < 0.2
        disturbed.check()
    disturbed.finish()
    disturbed.check()
    assert killed["runner"] >= 10
    assert killed["other"] >= 50
    assert len(disturbed.seen) == (disturbed.number + 1) * POINTS
    left = [path.name for path in (tmp_path / "disturbed/runs/tiny").iterdir() if path.name.startswith(".")]
    assert [name for name in left if not name.endswith(".lock")] == []

    calm = Sweeps(tmp_path / "calm", tmp_path / "calm_log")
    for number in range(disturbed.number + 1):
        calm.number = number
        calm.start()
        assert calm.process is not None
        assert calm.process.wait() == 0
        pd.testing.assert_frame_equal(disturbed.table(number), calm.table(number), check_exact=True)
    assert set(calm.starts().values()) == {1}
    print(json.dumps(killed), disturbed.number + 1, "sweeps")
