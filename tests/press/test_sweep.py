"""Sweeps: points checked before anything starts, runs kept and taken up again, one tidy table."""

import json

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lib.cli import main
from lib.press import places, runs, sweep
from lib.press.console import Board
from lib.press.notebooks import NotebookError, load
from tests.conftest import BODY


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        (["seed=0:3"], {"seed": [0, 1, 2]}),
        (["seed=10:0:-5"], {"seed": [10, 5]}),
        (["size=100,1000"], {"size": [100, 1000]}),
        (["share=0.5"], {"share": [0.5]}),
        (["name=a,'b c'", "on=true,false"], {"name": ["a", "b c"], "on": [True, False]}),
        (["shares=[0.1, 0.2],[0.3]"], {"shares": [[0.1, 0.2], [0.3]]}),
    ],
)
def test_values_are_ranges_or_lists(given, expected):
    assert sweep.parse(given) == expected


@pytest.mark.parametrize(
    ("given", "said"),
    [
        (["seed"], "write the values as"),
        (["seed="], "write the values as"),
        (["seed=a:b"], "these are not values"),
        (["seed=3:3"], "there is no value"),
        (["seed=0:99999999999999999999"], "more than 10,000 values"),
        (["seed=[1"], "these are not values"),
        (["seed=1", "seed=2"], "given twice"),
    ],
)
def test_what_is_no_list_of_values_is_refused(given, said):
    with pytest.raises(NotebookError, match=said):
        sweep.parse(given)


@given(st.text(max_size=30), st.text(max_size=30))
def test_any_text_is_values_or_one_clear_error(name, text):
    try:
        found = sweep.parse([f"{name}={text}"])
    except NotebookError as error:
        assert str(error).startswith("-p ")  # noqa: PT017
    else:
        assert all(isinstance(some, list) and some for some in found.values())


def test_points_are_all_combinations_or_pairs(project):
    notebook = load(project.write())
    values = {"seed": [0, 1], "size": [10, 20]}
    assert sweep.points(notebook, "quick", values, zipped=False) == [
        {"seed": 0, "size": 10}, {"seed": 0, "size": 20}, {"seed": 1, "size": 10}, {"seed": 1, "size": 20},
    ]  # fmt: skip
    assert sweep.points(notebook, "quick", values, zipped=True) == [{"seed": 0, "size": 10}, {"seed": 1, "size": 20}]


@pytest.mark.parametrize(
    ("values", "zipped", "said"),
    [
        ({"sise": [1]}, False, "no parameter sise"),
        ({"size": ["x"]}, False, "size is int, not str"),
        ({"size": [1, 2], "seed": [1]}, True, "size has 2, seed has 1"),
        ({"size": list(range(200)), "seed": list(range(200))}, False, "40,000 points"),
    ],
)
def test_a_wrong_point_is_refused_before_anything_starts(project, values, zipped, said):
    with pytest.raises(NotebookError, match=said):
        sweep.points(load(project.write()), "quick", values, zipped)


def test_a_sweep_is_one_table_and_is_taken_up_where_it_stopped(project, monkeypatch):
    notebook = load(project.write())
    chosen = sweep.points(notebook, "smoke", {"seed": [0, 1, 2], "size": [10, 40]}, zipped=False)
    outcomes = sweep.run(notebook, "smoke", chosen[:4], Board(None), places.Here(2, 2))
    assert [outcome.reused for outcome in outcomes] == [False] * 4
    executed = []
    really = runs._execute
    monkeypatch.setattr(runs, "_execute", lambda *given: executed.append(given) or really(*given))
    again = sweep.run(notebook, "smoke", chosen, Board(None), places.Here(2, 2))
    assert len(executed) == 2
    frame = sweep.table(chosen, again)
    assert list(frame.columns) == ["seed", "size", "mean", "mean_low", "mean_high", "verdict", "seconds", "error"]
    assert frame[["seed", "size"]].to_dict("records") == chosen
    for row, outcome in zip(frame.itertuples(), again, strict=True):
        assert row.mean == outcome.result.record["results"]["mean"]["value"]
    assert sweep.numbers(frame, ["seed", "size"]) == ["mean"]
    best = sweep.summary(frame, ["seed", "size"], "mean")
    assert list(best["n"]) == [3, 3]
    assert best["mean"].is_monotonic_decreasing
    for row in best.itertuples():
        assert row.low <= row.mean <= row.high
        assert row.mean == pytest.approx(frame.loc[frame["size"] == row.size, "mean"].mean())


def test_the_mean_of_a_condition_is_that_of_its_seeds():
    frame = pd.DataFrame({"seed": [0, 1, 0, 1], "size": [1, 1, 2, 2], "f1": [0.1, 0.3, 0.8, 0.6]})
    best = sweep.summary(frame, ["seed", "size"], "f1")
    assert best[["size", "n"]].to_dict("records") == [{"size": 2, "n": 2}, {"size": 1, "n": 2}]
    assert best["mean"].tolist() == pytest.approx([0.7, 0.2])
    assert best["low"].tolist() == pytest.approx([0.6, 0.1])
    assert best["high"].tolist() == pytest.approx([0.8, 0.3])
    alone = frame[frame["seed"] == 0].assign(f1_low=0.0, f1_high=1.0)
    assert sweep.summary(alone, ["size"], "f1")[["low", "high"]].to_numpy().tolist() == [[0, 1], [0, 1]]


def test_a_point_that_fails_stops_no_other_and_is_told(project, capsys):
    body = [BODY[0], "if size == 20:\n    raise ValueError('no luck')", *BODY[1:]]
    project.write(body=body)
    assert main(["sweep", "tiny", "-p", "size=10,20,30", "-p", "seed=0:2", "--profile", "smoke"]) == 1
    told = capsys.readouterr()
    assert "no luck" in told.err
    (folder,) = (project.root / "build/sweeps/tiny").iterdir()
    frame = pd.read_csv(folder / "table.csv")
    assert frame["error"].notna().sum() == 2
    assert frame.loc[frame["error"].isna(), "size"].tolist() == [10, 10, 30, 30]
    kept = pd.read_parquet(folder / "table.parquet")
    assert kept["mean"].tolist() == pytest.approx(frame["mean"].tolist(), nan_ok=True)
    assert (folder / "mean.svg").read_text().startswith("<?xml")
    assert "mean: mean over the seeds, 95% interval" in told.out


def test_the_command_refuses_before_it_runs_and_speaks_json(project, capsys):
    project.write()
    assert main(["sweep", "tiny", "-p", "sise=1"]) == 2
    assert not (project.root / "build/runs").exists()
    assert main(["sweep", "tiny", "-p", "seed=0:2", "-p", "size=5,6", "--zip", "--json"]) == 0
    out = capsys.readouterr().out
    rows = json.loads(out[out.index("[") :])
    assert [(row["seed"], row["size"]) for row in rows] == [(0, 5), (1, 6)]


def test_lists_as_values_are_one_cell_each(project):
    notebook = load(
        project.write(parameters="seed: int = 0  # any\nsize: int = 9  # rows\nshares: list = [0.1]  # each")
    )
    chosen = sweep.points(notebook, "quick", sweep.parse(["shares=[0.1, 0.2],[0.3]"]), zipped=False)
    frame = sweep.table(chosen, [runs.Outcome(notebook, "quick", error="not run")] * 2)
    assert frame["shares"].tolist() == ["[0.1, 0.2]", "[0.3]"]
