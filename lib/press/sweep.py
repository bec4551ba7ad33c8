"""Many runs of one notebook over values of its parameters: points, runs, one tidy table, figures. Knows no science."""

import itertools
import json
import math
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lib.lab import paths
from lib.lab.cache import atomic, write_text
from lib.lab.normalize import digest
from lib.press import places, runs
from lib.press.console import Board, short
from lib.press.notebooks import Notebook, NotebookError, parse_value, shown
from lib.press.reproduce import is_number

if TYPE_CHECKING:
    import pandas as pd

MOST = 10_000  # points: more is a slip of the keyboard
EVERY_S = 0.5  # between two looks of the table to watch
SHOWN = 15  # conditions in it
SEED = "seed"  # the parameter whose values are repetitions, not conditions


def parse(given: Sequence[str]) -> dict[str, list[Any]]:
    """Values by parameter from `seed=0:10`, `size=100,1000` or `shares=[0.1],[0.2]`. Raises NotebookError."""
    values: dict[str, list[Any]] = {}
    for text in given:
        name, equals, listed = text.partition("=")
        if not equals or not listed.strip():
            raise NotebookError(f"-p {shown(text)}: write the values as name=0:10 or name=100,1000")
        if name in values:
            raise NotebookError(f"-p {shown(text)}: {name} is given twice; put all its values in one list")
        values[name] = _values(text, listed)
    return values


def _values(text: str, listed: str) -> list[Any]:
    bounds = listed.split(":")
    try:
        found = range(*map(int, bounds)) if 2 <= len(bounds) <= 3 else parse_value(f"[{listed}]")
    except ValueError as error:
        raise NotebookError(f"-p {shown(text)}: these are not values; write name=0:10 or name=100,1000") from error
    if not found or not isinstance(found, (range, list)):
        raise NotebookError(f"-p {shown(text)}: there is no value in it")
    if found[MOST:]:
        raise NotebookError(f"-p {shown(text)}: there are more than {MOST:,} values")
    return list(found)


def points(notebook: Notebook, profile: str, values: Mapping[str, list[Any]], zipped: bool) -> list[dict[str, Any]]:
    """Every combination of the values (or the first of each, the second of each, when zipped), checked.

    Raises NotebookError for a parameter that the notebook lacks, a value of another type, or lists of unequal length.
    """
    lengths = {name: len(some) for name, some in values.items()}
    if zipped and len(set(lengths.values())) > 1:
        told = ", ".join(f"{name} has {length}" for name, length in lengths.items())
        raise NotebookError(f"--zip takes lists of one length; {told}")
    total = 1
    for length in lengths.values():
        total = length if zipped else total * length
    if total > MOST:
        raise NotebookError(f"{total:,} points are more than {MOST:,}; sweep fewer values")
    rows = zip(*values.values(), strict=True) if zipped else itertools.product(*values.values())
    found = [dict(zip(values, row, strict=True)) for row in rows]
    for point in found:
        notebook.values(profile, point)
    return found


def run(
    notebook: Notebook, profile: str, chosen: Sequence[dict[str, Any]], board: Board, place: places.Place
) -> list[runs.Outcome]:
    """Run every point; what was run before is kept, and a point that fails stops no other."""
    whole = board.bar(f"{notebook.slug}: {len(chosen)} points", len(chosen))
    swept = list(chosen[0])
    done: list[tuple[dict[str, Any], runs.Outcome]] = []
    shown = 0.0

    def each(number: int, outcome: runs.Outcome) -> None:
        nonlocal shown
        whole.advance()
        done.append((chosen[number], outcome))
        if board.is_live and (time.monotonic() - shown > EVERY_S or len(done) == len(chosen)):
            shown = time.monotonic()
            board.show(*_so_far(done, swept))

    outcomes = places.perform(orders(notebook, profile, chosen), place, each)
    failed = sum(bool(outcome.error) for outcome in outcomes)
    reused = sum(outcome.reused for outcome in outcomes)
    whole.done(f"{len(outcomes) - failed} done ({reused} of them before), {failed} failed")
    return outcomes


def orders(notebook: Notebook, profile: str, chosen: Sequence[dict[str, Any]]) -> list[places.Order]:
    """The runs of these points."""
    return [places.Order(notebook, profile, point) for point in chosen]


def _so_far(
    done: Sequence[tuple[dict[str, Any], runs.Outcome]], swept: Sequence[str]
) -> tuple[list[str], list[list[str]], str]:
    """(header, rows, note) of the table to watch: the best conditions until now."""
    frame = table(*zip(*done, strict=True))
    failed = sum(bool(outcome.error) for _, outcome in done)
    note = f"{failed} failed" if failed else ""
    name = headline(frame, [outcome for _, outcome in done], swept)
    if name is None:
        return [], [], note
    best = summary(frame, swept, name).head(SHOWN)
    rows = [[short(value) for value in row] for row in best.itertuples(index=False)]
    return [str(column) if column != "mean" else name for column in best.columns], rows, note


def headline(frame: "pd.DataFrame", outcomes: Sequence[runs.Outcome], swept: Sequence[str]) -> str | None:
    """The result that a table is about: the verdict's effect, or the first number that varies."""
    verdicts = [outcome.result.record.get("verdict") or {} for outcome in outcomes if outcome.result]
    names = [verdict["effect"] for verdict in verdicts if verdict.get("effect") in frame]
    return next(iter(names or numbers(frame, swept)), None)


