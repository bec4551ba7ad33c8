"""Faults injected into real runs: whatever happens, one clear sentence, nothing half-written, all else goes on."""

import ctypes
import errno
import json
import os
import resource
import signal
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from lib.cli import main
from lib.lab.cache import atomic, clear
from lib.press import places, record, runs, store, warm
from lib.press.environment import kernel_environment
from lib.press.notebooks import load
from tests.conftest import BODY, alive

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="signals and limits are those of Unix")


def run_body(project, *cells, name="data/01_tiny.ipynb", **head):
    """The outcome of a run whose body is these cells, after the rule and before the verdict."""
    return runs.run(load(project.write(name, body=[BODY[0], *cells, *BODY[1:]], head=head)), "quick")


def first_cell(project, slug="tiny"):
    folder = store.failed(load(project.root / f"notebooks/data/01_{slug}.ipynb"), "quick")
    return record.source(record.read_notebook(folder / "executed.ipynb")["cells"][0])


def gone(pid, within_s=10.0):
    until = time.monotonic() + within_s
    while alive(pid) and time.monotonic() < until:
        time.sleep(0.05)
    return not alive(pid)


@pytest.mark.parametrize(
    "flood", ["for _ in range(2000):\n    print('x' * 100_000)", "print('x' * 200_000_000)"], ids=["many", "one"]
)
def test_200_mb_of_output_end_the_run_and_are_not_kept(project, flood):
    started = time.monotonic()
    outcome = run_body(project, flood, "import time\n\ntime.sleep(60)")
    assert outcome.error == "TooMuchOutput: the notebook printed more than 20 MB; print less"
    assert time.monotonic() - started < 40
    kept = store.failed(outcome.notebook, "quick") / "executed.ipynb"
    assert kept.stat().st_size < 21_000_000
    assert "printed more than 20 MB" in first_cell(project)


def test_a_notebook_that_wants_more_memory_than_there_is(project):
    limit = "import resource\n\nresource.setrlimit(resource.RLIMIT_AS, (2**32, 2**32))\nx = bytearray(2**34)"
    assert run_body(project, limit).error.startswith("MemoryError")
    outcome = run_body(project, "import os\nimport signal\n\nos.kill(os.getpid(), signal.SIGKILL)")
    assert "perhaps for want of memory" in outcome.error
    assert "the kernel died" in first_cell(project)
    assert "in code cell 5 of 7:\n\n~~~~python\nimport os\nimport signal\n" in first_cell(project)


def test_the_minutes_are_those_of_the_whole_notebook(project):
    started = time.monotonic()
    outcome = run_body(project, *["import time\n\ntime.sleep(1.2)"] * 8, minutes=0.06)
    assert "ran longer than the 0.06 minutes" in outcome.error
    assert time.monotonic() - started < 15


def test_a_cell_that_will_not_be_interrupted_is_ended(project, tmp_path):
    deaf = (
        "import os\nimport signal\n\nfor name in (signal.SIGINT, signal.SIGTERM):\n"
        "    signal.signal(name, signal.SIG_IGN)\n"
        f"open({str(tmp_path / 'pid')!r}, 'w').write(str(os.getpid()))\nwhile True:\n    pass"
    )
    outcome = run_body(project, deaf, minutes=0.05)
    assert outcome.error.startswith("Timeout")
    assert gone(int((tmp_path / "pid").read_text()))


@pytest.mark.parametrize("end", ["", "os._exit(1)", "1 / 0", "import time\n\ntime.sleep(60)"])
@pytest.mark.parametrize("kind", ["warm", "plain"])
def test_what_a_kernel_started_ends_with_it(project, tmp_path, monkeypatch, end, kind):
    monkeypatch.setattr(warm, "_started", max(1, warm._started))
    if kind == "plain":
        monkeypatch.setattr(warm, "AVAILABLE", False)
    child = (
        "import os\nimport subprocess\n\nchild = subprocess.Popen(['sleep', '600'])\n"
        f"open({str(tmp_path / 'pid')!r}, 'w').write(str(child.pid))\n{end}"
    )
    outcome = run_body(project, child, minutes=0.1 if "sleep(60)" in end else 1)  # a busy machine starts kernels slowly
    assert bool(outcome.error) == bool(end)
    assert gone(int((tmp_path / "pid").read_text()))


def test_the_error_is_at_the_top_and_says_where(project):
    run_body(project, "before = 1", "raise ValueError('no luck')")
    top = first_cell(project)
    assert top.startswith("# This run failed\n\n~~~~text\nValueError: no luck\n~~~~\n")
    assert "in code cell 6 of 8:\n\n~~~~python\nraise ValueError('no luck')\n~~~~" in top


