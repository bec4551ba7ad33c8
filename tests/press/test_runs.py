"""Real runs of small notebooks through Papermill, in real kernels."""

import json
import os
import shutil
import signal
import threading
import time

import pytest

from lib.press import identity, record, reproduce, runs, store
from lib.press.accept import AcceptError, accept
from lib.press.notebooks import load
from tests.conftest import BODY


def run(notebook, profile="quick", **options):
    return runs.run(notebook, profile, **options)


def test_a_run_is_kept_and_kept_again(project):
    notebook = load(project.write())
    outcome = run(notebook)
    assert outcome.error == ""
    assert outcome.result is not None
    kept = outcome.result.record
    assert (kept["slug"], kept["profile"], kept["parameters"]) == ("tiny", "quick", {"seed": 0, "size": 100})
    assert kept["verdict"]["value"] == "holds"
    assert kept["verdict"]["rule"] == {"fr": "La règle.", "en": "The rule."}
    assert kept["results"]["mean"]["n"] == 100
    assert kept["provenance"]["seconds"] > 0
    assert store.state(notebook) == "in-sync"
    again = run(notebook)
    assert (again.reused, again.result.record) == (True, kept)
    assert str(project.root) not in outcome.result.notebook.read_text()


def test_the_same_seed_gives_the_same_bits(project):
    notebook = load(project.write())
    first, second = run(notebook).result, run(notebook, force=True).result
    rows = reproduce.compare(first.record, second.record)
    assert all(row["identical"] for row in rows)
    third = run(notebook, overrides={"seed": 1}).result
    assert third.record["results"]["mean"]["value"] != first.record["results"]["mean"]["value"]


def test_the_environment_of_a_run_is_fixed(project):
    body = [
        BODY[0],
        "import os\n\nnames = ['PYTHONHASHSEED', 'OMP_NUM_THREADS', 'LC_ALL', 'TZ']\n"
        "results.record('environment', [os.environ[name] for name in names])",
        "results.verdict(holds=True, fails=False, evidence=['environment'])",
    ]
    outcome = run(load(project.write(body=body, head={"threads": 2})))
    assert outcome.result.record["results"]["environment"]["value"] == ["0", "2", "C.UTF-8", "UTC"]


def test_what_libraries_say_on_stderr_is_kept_only_when_the_run_fails(project):
    said = "import sys\n\nprint('a path', 'and a time', file=sys.stderr)\nprint('a table')"
    outcome = run(load(project.write(body=[*BODY, said])))
    cells = record.read_notebook(outcome.result.notebook)["cells"]
    outputs = [output for cell in cells for output in cell.get("outputs", [])]
    streams = [output["name"] for output in outputs if output["output_type"] == "stream"]
    assert streams == ["stdout"]
    assert "a path and a time" not in outcome.result.notebook.read_text()
    notebook = load(project.write(body=[*BODY, said, "1 / 0"]))
    run(notebook)
    assert "a path and a time" in (store.failed(notebook, "quick") / "executed.ipynb").read_text()


def test_a_failure_keeps_the_traceback_and_names_the_error(project):
    notebook = load(project.write(body=["1 / 0"]))
    outcome = run(notebook)
    assert outcome.result is None
    assert "ZeroDivisionError" in outcome.error
    assert store.state(notebook) == "failed"
    folder = store.failed(notebook, "quick")
    assert "Traceback" in (folder / "executed.ipynb").read_text()
    with pytest.raises(AcceptError, match="last run failed"):
        accept(notebook, "quick")


def test_a_kernel_that_dies_is_a_failure(project):
    outcome = run(load(project.write(body=["import os\n\nos._exit(3)"])))
    assert outcome.result is None
    assert outcome.error


def test_a_notebook_that_never_ends_is_stopped(project):
    outcome = run(load(project.write(body=["import time\n\ntime.sleep(60)"], head={"minutes": 0.05})))
    assert outcome.result is None
    assert "Timeout" in outcome.error


def test_a_claim_without_a_verdict_fails(project):
    outcome = run(load(project.write(body=BODY[:2])))
    assert "without a verdict" in outcome.error


def test_accepting_copies_what_was_run_and_state_follows_the_code(project):
    notebook = load(project.write())
    with pytest.raises(AcceptError, match="has not been run"):
        accept(notebook, "quick")
    run(notebook)
    result = accept(notebook, "quick")
    assert result.folder == project.root / "data" / "results" / "quick" / "tiny"
    assert (store.state(notebook), store.deciding("tiny").verdict) == ("in-sync", "holds")
    changed = load(project.write(body=[BODY[0], BODY[1].replace("-1", "-2").replace("mean - 1", "mean - 2"), BODY[2]]))
    assert store.state(changed) == "stale"
    assert store.changes(changed, store.deciding("tiny")) == ["code"]