def table(chosen: Sequence[dict[str, Any]], outcomes: Sequence[runs.Outcome]) -> "pd.DataFrame":
    """One row a point: its parameters, each number it recorded with its interval, verdict, seconds, error."""
    import pandas as pd

    frame = pd.DataFrame([_row(point, outcome) for point, outcome in zip(chosen, outcomes, strict=True)])
    mixed = [name for name in chosen[0] if frame[name].dtype == object]
    return frame.astype(dict.fromkeys(mixed, str))


def _row(point: Mapping[str, Any], outcome: runs.Outcome) -> dict[str, Any]:
    row = {name: _cell(value) for name, value in point.items()}
    if outcome.result is None:
        return row | {"error": outcome.error}
    told = outcome.result.record
    for name, result in told["results"].items():
        if is_number(result["value"]):
            row[name] = _cell(result["value"])
            if result.get("ci"):
                row[f"{name}_low"], row[f"{name}_high"] = result["ci"]
    return row | {"verdict": outcome.result.verdict, "seconds": told["provenance"]["seconds"], "error": ""}


def _cell(value: Any) -> Any:
    """A value as a table can hold it: lists as text, whole numbers past 64 bits as what comes nearest."""
    if isinstance(value, (list, dict)):
        return json.dumps(value)
    if isinstance(value, int) and abs(value) >= 2**63:
        return float(value) if abs(value) < 10**300 else math.copysign(math.inf, value)
    return value


def numbers(frame: "pd.DataFrame", swept: Sequence[str]) -> list[str]:
    """The columns that hold a result: a number that varies over the points."""
    ends = ("_low", "_high")
    other = {*swept, "seconds", "verdict", "error"}
    found = [name for name in frame.columns if name not in other and not (name.endswith(ends) and _base(name) in frame)]
    return [name for name in found if frame[name].nunique() > 1]


def _base(name: str) -> str:
    return name.rpartition("_")[0]


def summary(frame: "pd.DataFrame", swept: Sequence[str], name: str) -> "pd.DataFrame":
    """One row a condition (all swept parameters but the seed), highest mean first: rank, mean, low, high, n.

    The interval is a bootstrap over the seeds; with one seed it is the run's own.
    """
    import pandas as pd

    from lib.lab.stats import bootstrap_ci

    by = [one for one in swept if one != SEED]
    groups = frame.groupby(by, sort=False) if by else [((), frame)]
    rows = []
    for key, some in groups:
        seen = some[name].dropna()
        if seen.empty:
            continue
        if len(seen) > 1:
            low, high = bootstrap_ci(seen.to_numpy(), seed=0)
        else:
            low, high = (
                some[end].iloc[0] if (end := f"{name}_{side}") in some else seen.iloc[0] for side in ("low", "high")
            )
        condition = dict(zip(by, key if isinstance(key, tuple) else (key,), strict=True))
        rows.append(condition | {"mean": seen.mean(), "low": low, "high": high, "n": len(seen)})
    best = pd.DataFrame(rows).sort_values("mean", ascending=False, ignore_index=True)
    best.insert(0, "rank", range(1, len(best) + 1))
    return best


def keep(notebook: Notebook, profile: str, swept: Sequence[str], frame: "pd.DataFrame") -> Path:
    """Write table.csv, table.parquet, and for each result a figure and its summary by condition; the folder."""
    key = digest(profile, frame[list(swept)].to_json())[:12]
    folder = paths.build_dir() / "sweeps" / notebook.slug / f"{profile}-{key}"
    write_text(folder / "table.csv", frame.to_csv(index=False))
    with atomic(folder / "table.parquet") as made:
        frame.to_parquet(made, index=False)
    for name in numbers(frame, swept):
        write_text(folder / f"{name}.svg", draw(frame, swept, name))
        write_text(folder / f"{name}.csv", summary(frame, swept, name).to_csv(index=False))
    return folder


def draw(frame: "pd.DataFrame", swept: Sequence[str], name: str) -> str:
    """A result against the first swept parameter, a line for each value of the others: an SVG."""
    import io

    from matplotlib.figure import Figure

    from lib.lab import plots

    plots.use_style()
    conditions = [one for one in swept if one != SEED] or [SEED]
    x, others = conditions[0], conditions[1:]
    fig = Figure(figsize=(6.4, 4.2), layout="constrained")
    ax = fig.subplots()
    groups = list(frame.groupby(others, sort=False)) if others else [((), frame)]
    for place, (key, some) in enumerate(groups):
        color, marker = plots.PALETTE[place % 7], plots.MARKERS[place % 7]
        ax.scatter(some[x], some[name], s=12, color=color, alpha=0.6)
        if x != SEED:
            line = summary(some, [x], name).sort_values(x)
            label = ", ".join(f"{one} = {value}" for one, value in zip(others, key, strict=True))
            ax.fill_between(line[x], line["low"], line["high"], color=color, alpha=0.15, linewidth=0)
            ax.plot(line[x], line["mean"], color=color, marker=marker, label=label or None)
    ax.set(xlabel=x, ylabel=name)
    if others:
        ax.legend()
    buffer = io.StringIO()
    fig.savefig(buffer, format="svg", metadata={"Date": None})
    return buffer.getvalue()
