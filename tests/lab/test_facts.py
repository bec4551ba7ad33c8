import csv
import math

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lib.lab import facts, paths, prices
from lib.lab.facts import FactError

GOOD = {
    "id": "wage", "value": "2190", "low": "", "high": "", "unit": "€", "what_fr": "Salaire net", "what_en": "Net wage",
    "publication": "Insee", "date": "2025-10-23", "url": "https://example.org/a?b=1&c=2", "read": "excerpt", "note": "",
}  # fmt: skip


def write(project, *rows, head=facts.COLUMNS, name="some"):
    folder = project.root / "data" / "facts"
    folder.mkdir(exist_ok=True)
    with (folder / f"{name}.csv").open("w", encoding="utf-8", newline="") as handle:
        made = csv.writer(handle, lineterminator="\n")
        made.writerow(head)
        made.writerows([row[column] for column in head] for row in rows)


def test_a_table_is_read_by_id_in_its_order(project):
    other = GOOD | {"id": "share", "value": "", "low": "0.1", "high": "0.6", "unit": "%", "read": "recalled"}
    write(project, GOOD, other)
    frame = facts.load("some")
    assert list(frame.index) == ["wage", "share"]
    assert list(frame.columns) == list(facts.COLUMNS[1:])
    assert frame.loc["wage", "value"] == 2190
    assert math.isnan(frame.loc["wage", "low"])
    assert math.isnan(frame.loc["share", "value"])
    assert frame.loc["share", ["low", "high"]].tolist() == [0.1, 0.6]


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"unit": ""}, "some.csv, line 2: unit is empty"),
        ({"url": "ftp://example.org"}, "is not a web address"),
        ({"url": "javascript:alert(1)"}, "is not a web address"),
        ({"read": "seen"}, "read is one of whole, abstract, excerpt, recalled, not 'seen'"),
        ({"date": "2025-13"}, "date is YYYY, YYYY-MM or YYYY-MM-DD, not '2025-13'"),
        ({"date": ""}, "date is YYYY"),
        ({"value": "about 3"}, "value is a number, not 'about 3'"),
        ({"value": "inf"}, "value is a number, not 'inf'"),
        ({"value": "nan"}, "value is a number, not 'nan'"),
        ({"value": ""}, "a value is needed"),
        ({"low": "3000"}, "between low and high"),
        ({"high": "12"}, "between low and high"),
        ({"id": "net wage"}, "'net wage' is not a name"),
    ],
)
def test_a_row_that_is_wrong_is_told_with_its_line(project, change, said):
    write(project, GOOD | change)
    with pytest.raises(FactError, match=r"some\.csv, line 2") as caught:
        facts.load("some")
    assert said in str(caught.value)


def test_columns_ids_and_missing_tables(project):
    write(project, GOOD, GOOD)
    with pytest.raises(FactError, match="wage is there twice"):
        facts.load("some")
    write(project, GOOD, head=facts.COLUMNS[:-1])
    with pytest.raises(FactError, match="its first line must be id,value"):
        facts.load("some")
    (project.root / "data/facts/some.csv").write_text(",".join(facts.COLUMNS) + "\na,1\n", encoding="utf-8")
    with pytest.raises(FactError, match="line 2"):
        facts.load("some")
    (project.root / "data/facts/some.csv").write_text(",".join(facts.COLUMNS) + "\na" + ",1" * 20 + "\n")
    with pytest.raises(FactError, match="12 columns are expected"):
        facts.load("some")
    with pytest.raises(FactError, match="data/facts has no table other"):
        facts.load("other")


@pytest.mark.parametrize(
    ("row", "lang", "said"),
    [
        (GOOD, "fr", "2\u202f190\u00a0€"),
        (GOOD, "en", "2,190\u00a0€"),
        (GOOD | {"value": "0.25", "unit": "%"}, "fr", "0,25\u00a0%"),
        (GOOD | {"value": "0.25", "unit": "%"}, "en", "0.25%"),
        (GOOD | {"value": "", "low": "2", "high": "3.5"}, "fr", "2 à 3,5\u00a0€"),
        (GOOD | {"value": "", "low": "2", "high": "3.5"}, "en", "2 to 3.5\u00a0€"),
    ],
)
def test_a_figure_is_typeset_for_the_language(project, row, lang, said):
    write(project, row)
    assert facts.figure_of(facts.load("some").iloc[0].to_dict(), lang) == said


@given(st.integers(-(10**9), 10**9), st.integers(0, 4))
def test_a_figure_has_the_decimals_it_was_written_with(digits, decimals):
    written = digits / 10**decimals
    shown = facts.figure_of({"value": written, "low": math.nan, "high": math.nan, "unit": "x"}, "en")
    assert float(shown.partition("\u00a0")[0].replace(",", "").replace("\u2212", "-")) == written


def test_facts_are_shown_once_a_language_with_links(project, monkeypatch):
    shown = []
    monkeypatch.setattr("IPython.display.display", lambda data, metadata, raw: shown.append((data, metadata)))
    write(project, GOOD | {"what_en": "Wage <net>", "publication": "Insee & co"})
    facts.show(facts.load("some"), {"fr": "Les faits.", "en": "The facts."})
    assert [metadata["guidon"]["lang"] for _, metadata in shown] == ["fr", "en"]
    french, english = (data["text/html"] for data, _ in shown)
    assert '<a href="https://example.org/a?b=1&amp;c=2">Insee &amp; co</a>, 2025-10-23 (extrait lu)' in french
    assert "<caption>Les faits.</caption>" in french
    assert "Wage &lt;net&gt;" in english
    assert "(excerpt read)" in english


def test_every_table_of_the_project_is_whole():
    ours = {prices.DATES, "quantization_machine"}  # days of versions, and what another machine measured: other columns
    for file in (one for one in sorted(paths.facts_dir().glob("*.csv")) if one.stem not in ours):
        frame = facts.load(file.stem)
        assert isinstance(frame, pd.DataFrame)
        assert len(frame)
