"""Make accepted runs again, compare value by value, and tell four rates of it. Knows nothing of how runs are made."""

import contextlib
import datetime as dt
import json
import math
from collections.abc import Mapping, Sequence
from typing import Any

from lib.lab.cache import write_text
from lib.press import identity, places, runs, store
from lib.press.console import Board
from lib.press.notebooks import Notebook, NotebookError


def compare(accepted: Mapping[str, Any], here: Mapping[str, Any]) -> list[dict[str, Any]]:
    """One row for each value of either record, and one for the verdict.

    A row: name, kind, accepted, here, tol, ok, identical. `exact` values agree within `tol`; `measured` ones are
    never a failure, and carry `ratio` (here / accepted) instead. A verdict decided by something measured is itself
    measured: another machine may rightly come to another one.
    """
    names = dict.fromkeys([*accepted["results"], *here["results"]])
    rows = [_row(name, accepted["results"].get(name), here["results"].get(name)) for name in names]
    verdicts = [(record.get("verdict") or {}).get("value") for record in (accepted, here)]
    if any(verdicts):
        same, kind = verdicts[0] == verdicts[1], "measured" if _rests_on_measures(accepted) else "exact"
        verdict = {"name": "verdict", "kind": kind, "accepted": verdicts[0], "here": verdicts[1], "tol": None}
        rows.append({**verdict, "ok": same or kind == "measured", "identical": same})
    return rows


def _rests_on_measures(record: Mapping[str, Any]) -> bool:
    evidence = (record.get("verdict") or {}).get("evidence", [])
    return any(record["results"][name]["kind"] == "measured" for name in evidence if name in record["results"])


def _other_verdict(rows: Sequence[Mapping[str, Any]]) -> str | None:
    """The verdict that this machine's measures lead to, where it is another than the accepted one."""
    return next((row["here"] for row in rows if row["name"] == "verdict" and row["ok"] and not row["identical"]), None)


def _row(name: str, accepted: Mapping[str, Any] | None, here: Mapping[str, Any] | None) -> dict[str, Any]:
    kind = (accepted or here or {}).get("kind", "exact")
    tol = (accepted or {}).get("tol")
    before, now = ((side or {}).get("value") for side in (accepted, here))
    row = {"name": name, "kind": kind, "accepted": before, "here": now, "tol": tol}
    if accepted is None or here is None:
        return {**row, "ok": False, "identical": False}
    identical = accepted.get("value") == here.get("value") and accepted.get("ci") == here.get("ci")
    if kind == "measured":
        ratio = now / before if is_number(before) and is_number(now) and before else None
        return {**row, "ok": True, "identical": False, "ratio": ratio}
    close = agree(before, now, tol or 0.0) and agree(accepted.get("ci"), here.get("ci"), tol or 0.0)
    return {**row, "ok": identical or close, "identical": identical}


def is_number(value: object) -> bool:
    """Whether a recorded value is a number; True and False are not."""
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def agree(before: Any, now: Any, tol: float) -> bool:
    """Whether two values agree: numbers within an absolute tolerance, lists and rows item by item, the rest equal."""
    if is_number(before) and is_number(now):
        return math.isclose(before, now, rel_tol=0.0, abs_tol=tol)
    if isinstance(before, list) and isinstance(now, list):
        return len(before) == len(now) and all(agree(*pair, tol) for pair in zip(before, now, strict=True))
    if isinstance(before, Mapping) and isinstance(now, Mapping):
        return before.keys() == now.keys() and all(agree(before[name], now[name], tol) for name in before)
    return bool(before == now)


