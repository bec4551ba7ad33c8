import hashlib
import os

import pytest

from lib.lab import paths
from lib.press import identity
from lib.press.notebooks import NotebookError, load
from tests.conftest import BODY, SETUP


@pytest.fixture
def lab(project, monkeypatch):
    """A `lib.lab` of two modules, so that a test can change them."""
    folder = project.root / "lab"
    folder.mkdir()
    (folder / "results.py").write_text("import math\n\n\nclass Results:\n    pass\n")
    (folder / "stats.py").write_text("from lib.lab import deep\n\nLEVEL = 0.95\n")
    (folder / "deep.py").write_text("import torch\n\n\ndef f():\n    return 1\n")
    (folder / "apart.py").write_text("X = 1\n")
    monkeypatch.setattr(paths, "lab_dir", lambda: folder)
    return folder


def compute(project, profile="quick", overrides=None, **parts):
    return identity.compute(load(project.write(**parts)), profile, overrides)


IMPORTING = [*BODY, "from lib.lab import stats"]


@pytest.mark.parametrize(
    "body",
    [
        [f"# said otherwise\n{BODY[0]}", *BODY[1:]],
        [f"#| fig-cap: a caption\n{BODY[0]}\n\n", *BODY[1:]],
        [BODY[0], BODY[1].replace("(size=size)", "( size = size )"), BODY[2]],
    ],
)
def test_comments_captions_and_layout_keep_a_run_valid(project, body):
    assert compute(project, body=body).digest == compute(project).digest


def test_prose_and_titles_keep_a_run_valid(project):
    changed = compute(project, prose=("Autre.", "Other."), head={"title": {"fr": "t", "en": "t"}})
    assert changed.digest == compute(project).digest


def test_code_parameters_threads_and_profile_values_do_not(project):
    digests = [
        compute(project).digest,
        compute(project, body=[BODY[0], BODY[1].replace("1e-6", "1e-5"), BODY[2]]).digest,
        compute(project, overrides={"seed": 1}).digest,
        compute(project, head={"threads": 2}).digest,
        compute(project, profile="smoke").digest,
    ]
    assert len(set(digests)) == len(digests)


def test_a_module_out_of_reach_or_a_comment_keeps_a_run_valid(project, lab):
    before = compute(project, body=IMPORTING)
    (lab / "apart.py").write_text("X = 2\n")
    for path in (lab / "stats.py", project.root / "notebooks/data/01_tiny.ipynb"):
        os.utime(path, (1, 1))
    (lab / "deep.py").write_text('"""Documented."""\nimport torch\n\n\ndef f():\n    """One."""\n    return 1  # one\n')
    assert compute(project, body=IMPORTING).digest == before.digest
    assert set(before.modules) == {"lib.lab.results", "lib.lab.stats", "lib.lab.deep"}


def test_a_changed_function_in_reach_does_not(project, lab):
    before = compute(project, body=IMPORTING)
    (lab / "deep.py").write_text("import torch\n\n\ndef f():\n    return 2\n")
    after = compute(project, body=IMPORTING)
    assert after.digest != before.digest
    assert after.differences(before.as_dict()) == ["lib.lab.deep"]


def test_versions_count_for_quick_and_not_for_full(project, lab, monkeypatch):
    monkeypatch.setattr(identity, "_version", lambda name: "1")
    before = [compute(project, profile=name, body=IMPORTING) for name in ("quick", "full")]
    assert before[0].versions == {"numpy": "1", "torch": "1"}
    monkeypatch.setattr(identity, "_version", lambda name: "2")
    after = [compute(project, profile=name, body=IMPORTING) for name in ("quick", "full")]
    assert [now.digest == then.digest for now, then in zip(after, before, strict=True)] == [False, True]


def test_an_input_counts_by_its_bytes(project):
    facts = project.root / "data" / "facts"
    facts.mkdir()
    (facts / "a.csv").write_text("x\n1\n")
    head = {"inputs": ["facts/a.csv"]}
    before = compute(project, head=head)
    assert before.inputs == {"facts/a.csv": "sha256-" + hashlib.sha256(b"x\n1\n").hexdigest()}
    (facts / "a.csv").touch()
    assert compute(project, head=head).digest == before.digest
    (facts / "a.csv").write_text("x\n2\n")
    assert compute(project, head=head).digest != before.digest


def test_an_unknown_input_and_broken_code_are_named(project):
    with pytest.raises(NotebookError, match="input nowhere"):
        compute(project, head={"inputs": ["nowhere"]})
    with pytest.raises(NotebookError, match="not Python"):
        compute(project, body=["x ="])


def test_a_derived_input_brings_its_module(project, lab):
    found = compute(project, head={"inputs": ["stats.table"]})
    assert found.inputs == {}
    assert {"lib.lab.stats", "lib.lab.deep"} <= set(found.modules)
    assert SETUP  # the set-up cell imports results
