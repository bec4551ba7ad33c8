"""Kernels that end at once: what they left for the exit is done, their status tells how it went."""

import subprocess
import sys

import pytest

from lib.press import kernel
from lib.press.notebooks import load
from lib.press.runs import run
from tests.conftest import BODY


def test_a_first_kernel_is_ours_and_does_what_is_left_for_the_exit(project, monkeypatch):
    monkeypatch.setattr("lib.press.warm._started", 0)
    mark = project.root / "done"
    code = (
        f"import atexit\nimport sys\n\natexit.register(lambda: open({str(mark)!r}, 'w').write('done'))\n"
        "results.record('argv', sys.argv[0])"
    )
    outcome = run(load(project.write(body=[*BODY, code])), "quick")
    assert outcome.error == ""
    assert outcome.result.record["results"]["argv"]["value"].endswith("lib/press/kernel.py")
    assert mark.read_text() == "done"


@pytest.mark.parametrize("ours", [True, False])
def test_the_libraries_of_a_notebook_are_not_freed_one_by_one(project, monkeypatch, ours):
    monkeypatch.setattr("lib.press.warm._started", 0)
    if not ours:  # so that this test is known to be able to fail
        monkeypatch.setattr(kernel, "stands_for", lambda command: False)
    freed = project.root / "freed"
    code = f"import os\n\n\nclass Slow:\n    def __del__(self, mark=os.mkdir):\n        mark({str(freed)!r})\n\n\n"
    assert run(load(project.write(body=[*BODY, code + "np.kept = Slow()"])), "quick").error == ""
    assert freed.exists() is not ours


@pytest.mark.parametrize(("argv", "status"), [(["--version"], 0), (["--IPKernelApp.no_such=1", "--ip=1.2.3.400"], 1)])
def test_its_status_is_the_kernels(argv, status):
    done = subprocess.run([sys.executable, "-m", "lib.press.kernel", *argv], capture_output=True, text=True)
    assert done.returncode == status, done.stderr


def test_only_ipykernels_launcher_in_this_interpreter_is_stood_for():
    assert kernel.stands_for([sys.executable, "-m", "ipykernel_launcher", "-f", "x.json"])
    for command in (
        [],
        ["ir", "-f", "x.json"],
        ["/usr/bin/python3", *kernel.LAUNCHER],
        [sys.executable, "-m", "other"],
    ):
        assert not kernel.stands_for(command)
