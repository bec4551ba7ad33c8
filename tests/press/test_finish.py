import re

import html5lib
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lib.press import feeds, finish
from lib.press.finish import FinishError, assemble, clean, document, not_found, sized
from lib.press.pages import Page

PAGE = Page("fr", "posts/x.html", "Un titre", "Une description", "claim", "2026-11-24", ["a"], twin="en/posts/x.html")
QUARTO = """<!DOCTYPE html><html lang="fr"><head><script src="https://cdn.jsdelivr.net/x.js"></script>
<link href="../site_libs/bootstrap/bootstrap.min.css" rel="stylesheet"></head><body class="nav-fixed">
<div id="quarto-content" class="quarto-container page-columns page-rows-contents page-layout-article">
<div id="quarto-margin-sidebar" class="sidebar margin-sidebar"><nav id="TOC" role="doc-toc" class="toc-active">
<h2 id="toc-title">Sur cette page</h2><ul><li><a href="#un" id="toc-un" class="nav-link active" data-scroll-target="#un">Un</a></li>
<li><a href="#deux" class="nav-link">Deux</a></li><li><a href="#trois" class="nav-link">Trois</a></li></ul></nav></div>
<main class="content" id="quarto-document-content">
<header id="title-block-header" class="quarto-title-block default"><div class="quarto-title"><h1 class="title">Un titre</h1></div></header>
<section id="un" class="level2"><h2 class="anchored" data-anchor-id="un">Un</h2><p onclick="steal()">Texte</p>
<details class="code-fold"><summary>Code</summary><div class="sourceCode cell-code" id="cb1"><pre class="sourceCode python code-with-copy">
<code class="sourceCode python"><span id="cb1-1"><a href="#cb1-1" aria-hidden="true" tabindex="-1"></a>x</span></code>
<button title="Copy to Clipboard" class="code-copy-button"><i class="bi"></i></button></pre></div></details></section>
<section id="deux" class="level2"><h2>Deux</h2><div><style scoped>td {color: red}</style><table border="1"><tbody><tr><td>1</td></tr></tbody></table></div></section>
<section id="trois" class="level2"><h2>Trois</h2></section>
<script>alert(1)</script></main></div></body></html>"""


def errors(text):
    """HTML parse errors, as the specification names them."""
    parser = html5lib.HTMLParser(strict=False)
    parser.parse(text)
    return [error[1] for error in parser.errors]


def test_a_quarto_page_becomes_ours():
    made = assemble(QUARTO, PAGE, "https://guidon.example")
    assert '<html lang="fr"' in made
    assert made.count("<h1>") == 1
    assert '<a href="#deux">Deux</a>' in made
    assert '<section id="un" class="level2">' in made
    assert '<link rel="alternate" hreflang="en" href="https://guidon.example/en/posts/x.html">' in made
    for leftover in (
        "cdn.jsdelivr",
        "bootstrap",
        "steal",
        "alert(1)",
        "Copy to Clipboard",
        "<style",
        'border="1"',
        "toc-title",
    ):
        assert leftover not in made
    assert errors(made) == []


def test_every_reference_stays_on_the_site():
    made = assemble(QUARTO, PAGE, "https://guidon.example")
    loaded = re.findall(r'<(?:script|img|iframe|source|audio|video)\b[^>]*\bsrc="([^"]+)"', made)
    loaded += re.findall(r'<link rel="(?:stylesheet|icon)" href="([^"]+)"', made)
    assert len(loaded) >= 4
    assert [one for one in loaded if "//" in one] == []


def test_a_page_without_main_is_named():
    with pytest.raises(FinishError, match=r"posts/x\.html has no <main>"):
        assemble("<p>x</p>", PAGE, "https://guidon.example")


def test_cleaning_twice_changes_nothing():
    once = clean(QUARTO)
    assert clean(once).count("table-scroll") >= 1
    assert clean(once.replace("table-scroll", "")).count("<script") == 0


