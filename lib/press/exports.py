"""A published page for other places: portable Markdown, Hashnode, Eleventy. Reads the site; renders nothing.

All start from the finished page, whose numbers, figures and references are in place, and lead back to it.
"""

import html
import json
import re
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urljoin

import yaml
from markdownify import MarkdownConverter

from lib.lab import paths
from lib.lab.cache import atomic
from lib.press import finish, pages, site
from lib.press.pages import Page

TARGETS = ("markdown", "hashnode", "eleventy")
_FURNITURE = re.compile(
    r'<header class="title-block">.*?</header>|<nav class="around".*?</nav>|<span aria-hidden="true">[^<]*</span>'
    r'|<p><a [^>]*\bdownload\b[^>]*>.*?</a></p>|<summary>.*?</summary>',
    re.DOTALL,
)  # fmt: skip


class ExportError(ValueError):
    """A page that cannot be sent anywhere; the message says why."""


@dataclass(frozen=True)
class Post:
    """A finished page: what it says of itself, and its contents with absolute links."""

    page: Page
    address: str
    markup: str
    figures: dict[str, Path]  # name in the export -> file of the site


def export(slug: str, target: str, lang: str = "fr", hosted: str | None = None) -> Path:
    """Write a post for a target into build/exports/; the folder. Publishes first, so that it is today's post.

    hosted: where the figures will be, for targets that take no files; the site's own by default. Raises ExportError.
    """
    post = load(slug, lang)
    body = markdown(post.markup)
    folder = paths.build_dir() / "exports" / target / lang / slug
    write = {"markdown": _markdown, "hashnode": _hashnode, "eleventy": _eleventy}[target]
    with atomic(folder) as made:
        made.mkdir()
        write(post, body, made, hosted)
    return folder


def load(slug: str, lang: str) -> Post:
    """The post of a slug in a language, from the site as it is now. Raises ExportError."""
    out = site.publish()
    listed = {Path(page.path).stem: page for page in pages.manifest() if page.lang == lang and page.kind != "page"}
    if slug not in listed:
        raise ExportError(f"no published post {slug} in {lang}; there is {', '.join(sorted(listed)) or 'none'}")
    page = listed[slug]
    found = finish.MAIN.search((out / page.path).read_text(encoding="utf-8"))
    address = f"{pages.site_url()}/{page.path}"
    markup, figures = _with_figures(_FURNITURE.sub("", found[1] if found else ""), out / page.path)
    return Post(page, address, _absolute(markup, address), figures)


def _with_figures(markup: str, page: Path) -> tuple[str, dict[str, Path]]:
    """Local pictures by names of their own, as PNG where they are SVG: most places take no SVG."""
    figures: dict[str, Path] = {}

    def renamed(match: re.Match[str]) -> str:
        source = (page.parent / html.unescape(match[2])).resolve()
        if re.match(r"[a-z]+:", match[2]) or not source.is_file():
            return match[0]
        name = f"{source.stem}.png" if source.suffix == ".svg" else source.name
        figures[name] = source
        return f"{match[1]}figures/{name}{match[3]}"

    return re.sub(r'(<img\b[^>]*?\bsrc=")([^"]+)(")', renamed, markup), figures


def _absolute(markup: str, address: str) -> str:
    """Links with their whole address: Markdown keeps no anchors, so that those of the page lead to the site."""

    def whole(match: re.Match[str]) -> str:
        return f"{match[1]}{html.escape(urljoin(address, html.unescape(match[2])))}{match[3]}"

    markup = re.sub(r'<span class="verdict [^"]*">(.*?)</span>', r"<strong>\1</strong>", markup)
    return re.sub(r'(\bhref=")([^"]*)(")', whole, markup)


class _Converter(MarkdownConverter):
    """Markdown with code in fences, its language told, and formulas as the MathML they are."""

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


def markdown(markup: str) -> str:
    """A page's contents as Markdown."""
    converter = _Converter(
        heading_style="ATX", bullets="-", code_language_callback=_language, table_infer_header=True, strip=["button"],
    )  # fmt: skip
    text = converter.convert(markup)
    return re.sub(r"\n{3,}", "\n\n", text).strip() + "\n"


def _copy_figures(post: Post, folder: Path) -> None:
    for name, source in post.figures.items():
        target = folder / name
        target.parent.mkdir(parents=True, exist_ok=True)
        if source.suffix == ".svg":
            import resvg_py

            picture = resvg_py.svg_to_bytes(svg_string=source.read_text(encoding="utf-8"), width=1200, dpi=96)
            target.write_bytes(bytes(picture))
        else:
            shutil.copyfile(source, target)


def _front(fields: dict[str, Any]) -> str:
    return f"---\n{yaml.safe_dump(fields, allow_unicode=True, sort_keys=False, width=1000)}---\n\n"


def _origin(post: Post) -> str:
    """A line that leads back to the page."""
    said = {"fr": "Paru d’abord ici :", "en": "First published here:"}[post.page.lang]
    return f"\n---\n\n*{said} <{post.address}>*\n"


def _markdown(post: Post, body: str, folder: Path, hosted: str | None) -> None:
    """Plain Markdown that reads anywhere: title as a heading, figures beside it."""
    page = post.page
    if hosted:
        body = body.replace("](figures/", f"]({hosted.rstrip('/')}/")
    text = f"# {page.title}\n\n{page.description}\n\n{body}{_origin(post)}"
    (folder / f"{Path(page.path).stem}.md").write_text(text, encoding="utf-8")
    _copy_figures(post, folder / "figures")


def _hashnode(post: Post, body: str, folder: Path, hosted: str | None) -> None:
    """Hashnode's front matter; figures by their address on the web, and as files to upload there."""
    page = post.page
    base = (hosted or f"{pages.site_url()}/exports/{page.lang}/{Path(page.path).stem}").rstrip("/")
    body = body.replace("](figures/", f"]({base}/")
    front: dict[str, Any] = {
        "title": page.title, "subtitle": page.description, "slug": Path(page.path).stem.replace("_", "-"),
        "datePublished": page.date, "tags": ", ".join(_tag(name) for name in page.categories),
        "canonical": post.address, "enableToc": True,
    }  # fmt: skip
    if post.figures:
        front["cover"] = f"{base}/{next(iter(post.figures))}"
    (folder / f"{Path(page.path).stem}.md").write_text(_front(front) + body + _origin(post), encoding="utf-8")
    _copy_figures(post, folder / "figures")


def _eleventy(post: Post, body: str, folder: Path, hosted: str | None) -> None:
    """A folder that drops into an Eleventy blog: the post, its data, its figures. No template runs in its text."""
    page, slug = post.page, Path(post.page.path).stem
    if hosted:
        body = body.replace("](figures/", f"]({hosted.rstrip('/')}/")
    front = {
        "layout": "post.njk", "title": page.title, "description": page.description, "date": page.date,
        "tags": ["post", *page.categories], "lang": page.lang, "canonical": post.address,
        "templateEngineOverride": "md",
    }  # fmt: skip
    (folder / f"{slug}.md").write_text(_front(front) + body + _origin(post), encoding="utf-8")
    (folder / f"{slug}.11tydata.json").write_text(
        json.dumps({"permalink": f"/{slug.replace('_', '-')}/index.html"}, indent=1) + "\n", encoding="utf-8"
    )
    _copy_figures(post, folder / "figures")


def _tag(name: str) -> str:
    return re.sub(r"\s+", "-", name.lower())
