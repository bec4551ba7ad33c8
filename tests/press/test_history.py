import json

import pytest

from lib.press import boxes, history, runs
from lib.press.accept import accept
from lib.press.notebooks import load
from tests.conftest import BODY


def entry(date, verdict, effect=1.0):
    return {"date": date, "commit": None, "verdict": verdict, "effect": effect, "ci": None, "changed": []}


@pytest.mark.parametrize(
    ("verdicts", "day"),
    [("h", 1), ("hh", 1), ("hf", 2), ("hfh", 3), ("fhh", 2), ("", None)],
)
def test_a_verdict_is_what_it_is_since_the_first_of_its_last_run_of_entries(verdicts, day):
    entries = [entry(f"2026-01-0{number}", verdict) for number, verdict in enumerate(verdicts, 1)]
    found = history.since(entries)
    assert (found and int(found["date"][-2:])) == day


def test_accepting_again_adds_an_entry_only_when_something_else_is_said(project):
    notebook = load(project.write())
    runs.run(notebook, "quick")
    folder = accept(notebook, "quick").folder
    first = history.read(folder)
    assert [(one["verdict"], one["changed"]) for one in first] == [("holds", [])]
    runs.run(notebook, "quick", force=True)
    accept(notebook, "quick")
    assert history.read(folder) == first
    changed = load(project.write(body=[BODY[0], BODY[1].replace("mean = float(", "mean = -99 + float("), BODY[2]]))
    runs.run(changed, "quick")
    result = accept(changed, "quick")
    entries = history.read(folder)
    assert [(one["verdict"], one["changed"]) for one in entries] == [("holds", []), ("fails", ["code"])]
    assert entries[0] == first[0]
    told = boxes.verdict_box(changed, result, "en")
    assert "since " in told
    assert "the verdict was “holds”; since then these changed: code." in told
    assert "ont changé depuis : code." in boxes.verdict_box(changed, result, "fr")


def test_a_result_without_a_history_has_one_from_the_next_on(project):
    notebook = load(project.write())
    runs.run(notebook, "quick")
    folder = accept(notebook, "quick").folder
    (folder / history.FILE).unlink()
    assert history.read(folder) == []
    changed = load(project.write(body=[BODY[0], BODY[1].replace("mean = float(", "mean = -99 + float("), BODY[2]]))
    runs.run(changed, "quick")
    accept(changed, "quick")
    assert [one["verdict"] for one in history.read(folder)] == ["holds", "fails"]
    (folder / history.FILE).write_text("{")
    assert history.read(folder) == []


def test_claims_are_told_to_other_programs(website):
    from lib.press import pages, site

    out = site.publish(renderer="smalldocs")
    (told,) = json.loads((out / "claims.json").read_text())["claims"]
    assert (told["slug"], told["verdict"], told["effect"]) == ("tiny", "holds", "mean")
    assert told["evidence"]["mean"]["value"] == 0.5
    assert told["url"]["en"] == pages.post_address("tiny", "en") == "https://guidon.example/en/posts/tiny.html"
    assert 'type="application/json" href="claims.json"' in (out / "claims.html").read_text()
    page = (out / "posts/tiny.html").read_text()
    assert "guidon-tiny-fr" in page
    assert "min de lecture" in page
