import json
import sys
import threading
import urllib.error
import urllib.request

import pytest

from lib.press import finish, site
from tests.conftest import BODY, FIGURE


def test_a_whole_site_from_accepted_results(website):
    out = site.publish(renderer="smalldocs")
    for name in (
        "index.html", "en/index.html", "claims.html", "posts/tiny.html", "en/posts/tiny.html", "posts/001-first.html",
        "posts/tiny/fig-mean.svg", "posts/tiny/fig-mean.png", "posts/tiny/01_tiny.ipynb", "feed.xml", "en/feed.xml",
        "sitemap.xml", "robots.txt", "404.html", "assets/guidon.css", "assets/search-fr.js",
    ):  # fmt: skip
        assert (out / name).is_file(), name
    assert not (out / "site_libs").exists()
    post = (out / "posts/tiny.html").read_text()
    assert "<details" in post
    assert "Moyenne\u00a0: 0,50." in post or "Moyenne : 0,50." in post
    for word in ("Published", "On this page", "Copy to Clipboard", str(website.root)):
        assert word not in post
    index = (out / "assets/search-fr.js").read_text()
    assert {page["url"] for page in json.loads(index.removeprefix("window.guidonIndex = ").rstrip(";\n"))} >= {
        "posts/tiny.html"
    }


def test_nothing_changed_means_nothing_rendered(website, monkeypatch):
    out = site.publish(renderer="smalldocs")
    before = (out / "index.html").stat().st_mtime_ns
    monkeypatch.setattr(site, "_smalldocs", lambda rendered: pytest.fail("rendered again"))
    site.publish(renderer="smalldocs")
    assert (out / "index.html").stat().st_mtime_ns == before


def test_a_changed_sentence_is_published(website):
    out = site.publish(renderer="smalldocs")
    website.write(body=[*BODY, FIGURE], prose=("Nouvelle phrase.", "A new sentence."))
    site.publish(renderer="smalldocs")
    assert "Nouvelle phrase." in (out / "posts/tiny.html").read_text()


def test_an_interrupted_publication_leaves_the_old_site(website, monkeypatch):
    out = site.publish(renderer="smalldocs")
    website.write(body=[*BODY, FIGURE], prose=("Nouvelle phrase.", "A new sentence."))

    def interrupted(*given, **named):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(finish, "finish", interrupted)
        with pytest.raises(KeyboardInterrupt):
            site.publish(renderer="smalldocs")
    assert "Moyenne" in (out / "posts/tiny.html").read_text()
    assert not list((website.root / "build").glob("site-*"))
    site.publish(renderer="smalldocs")
    assert "Nouvelle phrase." in (out / "posts/tiny.html").read_text()


def test_two_publications_at_once_give_one_whole_site(website):
    threads = [threading.Thread(target=site.publish, kwargs={"renderer": "smalldocs"}) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert (website.root / "_site/posts/tiny.html").is_file()


def test_quarto_is_asked_for_by_name_only_where_it_is(website, monkeypatch):
    monkeypatch.setattr(site.shutil, "which", lambda name: None)
    assert site.choose("auto") == "smalldocs"
    with pytest.raises(site.SiteError, match="not on PATH"):
        site.choose("quarto")
    monkeypatch.setattr(site.shutil, "which", lambda name: "/bin/quarto")
    assert site.choose("auto") == "quarto"


def test_the_served_site_has_its_own_page_for_what_is_not_there(website):
    out = site.publish(renderer="smalldocs")
    with site.served(out) as address:
        assert urllib.request.urlopen(address).status == 200
        with pytest.raises(urllib.error.HTTPError) as caught:
            urllib.request.urlopen(address + "nowhere.html")
        assert caught.value.code == 404
        assert "Cette page n" in caught.value.read().decode()


QUARTO = """#!{python}
import os, pathlib, sys
out = pathlib.Path(sys.argv[sys.argv.index("--output-dir") + 1])
assert os.environ["GUIDON_PUBLISHING"] and not out.is_absolute()
for source in [*pathlib.Path().glob("*.qmd"), *pathlib.Path().glob("en/*.qmd"), *pathlib.Path().glob("**/posts/*.*")]:
    if source.suffix in (".qmd", ".ipynb"):
        page = (out / source).with_suffix(".html")
        page.parent.mkdir(parents=True, exist_ok=True)
        page.write_text('<html><body><main class="content" id="quarto-document-content"><p>by quarto</p></main></body>')
"""


def test_quarto_renders_where_it_is_installed(website, monkeypatch, tmp_path):
    """A stand-in that keeps quarto's command line and output tree: what is tested is what we ask of it."""
    program = tmp_path / "bin" / "quarto"
    program.parent.mkdir()
    program.write_text(QUARTO.format(python=sys.executable))
    program.chmod(0o755)
    monkeypatch.setenv("PATH", str(program.parent), prepend=":")
    out = site.publish(renderer="auto")
    assert "by quarto" in (out / "en/posts/tiny.html").read_text()
    assert "site-header" in (out / "index.html").read_text()


def test_a_failing_quarto_is_one_sentence(website, monkeypatch, tmp_path):
    program = tmp_path / "bin" / "quarto"
    program.parent.mkdir()
    program.write_text("#!/bin/sh\necho 'ERROR: bad option' >&2\nexit 1\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", str(program.parent), prepend=":")
    with pytest.raises(site.SiteError, match="quarto: ERROR: bad option"):
        site.publish(renderer="quarto")
