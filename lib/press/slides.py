"""A post as reveal.js slides in one file that needs no network, by Quarto where it is installed, else by nbconvert.

Slides are the cells that JupyterLab's property inspector marks as such, or else what a talk would show: the claim and
its rule, the verdict, each figure, and the first sentence of what is told without one. The prose goes into the notes
of the speaker, who sees them by the key S.
"""

import base64
import html
import json
import math
import mimetypes
import re
import shutil
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from typing import Any
from urllib.parse import urljoin

import yaml
from markdown_it import MarkdownIt

from lib.press import boxes, finish, finished, pages, players, posts, record, site
from lib.press.finished import ExportError
from lib.press.notebooks import find
from lib.press.posts import Body, Drawing
from lib.press.words import WORDS

TEMPLATES = Path(__file__).parent / "templates"
LINES, WIDTH = 11, 78  # of text on a slide, characters in a line
SPOKEN = 240  # characters of a paragraph that a slide shows, whole sentences
SLIDES = ("slide", "subslide", "fragment", "notes")  # kinds of cells that are marked
SIZE = {"width": 1280, "height": 720}
ROWS = 12  # of a table, that a slide holds in letters of the usual size; lines of text where rows are longer
SMALL_ROWS = 24  # of one line, in smaller letters
CODE_LINES, WIDE = 13, 96  # of code, and of characters in one of them
PARTS = 2  # slides of a long table: the page has the rest
LISTED = 2300  # characters of references and attributions that it holds
_RAW = re.compile(r"```\{=html\}\n(.*?)\n```", re.DOTALL)
_FENCED = re.compile(r"^:{3,}.*$", re.MULTILINE)  # Pandoc's blocks with a class, such as a warning
_STYLE = re.compile(r"<style\b.*?</style>", re.DOTALL)  # of a data frame, for the page it stands in
_SIZE = re.compile(r'<svg\b[^>]*?\sviewBox="\S+ \S+ ([\d.]+) ([\d.]+)"')
_ABBREVIATIONS = r"(?<!\b[A-Za-z])(?<!\bal)(?<!\bart)(?<!\bcf)(?<!\bex)(?<!\bvs)"
_END = re.compile(rf"{_ABBREVIATIONS}[.!?…](?:[*_]+|\s?[»”)])?(?=\s+[\w«“*_`\[(])")


@dataclass
class Section:
    """What stands under a heading: pieces of text as (kind, Markdown), and what is shown of the run."""

    title: str = ""
    blocks: list[tuple[str, str]] = field(default_factory=list)
    shown: list[str] = field(default_factory=list)