@given(st.text(max_size=60), st.text(max_size=60), st.lists(st.text(max_size=20), max_size=3))
def test_no_text_breaks_out_of_its_place(title, description, categories):
    page = Page("en", "en/posts/x.html", title, description, "claim", "2026-11-24", categories)
    made = document(page, "<p>body</p>", [("#a", title), ("#b", title), ("#c", title)], "https://guidon.example")
    assert made.count("<script") == 2
    assert made.count("<main") == 1
    bad = {"invalid-codepoint", "null-character", "control-character-in-input-stream"}  # what no escaping can mend
    assert [error for error in errors(made) if error not in bad] == []


def test_pictures_say_how_large_they_are_where_that_is_known(tmp_path):
    folder = tmp_path / "posts" / "x"
    folder.mkdir(parents=True)
    (folder / "a.svg").write_text('<?xml version="1.0"?><svg viewBox="0 0 9 9" width="460.8pt" height="300pt"></svg>')
    (folder / "b.svg").write_text('<svg viewBox="0 0 9 9"></svg>')
    (folder / "c.png").write_bytes(b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR\0\0\x01\x02\0\0\0\x07")
    text = '<img class="k" src="x/a.svg"><img src="x/b.svg"><img src="x/c.png"><img width="5" src="x/a.svg"><img src="x/no.png">'
    made = sized(text, PAGE, (tmp_path / "elsewhere", tmp_path))
    assert made == (
        '<img width="614" height="400" class="k" src="x/a.svg"><img src="x/b.svg">'
        '<img width="258" height="7" src="x/c.png"><img width="5" src="x/a.svg"><img src="x/no.png">'
    )
    assert sized(made, PAGE, (tmp_path,)) == made


def test_the_page_not_found_links_from_the_root():
    made = not_found("https://me.example/blog")
    assert 'href="/blog/assets/guidon.css"' in made
    assert 'href="/blog/claims.html"' in made
    assert 'lang="en"' in made
    assert errors(made) == []


def test_feed_and_sitemap_are_well_formed_and_name_twins():
    import xml.etree.ElementTree as ET

    evil = Page("fr", "posts/y.html", "a <b> & c", "d", "note", "2026-11-23")
    feed = ET.fromstring(feeds.atom([PAGE, evil], "fr", "https://guidon.example"))
    name = "{http://www.w3.org/2005/Atom}"
    assert [entry.findtext(f"{name}title") for entry in feed.findall(f"{name}entry")] == ["Un titre", "a <b> & c"]
    assert feed.findtext(f"{name}updated") == "2026-11-24T00:00:00Z"
    text = feeds.sitemap([PAGE, evil], "https://guidon.example")
    ET.fromstring(text)
    assert 'hreflang="en" href="https://guidon.example/en/posts/x.html"' in text


@pytest.mark.parametrize(
    "address", ["javascript:x", " javascript:x", "&#9;javascript:x", "vbscript:x", "data:text/html,x"]
)
def test_links_that_would_run_something_lose_their_address(address):
    cleaned = clean(f'<p><a title="t" href="{address}">a</a> <a href="b.html#javascript:">b</a></p>')
    assert cleaned == '<p><a title="t" >a</a> <a href="b.html#javascript:">b</a></p>'


def test_french_punctuation_stays_with_its_word():
    body = (
        "<p>Vrai ? Oui : « non » ; <em>« si »</em> : 30 %, 5 € !</p><pre>a ? b : c</pre><p><code>a : b</code> !</p>"
        '<img alt="a : b"><math><mo> : </mo></math>'
    )
    assert finish.french(body) == (
        "<p>Vrai\u202f? Oui\u00a0: «\u00a0non\u00a0»\u202f; <em>«\u00a0si\u00a0»</em>\u00a0: 30\u00a0%, 5\u00a0€\u202f!</p>"
        "<pre>a ? b : c</pre><p><code>a : b</code>\u202f!</p>"
        '<img alt="a : b"><math><mo> : </mo></math>'
    )
