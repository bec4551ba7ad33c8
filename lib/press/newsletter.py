"""Posts as mail: one of them, or an issue of several, as .eml and .html. Knows what mail clients can show.

They cannot show folds, SVG, MathML or variables of a style sheet; Gmail cuts a message at 102 kB of HTML.
Widths and rules: https://www.caniemail.com.
"""

import datetime as dt
import hashlib
import html
import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import format_datetime
from itertools import pairwise
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from bs4 import BeautifulSoup, Tag

from lib.lab import paths
from lib.lab.cache import atomic
from lib.press import boxes, exports, finish, finished, pages, posts, prose, site
from lib.press.finished import Converter, ExportError, Figure, Post
from lib.press.notebooks import find
from lib.press.words import WORDS

LIMIT = 99_000  # bytes of HTML
WIDTH = 552  # pixels that a picture has, inside a sheet of 600
UNSUBSCRIBE = "{{ unsubscribe_url }}"  # a mark that the sending service replaces
TEMPLATES = Path(__file__).parent / "templates"
_KEPT = {"href", "src", "alt", "class", "colspan", "rowspan", "scope", "width", "lang", "role", "tabindex"}


@dataclass(frozen=True)
class Piece:
    """One text of a letter: its head, its blocks of markup, its text, and where to read on."""

    title: str
    meta: str
    lead: str
    blocks: list[str]
    text: str
    address: str
    figures: dict[str, Figure]


@dataclass(frozen=True)
class Letter:
    """A message before it is laid out. day: when its newest text appeared. foreword: markup, text."""

    lang: str
    title: str
    preheader: str
    pieces: list[Piece]
    day: str
    read: str  # the words on the button
    foreword: tuple[str, str] = ("", "")


def write_post(post: Post, made: Path, hosted: str | None = None, unsubscribe: str | None = None) -> None:
    """Write SLUG.eml and SLUG.html with figures/ into a folder: the whole post, without its code if it is no tutorial.

    hosted: base address of the figures in the .html; beside it by default. unsubscribe: address, or the mark that
    the sending service replaces.
    """
    page, words = post.page, WORDS[post.page.lang]
    letter = Letter(page.lang, page.title, page.description, [_whole(post)], page.date, words["read_site"])
    _write(letter, made / post.slug, hosted, unsubscribe)


def issue(
    since: str, lang: str = "fr", title: str | None = None, intro: Path | None = None, hosted: str | None = None,
    unsubscribe: str | None = None,
) -> Path:  # fmt: skip
    """Write one letter of what appeared from a day on, newest first, and of verdicts that changed; its folder.

    since: ISO date. intro: a Markdown file that stands first; its numbers are filled in. Raises ExportError.
    """
    out = site.publish()
    listed = finished.listing(lang)
    chosen = [finished.read(page, out) for page in listed if page.date >= since]
    changes = list(_changed(since, lang, {post.slug for post in chosen}))
    if not chosen and not changes:
        last = f"; the last is of {listed[0].date}" if listed else ""
        raise ExportError(f"nothing appeared in {lang} since {since}{last}")
    told = "".join(f"<li>{markup}</li>" for markup in changes)
    told = f"<h2>{WORDS[lang]['changed_verdicts']}</h2><ul>{told}</ul>" if told else ""
    foreword = (_intro(intro, lang) if intro else "") + told
    titles = [post.page.title for post in chosen]
    day = chosen[0].page.date if chosen else since
    if not title:
        month = prose.format_month(dt.date.fromisoformat(day), lang)
        title = f"Guidon, {month}" + (f"{boxes.colon(lang)} {titles[0]}" if titles else "")
    letter = Letter(
        lang, title, " · ".join(titles[1:]) or (chosen[0].page.description if chosen else title),
        [_short(post) for post in chosen], day, WORDS[lang]["read"], (_mailed(foreword), _plain(foreword)),
    )  # fmt: skip
    folder = exports.folder("newsletter", lang, f"since-{since}")
    with atomic(folder) as made:
        made.mkdir()
        _write(letter, made / "newsletter", hosted, unsubscribe)
    return folder


def _intro(path: Path, lang: str) -> str:
    from markdown_it import MarkdownIt

    shown = {slug: result.record for slug, result in posts.results(find()).items()}
    context = prose.Context(other=shown.get)
    text = prose.fill(path.read_text(encoding="utf-8-sig"), context, lang, prose.Where(path.name, line=1))
    return str(MarkdownIt("commonmark", {"html": False, "typographer": False}).enable("table").render(text))


def _changed(since: str, lang: str, told: set[str]) -> Iterator[str]:
    """Verdicts of posts that are not in the letter and that are others than before."""
    claims = json.loads((paths.build_dir() / "claims.json").read_text(encoding="utf-8"))["claims"]
    for row in claims:
        entries = [entry for entry in row["history"] if entry.get("verdict")]
        for before, after in pairwise(entries):
            if row["slug"] not in told and after["date"][:10] >= since and after["verdict"] != before["verdict"]:
                words = WORDS[lang]
                text = words["was_is"].format(
                    before=words[before["verdict"]].lower(), after=words[after["verdict"]].lower()
                )
                link = html.escape(row["url"][lang])
                yield f'<a href="{link}">{boxes.inline(row["claim"][lang])}</a>{boxes.colon(lang)} {boxes.escape(text)}'


