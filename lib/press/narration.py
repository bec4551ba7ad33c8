"""What a video of a post shows, and what is said meanwhile: scenes, in order. Knows no voices, pictures or times.

The slides are those of `slides`; each is said as it reads, unless the notebook says otherwise: by speaker's notes where
it marks slides, or by cells tagged `narration` (in notes, blocks of that class), which are said over the slides they
follow, a paragraph each.
"""

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from bs4 import BeautifulSoup
from markdown_it import MarkdownIt

from lib.press import asides, boxes, finished, pages, posts, prose, slides, speech, store
from lib.press.notebooks import find
from lib.press.pages import Page
from lib.press.posts import Body
from lib.press.words import WORDS

THERE = {"code_there": "pre", "table_there": "table", "formula_there": 'math[display="block"]'}  # is pointed at
_BLOCKS = ["p", "li", "h1", "h2", "h3", "h4", "footer", "div", "blockquote", "dd", "dt", "br"]
_CITED = re.compile(
    r"\s?\((?:[^()\[\]]*\[[^\]]*\]\(#ref-[^)]*\))+[^()\[\]]*\)|\[\^[^\]]+\](?!:)|^\[\^[^\]]+\]:.*$", re.MULTILINE
)


@dataclass(frozen=True)
class Scene:
    """One slide: the chapter it is in, its Markdown, and what is said while it is shown, paragraph by paragraph."""

    chapter: str
    markup: str
    said: tuple[str, ...]

    @property
    def sentences(self) -> list[str]:
        return speech.sentences("\n".join(self.said))


@dataclass(frozen=True)
class Script:
    """All that a video is made of, before anything is drawn or spoken."""

    page: Page
    address: str
    scenes: list[Scene]
    pictures: dict[str, Path]
    verdict: str | None = None
    told: str = ""  # the verdict in words
    sources: tuple[str, ...] = ()


def write(slug: str, lang: str) -> Script:
    """The script of a post's video. Raises ExportError."""
    page = finished.find(slug, lang)
    address = f"{pages.site_url()}/{page.path}"
    opening = slides.div("opening", f"# {page.title.replace('-', boxes.HYPHEN)}\n\n{page.description}\n")
    first = Scene(
        page.title, opening, tuple(sentence(boxes.typographic(one)) for one in (page.title, page.description))
    )
    notebooks = {notebook.slug: notebook for notebook in find()}
    if slug not in notebooks:
        folder = posts.folder(lang)
        text = pages.filled(pages.note(slug, lang), lang, prose.Context(None, store.deciding_record))
        drawn = {name: folder / name for name in pages.images(text) if (folder / name).is_file()}
        told = _told(asides.parts(text, slug), lang, page.title)
        return Script(page, address, _finished([first, *told], address), drawn)
    shown = posts.results(list(notebooks.values()))
    body, words = Body(notebooks[slug], shown[slug], shown, lang), WORDS[lang]
    marked = any(cell.slide in slides.SLIDES for cell in body.notebook.cells)
    scenes = [first, *(_marked(body) if marked else _unmarked(body, page.title))]
    again, *sources = [text for _, text in slides.closing(body)]
    scenes.append(Scene(words["rerun"], again, (words["all_there"],)))
    record = body.result.record
    verdict = (record.get("verdict") or {}).get("value") if body.notebook.kind != "tutorial" else None
    in_words = f"{words[verdict]}. {boxes.effect(body.notebook, record, lang)}" if verdict else ""
    drawn = {f"figures/{drawing.path.name}": drawing.path for drawing in body.figures}
    listed = tuple(line for text in sources for line in plain(text, lang))
    return Script(page, address, _finished(scenes, address), drawn, verdict, in_words, listed)


def _finished(scenes: Iterable[Scene], address: str) -> list[Scene]:
    """Scenes as they are drawn; none without a word."""
    return [replace(one, markup=slides.portable(one.markup, address)) for one in scenes if one.sentences]


def sentence(text: str) -> str:
    """A line that ends as sentences do, so that the voice falls."""
    return text if re.search(r"[.!?…:;,](?:\s?[»”)])?$", text) else f"{text}."


def plain(text: str, lang: str) -> list[str]:
    """What is read of a slide's Markdown, block by block: no heading, citation, code or row; these are pointed at."""
    markup = MarkdownIt("commonmark").enable("table").render(slides.unfenced(_CITED.sub("", text)))
    page = BeautifulSoup(boxes.typographic(markup), "html.parser")
    there: list[str] = []
    for name, selector in THERE.items():
        for one in page.select(selector):
            there += [caption.get_text() for caption in one.select("caption")] + [WORDS[lang][name]]
            one.decompose()
    for one in page.select("h1, h2, img, .address, .listen, .verdict-since, .verdict-before, [aria-hidden]"):
        one.decompose()
    for text_node in page.find_all(string=True):
        text_node.replace_with(re.sub(r"[ \t\n]+", " ", text_node))
    for one in [*page.find_all(_BLOCKS), *page.select("span[class^=verdict]")]:
        one.insert_before("\n")
        one.insert_after("\n")
    lines = [line.strip(" ") for line in page.get_text().split("\n")]
    return [sentence(line) for line in dict.fromkeys([*(line for line in lines if re.search(r"\w", line)), *there])]


