import json
import os
import subprocess
import sys

import pytest

from lib.cli import main


def guidon(*words):
    return subprocess.run([sys.executable, "-m", "lib.cli", *words], capture_output=True, text=True)


def test_help_and_list_import_nothing_heavy(project):
    project.write()
    script = (
        "import sys\nfrom lib.cli import main\n"
        "try:\n    main(sys.argv[1:])\nexcept SystemExit:\n    pass\n"
        "heavy = {'torch', 'transformers', 'pandas', 'numpy', 'matplotlib', 'papermill'} & set(sys.modules)\n"
        "print('heavy:', sorted(heavy))"
    )
    for words in (["--help"], ["list"], ["check"]):
        done = subprocess.run([sys.executable, "-c", script, *words], capture_output=True, text=True)
        assert "heavy: []" in done.stdout, (words, done.stdout, done.stderr)


def test_a_wrong_call_is_status_2_and_one_line(project):
    project.write()
    for words in (
        ["run", "tinny"],
        ["run", "tiny", "-p", "sise=3"],
        ["run", "tiny", "-p", "size"],
        ["run", "tiny", "--profile", "slow"],
    ):
        done = guidon(*words)
        assert (done.returncode, len(done.stderr.strip().splitlines())) == (2, 1), done.stderr
        assert done.stderr.startswith("guidon: ")
    assert guidon("nonsense").returncode == 2
    assert guidon().returncode == 2


def test_an_experiment_from_run_to_reproduction(project, capsys):
    project.write()
    assert main(["run", "tiny"]) == 0
    assert main(["accept", "tiny"]) == 0
    assert main(["list", "--json"]) == 0
    out = capsys.readouterr().out
    listed = json.loads(out[out.index("[\n") :])
    assert listed[0]["state"] == "in-sync"
    assert listed[0]["verdict"] == "holds"
    assert main(["reproduce", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)["reproduced"][0]
    assert (found["agree"], found["total"], found["identical"]) == (2, 2, 2)
    assert main(["reproduce", "--new"]) == 0
    assert "all of it was reproduced here" in capsys.readouterr().out
    assert main(["check"]) == 0


def test_a_value_changed_by_hand_fails_the_reproduction(project, capsys):
    project.write()
    assert main(["run", "tiny"]) == 0
    assert main(["accept", "tiny"]) == 0
    path = project.root / "data" / "results" / "quick" / "tiny" / "record.json"
    kept = json.loads(path.read_text())
    kept["results"]["mean"]["value"] += 1
    path.write_text(json.dumps(kept))
    assert main(["reproduce"]) == 1
    assert "outside its tolerance" in capsys.readouterr().out


def test_a_failed_run_is_status_1_and_says_where_the_traceback_is(project, capsys):
    project.write(body=["1 / 0"])
    assert main(["run"]) == 1
    assert "executed.ipynb" in capsys.readouterr().err


@pytest.mark.parametrize("command", ["list", "check", "reproduce", "run"])
def test_an_empty_project_is_no_error(project, command):
    assert main([command]) == 0


def test_lab_opens_the_notebooks_of_the_project(project, monkeypatch):
    project.write()
    started = []
    monkeypatch.setattr("os.execv", lambda program, words: started.append((program, words[1:], os.getcwd())))
    monkeypatch.setenv("PYTHONWARNINGS", "")
    monkeypatch.chdir(project.root)
    main(["lab"])
    assert started == [(sys.executable, ["-m", "jupyter", "lab", "notebooks"], str(project.root))]


def test_two_results_side_by_side(project, capsys):
    project.write()
    assert main(["run", "tiny"]) == 0
    assert main(["accept", "tiny"]) == 0
    assert main(["run", "tiny", "-p", "size=50"]) == 0
    folder = next(path for path in (project.root / "build/runs/tiny").iterdir() if "50" in record_of(path))
    capsys.readouterr()
    assert main(["compare", "tiny", "tiny:quick"]) == 0
    assert "2 of 2 agree" in capsys.readouterr().out
    assert main(["compare", "tiny", str(folder)]) == 0
    out = capsys.readouterr().out
    assert "1 of 2 agree; * marks the 1 that do not" in out
    assert out.splitlines()[1].startswith("mean ")
    assert out.splitlines()[1].endswith("*")
    assert main(["compare", "tiny", str(folder), "--json"]) == 0
    mean, verdict = json.loads(capsys.readouterr().out)
    assert mean["difference"] == mean["here"] - mean["accepted"] != 0
    assert (verdict["name"], verdict["difference"]) == ("verdict", None)


def record_of(folder):
    """The parameters of a run, as text."""
    return str(json.loads((folder / "record.json").read_text())["parameters"]) if folder.is_dir() else ""


@pytest.mark.parametrize(
    ("words", "status", "said"),
    [
        (["tinny", "tiny"], 2, "no experiment tinny; there is tiny"),
        (["tiny:slow", "tiny"], 2, "no profile 'slow'"),
        (["tiny:full", "tiny"], 1, "has no result; `guidon run tiny` makes one"),
        (["./nowhere", "tiny"], 1, "./nowhere holds no record.json"),
    ],
)
def test_what_cannot_be_compared_is_one_sentence(project, words, status, said):
    project.write()
    done = guidon("compare", *words)
    assert done.returncode == status
    assert said in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1