def test_one_that_fails_stops_no_other(project, capsys):
    project.write("data/01_bad.ipynb", body=["import os\n\nos._exit(1)"])
    project.write("data/02_late.ipynb", body=["import time\n\ntime.sleep(60)"], head={"minutes": 0.03})
    project.write("data/03_good.ipynb")
    assert main(["run", "--jobs", "2"]) == 1
    told = capsys.readouterr()
    assert "bad: failed: DeadKernelError" in told.err
    assert "late: failed: Timeout" in told.err
    assert "good: quick run in" in told.out


def guidon(*words, **options):
    return subprocess.run([sys.executable, "-m", "lib.cli", *words], capture_output=True, text=True, **options)


def test_a_file_that_may_not_grow_is_one_sentence(project):
    """The system refuses to write, as on a full disk: here by a limit on the size of files."""
    path = project.write()
    limit = (4096, 4096)
    done = guidon("run", "tiny", preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, limit))
    assert done.returncode == 1
    assert "tiny: failed: File too large" in done.stderr
    assert "Traceback" not in done.stderr
    assert store.state(load(path)) == "missing"
    assert guidon("run", "tiny").returncode == 0


def test_a_full_disk_stops_no_other_run(project, monkeypatch):
    really = runs._write_json

    def write(path, content):
        if path.name == "record.json" and content["parameters"]["seed"] == 1:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(path))
        really(path, content)

    monkeypatch.setattr(runs, "_write_json", write)
    notebook = load(project.write())
    orders = [places.Order(notebook, "quick", {"seed": seed}) for seed in range(3)]
    with places.place(orders) as place:
        outcomes = places.perform(orders, place)
    assert [outcome.error.partition(":")[0] for outcome in outcomes] == ["", "No space left on device", ""]
    assert sorted(path.name for path in (project.root / "build/runs/tiny").iterdir() if path.is_dir()) == sorted(
        outcome.result.folder.name for outcome in outcomes if outcome.result
    )


def test_a_disk_that_is_full(project):
    """A real one, of 64 kB, where this system lets a test mount it."""
    project.write()
    (project.root / "build").mkdir()
    script = 'mount -t tmpfs -o size=64k none "$1" && head -c 1M /dev/zero > "$1/filler"; shift; exec "$@"'
    words = ["unshare", "--mount", "sh", "-c", script, "sh", str(project.root / "build")]
    if subprocess.run([*words, "test", "-s", project.root / "build/filler"], capture_output=True).returncode:
        pytest.skip("this system does not let a test mount a disk; the limit on files above stands for it")
    done = subprocess.run([*words, sys.executable, "-m", "lib.cli", "run", "tiny"], capture_output=True, text=True)
    assert done.returncode == 1
    assert "tiny: failed: No space left on device" in done.stderr
    assert "Traceback" not in done.stderr


def _obey_permissions():
    """Give up root's right to write where nobody may."""
    libc = ctypes.CDLL(None)
    for capability in (1, 2):  # CAP_DAC_OVERRIDE, CAP_DAC_READ_SEARCH
        libc.prctl(24, capability, 0, 0, 0)  # PR_CAPBSET_DROP


@pytest.mark.skipif(sys.platform != "linux", reason="capabilities are those of Linux")
@pytest.mark.parametrize("words", [["run", "tiny"], ["sweep", "tiny", "-p", "seed=0:2"]])
def test_a_build_folder_that_may_not_be_written_is_one_sentence(project, words):
    project.write()
    build = project.root / "build"
    build.mkdir(mode=0o555)
    done = guidon(*words, preexec_fn=_obey_permissions)
    build.chmod(0o755)
    assert done.returncode == 1
    assert "Permission denied" in done.stderr
    assert "Traceback" not in done.stderr
    assert list(build.iterdir()) == []


HOSTILE = [
    "'; import os; os._exit(9) #",
    '"""\nraise SystemExit(3)\n"""',
    "{{ mean }}",
    "a\\",
    "\\N{BULLET}",
    "é\u2028\0",
]


@pytest.mark.parametrize("text", HOSTILE)
def test_a_hostile_text_is_a_value_like_any_other(project, text):
    body = [BODY[0], 'results.record("word", word)', *BODY[1:]]
    notebook = load(
        project.write(parameters='seed: int = 0  # any\nsize: int = 9  # rows\nword: str = "a"  # b', body=body)
    )
    outcome = runs.run(notebook, "quick", {"word": text})
    assert outcome.error == ""
    assert outcome.result.record["results"]["word"]["value"] == text
    assert outcome.result.record["parameters"]["word"] == text
    assert store.state_of(notebook, outcome.result) == "stale"  # another value than the profile's; not hollow


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ("sise=1", "no parameter sise; it has size"),
        ("size='x'", "size is int, not str"),
        ("size=2024-01-01", "takes no such value"),
        ("size=[1", "is not a value"),
        ("size=" + "[" * 5000, "is not a value"),
        ("size=" + "9" * 5000, "is not a value"),
        ("size=!!python/object/apply:os.system [true]", "is not a value"),
        ("share=.nan", "takes no such value"),
        ("share=1" + "0" * 400, "takes no such value"),
        ("word=3", "word is str, not int; for a text, write word="),
        ("word='\udce9'", "is not a value"),
        ("a\nb=1", "no parameter 'a\\nb'"),
        ("=1", "no parameter ''"),
    ],
)
@pytest.mark.parametrize("command", ["run", "sweep"])
def test_a_value_that_is_none_is_refused_before_anything_starts(project, capsys, command, given, said):
    project.write(parameters='seed: int = 0  # a\nsize: int = 9  # b\nshare: float = 0.5  # c\nword: str = "a"  # d')
    assert main([command, "tiny", "-p", given]) == 2
    err = capsys.readouterr().err
    assert len(err.strip().splitlines()) == 1
    if command == "run" or said != "is not a value":
        assert said in err
    assert not (project.root / "build/runs").exists()


