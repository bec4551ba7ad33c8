"""The finishing pass: what either renderer made of a page, put into our own page in the page's language.

Takes the contents of `<main>` and the entries of the table of contents, and leaves the renderer's styles, scripts
and interface behind, so that the site looks and speaks the same whoever rendered it, and asks no host for anything.
"""

import contextlib
import datetime as dt
import html
import json
import os
import re
import shutil
from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from urllib.parse import quote

from lib.lab import paths
from lib.lab.cache import write_text
from lib.press import beside, boxes, feeds, formats, prose
from lib.press.notebooks import LANGS
from lib.press.pages import STATIC, Page, kind_of, manifest, site_url
from lib.press.words import WORDS

ASSETS = Path(__file__).parent / "assets"
MARK = 'data-guidon="1"'
POLICY = (
    "default-src 'none'; script-src 'self' file:; style-src 'self' file: 'unsafe-inline'; "
    "img-src 'self' file: data:; media-src 'self' file:; connect-src 'self'; base-uri 'none'; form-action 'none'"
)
MAIN = re.compile(r"<main\b[^>]*>(.*)</main>", re.DOTALL)
_TITLE_BLOCK = re.compile(r'<header id="title-block-header".*?</header>', re.DOTALL)
_TOC = re.compile(r'<nav\b[^>]*\bid="TOC".*?</nav>', re.DOTALL)
_TOC_LINK = re.compile(r'<a\b[^>]*?href="(#[^"]+)"[^>]*>(.*?)</a>', re.DOTALL)
_DROPPED = re.compile(
    r"<script\b.*?</script>|<style\b.*?</style>|<link\b[^>]*>|<button\b[^>]*code-copy-button[^>]*>.*?</button>"
    r"|<!--.*?-->|(?<=\s)href=\"(?:[\s\x00-\x1f]|&\w+;|&#\w+;)*(?:javascript|vbscript|data):[^\"]*\"|\s(?:on\w+|border|data-quarto-[\w-]+|data-number)=\"[^\"]*\"",
    re.DOTALL | re.IGNORECASE,
)
_MARKUP = re.compile(r"<(pre|code|math|style|script)\b.*?</\1>|<[^>]*>", re.DOTALL)
_UNSIZED = re.compile(r'<img\b(?![^>]*\swidth=)[^>]*?\ssrc="(?P<source>[^"#?:]+)"')
_SVG_SIZE = re.compile(
    rb'<svg\b[^>]*?\swidth="(?P<width>[\d.]+)(?P<unit>pt|px|)"[^>]*?\sheight="(?P<height>[\d.]+)(?P=unit)"'
)
_LOCAL = re.compile(r'\b(?:src|href)="([^"#?:]+)[#?"]')


class FinishError(ValueError):
    """A rendered page that is not there or not as expected."""


def finish(rendered: Path, out: Path, last: Path | None = None) -> None:
    """Make the site in `out` from the pages in `rendered` (which may be the same folder). Raises FinishError.

    last: the site that this one replaces, whose files are taken over where they are the same.
    """
    every, address = manifest(), site_url()
    for page in every:
        source = rendered / page.path
        if not source.is_file():
            raise FinishError(f"{page.path} was not rendered; look for its error above, or run `guidon publish` again")
        text = source.read_text(encoding="utf-8")
        if MARK not in text:
            text = assemble(text, page, address, beside.around(page, every))
            text = sized(text, page, (paths.root(), rendered))
        write_text(out / page.path, text)
        _copy_resources(text, (paths.root(), rendered), out, page, last or out)
    for page in every:
        beside.redirect(page, out, f"{address}/{_pretty(page.path)}", MARK)
    for lang in LANGS:
        listed = [page for page in every if page.lang == lang]
        index = [_searchable(page, (out / page.path).read_text(encoding="utf-8")) for page in listed]
        data = json.dumps(index, ensure_ascii=False).replace("</", "<\\/")
        write_text(out / "assets" / f"search-{lang}.js", f"window.guidonIndex = {data};\n")
        feed = out / ("feed.xml" if lang == "fr" else "en/feed.xml")
        write_text(feed, feeds.atom([page for page in listed if page.date], lang, address))
    claims = paths.build_dir() / "claims.json"
    if claims.is_file():
        write_text(out / "claims.json", claims.read_text(encoding="utf-8"))
    formats.put(out)
    write_text(out / "sitemap.xml", feeds.sitemap(every, address))
    write_text(out / "robots.txt", f"User-agent: *\nAllow: /\nSitemap: {address}/sitemap.xml\n")
    write_text(out / ".nojekyll", "")
    write_text(out / "404.html", not_found(address))
    for asset in (*ASSETS.iterdir(), *data_of_pages()):
        if asset.suffix in (".css", ".js", ".svg", ".png") and asset.stem != "readme":
            shutil.copyfile(asset, out / "assets" / asset.name)