@pytest.mark.parametrize(
    "where", ["value", "verdict", "unexecuted", "parameters", "given", "identity", "digest", "slug", "schema"]
)
def test_a_record_edited_by_hand_is_hollow(project, where):
    notebook = load(project.write())
    run(notebook)
    folder = accept(notebook, "quick").folder
    kept = json.loads((folder / "record.json").read_text())
    if where == "value":
        kept["results"]["mean"]["value"] = 42.0
    if where == "verdict":
        kept["verdict"]["value"] = "fails"
    if where == "parameters":  # as if another run had been this one
        kept["parameters"]["seed"] = kept["identity"]["parameters"]["seed"] = 7
        kept["identity"]["digest"] = identity.compute(notebook, "quick", {"seed": 7}).digest
    if where == "given":
        kept["parameters"]["seed"] = 7
    if where == "identity":
        kept["identity"]["threads"] = 3
    if where == "digest":
        kept["identity"]["digest"] = "0" * 16
    if where == "slug":
        kept["slug"] = "other"
    if where == "schema":
        kept["identity"]["more"] = 1
    (folder / "record.json").write_text(json.dumps(kept))
    if where == "unexecuted":
        (folder / "executed.ipynb").write_text(notebook.path.read_text())
    assert store.state(notebook) == "hollow"


@pytest.mark.parametrize("what", ["another seed", "another experiment"])
def test_a_result_copied_from_elsewhere_is_found_out(project, what):
    notebook = load(project.write())
    run(notebook)
    here = accept(notebook, "quick").folder
    if what == "another seed":
        source = run(notebook, overrides={"seed": 1}).result.folder
    else:
        other = load(project.write("data/02_other.ipynb"))
        run(other)
        source = accept(other, "quick").folder
    for name in ("record.json", "executed.ipynb"):
        shutil.copyfile(source / name, here / name)
    assert store.state(notebook) == ("stale" if what == "another seed" else "hollow")


def test_a_changed_value_is_found_and_named(project):
    notebook = load(project.write())
    here = run(notebook).result
    folder = accept(notebook, "quick").folder
    kept = json.loads((folder / "record.json").read_text())
    kept["results"]["mean"]["value"] += 0.5
    found = reproduce.summary(store.Result(kept, folder), here)
    assert (found["agree"], found["total"]) == (1, 2)
    assert "mean: accepted" in reproduce.lines(found)[1]
    assert "outside its tolerance of 1e-06" in reproduce.lines(found)[1]


def test_a_record_that_is_too_large_or_private_is_refused(project):
    notebook = load(project.write(body=[*BODY, f"print({str(project.root)!r})"]))
    run(notebook)
    with pytest.raises(AcceptError, match="a path of this machine"):
        accept(notebook, "quick")
    notebook = load(project.write(body=[*BODY, "print('x' * 500_000)"]))
    run(notebook)
    with pytest.raises(AcceptError, match="over the 400 kB"):
        accept(notebook, "quick")


@pytest.mark.parametrize("text", ["", "{", "{}", '{"schema": 99}'])
def test_a_damaged_record_is_one_clear_sentence(project, text):
    notebook = load(project.write())
    run(notebook)
    folder = accept(notebook, "quick").folder
    (folder / "record.json").write_text(text)
    with pytest.raises(record.RecordError, match=r"tiny/record\.json"):
        store.state(notebook)


def test_two_runs_of_the_same_work_happen_once(project, tmp_path):
    log = tmp_path / "log"
    notebook = load(project.write(body=[*BODY, f"with open({str(log)!r}, 'a') as handle:\n    handle.write('ran ')"]))
    threads = [threading.Thread(target=run, args=(notebook,)) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert log.read_text() == "ran "


def test_a_killed_kernel_leaves_no_half_run(project, tmp_path):
    log = tmp_path / "pid"
    sleepy = f"import os\nimport time\n\nopen({str(log)!r}, 'w').write(str(os.getpid()))\ntime.sleep(60)"
    notebook = load(project.write(body=[*BODY[:2], sleepy, BODY[2]]))
    thread = threading.Thread(target=run, args=(notebook,))
    thread.start()
    while not (log.exists() and log.read_text()):
        time.sleep(0.05)
    os.kill(int(log.read_text()), signal.SIGKILL)
    thread.join(60)
    assert store.local(notebook, "quick") is None
    assert store.state(notebook) == "failed"
