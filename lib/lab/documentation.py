"""Documents about a model, filled from what was recorded and from nothing else; what was not recorded stays blank.

Knows the fields of four documents (data/facts/ai_act_fields.tsv: the points of Annexes IV and XI of Regulation (EU)
2024/1689, the sections of model cards, Mitchell et al. 2019, and of data sheets, Gebru et al. 2021) and where a run's
record answers them; writes no sentence of its own, and knows nothing of what the law asks of whom.
"""

import csv
import html
import json
from collections.abc import Collection, Iterable, Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from lib.lab import cache, evidence, paths, plots
from lib.lab.evidence import Answer

TABLE = "ai_act_fields.tsv"
COLUMNS = ("document", "heading", "who", "key", "how", "when", "fr", "en")
NAMES = ("model_card", "data_sheet", "annex_iv", "annex_xi")
WHO = ("program", "person", "nobody")  # who could fill a field: a log, only a person, nobody here
HOW = ("whole", "part", "")  # whether the record answers the field, a part of it, or never
HEADINGS = {
    "fr": ("Point", "Ce qui est demandé", "Réponse", "D'où"),
    "en": ("Point", "What is asked", "Answer", "From"),
}
PARTLY = {"fr": "(en partie)", "en": "(in part)"}
IN_FRENCH = {
    evidence.CODE: "déclaré dans le code",
    evidence.DOCSTRING: "ce que le code dit de lui-même",
    evidence.FILE: "le fichier des poids",
}
_SUPERSCRIPT = str.maketrans("0123456789-", "⁰¹²³⁴⁵⁶⁷⁸⁹⁻")


class DocumentationError(ValueError):
    """A record, a table of fields or a document that cannot be read as one."""


@dataclass(frozen=True)
class Field:
    """One thing that a document asks for.

    who: who could fill it; how: whether `key` answers it whole or in part; when: the condition under which it is
    asked, "" for always; value: the answer, None while blank; source: where the answer was recorded.
    """

    document: str
    heading: str
    who: str
    key: str
    how: str
    when: str
    fr: str
    en: str
    value: Any = None
    source: str = ""

    @property
    def filled(self) -> float:
        """1 when it is answered, 0.5 in part, 0 blank."""
        return 0.0 if self.value is None else 1.0 if self.how == "whole" else 0.5


def fields() -> tuple[Field, ...]:
    """Every field of the four documents, blank, in the order of the table. Raises DocumentationError with the line."""
    with (paths.facts_dir() / TABLE).open(encoding="utf-8", newline="") as handle:
        reader = csv.DictReader(handle, delimiter="\t")
        if tuple(reader.fieldnames or ()) != COLUMNS:
            raise DocumentationError(f"{TABLE}: its first line must hold {', '.join(COLUMNS)}")
        return tuple(_checked(line, f"{TABLE}, line {reader.line_num}") for line in reader)


def _checked(line: Mapping[str | Any, Any], where: str) -> Field:
    if None in line or any(line[name] is None for name in COLUMNS):
        raise DocumentationError(f"{where}: {len(COLUMNS)} columns are expected")
    one = Field(**{name: line[name].strip() for name in COLUMNS})
    for name, known in (("document", NAMES), ("who", WHO), ("how", HOW)):
        if getattr(one, name) not in known:
            raise DocumentationError(f"{where}: {name} is one of {', '.join(known)}, not {getattr(one, name)!r}")
    if not (one.heading and one.fr and one.en) or bool(one.key) != bool(one.how):
        raise DocumentationError(f"{where}: heading, fr and en are needed, and how comes with key")
    return one


def draft(name: str, found: Mapping[str, Answer], conditions: Collection[str] = ()) -> tuple[Field, ...]:
    """A document's fields that are asked under these conditions, each answered or blank. Raises DocumentationError."""
    if name not in NAMES:
        raise DocumentationError(f"a document is one of {', '.join(NAMES)}, not {name!r}")
    asked = [one for one in fields() if one.document == name and (not one.when or one.when in conditions)]
    return tuple(
        replace(one, value=found[one.key].value, source=found[one.key].source) if one.key in found else one
        for one in asked
    )


def to_json(document: Iterable[Field]) -> str:
    """The document as JSON, a list of fields."""
    return json.dumps([asdict(one) for one in document], ensure_ascii=False, indent=1)


def from_json(text: str) -> tuple[Field, ...]:
    """The fields that `to_json` wrote. Raises DocumentationError."""
    try:
        return tuple(Field(**one) for one in json.loads(text))
    except (ValueError, TypeError) as error:
        raise DocumentationError(f"this is no document: {error}") from None


def to_markdown(document: Iterable[Field], lang: str) -> str:
    """The document as a Markdown table of one language; a blank cell is a field that nothing answers."""
    head = f"| {' | '.join(HEADINGS[lang])} |\n|{' --- |' * len(HEADINGS[lang])}\n"
    rows = ((cell.replace("|", "\\|").replace("\n", " ") for cell in _cells(one, lang)) for one in document)
    return head + "".join(f"| {' | '.join(row)} |\n" for row in rows)


def write(name: str, document: Iterable[Field], folder: Path) -> list[Path]:
    """Write NAME.json, NAME.fr.md and NAME.en.md into a folder; their paths."""
    kept = tuple(document)
    texts = {"json": to_json(kept), "fr.md": to_markdown(kept, "fr"), "en.md": to_markdown(kept, "en")}
    for suffix, text in texts.items():
        cache.write_text(folder / f"{name}.{suffix}", text)
    return [folder / f"{name}.{suffix}" for suffix in texts]


def show(document: Iterable[Field], titles: Mapping[str, str], folded: bool = True) -> None:
    """Display the document once a language, under a title that opens it when folded."""
    from IPython.display import display

    kept = tuple(document)
    for lang, title in titles.items():
        head = "".join(f'<th scope="col">{html.escape(one)}</th>' for one in HEADINGS[lang])
        rows = (f"<tr>{''.join(f'<td>{html.escape(cell)}</td>' for cell in _cells(one, lang))}</tr>" for one in kept)
        caption = "" if folded else f"<caption>{html.escape(title)}</caption>"
        markup = f"<table>{caption}<thead><tr>{head}</tr></thead><tbody>{''.join(rows)}</tbody></table>"
        if folded:
            markup = f"<details><summary>{html.escape(title)}</summary>{markup}</details>"
        display({"text/html": markup}, metadata={"guidon": {"lang": lang}}, raw=True)


def _cells(one: Field, lang: str) -> tuple[str, str, str, str]:
    said = "" if one.value is None else say(one.value, lang)
    said += f" {PARTLY[lang]}" if one.filled == 0.5 else ""
    if lang == "fr":
        return one.heading.replace("(", " "), one.fr, said, IN_FRENCH.get(one.source, one.source)
    return one.heading, one.en, said, one.source


def say(value: Any, lang: str) -> str:
    """A recorded value as text: numbers as the language writes them, nothing added."""
    if isinstance(value, Mapping):
        if set(value) == {"fr", "en"}:
            return str(value[lang])
        return "; ".join(f"{key}: {say(one, lang)}" for key, one in value.items() if one is not None)
    if isinstance(value, (list, tuple)):
        return ", ".join(say(one, lang) for one in value)
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return str(value)
    if abs(value) >= 1e9:
        digits, _, power = f"{value:.2e}".partition("e")
        return f"{plots.typeset(digits, lang)} × 10{str(int(power)).translate(_SUPERSCRIPT)}"
    short = f"{value:.4g}" if isinstance(value, float) and abs(value) < 1000 else f"{value:.0f}"
    return plots.typeset(short, lang) if "e" not in short else short
