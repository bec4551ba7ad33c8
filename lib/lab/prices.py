"""Models offered through an API and their list prices over time, from the price lists that litellm's wheels hold.

Knows what each list says of a model, and when the list was out. The wheels are read as data, never installed.
"""

import csv
import json
import math
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lib.lab import archives, paths, sources
from lib.lab.cache import derived

if TYPE_CHECKING:
    import pandas as pd

MEMBER = "litellm/model_prices_and_context_window_backup.json"
MILLION = 1_000_000  # tokens: lists give dollars a token
DATES = "litellm_dates"  # the table of data/facts that says when each version was out


def listings() -> "pd.DataFrame":
    """One row a model in a list, lists in order of date.

    Columns: version (str, of litellm), date (datetime64, when the list was out, or a day by which it was), name (str),
    provider (str), mode (str: chat, completion, embedding ...; "" when not said), input, output (float, US dollars a
    million tokens, NaN when not said), context (float, tokens read at most, NaN when not said).
    """
    import pandas as pd

    inputs = {"litellm": sources.content_hash("litellm")}
    code = [sys.modules[__name__]]
    params = {"dates": dates()}
    return pd.read_parquet(derived("listings.parquet", _write, inputs=inputs, params=params, code=code))


def dates() -> dict[str, str]:
    """Day (YYYY-MM-DD) of each version whose wheel is a source, oldest first."""
    with (paths.facts_dir() / f"{DATES}.csv").open(encoding="utf-8", newline="") as handle:
        known = {row["version"]: row["date"] for row in csv.DictReader(handle)}
    wheels = [sources.get(name).version for name in ("litellm", *sources.get("litellm").parts)]
    missing = [version for version in wheels if version not in known]
    if missing:
        raise sources.SourceError(f"data/facts/{DATES}.csv has no date for litellm {', '.join(missing)}")
    return dict(sorted(((version, known[version]) for version in wheels), key=lambda pair: pair[1]))


def _write(path: Path) -> None:
    import pandas as pd

    wheels = sources.fetch("litellm")
    by_version = {sources.get(name).version: file for name, file in wheels.items()}
    rows = [
        {"version": version, "date": day, **one}
        for version, day in dates().items()
        for one in read_list(archives.read(by_version[version], MEMBER))
    ]
    frame = pd.DataFrame(rows)
    frame["date"] = pd.to_datetime(frame["date"])
    frame.to_parquet(path, index=False)


def read_list(content: bytes) -> Iterator[dict[str, Any]]:
    """What one list says of each model it names, without the sample that explains its fields."""
    for name, said in json.loads(content).items():
        if name == "sample_spec" or not isinstance(said, dict):
            continue
        yield {
            "name": name,
            "provider": str(said.get("litellm_provider") or ""),
            "mode": str(said.get("mode") or ""),
            "input": MILLION * _number(said.get("input_cost_per_token")),
            "output": MILLION * _number(said.get("output_cost_per_token")),
            "context": _number(said.get("max_input_tokens") or said.get("max_tokens")),
        }


def _number(value: object) -> float:
    """A number that may be written as text; NaN for anything else."""
    try:
        found = float(value)  # type: ignore[arg-type]
    except (TypeError, ValueError):
        return math.nan
    return found if math.isfinite(found) and found >= 0 else math.nan
