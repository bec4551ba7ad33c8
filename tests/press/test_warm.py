"""Warm kernels: fresh processes that share imports and nothing else, and plain kernels where there are none."""

import os
import signal
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor

import psutil
import pytest

from lib.press import kernel, reproduce, runs, warm
from lib.press.environment import kernel_environment
from lib.press.notebooks import load
from tests.conftest import BODY, alive

pytestmark = pytest.mark.skipif(not warm.AVAILABLE, reason="warm kernels need Linux")


@pytest.fixture(autouse=True)
def one_more(monkeypatch):
    """As if this process had started a kernel already."""
    monkeypatch.setattr(warm, "_started", max(1, warm._started))


@pytest.fixture
def own_server(monkeypatch):
    """A server of the test's own, which it may kill; what it says once is said again."""
    monkeypatch.setattr(warm, "_servers", {})
    monkeypatch.setattr(warm, "_told", [])
    yield warm._servers
    for server in warm._servers.values():
        server.close()


def facts(project, name, code, threads=1):
    """What a run of this code recorded."""
    body = [BODY[0], f"import os\nimport sys\n{code}", *BODY[1:]]
    outcome = runs.run(load(project.write(f"data/01_{name}.ipynb", body=body, head={"threads": threads})), "quick")
    assert outcome.error == ""
    return {key: value["value"] for key, value in outcome.result.record["results"].items()}


def test_libraries_are_there_and_the_environment_is_that_of_the_run(project):
    code = (
        "early = 'sklearn' in sys.modules\nimport torch\nresults.record('early', early)\n"
        "results.record('seen', [torch.get_num_threads(), os.environ['OMP_NUM_THREADS'], os.getcwd(), "
        "os.environ['PYTHONHASHSEED'], os.environ['TZ'], sys.argv[0].endswith('launcher.py'), len(sys.path[0])])\n"
        "results.record('numpy_threads', sorted({pool['num_threads'] for pool in "
        "__import__('threadpoolctl').threadpool_info()}))"
    )
    for threads in (1, 2):
        found = facts(project, f"env{threads}", code, threads)
        assert found["early"] is True
        assert found["seen"][:5] == [threads, str(threads), str(project.root), "0", "UTC"]
        assert found["numpy_threads"] == [threads]


def test_a_run_never_sees_another_runs_state(project):
    code = (
        "import numpy as np\n"
        "results.record('clean', [hasattr(np, 'mark'), 'MARK' in os.environ, os.getcwd(), np.geterr()['divide']])\n"
        "np.mark = 1\nos.environ['MARK'] = '1'\nnp.seterr(divide='raise')\nos.chdir('/')"
    )
    for name in ("one", "two", "three"):
        assert facts(project, name, code)["clean"] == [False, False, str(project.root), "warn"]


def test_generators_that_nobody_seeds_differ(project):
    code = "import random\nimport numpy as np\nresults.record('drawn', [str(np.random.random()), str(random.random())])"
    one, two = (facts(project, name, code)["drawn"] for name in ("one", "two"))
    assert one[0] != two[0]
    assert one[1] != two[1]


def test_a_warm_run_gives_the_bits_of_a_plain_one(project, monkeypatch):
    notebook = load(project.write())
    first = runs.run(notebook, "quick", force=True).result.record
    monkeypatch.setattr(warm, "AVAILABLE", False)
    plain = runs.run(notebook, "quick", force=True).result.record
    assert all(row["identical"] for row in reproduce.compare(plain, first))
    assert first["identity"] == plain["identity"]


@pytest.mark.parametrize("end", ["os._exit(3)", "os.kill(os.getpid(), 9)"])
def test_a_warm_kernel_that_dies_is_a_failure_and_the_next_one_runs(project, end):
    body = [BODY[0], f"import os\n{end}", *BODY[1:]]
    outcome = runs.run(load(project.write("data/02_dies.ipynb", body=body)), "quick")
    assert "died" in outcome.error.lower()
    assert facts(project, "after", "results.record('alive', True)")["alive"] is True


