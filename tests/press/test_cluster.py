"""Runs on a real Dask cluster: a scheduler and workers as processes of their own, on loopback."""

import contextlib
import json
import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pandas as pd
import pytest

from lib.cli import main
from lib.press import cluster, places, runs, store
from lib.press.notebooks import load
from tests.conftest import BODY

pytestmark = [pytest.mark.slow, pytest.mark.skipif(sys.platform == "win32", reason="signals are those of Unix")]


class Loopback:
    """A scheduler, and workers that each have a copy of the project and a build folder of their own."""

    def __init__(self, folder: Path, root: Path) -> None:
        self.folder, self.root, self.file = folder, root, folder / "scheduler.json"
        self.processes: list[subprocess.Popen] = []
        self.scheduler = self.start({}, "scheduler", "--port", "0", "--host", "127.0.0.1")
        until = time.monotonic() + 60
        while not (self.file.exists() and self.file.stat().st_size) and time.monotonic() < until:
            time.sleep(0.05)
        self.address = json.loads(self.file.read_text())["address"]

    def start(self, environment: dict[str, str], role: str, *words: str) -> subprocess.Popen:
        command = [sys.executable, "-m", "dask", role, "--scheduler-file", str(self.file), "--no-dashboard", *words]
        log = (self.folder / f"{len(self.processes)}-{role}.log").open("w")
        made = subprocess.Popen(command, env={**os.environ, **environment}, stdout=log, stderr=log, cwd=self.folder)
        self.processes.append(made)
        return made

    def worker(self, name: str, change=lambda root: None, threads: int = 1) -> subprocess.Popen:
        """Start a worker; `change` may alter its copy of the project first."""
        root = self.folder / name
        shutil.copytree(self.root, root, ignore=shutil.ignore_patterns("build"))
        change(root)
        places = {"GUIDON_ROOT": str(root), "GUIDON_BUILD": str(root / "build")}
        return self.start(places, "worker", "--no-nanny", "--nthreads", str(threads), "--name", name)

    def close(self) -> None:
        for process in reversed(self.processes):
            process.terminate()
        for process in self.processes:
            try:
                process.wait(10)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()

    def made_by(self, name: str) -> int:
        """How many runs a worker finished."""
        return len(list((self.folder / name / "build/runs").glob("*/*/record.json")))


@pytest.fixture
def loopback(project, tmp_path):
    folder = tmp_path / "cluster"
    folder.mkdir()
    cluster.environment.cache_clear()
    made = Loopback(folder, project.root)
    yield made
    made.close()
    cluster.environment.cache_clear()


def table(project):
    (path,) = (project.root / "build/sweeps/tiny").glob("*/table.csv")
    return pd.read_csv(path, dtype=str).drop(columns="seconds")


@contextlib.contextmanager
def meanwhile(work):
    """Have something done beside the block, to its end."""
    thread = threading.Thread(target=work)
    thread.start()
    try:
        yield
    finally:
        thread.join()


def wait_for(what, patience_s=60.0):
    until = time.monotonic() + patience_s
    while not what():
        assert time.monotonic() < until
        time.sleep(0.05)


def test_a_sweep_with_one_worker_killed_and_one_added_gives_the_same_table(project, loopback):
    project.write(body=[*BODY, "import time\n\ntime.sleep(0.2)"])
    loopback.worker("one")
    killed = loopback.worker("two")
    words = ["sweep", "tiny", "-p", "seed=0:20", "-p", "size=10,40"]

    def disturb():
        wait_for(lambda: loopback.made_by("two") >= 4)
        killed.send_signal(signal.SIGKILL)
        loopback.worker("three")

    with meanwhile(disturb):
        assert main([*words, "--dask", loopback.address]) == 0
    there = table(project)
    made = {name: loopback.made_by(name) for name in ("one", "two", "three")}
    assert made["three"] > 0, made
    assert 4 <= made["two"] < 40, made
    assert sum(made.values()) >= 40, made
    for folder in ("runs", "sweeps"):
        shutil.move(project.root / "build" / folder, project.root / f"build/{folder}-there")
    assert main(words) == 0
    pd.testing.assert_frame_equal(there, table(project), check_exact=True)


def alter(path: str, old: str, new: str):
    def change(root: Path) -> None:
        text = (root / path).read_text()
        assert old in text
        (root / path).write_text(text.replace(old, new))

    return change


@pytest.mark.parametrize(
    ("change", "named"),
    [
        (alter("requirements.lock", "sha256:0", "sha256:1"), "requirements.lock"),
        (alter("requirements.lock", "numpy==", "numpy==0"), "numpy ("),
        (alter("notebooks/data/01_tiny.ipynb", "1e-6", "1e-5"), "code"),
        (alter("data/facts/a.csv", "1", "2"), "facts/a.csv"),
        (lambda root: (root / "notebooks/data/01_tiny.ipynb").unlink(), "no experiment tiny"),
    ],
    ids=["lock", "package", "code", "input", "notebook"],
)
def test_a_worker_unlike_the_client_refuses_and_names_the_difference(project, loopback, capsys, change, named):
    (project.root / "data/facts").mkdir()
    (project.root / "data/facts/a.csv").write_text("x\n1\n")
    project.write(head={"inputs": ["facts/a.csv"]})
    loopback.worker("unlike", change)
    wait_for(lambda: workers(loopback) == 1)
    assert main(["run", "tiny", "--dask", loopback.address]) == 1
    told = capsys.readouterr().err
    assert "refuses, as it differs from here in: " in told
    assert named in told
    assert f"guidon: every worker at {loopback.address} refuses" in told
    assert "Traceback" not in told