def data_of_pages() -> list[Path]:
    """What the site's scripts read, made by `lib.lab` and kept in data/site/."""
    return sorted((paths.root() / "data" / "site").glob("*.js"))


def assemble(rendered: str, page: Page, address: str, near: beside.Around | None = None) -> str:
    """Our page around what a renderer made. Raises FinishError when there is no `<main>`."""
    found = MAIN.search(rendered)
    if not found:
        raise FinishError(f"{page.path} has no <main>; is it a page that quarto or smalldocs rendered?")
    body = clean(_TITLE_BLOCK.sub("", found[1], count=1))
    if page.lang == "fr":
        body = french(body)
    toc = _TOC.search(rendered)
    entries = [(link, _text(label)) for link, label in _TOC_LINK.findall(toc[0] if toc else "")]
    toc_entries = entries if page.kind != "page" or page.path.endswith("about.html") else []
    return document(
        page, body + (beside.markup(page, near) if near else ""), toc_entries, address, reading_minutes(body)
    )


def reading_minutes(body: str) -> int:
    """Minutes that its prose takes to read, at 220 words a minute; code, tables and folds are left out."""
    prose_only = re.sub(r"<(pre|table|details|figure|svg|math)\b.*?</\1>", " ", body, flags=re.DOTALL)
    return max(1, round(len(_text(prose_only).split()) / 220))


def colours(theme: str) -> dict[str, str]:
    """The names that the site's style sheet gives to colours and fonts, for `light` or `dark`."""
    light, _, rest = (ASSETS / "guidon.css").read_text(encoding="utf-8").partition('[data-theme="dark"]')
    read = [light, rest.partition("}")[0]] if theme == "dark" else [light]
    return {name: value for part in read for name, value in re.findall(r"--([\w-]+): ([^;]+);", part)}


def french(body: str) -> str:
    """With French spaces in its text, not in its code nor its formulas."""
    return boxes.outside(_MARKUP, body, boxes.spaced)


def clean(body: str) -> str:
    """Without scripts, styles, handlers and buttons of the renderer."""
    body = _DROPPED.sub("", body)
    body = re.sub(r"<pre(?![^>]*tabindex)", '<pre tabindex="0"', body)  # what scrolls can be reached by keyboard
    body = body.replace("<th></th>", "<td></td>")  # the corner of a data frame is no header
    body = re.sub(r'<i class="bi[^"]*"[^>]*></i>', "", body)
    body = re.sub(r"<p>(\s*<math\b.*?</math>\s*)</p>", r"\1", body, flags=re.DOTALL)
    return re.sub(r"<table\b(?![^>]*\b(?:provenance|claims)\b)(.*?)</table>", _scrolling, body, flags=re.DOTALL)