def _meta(post: Post) -> str:
    day = prose.format_day(dt.date.fromisoformat(post.page.date), post.page.lang) if post.page.date else ""
    return " · ".join(part for part in (pages.kind_of(post.page), day) if part)


def _whole(post: Post) -> Piece:
    """The post without what only a page can do."""
    soup = BeautifulSoup(post.markup, "html.parser")
    if provenance := soup.select_one("#provenance"):
        provenance.decompose()
    for one in soup.select("details") if post.page.kind != "tutorial" else ():
        finished.closed_before(one)
        one.decompose()
    return _piece(post, soup)


def _short(post: Post) -> Piece:
    """What was found: claim and verdict, the opening, the first figure."""
    soup = BeautifulSoup(post.markup, "html.parser")
    box = soup.select_one(".claim-box")
    for one in box.select(".verdict-rule, .verdict-profile, .verdict-before") if box else []:
        one.decompose()
    opening = [one for one in soup.find_all("p", recursive=False) if not one.get("class")][:2]
    figure = soup.find("figure")
    chosen = [one for one in (box, *(opening or soup.find_all("p")[:2]), figure) if one]
    return _piece(post, BeautifulSoup("".join(str(one) for one in chosen), "html.parser"))


def _piece(post: Post, soup: BeautifulSoup) -> Piece:
    text = _plain(str(soup))
    _mailable(soup)
    used: dict[str, Figure] = {}
    for name, figure in post.figures.items():
        for image in soup.find_all("img", src=f"figures/{name}"):
            used[f"{post.slug}-{name}"] = figure  # two posts of a letter may name theirs alike
            image["src"] = f"figures/{post.slug}-{name}"
    blocks = [str(one) for one in soup.contents if str(one).strip()]
    lead = boxes.typographic(post.page.description)
    return Piece(post.page.title, _meta(post), lead, blocks, text, post.address, used)


def _mailed(markup: str) -> str:
    soup = BeautifulSoup(markup, "html.parser")
    _mailable(soup)
    return str(soup)


def _mailable(soup: BeautifulSoup) -> None:
    """Change a page's markup, in place, into what mail clients can show."""
    for name in ("section", "details", "summary", "pre span", "pre code", "figure > p", ".cell", ".cell-output"):
        for one in soup.select(name):
            one.unwrap()
    for one in soup.select("div.sourceCode, .quarto-figure"):
        one.unwrap()
    for one in soup.find_all("math"):
        code = soup.new_tag("code")
        code.string = str(one.get("alttext") or one.get_text(" ", strip=True))
        one.replace_with(code)
    for one in soup.find_all("footer"):
        one.name, one["class"] = "p", "heard"
    for one in soup.select(".verdict-since"):
        one.insert_before(soup.new_tag("br"))
    for one in soup.select(".claim-box"):
        _boxed(soup, one, one["class"])
    for one in soup.find_all("figure"):
        caption = one.find("figcaption")
        if caption:
            caption.name, caption["class"] = "p", "caption"
        _boxed(soup, one, ["figure"])
    for one in soup.find_all("img"):
        one["width"] = str(WIDTH)
    for one in soup.find_all(True):
        one.attrs = {name: value for name, value in one.attrs.items() if name in _KEPT and value}


def _boxed(soup: BeautifulSoup, one: Tag, classes: Any) -> None:
    """Make a block a table of one cell: Outlook draws borders and margins of these alone."""
    table, row, cell = (soup.new_tag(name) for name in ("table", "tr", "td"))
    table.attrs = {"role": "presentation", "class": classes, "width": "100%"}
    one.wrap(table)
    table.append(row)
    row.append(cell)
    cell.append(one)
    one.unwrap()


class _Text(Converter):
    """Text for those who read mail without HTML: links with their address, figures by what they show."""

    def convert_img(self, element: Any, text: str, parent_tags: Any) -> str:
        return f"[{element.get('alt', '')}]"

    def convert_a(self, element: Any, text: str, parent_tags: Any) -> str:
        address = str(element.get("href", ""))
        return text if not text.strip() or "#" in address or text in address else f"{text} <{address}>"

    def convert_math(self, element: Any, text: str, parent_tags: Any) -> str:
        return str(element.get("alttext") or " ".join(element.get_text(" ").split()))


def _plain(markup: str) -> str:
    text = finished.markdown(markup, _Text(escape_underscores=False, escape_asterisks=False, escape_misc=False))
    return "" if text == "\n" else text


def _write(letter: Letter, stem: Path, hosted: str | None, unsubscribe: str | None) -> None:
    """Lay a letter out and write its files; figures are attached to the .eml and beside the .html."""
    unsubscribe = unsubscribe or UNSUBSCRIBE
    markup, _ = _fitting(letter, unsubscribe)
    figures: dict[str, Figure] = {}
    for piece in letter.pieces:
        figures |= {name: one for name, one in piece.figures.items() if f'src="figures/{name}"' in markup}
    page = finished.hosted(markup, figures, hosted) if hosted else markup
    stem.with_suffix(".html").write_text(page, encoding="utf-8")
    stem.with_suffix(".eml").write_bytes(_message(letter, markup, figures, unsubscribe))
    finished.copy(figures, stem.parent / "figures")


