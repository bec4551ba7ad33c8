"""Sounds on their way from an executed notebook to a page, and to what has no player."""

import json
import re
import wave

import numpy as np
import pytest
from bs4 import BeautifulSoup

from lib.lab import sounds
from lib.press import exports, narration, players, posts, site, slides
from lib.press.notebooks import find
from tests.conftest import accept_by_hand

RATE = 11025


def shown(monkeypatch, seconds=1.5):
    """The outputs of a cell that shows two players, one per language."""
    told = []
    monkeypatch.setattr("lib.lab.plots._display", lambda kind, content, lang: told.append(output(kind, content, lang)))
    tone = np.sin(np.arange(int(seconds * RATE)) / 9).astype(np.float32)
    heard = sounds.Heard(tone, "avance <d'une> case", {"fr": "Au calme :", "en": "Quiet:"}, {"fr": "(a)", "en": "(b)"})
    sounds.show([heard], rate=RATE, caption={"fr": "Un son.", "en": "A sound."})
    return told


def output(kind, content, lang):
    return {"output_type": "display_data", "data": {kind: content}, "metadata": {"guidon": {"lang": lang}}}


def accept_sound(website, monkeypatch):
    """Accept the website's experiment with a player in place of its figure."""
    accept_by_hand(website)
    path = website.root / "data/results/quick/tiny/executed.ipynb"
    executed = json.loads(path.read_text())
    cell = next(cell for cell in executed["cells"] if "plots.show" in "".join(cell["source"]))
    cell["outputs"] = shown(monkeypatch)
    path.write_text(json.dumps(executed))


@pytest.fixture
def sounding(website, monkeypatch):
    """The website with an experiment whose figure is followed by a player; its own outputs come first."""
    accept_sound(website, monkeypatch)
    return website


def test_sounds_become_files_once(tmp_path, monkeypatch):
    markup = shown(monkeypatch)[0]["data"]["text/html"]
    made, files = players.filed(markup, tmp_path / "post")
    again, same = players.filed(markup, tmp_path / "post")
    assert (made, files) == (again, same)
    assert [path.parent.name for path in files] == ["post"]
    assert "data:" not in made
    assert f'src="post/{files[0].name}"' in made
    with wave.open(str(files[0])) as sound:
        assert (sound.getframerate(), sound.getnchannels()) == (sounds.HEARD, 1)
        assert sound.getnframes() == pytest.approx(1.5 * sounds.HEARD, abs=2)


def test_what_is_no_player_stays_as_it_is(tmp_path):
    markup = '<p>data:audio/wav;base64,AAAA</p><img src="data:image/png;base64,AAAA"><table></table>'
    assert players.filed(markup, tmp_path) == (markup, [])
    assert players.linked(markup, "fr") == markup
    assert not players.has(markup)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("lang", ["fr", "en"])
def test_the_page_plays_files_of_its_own(sounding, lang):
    out = site.publish(renderer="smalldocs")
    page = out / {"fr": "posts/tiny.html", "en": "en/posts/tiny.html"}[lang]
    found = BeautifulSoup(page.read_text(), "html.parser")
    (player,) = found.select("main audio")
    assert (player["preload"], player.has_attr("controls")) == ("none", True)
    assert player["aria-label"] == {"fr": "Au calme :", "en": "Quiet:"}[lang]
    assert (page.parent / player["src"]).read_bytes()[:4] == b"RIFF"
    item = player.find_parent("li").get_text(" ", strip=True)
    assert "avance <d'une> case" in item.replace("’", "'")
    assert found.select("main audio ~ script, main [src^='data:']") == []
    said = player.find_parent("li").select_one("span[lang=fr]")
    assert (said is None) == (lang == "fr")  # the transcript tells its language where the page's is another


@pytest.mark.parametrize("target", ["markdown", "hashnode", "eleventy", "newsletter"])
def test_elsewhere_a_link_leads_to_the_sound(sounding, target):
    folder = exports.export("tiny", target, "fr")
    for path in (path for path in folder.rglob("*") if path.suffix in (".md", ".html")):
        text = path.read_text()
        assert "<audio" not in text
        assert re.search(r"https://guidon\.example/posts/tiny/sound-[0-9a-f]{12}\.wav", text)
        assert "Écouter" in text
        assert "une&gt; case" in text or "une> case" in text or "une\\> case" in text


def test_slides_and_film_give_the_transcript(sounding):
    posts.write()
    notebook = next(one for one in find() if one.slug == "tiny")
    results = posts.results(find())
    body = posts.Body(notebook, results["tiny"], results, "en")
    cell = next(cell for cell in notebook.cells if "plots.show" in cell.source)
    (markup,) = slides.show(body, cell)
    assert "<audio" not in markup
    assert re.search(r'href="tiny/sound-[0-9a-f]{12}\.wav">Listen<', markup)
    told = slides.portable(markup, "https://guidon.example/en/posts/tiny.html")
    assert 'href="https://guidon.example/en/posts/tiny/sound-' in told
    said = narration.plain(markup, "en")
    assert any("une> case" in line for line in said)
    assert not any("Listen" in line for line in said)