def _marked(body: Body) -> Iterator[Scene]:
    """The slides that the notebook marks, each with its notes or what it reads."""
    scenes: list[Scene] = []
    chapter = WORDS[body.lang]["found"]
    for cell in body.notebook.cells:
        if cell.lang not in (None, body.lang) or not (cell.narration or cell.slide in slides.SLIDES):
            continue
        text = body.filled(cell.source, cell) if cell.kind == "markdown" else "\n\n".join(slides.show(body, cell))
        if cell.narration or cell.slide == "notes":
            scenes = _retold(scenes, len(scenes) - 1, plain(text, body.lang))
            continue
        if heading := re.search(r"^#+\s+(.+)$", text, re.MULTILINE):
            chapter = re.sub(r"[*`]", "", boxes.typographic(heading[1].strip()))
            said = [sentence(chapter), *plain(text, body.lang)]
        else:
            said = plain(text, body.lang)
        before = scenes[-1].markup + "\n\n" if cell.slide == "fragment" and scenes else ""
        scenes.append(Scene(chapter, before + text, tuple(said)))
    yield from scenes


def _unmarked(body: Body, title: str) -> Iterator[Scene]:
    """What a talk would show and say of a post that marks no slide: claim and rule, verdict, then as it comes."""
    events: list[tuple[str, Any]] = []
    for cell in posts.opening_first(body.notebook.cells[1:]):
        if cell.kind == "code":
            events.append(("shown", slides.show(body, cell)))
        elif cell.kind == "markdown" and cell.lang in (None, body.lang):
            events.append(("narration" if cell.narration else "text", body.filled(cell.source, cell)))
    words = WORDS[body.lang]
    if body.notebook.kind == "tutorial":
        yield from _told(events, body.lang, title)
        return
    told = _told(events, body.lang, words["found"])
    claim = [one for one in told if one.chapter == words["claim"]]
    for kind, markup in slides.claim_slides(body, ""):
        if kind == "slide":
            chapter = words["verdict"] if "finding" in markup else words["claim"]
            yield Scene(chapter, markup, (sentence(chapter), *plain(markup, body.lang)))
    yield from (one for one in told if one not in claim)


def _told(events: Iterable[tuple[str, Any]], lang: str, chapter: str) -> list[Scene]:
    """Scenes of texts, of what is shown, and of narrations, as they come. chapter: of what stands under no heading.

    Text makes slides of its lists and first sentences; but what comes right after a figure is said over it.
    """
    scenes: list[Scene] = []
    blocks: list[tuple[str, str]] = []
    title, start, reads = "", 0, False
    there = {WORDS[lang][name] for name in THERE}  # said once in a chapter

    def add(markup: str, said: Sequence[str]) -> None:
        new = title and (not scenes or scenes[-1].chapter != title)
        heading = f"## {title}\n\n" if title else ""
        pointed = {line for one in scenes if one.chapter == (title or chapter) for line in one.said} & there
        told = [sentence(re.sub(r"^\d+[.)]\s+", "", title))] if new else []
        told += [line for line in said if line not in pointed]
        scenes.append(Scene(title or chapter, heading + markup, tuple(told)))

    def flush() -> None:
        nonlocal start
        if blocks:
            start = len(scenes)
            texts = [slides.opening(text) if kind == "paragraph" else text for kind, text in blocks]
            for text in slides.filled(texts):
                add(text if title else slides.div("spoken", text), plain(text, lang))
            blocks.clear()

    for kind, found in events:
        if kind == "narration":
            flush()
            scenes, reads = _retold(scenes, start, plain(found, lang)), False
        elif kind == "shown":
            if found:
                flush()
            for one in found:
                start, reads = len(scenes), True
                add(one, plain(one, lang))
        else:
            for number, section in enumerate(slides.filed(found, [slides.Section()])):
                if number:
                    flush()
                    title, reads = re.sub(r"[*`]", "", boxes.typographic(section.title)), False
                for sort, text in section.blocks:
                    if reads and sort == "paragraph" and not blocks:
                        said = plain(slides.opening(text), lang)
                        scenes[-1] = replace(scenes[-1], said=(*scenes[-1].said, *said))
                    else:
                        blocks.append((sort, text))
    flush()
    return scenes


def _retold(scenes: Sequence[Scene], start: int, said: Sequence[str]) -> list[Scene]:
    """Scenes whose last, from a place on, say other paragraphs, one each; those left without words are dropped."""
    group = list(scenes[max(start, 0) :])
    if not group or not said:
        return list(scenes)
    kept = group[: len(said)]
    shares = [[one] for one in said[: len(kept)]]
    shares[-1] += said[len(kept) :]
    return [*scenes[: max(start, 0)], *(replace(one, said=tuple(text)) for one, text in zip(kept, shares, strict=True))]