def _fitting(letter: Letter, unsubscribe: str) -> tuple[str, bool]:
    """The laid out letter, without its last blocks where it would be cut; whether it is.

    The longest text gives first. When each has one block left, the oldest keep their title, lead and link alone.
    """
    markup, cut = _laid_out(letter, unsubscribe), False
    while len(markup.encode()) > LIMIT:
        shortened = max(letter.pieces, key=lambda piece: (len(piece.blocks) > 1, sum(map(len, piece.blocks))))
        if len(shortened.blocks) < 2:
            older = [piece for piece in letter.pieces[1:] if piece.blocks]
            if not older:
                raise ExportError(f"{shortened.title} is too long for mail: over {LIMIT // 1000} kB in one block")
            shortened = older[-1]
        shortened.blocks.pop()
        while shortened.blocks and re.match(r"<h[1-6]\b", shortened.blocks[-1]):  # no heading without its text
            shortened.blocks.pop()
        markup, cut = _laid_out(letter, unsubscribe), True
    return markup, cut


def _laid_out(letter: Letter, unsubscribe: str) -> str:
    """The HTML of a letter, with its styles written on each element."""
    import css_inline
    from jinja2 import Environment, FileSystemLoader, StrictUndefined

    environment = Environment(loader=FileSystemLoader(TEMPLATES), autoescape=True, undefined=StrictUndefined)
    style = (TEMPLATES / "newsletter.css").read_text(encoding="utf-8")
    light, _, dark = style.partition("/* dark */")
    style = _coloured(light, "light") + _coloured(dark, "dark")
    markup = environment.get_template("newsletter.html").render(
        letter=letter, words=WORDS[letter.lang], unsubscribe=unsubscribe, style=style,
        home=f"{pages.site_url()}/{'' if letter.lang == 'fr' else 'en/'}",
    )  # fmt: skip
    if letter.lang == "fr":
        markup = finish.french(markup)
    return css_inline.CSSInliner(keep_at_rules=True, load_remote_stylesheets=False).inline(markup)


def _coloured(style: str, theme: str) -> str:
    """A style with the site's own colours and fonts instead of their names."""
    known = finish.colours(theme)
    return re.sub(r"var\(--([\w-]+)\)", lambda match: known[match[1]], style)


def _message(letter: Letter, markup: str, figures: dict[str, Figure], unsubscribe: str) -> bytes:
    """The letter as MIME: text, and HTML with its pictures. The same letter gives the same bytes."""
    mark = hashlib.sha256(markup.encode()).hexdigest()[:24]
    host = urlsplit(pages.site_url()).hostname
    for name in figures:
        markup = markup.replace(f'src="figures/{name}"', f'src="cid:{_cid(name, host)}"')
    message = EmailMessage(policy=SMTP)
    message["Subject"] = letter.title
    message["From"] = f"Guidon <newsletter@{host}>"
    message["Date"] = format_datetime(dt.datetime.combine(dt.date.fromisoformat(letter.day), dt.time(8), dt.UTC))
    message["Message-ID"] = f"<{mark}@{host}>"
    message["X-Unsent"] = "1"  # opens as a draft
    if re.match(r"https?://|mailto:", unsubscribe):
        message["List-Unsubscribe"] = f"<{unsubscribe}>"
    message.set_content(_text(letter, unsubscribe), cte="quoted-printable")
    message.add_alternative(markup, subtype="html", cte="quoted-printable")
    message["Content-Language"] = letter.lang  # after the parts: what is of the content moves to the first of them
    *_, page = message.iter_parts()
    for name, figure in figures.items():
        kind = {".jpg": "jpeg"}.get(Path(name).suffix, Path(name).suffix[1:])
        page.add_related(
            figure.source.read_bytes(), "image", kind, cid=f"<{_cid(name, host)}>", filename=name, disposition="inline"
        )
    for number, part in enumerate(one for one in message.walk() if one.is_multipart()):
        part.set_boundary(f"={mark}-{number}=")
    return message.as_bytes()


def _cid(name: str, host: str | None) -> str:
    return f"{hashlib.sha256(name.encode()).hexdigest()[:16]}@{host}"


def _text(letter: Letter, unsubscribe: str) -> str:
    """The letter as plain text."""
    words = WORDS[letter.lang]
    parts = [letter.foreword[1]]
    for piece in letter.pieces:
        head = [piece.title, "=" * min(len(piece.title), 72), piece.meta, "", piece.lead, "", piece.text]
        parts.append("\n".join([*head, f"{letter.read}{boxes.colon(letter.lang)} {piece.address}\n"]))
    parts.append(f"-- \n{words['asked_for']}\n{words['unsubscribe']}{boxes.colon(letter.lang)} {unsubscribe}\n")
    text = "\n\n".join(part for part in parts if part)
    return boxes.spaced(text) if letter.lang == "fr" else text
