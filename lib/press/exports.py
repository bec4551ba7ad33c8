"""A published post for other places, each led back to the page: portable Markdown, Hashnode, Eleventy, and the others.

Knows the front matter and the folders that these places want.
"""

import json
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from lib.lab.cache import atomic, clear, locked
from lib.press import console, finished, posts, site, stamps
from lib.press.finished import Post
from lib.press.pages import Page
from lib.press.stamps import TARGETS, folder

__all__ = ["TARGETS", "Options", "export", "folder", "make", "ready", "voice"]


@dataclass(frozen=True)
class Options:
    """hosted: where figures will be, for what takes no files. unsubscribe: address or mark of the sending service.

    burn: draw a video's subtitles into its picture; such videos lie apart.
    """

    hosted: str | None = None
    unsubscribe: str | None = None
    burn: bool = False

    def place(self, target: str) -> str:
        """The name of the folder of a target's exports."""
        return "video-burnt" if target == "video" and self.burn else target

    def given(self, target: str) -> str:
        """What of these decides an export, as text."""
        used = {"slides": (), "video": (), "newsletter": (self.hosted, self.unsubscribe)}.get(target, (self.hosted,))
        return json.dumps(used) if any(used) else ""


def export(slug: str, target: str, lang: str = "fr", options: Options | None = None) -> Path:
    """Write a post for a target into build/exports/; the folder. Writes or publishes first, so that it is today's post.

    Raises ExportError, and VoiceError for a video without a voice.
    """
    options = options or Options()
    out = ready([target])
    make(finished.find(slug, lang), target, out, options, stamps.Stamps())
    return folder(options.place(target), lang, slug)


def ready(targets: list[str]) -> Path:
    """Write today's posts, and publish where a target is made of pages; the folder of the site."""
    if set(targets) <= {"slides", "video"}:
        posts.write()
        return site.folder()
    return site.publish()


def voice(target: str, lang: str) -> str | None:
    """Who speaks, where somebody does. Raises VoiceError."""
    from lib.press import voices

    return str(voices.choose(lang)) if target == "video" else None


def make(
    page: Page, target: str, out: Path, options: Options, kept: stamps.Stamps, board: console.Board | None = None
) -> tuple[dict[str, Any], bool]:
    """Write one post for a target; what is kept of it, and whether there was anything to make. out: the site.

    Raises ExportError and VoiceError.
    """
    anew = True
    slug, place = Path(page.path).stem, folder(options.place(target), page.lang, Path(page.path).stem)
    if target == "video":
        from lib.press import video

        anew = video.export(slug, page.lang, options.burn, board)
    else:
        with locked(place):
            clear(place)
            with atomic(place) as made:
                made.mkdir()
                _write(page, target, out, options, made)
    return kept.put(page, options.place(target), options.given(target), voice(target, page.lang)), anew


def _write(page: Page, target: str, out: Path, options: Options, made: Path) -> None:
    if target == "slides":
        from lib.press import slides

        slides.write(Path(page.path).stem, page.lang, made)
    elif target == "newsletter":
        from lib.press import newsletter

        newsletter.write_post(finished.read(page, out), made, options.hosted, options.unsubscribe)
    else:
        _WRITERS[target](finished.read(page, out), made, options.hosted)


def _front(fields: dict[str, Any]) -> str:
    return f"---\n{yaml.safe_dump(fields, allow_unicode=True, sort_keys=False, width=1000)}---\n\n"


def _origin(post: Post) -> str:
    """A line that leads back to the page."""
    said = {"fr": "Paru d’abord ici :", "en": "First published here:"}[post.page.lang]
    return f"\n---\n\n*{said} <{post.address}>*\n"


def _body(post: Post, hosted: str | None) -> str:
    """The contents as Markdown, figures beside them or at an address."""
    return finished.markdown(finished.hosted(post.markup, post.figures, hosted) if hosted else post.markup)


def _markdown(post: Post, made: Path, hosted: str | None) -> None:
    """Plain Markdown that reads anywhere: title as a heading, figures beside it."""
    body = _body(post, hosted)
    text = f"# {post.page.title}\n\n{post.page.description}\n\n{body}{_origin(post)}"
    (made / f"{post.slug}.md").write_text(text, encoding="utf-8")
    finished.copy(post.figures, made / "figures")


def _hashnode(post: Post, made: Path, hosted: str | None) -> None:
    """Hashnode's front matter; figures by their address on the web, and as files to upload elsewhere."""
    page = post.page
    body = finished.markdown(finished.hosted(post.markup, post.figures, hosted))
    front: dict[str, Any] = {
        "title": page.title, "subtitle": page.description, "slug": post.slug.replace("_", "-"),
        "datePublished": page.date, "tags": ", ".join(_tag(name) for name in page.categories),
        "canonical": post.address, "enableToc": True,
    }  # fmt: skip
    first = re.search(r"!\[[^\]]*\]\(([^)\s]+)\)", body)
    if first and post.figures:
        front["cover"] = first[1]
    (made / f"{post.slug}.md").write_text(_front(front) + body + _origin(post), encoding="utf-8")
    finished.copy(post.figures, made / "figures")


def _eleventy(post: Post, made: Path, hosted: str | None) -> None:
    """A folder that drops into an Eleventy blog: the post, its data, its figures. No template runs in its text."""
    page = post.page
    body = _body(post, hosted)
    front = {
        "layout": "post.njk", "title": page.title, "description": page.description, "date": page.date,
        "tags": ["post", *page.categories], "lang": page.lang, "canonical": post.address,
        "templateEngineOverride": "md",
    }  # fmt: skip
    (made / f"{post.slug}.md").write_text(_front(front) + body + _origin(post), encoding="utf-8")
    (made / f"{post.slug}.11tydata.json").write_text(
        json.dumps({"permalink": f"/{post.slug.replace('_', '-')}/index.html"}, indent=1) + "\n", encoding="utf-8"
    )
    finished.copy(post.figures, made / "figures")


def _tag(name: str) -> str:
    return re.sub(r"\s+", "-", name.lower())


_WRITERS = {"markdown": _markdown, "hashnode": _hashnode, "eleventy": _eleventy}
