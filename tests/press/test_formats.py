"""The page of formats says what is true: it links to what goes with the site, and to nothing else."""

import json
import re
import zipfile
from urllib.parse import urljoin, urlsplit

import pytest
from bs4 import BeautifulSoup

from lib.press import exports, formats, site, stamps
from tests.conftest import accept_by_hand
from tests.press.test_everywhere import desk

__all__ = ["desk"]


def rows(out, lang="fr"):
    """Text and links of the page, by post and column."""
    path = "formats.html" if lang == "fr" else "en/formats.html"
    page = BeautifulSoup((out / path).read_text(), "html.parser")
    names = [one.get_text() for one in page.select("table.formats thead th")]
    found = {}
    for row in page.select("table.formats tbody tr"):
        cells = row.find_all(["th", "td"])
        found[cells[0].get_text()] = dict(zip(names, cells, strict=True))
    return found


def links(out, lang="fr"):
    base = "formats.html" if lang == "fr" else "en/formats.html"
    return [
        urljoin(base, one["href"])
        for row in rows(out, lang).values()
        for cell in row.values()
        for one in cell.select("a")
    ]


@pytest.mark.parametrize("lang", ["fr", "en"])
def test_before_any_export_there_is_the_notebook(website, lang):
    out = site.publish(renderer="smalldocs")
    found = rows(out, lang)
    later, title, names = {
        "fr": ("pas encore", "Un titre", ["Titre", "Carnet", "Diapositives", "Markdown", "Vidéo"]),
        "en": ("not yet", "A title", ["Title", "Notebook", "Slides", "Markdown", "Video"]),
    }[lang]
    assert list(found[title]) == names
    assert [found[title][name].get_text() for name in names[2:]] == [later] * 3
    assert found["Une note"][names[1]].get_text() == "—"
    assert all((out / link).is_file() for link in links(out, lang))
    assert any(link.endswith("01_tiny.ipynb") for link in links(out, lang))
    assert not (out / "formats").exists()


@pytest.mark.parametrize("lang", ["fr", "en"])
def test_what_was_made_goes_with_the_site(desk, lang):
    for target in formats.SHARED:
        exports.export("tiny", target, lang)
    out = site.publish(renderer="smalldocs")
    title = {"fr": "Un titre", "en": "A title"}[lang]
    told = [cell.get_text() for cell in rows(out, lang)[title].values()]
    size = sum(stamps.files(exports.folder("markdown", lang, "tiny")).values())
    assert told[2].startswith(".html (1\u00a0")
    assert told[3] == f".zip ({formats.weight(size, lang)})"
    assert told[4] == {"fr": "1\u00a0min 1\u00a0s, sous-titres", "en": "1\u00a0min 1\u00a0s, subtitles"}[lang]
    assert all((out / urlsplit(link).path).is_file() for link in links(out, lang))
    assert {path.name for path in (out / "formats" / lang).iterdir()} == {"tiny.html", "tiny.vtt", "tiny.zip"}
    with zipfile.ZipFile(out / f"formats/{lang}/tiny.zip") as archive:
        assert archive.testzip() is None
        assert archive.namelist() == ["tiny/figures/fig-mean.png", "tiny/tiny.md"]
        assert archive.getinfo("tiny/tiny.md").external_attr >> 16 == 0o644
    assert str(desk.root) not in (out / "formats.html").read_text()
    other = "en" if lang == "fr" else "fr"
    assert not [link for link in links(out, other) if link.startswith("formats/")]


def test_the_same_files_make_the_same_archive(desk):
    exports.export("tiny", "markdown")
    out = site.publish(renderer="smalldocs")
    first = (out / "formats/fr/tiny.zip").read_bytes()
    exports.export("tiny", "markdown")
    formats.put(out)
    assert (out / "formats/fr/tiny.zip").read_bytes() == first


def test_an_export_of_an_older_post_is_none(desk):
    exports.export("tiny", "slides")
    assert "formats/fr/tiny.html" in links(site.publish(renderer="smalldocs"))
    accept_by_hand(desk, mean=0.6)
    out = site.publish(renderer="smalldocs")
    assert not [link for link in links(out) if link.startswith("formats/")]
    assert not (out / "formats").exists()


def test_an_export_that_is_gone_or_cut_is_none(desk):
    folder = exports.export("tiny", "slides")
    (folder / "tiny.html").unlink()
    assert not [link for link in links(site.publish(renderer="smalldocs")) if link.startswith("formats/")]


def test_a_new_export_is_published_and_then_nothing_is_rendered(desk, monkeypatch):
    site.publish(renderer="smalldocs")
    exports.export("tiny", "markdown")
    out = site.publish(renderer="smalldocs")
    assert (out / "formats/fr/tiny.zip").is_file()
    monkeypatch.setattr(site, "_smalldocs", lambda rendered: pytest.fail("rendered again"))
    site.publish(renderer="smalldocs")


def test_exports_for_authors_are_not_shared(desk):
    for target in ("hashnode", "eleventy", "newsletter"):
        exports.export("tiny", target)
    exports.export("tiny", "markdown", options=exports.Options("https://elsewhere.example"))  # its pictures are there
    assert not (site.publish(renderer="smalldocs") / "formats").exists()
    assert json.loads((desk.root / "build/formats.json").read_text()) == {}


@pytest.mark.parametrize(
    ("size", "fr", "en"),
    [(1, "1 ko", "1 kB"), (1499, "1 ko", "1 kB"), (250_000, "250 ko", "250 kB"), (1_250_000, "1,2 Mo", "1.2 MB")],
)
def test_weights_are_told_as_readers_count(size, fr, en):
    assert [re.sub("\u00a0", " ", formats.weight(size, lang)) for lang in ("fr", "en")] == [fr, en]