def side_by_side(one: Mapping[str, Any], other: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Two records value by value: the rows of `compare`, with `difference` (other - one) where both are numbers."""
    rows = compare(one, other)
    for row in rows:
        both = is_number(row["accepted"]) and is_number(row["here"])
        row["difference"] = row["here"] - row["accepted"] if both else None
    return rows


def summary(accepted: store.Result, here: store.Result) -> dict[str, Any]:
    """What is kept and shown of one reproduction."""
    rows = compare(accepted.record, here.record)
    told = here.record["provenance"]
    return {
        "slug": accepted.record["slug"],
        "profile": accepted.profile,
        "date": dt.datetime.now(dt.UTC).isoformat(timespec="seconds"),
        "platform": told["platform"],
        "cpu": told["cpu"],
        "seconds": told["seconds"],
        "digest": accepted.record["identity"]["digest"],
        "agree": sum(row["ok"] for row in rows if row["kind"] == "exact"),
        "total": sum(row["kind"] == "exact" for row in rows),
        "identical": sum(row["identical"] for row in rows if row["kind"] == "exact"),
        "other_verdict": _other_verdict(rows),
        "rows": rows,
    }


def keep(found: Mapping[str, Any]) -> None:
    """Write what was found where the posts look for it."""
    path = store.reproduction_file(found["slug"], found["profile"])
    write_text(path, json.dumps(found, ensure_ascii=False, indent=1) + "\n")


def is_done(slug: str, profile: str = "quick") -> bool:
    """Whether what is accepted now was already run again here, and agreed."""
    found, accepted = store.reproduction(slug, profile), store.accepted(slug).get(profile)
    if not found or not accepted:
        return False
    return found.get("digest") == accepted.record["identity"]["digest"] and found["agree"] == found["total"]


def again(
    orders: Sequence[places.Order], place: places.Place, board: Board
) -> tuple[list[dict[str, Any]], list[runs.Outcome]]:
    """Make these runs again; (what was found of each, kept for its post, the runs that failed)."""
    whole = board.bar("reproducing", len(orders))
    found: dict[int, dict[str, Any]] = {}
    failed: list[runs.Outcome] = []

    def each(number: int, outcome: runs.Outcome) -> None:
        if outcome.result:
            found[number] = summary(store.accepted(outcome.notebook.slug)[outcome.profile], outcome.result)
            keep(found[number])
        else:
            failed.append(outcome)
        whole.advance()

    places.perform(orders, place, each)
    whole.done()
    return [found[number] for number in sorted(found)], failed


def environment() -> dict[str, Any]:
    """Whether the environment that the lock describes is installed: a rate, over its packages."""
    from lib.press import doctor

    pinned, unlike = doctor.locked_versions(), doctor.unlike_lock()
    told = [f"{name} is {here}, not {pinned[name]}" for name, here in unlike.items()]
    return _rate("packages installed as pinned", len(pinned), told)


def inputs(notebooks: Sequence[Notebook]) -> dict[str, Any]:
    """Whether what the accepted runs read is here, byte for byte: a rate, over the inputs. Fetches what is missing."""
    from lib.lab import sources

    given = list(dict.fromkeys(name for notebook in notebooks for name in notebook.inputs))
    fetched = [name for name in given if name in sources.load()]
    told: dict[str, str] = {}
    with contextlib.suppress(sources.SourceError):  # what could not be had is found wrong below
        if fetched:
            sources.fetch(*fetched)
    if fetched:
        told = {name: problem for name, problem in sources.verify(*fetched).items() if problem}
    for notebook in notebooks:
        for profile, accepted in store.accepted(notebook.slug).items():
            for name, hashed in (accepted.record["identity"].get("inputs") or {}).items():
                if name in told or name not in notebook.inputs:
                    continue
                if _hash(name) != hashed:
                    told[name] = f"not what the {profile} result of {notebook.slug} read"
    counted = [name for name in given if not identity.is_derived(name)]
    return _rate("inputs verified", len(counted), [f"{name}: {problem}" for name, problem in told.items()])


def _hash(name: str) -> str | None:
    try:
        return identity.input_hash(name)
    except NotebookError:
        return None


def rates(
    installed: Mapping[str, Any], verified: Mapping[str, Any],
    found: Sequence[Mapping[str, Any]], failed: Mapping[str, str],
) -> dict[str, dict[str, Any]]:  # fmt: skip
    """The four rates, each a count, its total and what fell short: apart, since they fail apart."""
    unlike = [f"{one['slug']}: {row['name']}" for one in found for row in one["rows"] if not row["ok"]]
    compared = sum(one["total"] for one in found)
    return {
        "environment": dict(installed),
        "inputs": dict(verified),
        "runs": _rate("runs ended cleanly", len(found) + len(failed), [f"{s}: {why}" for s, why in failed.items()]),
        "results": _rate("values agree", compared, unlike),
    }


def _rate(what: str, total: int, shortfall: list[str]) -> dict[str, Any]:
    return {"what": what, "ok": total - len(shortfall), "total": total, "shortfall": shortfall}


def rate_lines(rates: Mapping[str, Mapping[str, Any]]) -> list[str]:
    """The four rates in words: a line each, and the first shortfalls under it."""
    told = []
    for one in rates.values():
        share = f" ({one['ok'] / one['total']:.0%})" if one["total"] else ""
        told.append(f"{one['what'] + ':':30}{one['ok']} of {one['total']}{share}")
        told += [f"  {why}" for why in one["shortfall"][:5]]
        if one["shortfall"][5:]:
            told.append(f"  and {len(one['shortfall']) - 5} more; --json has them all")
    return told


def lines(found: Mapping[str, Any]) -> list[str]:
    """The report in words: one line that sums up, then one for each value that does not agree."""
    told = f"{found['agree']} of {found['total']} values agree, {found['identical']} to the last bit"
    report = [f"{found['slug']} ({found['profile']}): {told}, in {found['seconds']:.0f} s"]
    for row in found["rows"]:
        if not row["ok"]:
            within = "" if row["tol"] is None else f", outside its tolerance of {row['tol']:g}"
            report.append(f"  {row['name']}: accepted {row['accepted']}, here {row['here']}{within}")
    if verdict := found["other_verdict"]:
        report.append(f"  with what is measured on this machine (time, memory), the verdict is: {verdict}")
    return report
