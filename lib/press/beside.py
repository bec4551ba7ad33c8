"""What stands beside a post: the one before, the one after, those on the same subjects, and its old addresses."""

import re
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

from lib.lab.cache import write_text
from lib.press import boxes
from lib.press.pages import Page
from lib.press.words import WORDS


@dataclass(frozen=True)
class Around:
    """The pages that one leads to: before and after it in its series, on the same subjects, all of a named series."""

    previous: Page | None = None
    next: Page | None = None
    related: tuple[Page, ...] = ()
    series: tuple[Page, ...] = ()


def around(page: Page, every: list[Page]) -> Around:
    """Whom a post stands beside: its series in order, then those that share most of its categories."""
    if not page.series:
        return Around()
    others = [one for one in every if one.lang == page.lang and one.series]
    series = sorted((one for one in others if one.series == page.series), key=_place)
    place = series.index(page)
    beside = series[max(0, place - 1) : place + 2]
    shared = {one.path: len({*one.categories} & {*page.categories}) for one in others if one not in beside}
    near = sorted((one for one in others if shared.get(one.path)), key=lambda one: (-shared[one.path], one.path))
    named = page.kind == "note" and page.series != "notes" and len(series) > 1
    return Around(
        series[place - 1] if place else None, series[place + 1] if place + 1 < len(series) else None, tuple(near[:3]),
        tuple(series) if named else (),
    )  # fmt: skip


def _place(page: Page) -> tuple[int, str, str]:
    """By number; what has none, after these by date."""
    return 10**6 if page.number is None else page.number, page.date, page.path


def markup(page: Page, near: Around) -> str:
    """Links to these pages, as the end of a post."""
    words, links = WORDS[page.lang], []
    up = "../" * page.path.count("/")

    def items(listed: tuple[Page, ...]) -> str:
        return "".join(
            f"<li>{boxes.escape(one.title)}</li>" if one == page
            else f'<li><a href="{up}{quote(one.path)}">{boxes.escape(one.title)}</a></li>' for one in listed
        )  # fmt: skip

    if near.series:
        title = f"{words['series']}{boxes.colon(page.lang)} {boxes.escape(page.series)}"
        links.append(f'<p id="series">{title}</p><ol aria-labelledby="series">{items(near.series)}</ol>')
    for name, one in (("previous", near.previous), ("next", near.next)):
        if one:
            rel = "prev" if name == "previous" else "next"
            link = f'<a rel="{rel}" href="{up}{quote(one.path)}">{boxes.escape(one.title)}</a>'
            links.append(f'<p class="{name}"><span>{words[name]}</span> {link}</p>')
    if near.related:
        links.append(f'<p id="related">{words["related"]}</p><ul aria-labelledby="related">{items(near.related)}</ul>')
    return f'<nav class="around" aria-label="{words["related"]}">{"".join(links)}</nav>\n' if links else ""


def redirect(page: Page, out: Path, canonical: str, mark: str) -> None:
    """A page at each address that this one had elsewhere, which leads to it. It never takes the place of another."""
    for alias in page.aliases:
        path = alias.strip("/")
        if not re.fullmatch(r"[\w-]+(?:/[\w-]+)*(?:\.html)?", path):
            continue
        target = out / (path if path.endswith(".html") else f"{path}/index.html")
        if target.exists() and 'http-equiv="refresh"' not in target.read_text(encoding="utf-8"):
            continue
        up = "../" * (len(target.relative_to(out).parts) - 1)
        link, title = boxes.escape(f"{up}{quote(page.path)}"), boxes.escape(page.title)
        write_text(target, (
            f'<!DOCTYPE html>\n<html lang="{page.lang}" {mark}><head><meta charset="utf-8"><title>{title}</title>'
            f'<meta http-equiv="refresh" content="0; url={link}">'
            f'<link rel="canonical" href="{boxes.escape(canonical)}">'
            f'</head><body><p><a href="{link}">{title}</a></p></body></html>\n'
        ))  # fmt: skip
