import multiprocessing
import os
import signal
import time
from pathlib import Path

import pytest

from lib.lab import cache, paths


def write_hello(path: Path) -> None:
    path.write_text("hello", encoding="utf-8")


def test_a_derived_file_is_made_once_and_keyed_by_content(project):
    made = []

    def make(path: Path) -> None:
        made.append(path)
        write_hello(path)

    first = cache.derived("greeting.txt", make, inputs={"a": "1"}, params={"k": 2})
    assert cache.derived("greeting.txt", make, inputs={"a": "1"}, params={"k": 2}) == first
    assert len(made) == 1
    assert first.read_text() == "hello"
    assert first.suffix == ".txt"
    others = [
        cache.derived("greeting.txt", make, inputs={"a": "2"}, params={"k": 2}),
        cache.derived("greeting.txt", make, inputs={"a": "1"}, params={"k": 3}),
        cache.derived("greeting.txt", make, inputs={"a": "1"}, params={"k": 2}, code=[write_hello]),
    ]
    assert len({first, *others}) == 4


def test_a_file_kept_with_the_sources_is_taken_when_its_whole_name_is_the_same(project):
    made = []

    def make(path: Path) -> None:
        made.append(path)
        write_hello(path)

    name = cache.derived_path("greeting.txt", params={"k": 1}).name
    kept = project.root / "data" / "derived" / name
    kept.parent.mkdir()
    kept.write_text("kept", encoding="utf-8")
    assert cache.derived("greeting.txt", make, params={"k": 1}) == kept
    assert made == []
    other = cache.derived("greeting.txt", make, params={"k": 2})
    assert len(made) == 1
    assert other.read_text() == "hello"
    kept.unlink()  # whoever doubts it deletes it, and has it made
    again = cache.derived("greeting.txt", make, params={"k": 1})
    assert (again.parent, again.read_text(), len(made)) == (paths.cache_dir(), "hello", 2)
    kept.write_text("kept", encoding="utf-8")
    assert cache.derived("greeting.txt", make, params={"k": 1}) == again  # what was made here comes first


def test_a_failure_leaves_nothing(project):
    def fail(path: Path) -> None:
        path.write_text("half", encoding="utf-8")
        raise RuntimeError("no")

    with pytest.raises(RuntimeError, match="no"):
        cache.derived("half.txt", fail)
    assert [path.name for path in paths.cache_dir().iterdir() if not path.name.endswith(".lock")] == []


def test_atomic_keeps_the_old_content_until_the_new_is_whole(tmp_path):
    target = tmp_path / "file.txt"
    target.write_text("old")
    with pytest.raises(ZeroDivisionError), cache.atomic(target) as made:
        made.write_text("new")
        raise ZeroDivisionError
    assert target.read_text() == "old"
    with cache.atomic(target) as made:
        made.write_text("new")
    assert target.read_text() == "new"
    assert list(tmp_path.iterdir()) == [target]


def test_atomic_replaces_a_folder(tmp_path):
    target = tmp_path / "folder"
    for text in ("one", "two"):
        with cache.atomic(target) as made:
            made.mkdir()
            (made / text).write_text(text)
    assert [path.name for path in target.iterdir()] == ["two"]
    assert list(tmp_path.iterdir()) == [target]


def test_an_unchanged_text_is_not_written_again(tmp_path):
    path = tmp_path / "a.txt"
    assert cache.write_text(path, "é")
    before = path.stat().st_mtime_ns
    assert not cache.write_text(path, "é")
    assert path.stat().st_mtime_ns == before
    assert cache.write_text(path, "e")


def _slow(root: str, log: str) -> None:
    os.environ["GUIDON_ROOT"] = root

    def make(path: Path) -> None:
        with open(log, "a") as handle:
            handle.write("made\n")
        time.sleep(0.3)
        write_hello(path)

    cache.derived("slow.txt", make)


def _start(root: Path, log: Path) -> multiprocessing.Process:
    process = multiprocessing.get_context("fork").Process(target=_slow, args=(str(root), str(log)))
    process.start()
    return process


def test_two_processes_make_it_once(project, tmp_path):
    log = tmp_path / "log"
    processes = [_start(project.root, log) for _ in range(3)]
    for process in processes:
        process.join(20)
    assert [process.exitcode for process in processes] == [0, 0, 0]
    assert log.read_text() == "made\n"


def test_a_killed_maker_leaves_no_half_file(project, tmp_path):
    log = tmp_path / "log"
    process = _start(project.root, log)
    while not log.exists():
        time.sleep(0.01)
    os.kill(process.pid, signal.SIGKILL)
    process.join(20)
    assert not list(paths.cache_dir().glob("slow-*.txt"))
    _slow(str(project.root), str(log))
    assert [path.read_text() for path in paths.cache_dir().glob("slow-*.txt")] == ["hello"]


def _write_too_much(root: str) -> None:
    import resource

    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000))
    cache.write_text(Path(root) / "kept.txt", "x" * 5000)


def test_a_full_disk_keeps_the_old_file(tmp_path):
    (tmp_path / "kept.txt").write_text("old")
    process = multiprocessing.get_context("fork").Process(target=_write_too_much, args=(str(tmp_path),))
    process.start()
    process.join(20)
    assert process.exitcode == 1
    assert [path.name for path in tmp_path.iterdir()] == ["kept.txt"]
    assert (tmp_path / "kept.txt").read_text() == "old"
