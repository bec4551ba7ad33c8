"""Prose bound to results: `{{ name | filter }}` filled from records, typeset for the language. Knows no posts."""

import datetime as dt
import difflib
import math
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

NBSP = "\u00a0"
MINUS = "\u2212"
VERDICT_WORDS = {
    "holds": {"fr": "tient", "en": "holds"},
    "fails": {"fr": "ne tient pas", "en": "fails"},
    "mixed": {"fr": "tient en partie", "en": "holds in part"},
    "undecided": {"fr": "reste indécise", "en": "is undecided"},
}
# Units that notebooks write in English and that are not signs; a share is written in per cent.
UNITS = {"bits/byte": {"fr": "bits par octet", "en": "bits per byte"}, "perplexity": {"fr": "de perplexité"}}
# Code, mathematics and raw blocks are left alone; `\{{` is a brace that is meant.
_KEPT = re.compile(
    r"^(?P<fence>`{3,}|~{3,})[^\n]*\n.*?^(?P=fence)[^\n]*$|`+[^`\n]+`+|(?<!\\)\$\$.+?\$\$|(?<!\\)\$[^\s$](?:[^$\n]*[^\s$])?\$(?!\d)"
    r"|<!--.*?-->|\\\{\{",
    re.DOTALL | re.MULTILINE,
)
_NAME = re.compile(r"\{\{(?![<%])\s*(?P<name>[A-Za-z_][\w.]*)\s*(?P<filter>\|[^{}]*)?\}\}")
_FILTER = re.compile(r"\|\s*(?P<name>\w+)\s*(?:\(\s*(?P<argument>[^()]*?)\s*\))?\s*")


class ProseError(ValueError):
    """Prose that cannot be filled in; the message gives file, cell and line."""


class UnknownName(ProseError):
    """A name that no record holds."""


@dataclass(frozen=True)
class Where:
    """A place in the sources, for messages."""

    file: str
    cell: int | None = None
    line: int = 1

    def __str__(self) -> str:
        cell = "" if self.cell is None else f", cell {self.cell}"
        return f"{self.file}{cell}, line {self.line}"


@dataclass(frozen=True)
class Context:
    """What prose may name: a record of its own, and a way to other experiments' records."""

    record: Mapping[str, Any] | None = None
    other: Callable[[str], Mapping[str, Any] | None] = field(default=lambda slug: None)

    def names(self) -> list[str]:
        """The names of the context's own record."""
        record = self.record or {}
        return [*record.get("results", {}), *(f"parameters.{name}" for name in record.get("parameters", {})), "verdict"]

    def hint(self, name: str) -> str:
        """What to do about a name that nothing has."""
        slug, dot, _ = name.partition(".")
        known = self.names()
        if dot and slug not in ("parameters", "provenance"):
            other = self.other(slug)
            if other is None:
                return f"no result of {slug} is accepted"
            known = [f"{slug}.{one}" for one in Context(other).names()]
        near = difflib.get_close_matches(name, known, 3)
        return f"did you mean {', '.join(near)}?" if near else "the record has no such name"

    def find(self, name: str) -> dict[str, Any] | None:
        """A result by name: `mrr`, `parameters.seed`, `provenance.seconds`, `verdict` or `other_slug.mrr`."""
        first, dot, rest = name.partition(".")
        if not dot or first in ("parameters", "provenance"):
            return _in_record(self.record or {}, name)
        return _in_record(self.other(first) or {}, rest)


def _in_record(record: Mapping[str, Any], name: str) -> dict[str, Any] | None:
    first, dot, rest = name.partition(".")
    if dot:
        part = record.get(first) if first in ("parameters", "provenance") else None
        return {"value": part[rest]} if isinstance(part, Mapping) and rest in part else None
    if name == "verdict" and record.get("verdict"):
        return {"value": record["verdict"]["value"], "kind": "verdict"}
    return (record.get("results") or {}).get(name)


def fill(text: str, context: Context, lang: str, where: Where) -> str:
    """Replace every `{{ name | filter }}` outside code and mathematics. Raises UnknownName and ProseError."""

    def replaced(piece: str, start: int) -> str:
        return _NAME.sub(lambda match: _filled(match, context, lang, _at(where, text, start + match.start())), piece)

    done, last = [], 0
    for kept in _KEPT.finditer(text):
        done += [replaced(text[last : kept.start()], last), "{{" if kept[0] == "\\{{" else kept[0]]
        last = kept.end()
    return "".join([*done, replaced(text[last:], last)])