def write(slug: str, lang: str, made: Path) -> None:
    """Write SLUG.html, and what it is made of (SLUG.ipynb, figures/), into a folder. Raises ExportError."""
    title, cells, drawings = _deck(slug, lang)
    for name, drawing in drawings.items():
        (made / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(drawing, made / name)
    notebook = made / f"{slug}.ipynb"
    notebook.write_text(json.dumps(_notebook(title, lang, cells), ensure_ascii=False, indent=1) + "\n", "utf-8")
    render = _quarto if shutil.which("quarto") else _nbconvert
    notebook.with_suffix(".html").write_text(render(notebook, title, lang), encoding="utf-8")


def _deck(slug: str, lang: str) -> tuple[str, list[tuple[str, str]], dict[str, Path]]:
    """Title, cells as (slide type, Markdown), and the pictures of a post's slides by their names there."""
    page = finished.find(slug, lang)
    address = f"{pages.site_url()}/{page.path}"
    opening = f"# {page.title}\n\n{page.description}\n\n" + div("address", f"<{address}>")
    cells = [("slide", div("opening", opening))]
    notebooks = {notebook.slug: notebook for notebook in find()}
    if slug in notebooks:
        shown = posts.results(list(notebooks.values()))
        body = Body(notebooks[slug], shown[slug], shown, lang)
        marked = any(cell.slide for cell in body.notebook.cells)
        cells += [*(_marked(body) if marked else _unmarked(body)), *closing(body)]
        drawings = {f"figures/{drawing.path.name}": drawing.path for drawing in body.figures}
    else:
        folder = posts.folder(lang)
        _, text = pages.split(folder / f"{slug}.qmd")
        cells += _sections(filed(text, [Section()]))
        drawings = {name: folder / name for name in pages.images(text) if (folder / name).is_file()}
    return page.title, [(kind, portable(text, address)) for kind, text in cells], drawings


def div(name: str, text: str) -> str:
    """Markdown in a block with a class, for Pandoc and for CommonMark."""
    return f'<div class="{name}">\n\n{text}\n\n</div>\n'


def unfenced(text: str) -> str:
    """Markdown without the marks of Pandoc's blocks, raw or with a class."""
    return _FENCED.sub("", _RAW.sub(lambda match: match[1], text))


def portable(text: str, address: str) -> str:
    """Markdown without raw blocks, its links absolute: on a slide there is no other post to go to."""
    text = boxes.outside_code(unfenced(text), boxes.typographic)

    def whole(match: re.Match[str]) -> str:
        post = re.fullmatch(r"([\w-]+)\.(?:ipynb|qmd)(#.*)?", match[2])
        return match[1] + urljoin(address, f"{post[1]}.html{post[2] or ''}" if post else match[2])

    return re.sub(r'((?<!!)\]\(|\bhref=")(?!(?:figures|images)/)([^)"\s]+)', whole, text)


def _unmarked(body: Body) -> Iterator[tuple[str, str]]:
    """What a talk would show of a post that marks no cell."""
    sections = _read(body)
    if body.notebook.kind != "tutorial":
        claim = [one for one in sections if boxes.typographic(one.title) == WORDS[body.lang]["claim"]]
        yield from claim_slides(body, "\n\n".join(text for one in claim for _, text in one.blocks))
        sections = [one for one in sections if one not in claim]
    yield from _sections(sections)


def claim_slides(body: Body, notes: str) -> Iterator[tuple[str, str]]:
    """The claim with the rule, then the verdict, in the words of the box above the post. notes: for the speaker."""
    from bs4 import BeautifulSoup

    box = BeautifulSoup(boxes.verdict_box(body.notebook, body.result, body.lang), "html.parser")
    words = WORDS[body.lang]
    parts = {name: box.select_one(name) for name in ("blockquote", ".verdict-rule", ".verdict-line")}
    told = {name: str(part) for name, part in parts.items() if part}
    yield "slide", f"## {words['claim']}\n\n{told.get('blockquote', '')}\n{told.get('.verdict-rule', '')}"
    if notes:
        yield "notes", notes
    if ".verdict-line" in told:
        yield "slide", f"## {words['verdict']}\n\n{div('finding', told['.verdict-line'])}"


def _marked(body: Body) -> Iterator[tuple[str, str]]:
    """The cells that are marked, in their order; a marked code cell shows what it shows in the post."""
    for cell in body.notebook.cells:
        if cell.slide in SLIDES and not cell.narration and cell.lang in (None, body.lang):
            if cell.kind == "markdown":
                yield cell.slide, body.filled(cell.source, cell)
            elif cell.kind == "code":
                yield cell.slide, "\n\n".join(show(body, cell))


def show(body: Body, cell: Any) -> list[str]:
    """What a code cell shows, as Markdown: figures, else its code if it teaches, with its outputs."""
    outputs, drawings = body.outputs(cell)
    if drawings:
        return [_figure(drawing) for drawing in drawings]
    shown = [record.joined((output.get("data") or {}).get("text/html")) for output in outputs]
    tables = [_STYLE.sub("", text) for text in shown if "<table" in text]
    parts = [part for table in tables for part in _table(table)]
    parts += [div("heard", players.linked(text, body.lang)) for text in shown if players.has(text)]
    if body.notebook.kind != "tutorial":
        return parts
    source = cell.code
    printed = [
        record.joined(output.get("text") or (output.get("data") or {}).get("text/plain"))
        for output in outputs
        if "text/html" not in (output.get("data") or {})
    ]
    told = [f"```text\n{text.rstrip()}\n```" for text in printed if text.strip()]
    pieces = [_code(f"```python\n{source}\n```"), *map(_code, told), *parts]
    short = sum(piece.count("\n") for piece in (source, *told)) < CODE_LINES and len(parts) < 2
    return ["\n\n".join(pieces)] if short and source.count("\n") < 8 else pieces


def _code(fence: str) -> str:
    """Code or what it printed, in smaller letters when it has more lines than a slide holds."""
    lines = sum(1 + len(line) // WIDE for line in fence.splitlines())
    return div("long", fence) if lines > CODE_LINES else fence


def _table(markup: str) -> list[str]:
    """A table, in smaller letters or as several when it has more rows, or longer ones, than a slide holds.

    Of a very long one, the beginning.
    """
    from bs4 import BeautifulSoup

    whole = BeautifulSoup(markup, "html.parser")
    rows = whole.select("tbody > tr")
    heights = [1 + 2 * max(len(cell.get_text()) for cell in row.find_all(["td", "th"])) // WIDE for row in rows]
    if sum(heights) <= ROWS or (max(heights) == 1 and len(rows) <= SMALL_ROWS):
        return [div("rows" if len(rows) >= ROWS else "shown", markup)]
    parts: list[list[str]] = [[]]
    height = 0
    for row, tall in zip(rows, heights, strict=True):
        if parts[-1] and height + tall > ROWS:
            parts.append([])
            height = 0
        parts[-1].append(str(row))
        height += tall
    start, end = markup.partition("<tbody>")[0] + "<tbody>", "</tbody>" + markup.partition("</tbody>")[2]
    if len(parts) > PARTS:
        parts = parts[:PARTS]
        parts[-1].append(f'<tr><td colspan="{len(rows[0].find_all("td"))}">…</td></tr>')
    return [div("rows", start + "".join(part) + end) for part in parts]


def _figure(drawing: Drawing) -> str:
    """Markup, as Pandoc would show the alternative text of an image that stands alone."""
    image = f'<img src="figures/{drawing.path.name}" alt="{boxes.escape(drawing.alt)}">'
    size = _SIZE.search(drawing.path.read_text(encoding="utf-8"))
    shown = image + "\n\n" + div("caption", drawing.caption)
    return div("tall", shown) if size and float(size[2]) > 0.85 * float(size[1]) else shown


def _read(body: Body) -> list[Section]:
    """The post by its headings."""
    sections = [Section()]
    for cell in posts.opening_first(body.notebook.cells[1:]):
        if cell.kind == "markdown" and not cell.narration and cell.lang in (body.lang, None):
            filed(body.filled(cell.source, cell), sections)
        elif cell.kind == "code":
            sections[-1].shown += show(body, cell)
    return sections


def filed(text: str, sections: list[Section]) -> list[Section]:
    """Put the blocks of a text under their headings; the sections."""
    text = _FENCED.sub("", text)
    lines = text.splitlines()
    tokens = MarkdownIt("commonmark").enable("table").parse(text)
    for token, following in zip(tokens, [*tokens, None][1:], strict=True):
        item = token.type == "list_item_open" and token.level == 1
        if token.map is None or (token.level and not item) or token.type.endswith("_list_open"):
            continue
        source = "\n".join(lines[token.map[0] : token.map[1]]).strip("\n")
        if token.type == "heading_open" and following is not None:
            sections.append(Section(following.content))
        else:
            sections[-1].blocks.append((token.type.removesuffix("_open"), source))
    return sections


def opening(text: str, room: int = SPOKEN) -> str:
    """The first sentence of a paragraph, and those that follow as long as there is room, in characters.

    No sentence ends inside brackets, quotation marks, emphasis or code.
    """
    best = ""
    for end in [*(found.end() for found in _END.finditer(text)), len(text)]:
        pairs = all(text.count(one, 0, end) == text.count(other, 0, end) for one, other in ("()", "[]", "«»", "“”"))
        if pairs and not any(text.count(mark, 0, end) % 2 for mark in ("**", "*", "`", "$")):
            if best and end > (room if len(best) > room / 3 else 2 * room):  # a short one says little alone
                break
            best = text[:end]
    return best or text


def _sections(sections: list[Section]) -> Iterator[tuple[str, str]]:
    """Slides of sections: what is shown one by one; else lists, quotations, and first sentences. Prose as notes."""
    for section in sections:
        notes = "\n\n".join(text for _, text in section.blocks)
        told = [text for kind, text in section.blocks if kind in ("list_item", "blockquote", "table", "fence")]
        if not section.shown or not section.title:  # what was found stands first, without a heading
            told = [opening(text) if kind == "paragraph" else text for kind, text in section.blocks]
        slides = [*filled(told), *section.shown]
        for number, text in enumerate(slides):
            heading = f"## {section.title}\n\n" if section.title else ""
            yield "slide", heading + (text if section.title or text in section.shown else div("spoken", text))
            if number == 0 and notes:
                yield "notes", notes


def filled(blocks: list[str]) -> Iterator[str]:
    """Blocks joined into as many texts as there is room for each."""
    held: list[str] = []
    for block in blocks:
        if held and sum(map(_height, [*held, block])) > LINES:
            yield _joined(held)
            held = []
        held.append(block)
    if held:
        yield _joined(held)


def _height(block: str) -> float:
    """Lines that a block takes, the space after it included."""
    return sum(math.ceil(len(line) / WIDTH) for line in block.splitlines()) + 0.5


def _joined(blocks: list[str]) -> str:
    """Blocks with a blank line between them, except between items of a list."""
    text = blocks[0]
    for before, block in pairwise(blocks):
        item = all(re.match(r"(?:[-*+]|\d+[.)])\s", one) for one in (before, block))
        text += ("\n" if item else "\n\n") + block
    return text


def closing(body: Body) -> list[tuple[str, str]]:
    """How to run it again, and whom it rests on."""
    notebook, lang, words = body.notebook, body.lang, WORDS[body.lang]
    again = (
        f"## {words['rerun']}\n\n{words['rerun_text']}\n\n```bash\n.venv/bin/guidon reproduce {notebook.slug}\n```\n"
    )
    told = boxes.references(notebook, lang) + "\n\n" + boxes.attributions(notebook, lang)
    return [
        ("slide", again),
        *([("slide", div("smaller" if len(told) > LISTED else "small", told))] if told.strip() else []),
    ]


def _notebook(title: str, lang: str, cells: list[tuple[str, str]]) -> dict[str, Any]:
    """The slides as a notebook, which Quarto, nbconvert and JupyterLab know how to show."""
    front = {
        "pagetitle": title, "lang": lang,
        "format": {"revealjs": {
            "embed-resources": True, "css": "slides.css", "slide-number": "c/t", "slide-level": 0, "center": False,
            "transition": "none", "html-math-method": "plain", **SIZE,
        }},
    }  # fmt: skip
    head = f"---\n{yaml.safe_dump(front, allow_unicode=True, sort_keys=False)}---"
    made: list[dict[str, Any]] = [
        {"cell_type": "raw", "metadata": {"slideshow": {"slide_type": "skip"}}, "source": head}
    ]
    made += [
        {"cell_type": "markdown", "metadata": {"slideshow": {"slide_type": kind}}, "source": text}
        for kind, text in cells
    ]
    made = [{"id": f"slide-{number}", **cell} for number, cell in enumerate(made)]
    return {"cells": made, "metadata": {"language_info": {"name": "python"}}, "nbformat": 4, "nbformat_minor": 5}


def style() -> str:
    """The style of the slides, with the site's colours for light."""
    named = "".join(f"--{name}: {value}; " for name, value in finish.colours("light").items())
    return f":root {{ color-scheme: light; {named}}}\n" + (TEMPLATES / "slides/slides.css").read_text(encoding="utf-8")


def _nbconvert(notebook: Path, title: str, lang: str) -> str:
    """The page, by nbconvert, with reveal.js inside."""
    import nbformat
    from nbconvert.exporters import SlidesExporter

    from lib.lab import sources

    def asset(name: str) -> str:
        return sources.read_member("reveal-js", f"package/{name}").decode()

    exporter = SlidesExporter(
        template_name="slides", extra_template_basedirs=[str(TEMPLATES)], exclude_raw=True, exclude_anchor_links=True,
    )  # fmt: skip
    given = {
        "title": title, "size": SIZE, "style": asset("dist/reveal.css") + style(), "reveal": asset("dist/reveal.js"),
        "notes": asset("plugin/notes/notes.js"), "licence": asset("LICENSE"),
    }  # fmt: skip
    page, _ = exporter.from_notebook_node(
        nbformat.read(notebook, as_version=4),  # type: ignore[no-untyped-call]
        resources={"metadata": {"path": str(notebook.parent), "name": notebook.stem}, "slides": given, "lang": lang},
    )
    held = r'(?<=src=")(?:figures|images)/[^"]+'
    return re.sub(held, lambda match: data(notebook.parent / html.unescape(match[0])), page)


def data(picture: Path) -> str:
    """A picture as an address that holds it."""
    kind = mimetypes.guess_type(picture.name)[0]
    return f"data:{kind};base64,{base64.b64encode(picture.read_bytes()).decode()}"


def _quarto(notebook: Path, title: str, lang: str) -> str:
    """The page, by Quarto, in a folder outside the project, whose settings are those of a site. Raises ExportError."""
    with tempfile.TemporaryDirectory(prefix="guidon-slides-") as place:
        folder = Path(place) / "slides"
        shutil.copytree(notebook.parent, folder)
        (folder / "slides.css").write_text(style(), encoding="utf-8")
        try:
            site.quarto([notebook.name, "--to", "revealjs", "--no-execute", "--output", "slides.html"], folder)
        except site.SiteError as error:
            raise ExportError(str(error)) from error
        return (folder / "slides.html").read_text(encoding="utf-8")
