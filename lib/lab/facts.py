"""Public figures with their sources: the tables of data/facts, read and checked, and shown with links.

Knows how a figure is told (value, range, source, date, how it was read); knows nothing of what follows from it.
"""

import csv
import html
import math
import re
from collections.abc import Mapping
from typing import TYPE_CHECKING

from lib.lab import paths, plots

if TYPE_CHECKING:
    import pandas as pd

COLUMNS = (
    "id", "value", "low", "high", "unit", "what_fr", "what_en", "publication", "date", "url", "read", "note",
)  # fmt: skip
READ = {  # how much of the source was read; `recalled`: nothing, the figure is an assumption
    "whole": {"fr": "lu en entier", "en": "read whole"},
    "abstract": {"fr": "résumé lu", "en": "abstract read"},
    "excerpt": {"fr": "extrait lu", "en": "excerpt read"},
    "recalled": {"fr": "de mémoire", "en": "recalled"},
}
HEADINGS = {
    "fr": ("Ce que c'est", "Chiffre", "Source"),
    "en": ("What it is", "Figure", "Source"),
}
_DATE = re.compile(r"\d{4}(-(0[1-9]|1[0-2])(-(0[1-9]|[12]\d|3[01]))?)?")


class FactError(ValueError):
    """A table of facts that cannot be read as one."""


def load(name: str) -> "pd.DataFrame":
    """The table data/facts/NAME.csv, one row a figure, by `id`, in the order of the file.

    Columns: value, low, high (float, NaN where there is none; low and high are the range the source gives), unit,
    what_fr, what_en, publication, date (of the source, YYYY, YYYY-MM or YYYY-MM-DD), url, read (a key of READ), note.
    Raises FactError with the line of what is missing or wrong.
    """
    import pandas as pd

    file = paths.facts_dir() / f"{name}.csv"
    try:
        with file.open(encoding="utf-8", newline="") as handle:
            reader = csv.DictReader(handle)
            if tuple(reader.fieldnames or ()) != COLUMNS:
                raise FactError(f"{file.name}: its first line must be {','.join(COLUMNS)}")
            rows = [_row(line, f"{file.name}, line {reader.line_num}") for line in reader]
    except OSError as error:
        raise FactError(f"data/facts has no table {name}") from error
    frame = pd.DataFrame(rows, columns=list(COLUMNS))
    twice = frame["id"][frame["id"].duplicated()]
    if len(twice):
        raise FactError(f"{file.name}: {twice.iloc[0]} is there twice")
    return frame.set_index("id")


def _row(line: Mapping[str | None, str | None], where: str) -> dict[str, object]:
    """One checked row."""
    told = {str(key): (value or "").strip() for key, value in line.items() if isinstance(value, str) or value is None}
    if None in line or len(told) < len(COLUMNS):
        raise FactError(f"{where}: {len(COLUMNS)} columns are expected")
    for column in ("id", "unit", "what_fr", "what_en", "publication", "url", "read"):
        if not told[column]:
            raise FactError(f"{where}: {column} is empty")
    if not told["id"].isidentifier():
        raise FactError(f"{where}: {told['id']!r} is not a name: letters, digits and underscores")
    if told["read"] not in READ:
        raise FactError(f"{where}: read is one of {', '.join(READ)}, not {told['read']!r}")
    if not _DATE.fullmatch(told["date"]):
        raise FactError(f"{where}: date is YYYY, YYYY-MM or YYYY-MM-DD, not {told['date']!r}")
    if not told["url"].startswith(("https://", "http://")):
        raise FactError(f"{where}: {told['url']!r} is not a web address")
    numbers = {column: _number(told[column], column, where) for column in ("value", "low", "high")}
    known = [numbers[column] for column in ("low", "value", "high") if not math.isnan(numbers[column])]
    if not known or known != sorted(known):
        raise FactError(f"{where}: a value is needed, between low and high where they are given")
    return {**told, **numbers}


def _number(text: str, column: str, where: str) -> float:
    try:
        found = float(text) if text else math.nan
    except ValueError:
        raise FactError(f"{where}: {column} is a number, not {text!r}") from None
    if math.isinf(found) or (text and math.isnan(found)):
        raise FactError(f"{where}: {column} is a number, not {text!r}")
    return found


def show(frame: "pd.DataFrame", caption: Mapping[str, str]) -> None:
    """Display facts as one table a language: what each is, its figure or range, and a link to its source.

    frame: rows of `load`; caption: {"fr": text, "en": text}.
    """
    for lang, headings in HEADINGS.items():
        plots.display_table(lang, headings, [_cells(dict(row), lang) for _, row in frame.iterrows()], caption[lang])


def _cells(row: Mapping[str, object], lang: str) -> str:
    link = f'<a href="{html.escape(str(row["url"]))}">{html.escape(str(row["publication"]))}</a>'
    source = f"{link}, {row['date']} ({READ[str(row['read'])][lang]})"
    figure = html.escape(figure_of(row, lang))
    return (
        f'<td>{html.escape(str(row[f"what_{lang}"]))}</td><td style="text-align:right">{figure}</td><td>{source}</td>'
    )


def figure_of(row: Mapping[str, object], lang: str) -> str:
    """A row's value or range with its unit, as the language writes it."""
    value, low, high = (float(str(row[column])) for column in ("value", "low", "high"))
    shown = [value] if not math.isnan(value) else [one for one in (low, high) if not math.isnan(one)]
    joined = (" à " if lang == "fr" else " to ").join(plots.number(one, lang, _decimals(one)) for one in shown)
    unit = str(row["unit"])
    gap = "" if unit == "%" and lang == "en" else plots.NBSP
    return f"{joined}{gap}{unit}"


def _decimals(value: float) -> int:
    """As many decimals as the figure was written with, four at most."""
    text = f"{value:.4f}".rstrip("0")
    return len(text.partition(".")[2])