def names(text: str) -> Iterable[tuple[str, int]]:
    """The names that prose uses, each with its line."""
    for match in _NAME.finditer(_KEPT.sub(lambda kept: re.sub(r"[^\n]", " ", kept[0]), text)):
        yield match["name"], text.count("\n", 0, match.start()) + 1


def _at(where: Where, text: str, position: int) -> Where:
    return Where(where.file, where.cell, where.line + text.count("\n", 0, position))


def _filled(match: re.Match[str], context: Context, lang: str, where: Where) -> str:
    result = context.find(match["name"])
    if result is None:
        raise UnknownName(f"{where}: unknown name {match['name']}; {context.hint(match['name'])}")
    filters = list(_FILTER.finditer(match["filter"] or ""))
    if "".join(found[0] for found in filters) != (match["filter"] or ""):
        raise ProseError(f"{where}: {match[0]} is not a name and a filter, such as {{{{ mrr | number(2) }}}}")
    name, argument = (filters[0]["name"], filters[0]["argument"] or "") if filters else ("plain", "")
    if len(filters) > 1 or name not in FORMATS:
        raise ProseError(f"{where}: unknown filter in {match[0]}; there is {', '.join(FORMATS)}")
    try:
        return FORMATS[name](result, argument, lang)
    except (TypeError, ValueError, KeyError) as error:
        raise ProseError(f"{where}: {match[0]} cannot be written so: {error}") from error


def format_result(result: Mapping[str, Any], name: str, lang: str, argument: str = "") -> str:
    """A result in a format, outside prose: for tables and pages."""
    return FORMATS[name](result, argument, lang)


def _decimal(value: float, lang: str, decimals: int) -> str:
    from babel.numbers import format_decimal

    pattern = "#,##0" + ("." + "0" * decimals if decimals else "")
    shown = value if round(value, decimals) else 0  # no minus before zeros
    return format_decimal(shown, pattern, locale=lang).replace("-", MINUS)


def _number(result: Mapping[str, Any]) -> float:
    value = result["value"]
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        raise TypeError(f"{value!r} is not a number")
    return value


def _places(argument: str, default: int) -> int:
    return int(argument) if argument else default


def _significant(value: float, digits: int) -> int:
    """How many decimals show this many significant digits."""
    return max(0, min(6, digits - 1 - math.floor(math.log10(abs(value))))) if value else 0


def _plain(result: Mapping[str, Any], argument: str, lang: str) -> str:
    value = result["value"]
    if result.get("kind") == "verdict":
        return VERDICT_WORDS[value][lang]
    if isinstance(value, bool):
        return {"fr": ("non", "oui"), "en": ("no", "yes")}[lang][value]
    if isinstance(value, int):
        return _decimal(value, lang, 0)
    if isinstance(value, float):
        return _decimal(value, lang, min(3, _significant(value, 3)))
    if isinstance(value, list):
        return ", ".join(_plain({"value": item}, "", lang) for item in value)
    return str(value)


def _percent(result: Mapping[str, Any], argument: str, lang: str) -> str:
    return _decimal(100 * _number(result), lang, _places(argument, 0)) + {"fr": f"{NBSP}%", "en": "%"}[lang]


def _interval(result: Mapping[str, Any], argument: str, lang: str) -> str:
    if not result.get("ci"):
        raise ValueError("it has no interval")
    low, high = result["ci"]
    percent = argument.startswith("percent")
    scale, sign = (100, {"fr": f"{NBSP}%", "en": "%"}[lang]) if percent else (1, "")
    digits = argument.removeprefix("percent").strip(" ,")
    places = _places(digits, _significant((high - low) * scale or 1, 2))
    ends = [_decimal(bound * scale, lang, places) + sign for bound in (low, high)]
    return {"fr": f"de {ends[0]} à {ends[1]}", "en": f"{ends[0]} to {ends[1]}"}[lang]


def _level(result: Mapping[str, Any], argument: str, lang: str) -> str:
    """How sure the interval is, with the decimals that it needs; 95 % unless it says otherwise."""
    if not result.get("ci"):
        raise ValueError("it has no interval")
    told = 100 * result.get("level", 0.95)
    places = next(one for one in range(3) if one == 2 or abs(told - round(told, one)) < 1e-6)
    return _percent({"value": told / 100}, str(places), lang)


