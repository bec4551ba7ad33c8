"""What a notebook says it found: values, the rule announced beforehand, the verdict that follows from it.

Each is an output of its cell under scrapbook's MIME type, so that the executed notebook holds its own record and
`scrapbook.read_notebook` reads it. Knows nothing of files or of the press.
"""

import math
from collections.abc import Mapping, Sequence
from typing import Any, Literal

MIME = "application/scrapbook.scrap.json+json"
RULE, VERDICT = "guidon.rule", "guidon.verdict"
VERDICTS = ("holds", "fails", "mixed", "undecided")


class ResultError(ValueError):
    """A result that cannot be recorded as it was given."""


def _plain(value: Any) -> Any:
    """Python numbers, text and lists from numpy's; refuses NaN and infinities, which JSON does not hold."""
    if hasattr(value, "item") and getattr(value, "ndim", 0) == 0:
        value = value.item()
    if isinstance(value, Mapping):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)) or hasattr(value, "tolist"):
        return [_plain(item) for item in value]
    if isinstance(value, float) and not math.isfinite(value):
        raise ResultError(f"{value} is not a number that can be published")
    if value is None or isinstance(value, (bool, int, float, str)):
        return value
    raise ResultError(f"a {type(value).__name__} cannot be recorded; give a number, a text or a list of rows")


def _emit(name: str, data: object) -> None:
    from IPython.display import display

    payload = {"name": name, "data": data, "encoder": "json", "version": 1}
    display({MIME: payload}, metadata={"scrapbook": {"name": name, "data": True, "display": False}}, raw=True)


class Results:
    """The results of one notebook. Make one in the set-up cell."""

    def __init__(self) -> None:
        self.values: dict[str, dict[str, Any]] = {}
        self.announced: dict[str, str] | None = None
        self.recorded_before_rule: set[str] = set()

    def rule(self, *, fr: str, en: str) -> None:
        """Announce how the verdict will be decided. Comes before every value that is evidence for it."""
        if self.announced is not None:
            raise ResultError("the rule was announced already; a notebook has one rule")
        self.announced = {"fr": fr, "en": en}
        self.recorded_before_rule = set(self.values)
        _emit(RULE, self.announced)

    def record(
        self,
        name: str,
        value: Any,
        unit: str | None = None,
        ci: Sequence[float] | None = None,
        n: int | None = None,
        tol: float | None = None,
        kind: Literal["exact", "measured"] = "exact",
        level: float = 0.95,
    ) -> None:
        """Record a value under a name that prose can use.

        value: number, text, or list of rows (dicts). ci: (low, high), at this level. n: how many items it rests on.
        tol: absolute tolerance between machines, required for an exact float. kind: `exact` values are the same to
        the last bit on one machine; `measured` ones (time, memory, energy) are compared by ratio only.
        """
        if not name.isidentifier():
            raise ResultError(f"{name!r} is not a name that prose can use: letters, digits and underscores")
        if name in self.values:
            raise ResultError(f"{name} is recorded twice; give each value a name of its own")
        if kind not in ("exact", "measured"):
            raise ResultError(f"{name}: kind is 'exact' or 'measured', not {kind!r}")
        value = _plain(value)
        if kind == "exact" and isinstance(value, float) and tol is None:
            raise ResultError(f"{name}: an exact number needs tol, how far another machine may differ")
        low_high = None if ci is None else [float(_plain(bound)) for bound in ci]
        if low_high is not None and not (len(low_high) == 2 and low_high[0] <= low_high[1]):
            raise ResultError(f"{name}: ci is (low, high), not {ci!r}")
        if not 0 < level < 1:
            raise ResultError(f"{name}: level is a share, such as 0.95, not {level!r}")
        self.values[name] = {"value": value, "unit": unit, "ci": low_high, "n": n, "tol": tol, "kind": kind}
        if low_high is not None:
            self.values[name]["level"] = float(level)
        _emit(name, self.values[name])

    def verdict(
        self, *, holds: bool, fails: bool, evidence: Sequence[str], effect: str | None = None, mixed: bool = False
    ) -> str:
        """Decide by the announced rule; return `holds`, `fails`, `mixed`, or `undecided` when nothing is met.

        evidence: names of the recorded values that the conditions were computed from, none recorded before the rule.
        effect: the headline value of the claims page.
        """
        if self.announced is None:
            raise ResultError("announce the rule (results.rule) before deciding by it")
        unknown = [name for name in (*evidence, *([effect] if effect else [])) if name not in self.values]
        if unknown or not evidence:
            raise ResultError(f"evidence names recorded values; not recorded: {', '.join(unknown) or 'none given'}")
        early = [name for name in evidence if name in self.recorded_before_rule]
        if early:
            raise ResultError(f"recorded before the rule was announced: {', '.join(early)}; move the rule up")
        met = [name for name, is_met in (("holds", holds), ("fails", fails), ("mixed", mixed)) if bool(is_met)]
        if len(met) > 1:
            raise ResultError(f"the rule gives {' and '.join(met)} at once; its conditions must exclude each other")
        decided = met[0] if met else "undecided"
        _emit(VERDICT, {"value": decided, "evidence": list(evidence), "effect": effect})
        return decided
