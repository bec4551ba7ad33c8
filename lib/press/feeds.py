"""Feeds and site map. Knows pages; knows nothing of their contents."""

import datetime as dt
import re
import xml.etree.ElementTree as ET
from urllib.parse import quote

from lib.press.pages import Page

ATOM = "http://www.w3.org/2005/Atom"
SITEMAP = "http://www.sitemaps.org/schemas/sitemap/0.9"
XHTML = "http://www.w3.org/1999/xhtml"
_NOT_XML = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def _address(path: str, site: str) -> str:
    return f"{site}/" + quote(re.sub(r"(^|/)index\.html$", r"\1", path))


def _add(parent: ET.Element, name: str, text: str = "", **attributes: str) -> ET.Element:
    made = ET.SubElement(parent, name, attributes)
    made.text = _NOT_XML.sub("", text) or None
    return made


def _document(root: ET.Element) -> str:
    ET.indent(root, " ")
    return '<?xml version="1.0" encoding="UTF-8"?>\n' + ET.tostring(root, encoding="unicode") + "\n"


def changed(page: Page) -> str:
    """When a page last changed, as RFC 3339 has it: it came out, or another run decided what it says."""
    out = f"{page.date}T00:00:00Z"
    if not page.updated:
        return out
    run = dt.datetime.fromisoformat(page.updated).astimezone(dt.UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    return max(out, run)


def atom(pages: list[Page], lang: str, site: str) -> str:
    """An Atom feed (RFC 4287) of a language's dated pages, newest first."""
    home = f"{site}/" if lang == "fr" else f"{site}/en/"
    feed = ET.Element("feed", {"xmlns": ATOM, "xml:lang": lang})
    _add(feed, "title", "Guidon")
    _add(feed, "id", home)
    _add(feed, "updated", max(map(changed, pages), default="2026-01-01T00:00:00Z"))
    _add(feed, "link", rel="alternate", href=home, hreflang=lang)
    _add(feed, "link", rel="self", href=f"{home}feed.xml", type="application/atom+xml")
    _add(_add(feed, "author"), "name", "Guidon")
    for page in pages:
        entry = _add(feed, "entry")
        _add(entry, "title", page.title)
        _add(entry, "id", _address(page.path, site))
        _add(entry, "link", rel="alternate", href=_address(page.path, site), hreflang=lang)
        _add(entry, "published", f"{page.date}T00:00:00Z")
        _add(entry, "updated", changed(page))
        if page.description:
            _add(entry, "summary", page.description)
        for category in page.categories:
            _add(entry, "category", term=_NOT_XML.sub("", category))
    return _document(feed)


def sitemap(pages: list[Page], site: str) -> str:
    """A site map in which each page names its twin."""
    root = ET.Element("urlset", {"xmlns": SITEMAP, "xmlns:xhtml": XHTML})
    for page in pages:
        url = _add(root, "url")
        _add(url, "loc", _address(page.path, site))
        if page.date:
            _add(url, "lastmod", changed(page))
        if page.twin:
            other = "en" if page.lang == "fr" else "fr"
            for lang, path in ((page.lang, page.path), (other, page.twin)):
                _add(url, "xhtml:link", rel="alternate", hreflang=lang, href=_address(path, site))
    return _document(root)