def sized(text: str, page: Page, roots: tuple[Path, ...]) -> str:
    """A page whose pictures say how large they are, so that the text does not jump when they come."""

    def one(match: re.Match[str]) -> str:
        relative = os.path.normpath(os.path.join(os.path.dirname(page.path), html.unescape(match["source"])))
        found = next((size for root in roots if (size := _pixels(root / relative))), None)
        return f'<img width="{found[0]}" height="{found[1]}"{match[0][4:]}' if found else match[0]

    return _UNSIZED.sub(one, text)


def _pixels(picture: Path) -> tuple[int, int] | None:
    """Width and height of an SVG file in points or pixels, or of a PNG file; None for what is neither."""
    try:
        with picture.open("rb") as file:
            start = file.read(1000)
    except OSError:
        return None
    if start.startswith(b"\x89PNG"):
        return int.from_bytes(start[16:20], "big"), int.from_bytes(start[20:24], "big")
    found = _SVG_SIZE.search(start)
    scale = 4 / 3 if found and found["unit"] == b"pt" else 1
    return (round(float(found["width"]) * scale), round(float(found["height"]) * scale)) if found else None


def _scrolling(match: re.Match[str]) -> str:
    return f'<div class="table-scroll" tabindex="0">{match[0]}</div>'


def _text(markup: str) -> str:
    return " ".join(html.unescape(re.sub(r"<[^>]+>", " ", markup)).split())


def _up(page: Page) -> str:
    return "../" * (len(PurePosixPath(page.path).parts) - 1)


def document(page: Page, body: str, toc: list[tuple[str, str]], address: str, minutes: int = 0) -> str:
    """A whole page. Everything that is text is escaped; `body` is trusted markup."""
    up, words = _up(page), WORDS[page.lang]
    classes = f"kind-{page.kind}" + (" has-toc" if len(toc) > 2 else "")
    return (
        f'<!DOCTYPE html>\n<html lang="{page.lang}" {MARK}>\n<head>\n{_head(page, up, address)}</head>\n'
        f'<body class="{classes}">\n<a class="skip" href="#main">{words["skip"]}</a>\n{_header(page, up)}'
        f'<div class="page">\n{_toc_markup(toc, words)}<main id="main">\n'
        f"{_title_block(page, minutes)}{body}\n</main>\n</div>\n"
        f"{_footer(page, up)}</body>\n</html>\n"
    )


def _head(page: Page, up: str, address: str) -> str:
    home = page.path in ("index.html", "en/index.html")
    title = page.title if home else f"{page.title} · Guidon"
    own = f"{address}/{_pretty(page.path)}"
    tags = [
        '<meta charset="utf-8">',
        f'<meta http-equiv="Content-Security-Policy" content="{POLICY}">',
        '<meta name="viewport" content="width=device-width, initial-scale=1">',
        f"<title>{boxes.escape(title)}</title>",
        f'<meta name="description" content="{boxes.escape(page.description)}">',
        f'<link rel="canonical" href="{boxes.escape(_canonical(page) or own)}">',
        *_alternates(page, address),
        f'<link rel="alternate" type="application/atom+xml" title="Guidon" href="{up}{_feed(page.lang)}">',
        *([f'<link rel="alternate" type="application/json" href="{up}claims.json">'] if "claims" in page.path else []),
        f'<link rel="icon" href="{up}assets/favicon.svg" type="image/svg+xml">',
        *_open_graph(page, own, address),
        f'<script src="{up}assets/theme.js"></script>',
        f'<link rel="stylesheet" href="{up}assets/guidon.css">',
        f'<script src="{up}assets/guidon.js" defer></script>',
    ]
    return "\n".join(tags) + "\n"


def _canonical(page: Page) -> str:
    """The address that a page is a copy of, when it is one of the web."""
    return page.canonical if re.fullmatch(r"https?://[^\s\"'<>]+", page.canonical) else ""


