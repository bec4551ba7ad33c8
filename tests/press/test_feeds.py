import re
import xml.etree.ElementTree as ET
from datetime import datetime, timedelta
from urllib.parse import urlsplit

import feedparser
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lib.press import feeds, site
from lib.press.pages import Page

ATOM, SITEMAP = f"{{{feeds.ATOM}}}", f"{{{feeds.SITEMAP}}}"
ADDRESS = "https://guidon.example"
POST = Page("fr", "posts/x.html", "Un <b>titre</b> & un 'autre'", "Une description", "claim", "2026-11-24",
    ["données", "a & b"], twin="en/posts/x.html", updated="2026-11-25T09:30:00+02:00")  # fmt: skip
NOTE = Page("fr", "posts/001-é.html", "Une note", "", "note", "2026-11-23")


def is_address(text):
    parts = urlsplit(text)
    return parts.scheme == "https" and bool(parts.netloc) and re.fullmatch(r"[!-~]+", text) is not None


def is_date(text):
    """A date with its zone, as RFC 3339 has it."""
    return bool(re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(Z|[+-]\d\d:\d\d)", text)) and datetime.fromisoformat(text)


def wrong_in_feed(text, home):
    """What RFC 4287 demands, and the W3C's validator asks for, and this feed has not."""
    root, wrong = ET.fromstring(text), []
    for element in [root, *root.iter(f"{ATOM}entry")]:
        wrong += [name for name in ("id", "title", "updated") if len(element.findall(ATOM + name)) != 1]
        wrong += [f"id {one.text}" for one in element.findall(f"{ATOM}id") if not is_address(one.text or "")]
        dates = [one for name in ("updated", "published") for one in element.findall(ATOM + name)]
        wrong += [f"date {one.text}" for one in dates if not is_date(one.text or "")]
        if not (element.findtext(f"{ATOM}author/{ATOM}name") or root.findtext(f"{ATOM}author/{ATOM}name")):
            wrong.append("author")
        links = element.findall(f"{ATOM}link")
        wrong += [f"link {link.get('href')}" for link in links if not is_address(link.get("href", ""))]
        kinds = [(link.get("rel"), link.get("type"), link.get("hreflang")) for link in links]
        if "alternate" not in [kind[0] for kind in kinds] or len(set(kinds)) < len(kinds):
            wrong.append(f"links {kinds}")
        wrong += [f"empty {one.tag}" for one in element if not (one.text or one.attrib or len(one))]
        wrong += ["HTML" for one in element if one.get("type") in ("html", "xhtml")]
    if home + "feed.xml" not in [link.get("href") for link in root.findall(f"{ATOM}link") if link.get("rel") == "self"]:
        wrong.append("self")
    ids = [one.text for one in root.iter(f"{ATOM}id")]
    return wrong + [f"{name} twice" for name in set(ids) if ids.count(name) > 1]


def wrong_in_sitemap(text, address):
    """What the schema of sitemaps.org demands, and this site map has not."""
    root, wrong = ET.fromstring(text), []
    assert root.tag == f"{SITEMAP}urlset"
    for url in root:
        own = [child.tag.removeprefix(SITEMAP) for child in url if child.tag.startswith(SITEMAP)]
        if url.tag != f"{SITEMAP}url" or own[:1] != ["loc"] or own not in (["loc"], ["loc", "lastmod"]):
            wrong.append(own)
        place = url.findtext(f"{SITEMAP}loc") or ""
        if not is_address(place) or not place.startswith(f"{address}/") or not 12 <= len(place) < 2048:
            wrong.append(place)
        day = url.findtext(f"{SITEMAP}lastmod")
        wrong += [] if day is None or is_date(day) else [day]
    places = [url.findtext(f"{SITEMAP}loc") for url in root]
    return wrong + [f"{name} twice" for name in set(places) if places.count(name) > 1]


def test_the_feeds_and_the_map_of_a_site_are_as_their_specifications_demand(website):
    out = site.publish(renderer="smalldocs")
    for lang, prefix in (("fr", ""), ("en", "en/")):
        text = (out / prefix / "feed.xml").read_text(encoding="utf-8")
        assert wrong_in_feed(text, f"{ADDRESS}/{prefix}") == []
        read = feedparser.parse(text)
        assert (read.bozo, read.version, read.feed.language) == (False, "atom10", lang)
        assert len(read.entries) == 2
        assert all(one.link.startswith(f"{ADDRESS}/{prefix}posts/") and one.updated_parsed for one in read.entries)
    text = (out / "sitemap.xml").read_text(encoding="utf-8")
    assert wrong_in_sitemap(text, ADDRESS) == []
    pages = {page.relative_to(out).as_posix() for page in out.rglob("*.html")} - {"404.html"}
    places = [url.findtext(f"{SITEMAP}loc").removeprefix(f"{ADDRESS}/") for url in ET.fromstring(text)]
    assert {place + "index.html" * (place in ("", "en/")) for place in places} == pages
    twins = {link.get("href") for link in ET.fromstring(text).iter(f"{{{feeds.XHTML}}}link")}
    assert {twin.removeprefix(f"{ADDRESS}/") for twin in twins} == set(places)


def test_a_feed_reader_finds_what_the_page_said():
    read = feedparser.parse(feeds.atom([POST, NOTE], "fr", ADDRESS))
    post, note = read.entries
    assert post.title_detail.type == "text/plain"
    assert (post.title_detail.value, post.summary) == (POST.title, POST.description)
    assert [tag.term for tag in post.tags] == POST.categories
    assert (post.published, post.updated) == ("2026-11-24T00:00:00Z", "2026-11-25T07:30:00Z")
    assert note.updated == note.published == "2026-11-23T00:00:00Z"
    assert note.link == f"{ADDRESS}/posts/001-%C3%A9.html"
    assert read.feed.updated == post.updated


def test_a_run_from_before_the_post_came_out_does_not_date_it():
    early = Page("fr", "posts/x.html", "t", "d", "claim", "2026-11-24", updated="2026-11-20T10:00:00+00:00")
    assert feeds.changed(early) == "2026-11-24T00:00:00Z"


@given(st.text(), st.text(), st.text(max_size=30), st.timedeltas(timedelta(0), timedelta(days=9000)))
def test_whatever_a_page_says_its_feed_and_its_place_in_the_map_hold(title, description, category, after):
    day = (datetime(2020, 1, 1) + after).date().isoformat()
    pages = [Page("en", f"en/posts/{n}.html", title, description, "note", day, [category]) for n in "ab"]
    text = feeds.atom(pages, "en", ADDRESS)
    assert [one for one in wrong_in_feed(text, f"{ADDRESS}/en/") if not one.startswith("empty")] == []
    assert feedparser.parse(text).bozo is False
    assert wrong_in_sitemap(feeds.sitemap(pages, ADDRESS), ADDRESS) == []


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ('rel="self"', 'rel="via"'), ("<name>Guidon</name>", "<name />"), ("T00:00:00Z</pub", "T00:00:00</pub"),
        ("/posts/001-%C3%A9", "/posts/x"), ('href="https://guidon.example/posts', 'href="/posts'), ("title>", "name>"),
        ("<summary>Une description", "<summary>"), ("<id>https://guidon.example/posts/x", "<id>posts/x"),
    ],
)  # fmt: skip
def test_what_is_wrong_in_a_feed_is_seen(old, new):
    text = feeds.atom([POST, NOTE], "fr", ADDRESS)
    assert wrong_in_feed(text, f"{ADDRESS}/") == []
    assert old in text
    assert wrong_in_feed(text.replace(old, new), f"{ADDRESS}/") != []
