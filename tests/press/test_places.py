"""Where runs are made: side by side, in order, within the cores, and stopped when nobody wants them any more."""

import threading
import time
from types import SimpleNamespace

import pytest

from lib.press import places
from lib.press.console import Board
from lib.press.notebooks import load, select
from tests.conftest import BODY


def test_runs_side_by_side_share_the_cores_and_nothing_else(project):
    for number in (1, 2, 3):
        project.write(f"data/0{number}_n{number}.ipynb", parameters=f"seed: int = {number}  # s\nsize: int = 9  # n")
    orders = [places.Order(notebook) for notebook in select([])]
    with places.place(orders, jobs=3, board=Board(None)) as place:
        outcomes = places.perform(orders, place)
    assert [outcome.error for outcome in outcomes] == ["", "", ""]
    assert len({outcome.result.record["results"]["mean"]["value"] for outcome in outcomes}) == 3


def test_places_tell_of_each_run_and_give_them_in_order(project):
    notebook = load(project.write())
    orders = [places.Order(notebook, "smoke", {"seed": seed}) for seed in (3, 1, 2)]
    told = {}
    with places.place(orders) as place:
        outcomes = places.perform(orders, place, told.__setitem__)
    assert [outcome.result.record["parameters"]["seed"] for outcome in outcomes] == [3, 1, 2]
    assert told == dict(enumerate(outcomes))
    assert outcomes[0].told.startswith("ran in ")
    with places.place(orders, jobs=2) as place:
        assert [outcome.reused for outcome in places.perform(orders, place)] == [True] * 3


def test_what_raises_in_the_middle_stops_what_runs(project, tmp_path):
    log = tmp_path / "log"
    sleepy = (
        f"import os\nimport time\n\nopen({str(log)!r}, 'a').write(f'{{os.getpid()}} ')\ntime.sleep(600 * (seed > 0))"
    )
    notebook = load(project.write(body=[sleepy, *BODY]))
    orders = [places.Order(notebook, "smoke", {"seed": seed}) for seed in range(6)]

    def each(number, outcome):
        raise KeyboardInterrupt

    started = time.monotonic()
    with pytest.raises(KeyboardInterrupt), places.place(orders, jobs=2) as place:
        places.perform(orders, place, each)
    assert time.monotonic() - started < 30
    assert len(log.read_text().split()) < 6
    assert len(list((project.root / "build/runs/tiny").glob("*/record.json"))) == 1


def test_what_asks_for_one_core_has_a_neighbour_and_what_asks_for_both_is_alone(monkeypatch):
    running, seen, lock = [], {}, threading.Lock()

    def run(notebook, *given, **more):
        with lock:
            running.append(notebook.slug)
            for slug in running:
                seen.setdefault(slug, set()).update(running)
        time.sleep(0.2)
        with lock:
            running.remove(notebook.slug)
        return SimpleNamespace(notebook=notebook)

    monkeypatch.setattr(places.runs, "run", run)
    monkeypatch.setattr(places.os, "cpu_count", lambda: 8)
    asked = {"a": 2, "b": 1, "c": 2, "d": 1}
    orders = [places.Order(SimpleNamespace(slug=slug, threads=threads)) for slug, threads in asked.items()]
    with places.place(orders, cores=2) as place:
        outcomes = places.perform(orders, place)
    assert [outcome.notebook.slug for outcome in outcomes] == list(asked)
    assert seen == {"a": {"a"}, "c": {"c"}, "b": {"b", "d"}, "d": {"b", "d"}}


def test_cores_are_never_exceeded():
    cores, most, now, lock = places.Cores(4), [0], [0], threading.Lock()

    def work(threads):
        held = cores.take(threads)
        with lock:
            now[0] += held
            most[0] = max(most[0], now[0])
        time.sleep(0.005)
        with lock:
            now[0] -= held
        cores.give(held)

    workers = [threading.Thread(target=work, args=(1 + number % 3,)) for number in range(20)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    assert (most[0] <= 4, now[0], cores.free) == (True, 0, 4)
    assert cores.take(9) == 4
