"""The French texts that experiments read, as tidy frames. Knows their formats; knows nothing of any model.

Each is parsed once from the packed archive and kept as Parquet, under a name made of the archive's hash and this
module's code.
"""

import html
import json
import re
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

from lib.lab import archives, sources
from lib.lab.cache import derived

if TYPE_CHECKING:
    import pandas as pd

CODE = "LEGITEXT000006072050"  # the Code du travail's identifier in the LEGI database
_ASIDE = {"Reference", "OuSAdresser", "ServiceEnLigne", "PivotLocal", "PivotTexte", "DossierPere", "VoirAussi"}
_BLOCKS = {"Paragraphe", "Titre", "Item", "Cellule", "Rangée", "Cas", "Chapitre", "SousChapitre", "Situation", "Texte"}
_INLINE = "a|abbr|b|em|i|span|strong|sup|sub|time|u"  # mark-up that may stand inside a word
_GLUED = re.compile(r"(?<=[a-zà-ÿ»)])(?=[A-ZÀ-Ý])|(?<=[a-zà-ÿ»)][.;:!?])(?=[A-ZÀ-Ý«])")
_BODY = ("Introduction", "Texte", "ListeSituations")

Node = dict[str, Any]


def code_du_travail() -> "pd.DataFrame":
    """The 11,545 articles of the labour code, in its order.

    Columns: cid (str, identifies the article across versions), id (str, this version), number (str, "L1221-19"; a few
    occur twice), state (str, VIGUEUR for all but 90), section_path (str, titles from part to subsection joined
    by " > "), text (str, no mark-up, one line).
    """
    return _kept("code_du_travail", _articles, "code-du-travail", f"package/data/{CODE}.json")


def fact_sheets() -> "pd.DataFrame":
    """The 2,219 sections of the ministry's 269 fact sheets on labour law.

    Columns: sheet_id (str), sheet_title (str; some sheets share one), sheet_url (str), section_id (str, sheet_id "#"
    anchor), section_title (str, often the sheet's own for what comes first), text (str, no mark-up), cited (array of
    str: cid of the labour-code articles the section cites, once each, in order, only those in `code_du_travail()`).
    """
    known = set(code_du_travail()["cid"])
    frame = _kept("fact_sheets", _sections, "fact-sheets", "package/data/fiches-travail.json")
    frame["cited"] = [[cid for cid in cited if cid in known] for cited in frame["cited"]]
    return frame


def service_public(audience: str = "particuliers") -> "pd.DataFrame":
    """The practical sheets of service-public.fr as they were in November 2020 (2,980 for `particuliers`).

    audience: particuliers, professionnels or associations. Columns: sheet_id (str), title (str), theme (str, "" for
    the 17 that guide through several), subtheme (str, may be ""), date (str, last change, "2020-04-01"), text (str, one
    paragraph a line: introduction, body and every situation, without references, addresses and links elsewhere; ""
    for 52 sheets that hold a link or nothing).
    """
    pattern = f"package/data/{audience}/F[0-9]*.json"
    return _kept(f"service_public_{audience}", _sheets, "service-public", pattern)


def labour_answers() -> "pd.DataFrame":
    """The 4,817 answers to 41 questions of labour law: one by the code, the others by collective agreement.

    Columns: question_id (str), question (str), idcc (str, number of the collective agreement, "" for the code's own
    answer), text (str, no mark-up), cited (array of str, titles of what the answer rests on).
    """
    return _kept("labour_answers", _answers, "labour-answers", "package/data/contributions.json")


def udhr() -> "pd.DataFrame":
    """The Universal Declaration of Human Rights, one row an article and translation.

    Columns: code (str, the translation), iso639 (str, three letters), bcp47 (str), direction (str, ltr, rtl or ttb),
    name (str, of the language, in English), article (int, 1 to 30; 0 for the preamble), text (str, one paragraph a
    line). Some translations lack articles or the preamble.
    """
    return _kept("udhr", _declaration, "udhr", "package/declaration/*.html")


def _kept(name: str, parse: Callable[..., Iterator[Node]], source: str, pattern: str) -> "pd.DataFrame":
    """Frame of what the parser yields for every matching member, parsed the first time only."""
    import pandas as pd

    def make(path: Path) -> None:
        members = archives.stream(sources.path(source), pattern)
        rows = [row for _, handle in members for row in parse(handle)]
        if not rows:
            raise sources.SourceError(f"{source} has nothing that matches {pattern}")
        pd.DataFrame(rows).to_parquet(path, index=False)

    inputs = {source: sources.content_hash(source)}
    made = derived(f"{name}.parquet", make, inputs=inputs, params={"pattern": pattern}, code=[sys.modules[__name__]])
    return pd.read_parquet(made)