def _alternates(page: Page, address: str) -> Iterator[str]:
    if page.twin:
        french = page.path if page.lang == "fr" else page.twin
        for lang, path in (("fr", french), ("en", f"en/{french}"), ("x-default", french)):
            yield f'<link rel="alternate" hreflang="{lang}" href="{address}/{_pretty(path)}">'


def _open_graph(page: Page, own: str, address: str) -> Iterator[str]:
    image = page.image or "assets/card.png"
    named = {
        "og:type": "article" if page.date else "website", "og:site_name": "Guidon", "og:title": page.title,
        "og:description": page.description, "og:url": own, "og:locale": {"fr": "fr_FR", "en": "en_GB"}[page.lang],
        "og:image": f"{address}/{quote(image)}", "og:image:alt": page.image_alt or "Guidon",
    }  # fmt: skip
    for name, value in named.items():
        yield f'<meta property="{name}" content="{boxes.escape(value)}">'
    yield '<meta name="twitter:card" content="summary_large_image">'


def _pretty(path: str) -> str:
    return quote(re.sub(r"(^|/)index\.html$", r"\1", path))


def _feed(lang: str) -> str:
    return "feed.xml" if lang == "fr" else "en/feed.xml"


def _header(page: Page, up: str) -> str:
    words = WORDS[page.lang]
    base = up + ("" if page.lang == "fr" else "en/")
    own = page.path.removeprefix("en/")
    links = []
    for name in ("claims", "tutorials", "notes", "about"):
        current = ' aria-current="page"' if own == f"{name}.html" else ""
        links.append(f'<li><a href="{base}{name}.html"{current}>{words[name]}</a></li>')
    other = "en" if page.lang == "fr" else "fr"
    twin = page.twin or ("en/index.html" if other == "en" else "index.html")
    return (
        f'<header class="site-header"><div class="bar">'
        f'<a class="brand" href="{base}index.html">'
        f'<img src="{up}assets/favicon.svg" alt="" width="28" height="28">Guidon</a>'
        f'<nav aria-label="{words["main_navigation"]}"><ul>{"".join(links)}</ul></nav>'
        f'<div class="tools"><div class="search" role="search">'
        f'<input id="search" type="text" inputmode="search" placeholder="{words["search"]}"'
        f' aria-label="{words["search"]}"'
        ' autocomplete="off"'
        f' role="combobox" aria-expanded="false" aria-controls="search-results" aria-autocomplete="list"'
        f' data-index="{up}assets/search-{page.lang}.js" data-up="{up}" data-none="{words["no_match"]}">'
        f'<ul id="search-results" role="listbox" aria-label="{words["search"]}" hidden></ul></div>'
        f'<a class="switch" href="{up}{twin}" hreflang="{other}" lang="{other}">{WORDS[other]["this_language"]}</a>'
        f'<button type="button" class="theme" aria-pressed="false" title="{words["dark"]}"'
        f' aria-label="{words["dark"]}">'
        f'<span aria-hidden="true">◐</span></button></div></div></header>\n'
    )


def _title_block(page: Page, minutes: int) -> str:
    if page.kind == "page":
        hidden = ' class="visually-hidden"' if page.path.endswith("index.html") else ""
        return f'<header class="title-block"><h1{hidden}>{boxes.escape(page.title)}</h1></header>\n'
    day = prose.format_day(dt.date.fromisoformat(page.date), page.lang) if page.date else ""
    categories = "".join(f"<li>{boxes.escape(name)}</li>" for name in page.categories)
    return (
        f'<header class="title-block"><p class="card-meta">{kind_of(page)} · '
        f'<time datetime="{page.date}">{day}</time> · {WORDS[page.lang]["minutes"].format(n=minutes)}</p>'
        f"<h1>{boxes.escape(page.title)}</h1>"
        f'<p class="lead">{boxes.inline(page.description)}</p>'
        + (f'<ul class="categories">{categories}</ul>' if categories else "")
        + "</header>\n"
    )


