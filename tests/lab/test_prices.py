import json
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lib.lab import prices, sources
from lib.lab.sources import SourceError

LIST = {
    "sample_spec": {"input_cost_per_token": 1.0, "mode": "chat"},
    "small": {
        "litellm_provider": "maker", "mode": "chat", "max_input_tokens": "8192",
        "input_cost_per_token": 1.5e-07, "output_cost_per_token": "6e-07",
    },
    "bare": {"max_tokens": 512},
    "odd": {"input_cost_per_token": "free", "output_cost_per_token": -1, "max_input_tokens": [1]},
    "note": "not a model",
}  # fmt: skip


def test_a_list_is_read_model_by_model_without_its_sample():
    small, bare, odd = prices.read_list(json.dumps(LIST).encode())
    assert small == {
        "name": "small", "provider": "maker", "mode": "chat", "input": pytest.approx(0.15),
        "output": pytest.approx(0.6), "context": 8192.0,
    }  # fmt: skip
    assert (bare["name"], bare["provider"], bare["mode"], bare["context"]) == ("bare", "", "", 512.0)
    assert all(math.isnan(bare[column]) for column in ("input", "output"))
    assert all(math.isnan(odd[column]) for column in ("input", "output", "context"))


@given(st.one_of(st.none(), st.text(), st.booleans(), st.floats(), st.integers(), st.lists(st.integers())))
def test_what_is_no_price_is_none(value):
    found = prices._number(value)
    assert math.isnan(found) or (math.isfinite(found) and found >= 0)


def test_a_version_without_a_date_is_refused(project):
    (project.root / "data/sources.toml").write_text(
        '[litellm]\nkind = "pypi"\npackage = "litellm"\nversion = "9.9.9"\nsha256 = "0"\nlicence = ""\nurl = ""\n'
        "attribution = {}\nholds = {}\n"
    )
    (project.root / "data/facts").mkdir()
    (project.root / "data/facts/litellm_dates.csv").write_text("version,date,kind,url\n1.0.0,2023-11-13,released,x\n")
    with pytest.raises(SourceError, match=r"has no date for litellm 9\.9\.9"):
        prices.dates()


def test_every_wheel_has_a_date_and_dates_follow_versions():
    known = prices.dates()
    assert len(known) == 1 + len(sources.get("litellm").parts)
    by_version = sorted(known, key=lambda version: [int(part) for part in version.split(".")])
    assert list(known) == by_version
    assert len(known) >= 12
    assert next(iter(known.values()))[:4] == "2023"


@pytest.mark.network
def test_lists_grow_and_hold_prices_per_million_tokens():
    frame = prices.listings()
    sizes = frame.groupby("version", sort=False).size()
    assert list(sizes.index) == list(prices.dates())
    assert sizes.is_monotonic_increasing
    assert not frame.duplicated(["version", "name"]).any()
    small = frame[(frame["name"] == "gpt-4o-mini") & (frame["version"] == "1.53.7")].iloc[0]
    assert (small["input"], small["output"]) == (pytest.approx(0.15), pytest.approx(0.6))
    assert small["mode"] == "chat"