def plain(text: str) -> str:
    """Text on one line: no mark-up, no character references, single spaces (non-breaking ones are kept)."""
    joined = re.sub(rf"</?(?:{_INLINE})\b[^>]*>", "", text)
    bare = html.unescape(re.sub(r"</?[A-Za-z][^>]*>", " ", joined))
    return re.sub(r"[ \t\r\n]+", " ", bare).strip()


def _articles(handle: IO[bytes]) -> Iterator[Node]:
    def walk(node: Node, path: tuple[str, ...]) -> Iterator[Node]:
        said = node["data"]
        if node["type"] == "article":
            same = {"cid": said["cid"], "id": said["id"], "number": said["num"].strip(), "state": said["etat"]}
            yield same | {"section_path": " > ".join(path), "text": plain(said["texte"])}
        for child in node.get("children", ()):
            yield from walk(child, path if node["type"] == "code" else (*path, plain(said["title"])))

    yield from walk(json.load(handle), ())


def _sections(handle: IO[bytes]) -> Iterator[Node]:
    for sheet in json.load(handle):
        whole = {"sheet_id": sheet["pubId"], "sheet_title": plain(sheet["title"]), "sheet_url": sheet["url"]}
        for section in sheet["sections"]:
            # The source's `html` lacks framed remarks, its `text` the spaces between blocks.
            articles = section["references"].get(CODE, {}).get("articles", [])
            yield whole | {
                "section_id": f"{sheet['pubId']}#{section['anchor']}",
                "section_title": plain(section["title"]),
                "text": plain(_GLUED.sub(" ", section["text"])),
                "cited": list(dict.fromkeys(article["cid"] for article in articles)),
            }


def _sheets(handle: IO[bytes]) -> Iterator[Node]:
    sheet = json.load(handle)
    parts = sheet["children"][-1]["children"]
    body = "\n".join(_text(part) for name in _BODY for part in parts if part["name"] == name)
    yield {
        "sheet_id": sheet["id"],
        "title": _first(parts, "dc:title"),
        "theme": _first(parts, "Theme"),
        "subtheme": _first(parts, "SousThemePere"),
        "date": _first(parts, "dc:date").removeprefix("modified "),
        "text": "\n".join(line for line in map(plain, body.split("\n")) if line),
    }


def _first(parts: list[Node], name: str) -> str:
    return plain(next((_text(part) for part in parts if part["name"] == name), ""))


def _text(node: Node) -> str:
    """Text below a node of service-public's XML; blocks end with a line break, asides are left out."""
    if node["type"] == "text":
        return node["text"].replace("\n", " ")
    if node.get("name") in _ASIDE:
        return ""
    inside = "".join(_text(child) for child in node.get("children", ()))
    return f"\n{inside}\n" if node.get("name") in _BLOCKS else inside


def _answers(handle: IO[bytes]) -> Iterator[Node]:
    for question in json.load(handle):
        whole = {"question_id": question["id"], "question": plain(question["title"])}
        generic = question["answers"]["generic"]
        for answer in [generic | {"idcc": ""}, *question["answers"]["conventions"]]:
            cited = [reference["title"] for reference in answer["references"] if reference.get("title")]
            yield whole | {"idcc": answer["idcc"], "text": plain(answer["markdown"].replace("**", "")), "cited": cited}


def _declaration(handle: IO[bytes]) -> Iterator[Node]:
    from xml.etree import ElementTree

    page = ElementTree.fromstring(handle.read().decode("utf-8").partition("<!doctype html>")[2])
    same = {
        "code": page.get("data-code"), "iso639": page.get("data-iso6393"), "bcp47": page.get("lang"),
        "direction": page.get("dir") or "ltr", "name": page.findtext("head/title"),
    }  # fmt: skip
    for part in page.iterfind("body/*"):
        if part.tag in ("header", "article"):
            lines = [plain("".join(paragraph.itertext())) for paragraph in part.iter("p")]
            text = "\n".join(line for line in lines if line)
            yield same | {"article": int(part.get("data-number") or 0), "text": text}