def test_where_the_server_is_gone_kernels_are_plain_and_it_is_said_once(project, own_server, capsys):
    assert facts(project, "one", "results.record('parent', os.getppid())")["parent"] == the(own_server).process.pid
    the(own_server).process.kill()
    the(own_server).process.wait()
    for name in ("two", "three"):
        assert facts(project, name, "results.record('parent', os.getppid())")["parent"] == os.getpid()
    assert capsys.readouterr().err.count("kernels start plain") == 1


def test_another_interpreters_kernel_is_left_alone(own_server):
    for command in (["ir", "--slave", "-f", "x.json"], ["/usr/bin/python3", *kernel.LAUNCHER, "-f", "x.json"]):
        assert warm.launch(command, dict(os.environ), "/") is None
    assert own_server == {}


def test_kernels_side_by_side_are_as_many_processes(project):
    code = "import time\ntime.sleep(0.2)\nresults.record('pid', os.getpid())"
    with ThreadPoolExecutor(4) as pool:
        found = list(pool.map(lambda number: facts(project, f"n{number}", code)["pid"], range(12)))
    assert len(set(found)) == 12


def test_nothing_outlives_the_process_that_started_it(tmp_path):
    script = (
        "import sys, time\nfrom lib.press import warm\nfrom lib.press.environment import kernel_environment\n"
        "server = warm.Server(kernel_environment())\nassert server.is_ready()\n"
        "child = server.launch(['-f', sys.argv[1]], kernel_environment(), '.')\n"
        "print(server.process.pid, child.pid, flush=True)\ntime.sleep(60)"
    )
    asker = subprocess.Popen(
        [sys.executable, "-c", script, str(tmp_path / "kernel.json")], stdout=subprocess.PIPE, text=True
    )
    server, kernel = map(int, asker.stdout.readline().split())
    time.sleep(1)
    assert all(alive(pid) for pid in (server, kernel))
    asker.send_signal(signal.SIGKILL)
    asker.wait()
    until = time.monotonic() + 15
    while time.monotonic() < until and (alive(server) or alive(kernel)):
        time.sleep(0.1)
    assert not alive(server)
    assert not alive(kernel)


def test_what_an_interpreter_reads_when_it_starts_has_a_server_of_its_own(own_server):
    asked = [kernel_environment(1), kernel_environment(2), kernel_environment(1) | {"PYTHONHASHSEED": "7"}]
    children = [warm.launch([sys.executable, *kernel.LAUNCHER, "--version"], one, "/") for one in asked]
    assert [child.wait(20) for child in children] == [0, 0, 0]
    assert len(own_server) == 2


def the(servers):
    """The only one."""
    (server,) = servers.values()
    return server


def test_an_asker_that_hangs_up_costs_no_kernel():
    import socket

    server = warm.Server(kernel_environment())
    try:
        assert server.is_ready()
        for said in (b"", b"{}", b'{"argv": []}\n'):
            with socket.socket(socket.AF_UNIX) as line:
                line.connect(server.address)
                line.sendall(said)
        child = server.launch(["--version"], kernel_environment(), "/")
        assert child.wait(20) == 0
    finally:
        server.close()
    assert server.process.returncode is not None


def test_a_waiting_process_that_is_killed_is_replaced():
    server = warm.Server(kernel_environment())
    try:
        assert server.is_ready()
        for _ in range(3):
            (waiting,) = psutil.Process(server.process.pid).children()
            waiting.kill()
            psutil.wait_procs([waiting], 10)
            child = server.launch(["--version"], kernel_environment(), "/")
            assert child.pid != waiting.pid
            assert child.wait(20) == 0
    finally:
        server.close()


def test_many_to_come_make_the_first_kernel_warm(project, monkeypatch):
    monkeypatch.setattr(warm, "_started", 0)
    assert warm.launch([sys.executable, *kernel.LAUNCHER, "--version"], kernel_environment(), "/") is None
    monkeypatch.setattr(warm, "_started", 0)
    warm.expect_many()
    child = warm.launch([sys.executable, *kernel.LAUNCHER, "--version"], kernel_environment(), "/")
    assert child is not None
    assert child.wait(20) == 0