def interval_places(result: Mapping[str, Any]) -> str:
    """How many decimals a value's interval is written with, as a filter's argument; empty without an interval."""
    low, high = result.get("ci") or (0.0, 0.0)
    return str(_significant(high - low, 2)) if high > low else ""


def share_places(result: Mapping[str, Any]) -> str:
    """The same for a share in per cent: none, unless the interval is narrower than two points and needs them."""
    low, high = result.get("ci") or (0.0, 1.0)
    return str(_significant(100 * (high - low), 1)) if 0 < high - low < 0.02 else "0"


def _signed(result: Mapping[str, Any], argument: str, lang: str) -> str:
    value, sign = _number(result), "+" if _number(result) > 0 else ""
    if argument.startswith("percent"):
        return sign + _percent(result, argument.removeprefix("percent").strip(" ,"), lang)
    return sign + _decimal(value, lang, _places(argument, min(3, _significant(value, 2))))


def _unit(result: Mapping[str, Any], argument: str, lang: str) -> str:
    unit = result.get("unit")
    if unit in ("share", "times"):
        return (_percent if unit == "share" else _ratio)(result, argument, lang)
    value = _decimal(_number(result), lang, int(argument)) if argument else _plain(result, "", lang)
    return f"{value}{NBSP}{UNITS.get(unit, {}).get(lang, unit)}" if unit else value


def _ratio(result: Mapping[str, Any], argument: str, lang: str) -> str:
    return _decimal(_number(result), lang, _places(argument, 1)) + NBSP + {"fr": "fois", "en": "times"}[lang]


def _money(result: Mapping[str, Any], argument: str, lang: str) -> str:
    from babel.numbers import format_currency

    unit = str(result.get("unit") or "")
    currency = argument or (unit if re.fullmatch("[A-Z]{3}", unit) else "EUR")
    return format_currency(_number(result), currency, locale={"en": "en_IE"}.get(lang, lang))


def _date(result: Mapping[str, Any], argument: str, lang: str) -> str:
    return format_day(dt.date.fromisoformat(str(result["value"])[:10]), lang, argument or "long")


def format_day(day: dt.date, lang: str, length: str = "long") -> str:
    """A date as people write it: 24 novembre 2026, 24 November 2026."""
    from babel.dates import format_date

    text = format_date(day, length, locale={"en": "en_GB"}.get(lang, lang))
    return text.replace("1 ", "1er ", 1) if lang == "fr" and day.day == 1 and length == "long" else text


def format_month(day: dt.date, lang: str) -> str:
    """A month of a year: novembre 2026, November 2026."""
    from babel.dates import format_date

    return format_date(day, "MMMM y", locale=lang)


def _duration(result: Mapping[str, Any], argument: str, lang: str) -> str:
    seconds = _number(result)
    if seconds < 60:
        return _decimal(seconds, lang, 0 if seconds >= 10 else _significant(seconds or 1, 2)) + f"{NBSP}s"
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    parts = [(hours, "h"), (minutes, "min"), (0 if hours else rest, "s")]
    return " ".join(f"{amount}{NBSP}{unit}" for amount, unit in parts if amount)


def _table(result: Mapping[str, Any], argument: str, lang: str) -> str:
    rows = result["value"]
    if not (isinstance(rows, list) and rows and isinstance(rows[0], Mapping)):
        raise TypeError("it is not a list of rows")
    columns = [name.strip() for name in argument.split(",")] if argument else list(rows[0])
    lines = [columns, ["---"] * len(columns)]
    lines += [[_plain({"value": row.get(name, "")}, "", lang).replace("|", "\\|") for name in columns] for row in rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


FORMATS: dict[str, Callable[[Mapping[str, Any], str, str], str]] = {
    "plain": _plain,
    "number": lambda result, argument, lang: _decimal(_number(result), lang, _places(argument, 2)),
    "percent": _percent,
    "ci": _interval,
    "level": _level,
    "signed": _signed,
    "unit": _unit,
    "ratio": _ratio,
    "money": _money,
    "date": _date,
    "duration": _duration,
    "table": _table,
}