def test_an_absurd_value_fails_its_own_run_only(project, capsys):
    project.write()
    assert main(["sweep", "tiny", "-p", "size=5,-5,999999999999999999999"]) == 1
    told = capsys.readouterr()
    assert "1 done (0 of them before), 2 failed" in told.err
    assert "ValueError" in told.err


def test_interrupting_is_prompt_and_leaves_nothing_behind(project, tmp_path):
    pid = tmp_path / "pid"
    slow = f"import os\nimport time\n\nopen({str(pid)!r}, 'w').write(str(os.getpid()))\ntime.sleep(600)"
    path = project.write(body=[BODY[0], slow, *BODY[1:]])
    heard = lambda: signal.signal(signal.SIGINT, signal.SIG_DFL)  # noqa: E731  a test run behind `&` ignores it
    words = [sys.executable, "-m", "lib.cli", "run", "tiny"]
    asked = subprocess.Popen(words, stderr=subprocess.PIPE, text=True, preexec_fn=heard)
    try:
        while not (pid.exists() and pid.read_text()):
            time.sleep(0.05)
        asked.send_signal(signal.SIGINT)
        told = asked.communicate(timeout=20)[1]
    finally:
        asked.kill()
    assert asked.returncode == 1
    assert "guidon: interrupted; what was finished is kept" in told
    assert "Traceback" not in told
    assert gone(int(pid.read_text()))
    assert store.state(load(path)) == "missing"


def test_what_a_killed_maker_left_is_cleared(tmp_path):
    made = tmp_path / "run"
    for content in ("old", "new"):
        with atomic(made) as working:
            working.mkdir()
            (working / "a").write_text(content)
    left = tmp_path / ".run.abcd1234"  # as when killed between the two renames
    (left / "run").mkdir(parents=True)
    os.rename(made, left / ".old")
    (tmp_path / ".run.lock").touch()
    (tmp_path / ".runner.x").mkdir()
    clear(made)
    assert (made / "a").read_text() == "new"
    assert sorted(path.name for path in tmp_path.iterdir()) == [".run.lock", ".runner.x", "run"]


@pytest.mark.parametrize("content", ["", "{", '{"schema": 99}'])
def test_a_damaged_local_run_is_run_again(project, content):
    notebook = load(project.write())
    first = runs.run(notebook, "quick")
    (first.result.folder / "record.json").write_text(content)
    again = runs.run(notebook, "quick")
    assert (again.error, again.reused) == ("", False)
    assert again.result.record["results"] == first.result.record["results"]


def test_two_commands_on_the_same_work_do_it_once(project, tmp_path):
    log = tmp_path / "log"
    said = f"with open({str(log)!r}, 'a') as handle:\n    handle.write(f'{{seed}}\\n')"
    project.write(body=[*BODY, said])
    words = [sys.executable, "-m", "lib.cli", "sweep", "tiny", "-p", "seed=0:8", "--json"]
    both = [subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) for _ in range(2)]
    tables = [[row | {"seconds": 0} for row in json.loads(one.communicate()[0])] for one in both]
    assert [one.returncode for one in both] == [0, 0]
    assert tables[0] == tables[1]
    assert sorted(log.read_text().split()) == [str(seed) for seed in range(8)]


@pytest.mark.slow
def test_200_kernels_in_parallel_batches_without_a_race(project):
    """Papermill in eight threads, two hundred times: each kernel answers, and answers its own notebook."""
    import nbformat
    import papermill

    warm.expect_many()
    spec = {"kernelspec": {"name": "python3", "display_name": "Python 3", "language": "python"}}

    def one(number):
        cell = nbformat.v4.new_code_cell(f"import os\nprint({number}, os.getpid())")
        source = nbformat.v4.new_notebook(cells=[cell], metadata=spec)
        done = papermill.execute_notebook(source, None, engine_name="guidon", kernel_name="python3", progress_bar=False)
        return tuple(map(int, done["cells"][-1]["outputs"][0]["text"].split()))

    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(one, range(200)))
    assert [number for number, _ in found] == list(range(200))
    assert len({pid for _, pid in found}) == 200
    assert threading.active_count() < 100
    assert kernel_environment()["PYTHONHASHSEED"] == "0"