def _toc_markup(entries: list[tuple[str, str]], words: dict[str, str]) -> str:
    if len(entries) <= 2:
        return ""
    links = "".join(f'<li><a href="{boxes.escape(link)}">{boxes.escape(text)}</a></li>' for link, text in entries)
    return f'<nav class="toc" aria-label="{words["on_page"]}"><p>{words["on_page"]}</p><ul>{links}</ul></nav>\n'


def _footer(page: Page, up: str) -> str:
    words = WORDS[page.lang]
    base = up + ("" if page.lang == "fr" else "en/")
    return (
        f'<footer class="site-footer"><p>{words["licences"]} <a href="{base}about.html">{words["about"]}</a> · '
        f'<a href="{base}formats.html">{words["formats"]}</a> · '
        f'<a href="{up}{_feed(page.lang)}">Atom</a></p></footer>\n'
    )


def not_found(address: str) -> str:
    """The page for an address that leads nowhere, in both languages; its links start at the site's root."""
    base = re.sub(r"^https?://[^/]+", "", address) + "/"
    parts = "".join(
        f'<section lang="{lang}"><h2>{WORDS[lang]["not_found"]}</h2><p><a href="{base}{"" if lang == "fr" else "en/"}">'
        f"{WORDS[lang]['home']}</a></p></section>"
        for lang in LANGS
    )
    page = Page("fr", "404.html", "404", WORDS["fr"]["not_found"], "page")
    made = document(page, parts, [], address).replace('href="assets/', f'href="{base}assets/')
    made = made.replace('src="assets/', f'src="{base}assets/').replace('data-up=""', f'data-up="{base}"')
    for name in (*STATIC, "en/index"):
        made = made.replace(f'href="{name}.html"', f'href="{base}{name}.html"')
    return made.replace('href="feed.xml"', f'href="{base}feed.xml"')


def _searchable(page: Page, text: str) -> dict[str, object]:
    found = MAIN.search(text)
    body = re.sub(
        r'<(header class="title-block"|details).*?</(header|details)>', " ", found[1] if found else "", flags=re.DOTALL
    )
    headings = [_text(one) for one in re.findall(r"<h[23]\b[^>]*>(.*?)</h[23]>", body, re.DOTALL)]
    return {
        "url": page.path, "title": page.title, "description": page.description,
        "headings": headings, "text": _text(body)[:8000],
    }  # fmt: skip


def _copy_resources(text: str, roots: tuple[Path, ...], out: Path, page: Page, last: Path) -> None:
    """Copy the local files a page refers to, from the first folder that has them: figures and notebooks of posts."""
    named = {*_LOCAL.findall(text), *([f"{_up(page)}{page.image}"] if page.image else [])}
    for reference in named | {f"{name[:-4]}.png" for name in named if name.endswith(".svg")}:
        relative = os.path.normpath(os.path.join(os.path.dirname(page.path), html.unescape(reference)))
        if relative.endswith(".html") or relative.startswith(("..", "assets/")) or os.path.isabs(relative):
            continue
        source = next((root / relative for root in roots if os.path.isfile(root / relative)), None)
        if source and source != out / relative and not (roots[-1] != out and (out / relative).is_file()):
            _copy(source, out / relative, last / relative)


def _copy(source: Path, target: Path, last: Path) -> None:
    """Copy a file with its date; share the copy of the last site where it is of the same date and size."""
    target.parent.mkdir(parents=True, exist_ok=True)
    with contextlib.suppress(OSError):
        new, old = source.stat(), last.stat()
        if last != target and (new.st_size, new.st_mtime_ns) == (old.st_size, old.st_mtime_ns):
            os.link(last, target)
            return
    shutil.copy2(source, target)


if __name__ == "__main__" and not os.environ.get("GUIDON_PUBLISHING"):  # project.post-render of _quarto.yml
    folder = paths.root() / os.environ.get("QUARTO_PROJECT_OUTPUT_DIR", "_site")
    finish(folder, folder)