def workers(loopback):
    from distributed import Client

    with Client(loopback.address, set_as_default=False) as client:
        return len(client.scheduler_info(n_workers=-1)["workers"])


def test_a_worker_that_refuses_leaves_the_work_to_the_others(project, loopback, capsys):
    project.write()
    loopback.worker("unlike", alter("notebooks/data/01_tiny.ipynb", "1e-6", "1e-5"))
    loopback.worker("like")
    wait_for(lambda: workers(loopback) == 2)
    assert main(["sweep", "tiny", "-p", "seed=0:6", "--dask", loopback.address]) == 0
    assert capsys.readouterr().err.count("refuses") == 1
    assert (loopback.made_by("like"), loopback.made_by("unlike")) == (6, 0)


def test_a_worker_that_changes_in_the_middle_refuses_from_then_on(project, loopback, capsys, monkeypatch):
    monkeypatch.setattr(cluster, "PATIENCE_S", 2.0)
    path = project.write(body=[*BODY, "import time\n\ntime.sleep(0.2)"])
    loopback.worker("one")

    def change():
        wait_for(lambda: loopback.made_by("one") >= 2)
        alter("notebooks/data/01_tiny.ipynb", "1e-6", "1e-5")(loopback.folder / "one")

    with meanwhile(change):
        assert main(["sweep", "tiny", "-p", "seed=0:30", "--dask", loopback.address]) == 1
    told = capsys.readouterr().err
    assert "differs from here in: code" in told
    assert "every worker" in told
    assert 2 <= len(list((project.root / "build/runs/tiny").glob("*/record.json"))) < 30
    assert store.state(load(path)) in ("in-sync", "missing")


def test_a_failure_comes_back_with_its_notebook(project, loopback, capsys):
    path = project.write(body=["1 / 0"])
    loopback.worker("one")
    assert main(["run", "tiny", "--dask", loopback.address]) == 1
    assert "tiny: failed: ZeroDivisionError: division by zero (traceback in" in capsys.readouterr().err
    folder = store.failed(load(path), "quick")
    assert "This run failed" in (folder / "executed.ipynb").read_text()


def test_reproduction_on_a_cluster_and_what_is_finished_is_kept(project, loopback, capsys):
    project.write()
    assert main(["run", "tiny"]) == 0
    assert main(["accept", "tiny"]) == 0
    loopback.worker("one")
    assert main(["reproduce", "--json", "--dask", loopback.address]) == 0
    out = capsys.readouterr().out
    found = json.loads(out[out.index("{") :])
    assert (found["rates"]["results"]["ok"], found["rates"]["results"]["total"]) == (2, 2)
    assert loopback.made_by("one") == 1
    assert main(["run", "tiny", "--dask", loopback.address]) == 0
    assert loopback.made_by("one") == 1
    assert main(["run", "tiny", "--force", "--dask", loopback.address]) == 0


def test_a_scheduler_that_is_lost_fails_what_waits_and_no_more(project, loopback, capsys):
    project.write(body=[*BODY, "import time\n\ntime.sleep(0.3)"])
    loopback.worker("one")

    def kill():
        wait_for(lambda: loopback.made_by("one") >= 2)
        loopback.scheduler.kill()

    with meanwhile(kill):
        assert main(["sweep", "tiny", "-p", "seed=0:30", "--dask", loopback.address]) == 1
    told = capsys.readouterr().err
    assert "was lost" in told
    assert "Traceback" not in told


def test_no_scheduler_is_one_sentence(project, capsys, monkeypatch):
    monkeypatch.setattr(cluster, "PATIENCE_S", 0.5)
    project.write()
    assert main(["run", "tiny", "--dask", "tcp://127.0.0.1:9"]) == 1
    assert capsys.readouterr().err.strip().splitlines()[-1] == (
        "guidon: no Dask scheduler answers at tcp://127.0.0.1:9; is the address right, and is it on?"
    )
    assert main(["run", "tiny", "--dask", "nonsense://x"]) == 1


def test_a_record_that_is_not_of_the_run_is_refused(project):
    notebook = load(project.write())
    result = runs.run(notebook, "quick").result
    files = {name: (result.folder / name).read_bytes() for name in ("record.json", "executed.ipynb")}
    other = places.Order(notebook, "quick", {"seed": 1})
    with pytest.raises(ValueError, match="not of this run"):
        cluster._keep(other, files)
    edited = files | {"record.json": files["record.json"].replace(b'"n": 100', b'"n": 101')}
    shutil.rmtree(result.folder)
    with pytest.raises(ValueError, match="not of this run"):
        cluster._keep(places.Order(notebook), edited)
    assert cluster._keep(places.Order(notebook), files).record == result.record
