"""A finished page read back from the site, for those that send it elsewhere: contents, figures, links. Renders nothing.

All exports start from it: its numbers, figures and references are in place.
"""

import html
import re
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote, urljoin

from bs4 import NavigableString, Tag
from markdownify import MarkdownConverter

from lib.press import finish, pages, players, posts
from lib.press.pages import Page

_FURNITURE = re.compile(
    r'<header class="title-block">.*?</header>|<nav class="around".*?</nav>|<span aria-hidden="true">[^<]*</span>'
    r'|<p><a [^>]*\bdownload\b[^>]*>.*?</a></p>|<summary>.*?</summary>',
    re.DOTALL,
)  # fmt: skip
_FIGURE = re.compile(r'(<img\b[^>]*?\bsrc=")([^"]+)(")')


class ExportError(ValueError):
    """A page that cannot be sent anywhere; the message says why."""


@dataclass(frozen=True)
class Figure:
    """A picture that most places can show: a file (PNG where the page has SVG), and where it is on the web."""

    source: Path
    address: str


@dataclass(frozen=True)
class Post:
    """A finished page: what it says of itself, and its contents with absolute links; figures are `figures/NAME`."""

    page: Page
    address: str
    markup: str
    figures: dict[str, Figure]

    @property
    def slug(self) -> str:
        return Path(self.page.path).stem


def hosted(markup: str, figures: Mapping[str, Figure], base: str | None) -> str:
    """Markup with figures by their address: under a base, or on the site itself."""
    for name, figure in figures.items():
        where = f"{base.rstrip('/')}/{quote(name)}" if base else figure.address
        markup = markup.replace(f'src="figures/{name}"', f'src="{html.escape(where)}"')
    return markup


def copy(figures: Mapping[str, Figure], folder: Path) -> None:
    """Put figures into a folder."""
    for name, figure in figures.items():
        folder.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(figure.source, folder / name)


def find(slug: str, lang: str) -> Page:
    """What the site knows of a post. Raises ExportError with the posts there are."""
    listed = {Path(page.path).stem: page for page in listing(lang)}
    if slug not in listed:
        raise ExportError(f"no published post {slug} in {lang}; there is {', '.join(sorted(listed)) or 'none'}")
    return listed[slug]


def listing(lang: str) -> list[Page]:
    """The published posts of a language, newest first."""
    return [page for page in pages.manifest() if page.lang == lang and page.kind != "page"]


def read(page: Page, out: Path) -> Post:
    """A page of the site in a folder."""
    found = finish.MAIN.search((out / page.path).read_text(encoding="utf-8"))
    address = f"{pages.site_url()}/{page.path}"
    markup = players.linked(_FURNITURE.sub("", found[1] if found else ""), page.lang)
    markup, figures = _with_figures(markup, out / page.path, address)
    return Post(page, address, _absolute(markup, address), figures)


def _with_figures(markup: str, page: Path, address: str) -> tuple[str, dict[str, Figure]]:
    """Local pictures by names of their own, as PNG where they are SVG: most places take no SVG."""
    figures: dict[str, Figure] = {}

    def renamed(match: re.Match[str]) -> str:
        reference = html.unescape(match[2])
        source = page.parent / reference
        if re.match(r"[a-z]+:", reference) or not source.is_file():
            return match[0]
        name = source.name
        if source.suffix == ".svg":
            if source.with_suffix(".png").is_file():
                reference = f"{reference[:-4]}.png"
            name, source = f"{source.stem}.png", posts.raster(source.read_text(encoding="utf-8"))
        figures[name] = Figure(source, urljoin(address, quote(reference)))
        return f"{match[1]}figures/{name}{match[3]}"

    return _FIGURE.sub(renamed, markup), figures


def _absolute(markup: str, address: str) -> str:
    """Links with their whole address: what is sent keeps no anchors, so that those of the page lead to the site."""

    def whole(match: re.Match[str]) -> str:
        return f"{match[1]}{html.escape(urljoin(address, html.unescape(match[2])))}{match[3]}"

    return re.sub(r'(\bhref=")([^"]*)(")', whole, markup)


def closed_before(code: Tag) -> None:
    """End the sentence that announces a piece of code, which is about to be left out."""
    before = code.find_previous("p")
    last = (
        next((one for one in reversed(list(before.descendants)) if isinstance(one, NavigableString)), None)
        if before
        else None
    )
    if last and re.search(r"\s?:\s*$", last):
        last.replace_with(re.sub(r"\s?:\s*$", ".", last))


class Converter(MarkdownConverter):
    """Markdown with code in fences, its language told, and formulas as the MathML they are."""

    def __init__(self, **options: Any) -> None:
        super().__init__(
            heading_style="ATX", bullets="-", code_language_callback=_language, table_infer_header=True,
            strip=["button"], **options,
        )  # fmt: skip

    def convert_math(self, element: Any, text: str, parent_tags: Any) -> str:
        return re.sub(r"\s*\n\s*", "", str(element))

    def convert_figcaption(self, element: Any, text: str, parent_tags: Any) -> str:
        return f"\n\n*{' '.join(text.split())}*\n\n"


def _language(element: Any) -> str:
    """The language of a code block: renderers write it on the block or on what stands around it."""
    for one in (element, *element.find_all("code"), *list(element.parents)[:2]):
        for name in one.get("class") or []:
            if name not in ("sourceCode", "numberSource", "code-with-copy", "cell-code", "highlight"):
                return name.removeprefix("language-")
    return ""


def markdown(markup: str, converter: Converter | None = None) -> str:
    """A page's contents as Markdown."""
    markup = re.sub(r'<span class="verdict [^"]*">(.*?)</span>', r"<strong>\1</strong>", markup)
    text = (converter or Converter()).convert(markup)
    return re.sub(r"\n{3,}", "\n\n", text).strip() + "\n"
