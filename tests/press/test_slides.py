"""Slides, read back by an HTML parser; tests/browser shows them in Chromium."""

import base64
import json
import os
import re
import shutil
import stat

import pytest
from bs4 import BeautifulSoup
from hypothesis import given
from hypothesis import strategies as st

from lib.cli import main
from lib.lab import paths
from lib.press import exports, slides
from lib.press.finished import ExportError
from tests.conftest import BODY, FIGURE, accept_by_hand, notebook_json

REAL = paths.root()


@pytest.fixture
def stage(website, monkeypatch):
    """The website with reveal.js, and without Quarto."""
    shutil.copyfile(REAL / "data/sources.toml", website.root / "data/sources.toml")
    monkeypatch.setenv("GUIDON_RAW", os.environ.get("GUIDON_RAW") or str(REAL / "data/raw"))
    without = [place for place in os.environ["PATH"].split(os.pathsep) if not os.path.isfile(f"{place}/quarto")]
    monkeypatch.setenv("PATH", os.pathsep.join(without))
    return website


def read(folder, slug="tiny"):
    return BeautifulSoup((folder / f"{slug}.html").read_text(), "html.parser")


def texts(page):
    """Each slide's text without the notes."""
    found = []
    for one in page.select(".slides > section > section"):
        shown = BeautifulSoup(str(one), "html.parser")
        for notes in shown.select("aside"):
            notes.decompose()
        found.append(" ".join(shown.get_text(" ").split()))
    return found


@pytest.mark.network
@pytest.mark.parametrize("lang", ["fr", "en"])
def test_slides_of_a_post_that_marks_none(stage, lang, capsys):
    assert main(["export", "tiny", "--to", "slides", "--lang", lang]) == 0
    assert "tiny.html" in capsys.readouterr().out
    page = read(exports.folder("slides", lang, "tiny"))
    assert page.html["lang"] == lang
    title, claim, verdict, opening, figure, again = texts(page)
    told = {
        "fr": ("Un titre", "On dit que.", "La règle.", "Tient", "Moyenne : 0,50.", "La moyenne vaut 0,5."),
        "en": ("A title", "They say that.", "The rule.", "Holds", "Mean: 0.50.", "The mean is 0.5."),
    }[lang]
    assert title.startswith(told[0])
    assert f"https://guidon.example/{'' if lang == 'fr' else 'en/'}posts/tiny.html" in title
    assert told[1] in claim
    assert told[2] in claim
    assert told[3] in verdict
    assert opening == told[4]
    assert figure == told[5]
    assert "guidon reproduce tiny" in again
    assert [" ".join(one.get_text().split()) for one in page.select("aside.notes")] == [told[4]]
    (picture,) = page.select("section img")
    assert picture["alt"] == {"fr": "Un trait.", "en": "A line."}[lang]
    assert picture["src"].startswith("data:image/svg+xml;base64,")


@pytest.mark.network
def test_they_ask_nobody_for_anything(stage):
    page = read(exports.export("tiny", "slides"))
    assert not page.find_all(["link", "iframe", "object"])
    assert all(not one.get("src") for one in page.find_all("script"))
    assert all(one["src"].startswith("data:") for one in page.find_all("img"))
    assert "url(" not in "".join(one.string or "" for one in page.find_all("style")).replace("url(data:", "")
    policy = page.find("meta", attrs={"http-equiv": "Content-Security-Policy"})["content"]
    assert "default-src 'none'" in policy
    assert "http" not in policy


@pytest.mark.network
def test_paper_has_the_style_that_the_screen_has(stage):
    """All blocks of the style close, so that no rule is one for screens alone by accident."""
    style = read(exports.export("tiny", "slides")).find("style").string
    depth, lowest = 0, 0
    for mark in re.findall(r"[{}]", style):
        depth += 1 if mark == "{" else -1
        lowest = min(lowest, depth)
    assert (depth, lowest) == (0, 0)
    assert ".reveal h1 { font-size: 72px; }" in style
    assert "--ink: #1c2326; " in style


@pytest.mark.network
def test_the_part_that_tells_the_claim_goes_into_the_notes(stage):
    prose = ("Trouvé.\n\n## L'affirmation\n\nElle dit plus.\n\n## Suite\n\nFin.", "Found.")
    accept_by_hand(stage, prose=prose)
    page = read(exports.export("tiny", "slides"))
    assert [text.split()[0] for text in texts(page)] == [
        "Un",
        "L’affirmation",
        "Verdict",
        "Trouvé.",
        "Suite",
        "Refaire",
    ]
    claim = page.select(".slides > section")[1]
    assert claim.find("aside", class_="notes").get_text().strip() == "Elle dit plus."


@pytest.mark.network
def test_a_note_shows_the_pictures_of_its_folders(stage):
    """Those of an imported post lie in a folder of its own."""
    writing = stage.root / "notebooks/writing"
    for name in ("images/a/one.png", "images/b/one.png"):
        (writing / name).parent.mkdir(parents=True)
        (writing / name).write_bytes(name.encode())
    note = writing / "001-first.fr.qmd"
    note.write_text(note.read_text() + "\n![un](images/a/one.png)\n\n![autre](images/b/one.png)\n")
    folder = exports.export("001-first", "slides")
    pictures = [one["src"] for one in read(folder, "001-first").select("section img")]
    assert [base64.b64decode(one.partition(",")[2]).decode() for one in pictures][:2] == [
        "images/a/one.png", "images/b/one.png",
    ]  # fmt: skip


@pytest.mark.network
def test_marked_cells_are_the_slides(stage):
    made = notebook_json(body=[*BODY, FIGURE])
    for number, kind in {3: "slide", 4: "slide", 5: "skip", 8: "subslide"}.items():
        made["cells"][number]["metadata"]["slideshow"] = {"slide_type": kind}
    made["cells"].insert(5, {
        "cell_type": "markdown", "id": "said", "source": "À dire {{ mean | number(1) }}.",
        "metadata": {"tags": ["fr"], "slideshow": {"slide_type": "notes"}},
    })  # fmt: skip
    path = stage.root / "notebooks/data/01_tiny.ipynb"
    path.write_text(json.dumps(made))
    page = read(exports.export("tiny", "slides"))
    assert [text[:12] for text in texts(page)] == ["Un titre Une", "Moyenne : 0,", "La moyenne v", "Refaire la m"]
    assert page.select_one("aside.notes").get_text().strip() == "À dire 0,5."
    columns = page.select(".slides > section")
    assert [len(column.find_all("section", recursive=False)) for column in columns] == [1, 2, 1]


@pytest.mark.network
def test_a_note_and_a_tutorial_have_theirs(stage):
    note = read(exports.export("001-first", "slides"), "001-first")
    assert texts(note)[1:] == ["L’économie vaut 0,500."]
    accept_by_hand(stage, head={"kind": "tutorial"}, prose=("## Un\n\nOn calcule :", "## One\n\nWe compute:"))
    page = read(exports.export("tiny", "slides"))
    code = [one.get_text() for one in page.find_all("pre")]
    assert any("np.random.default_rng(seed)" in text for text in code)
    assert "printed" in [text.strip() for text in code]
    assert not any(text.startswith("Verdict") for text in texts(page))


def test_what_is_not_published_has_none(stage, capsys):
    assert main(["export", "nothing", "--to", "slides"]) == 1
    assert "no published post nothing in fr; there is 001-first, tiny" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("text", "room", "found"),
    [
        ("Un. Deux. Trois.", 9, "Un. Deux."),
        ("L'article L. 1221-1 le dit. Voilà tout.", 20, "L'article L. 1221-1 le dit."),
        ("Il dit (ou pas. Non). Oui.", 5, "Il dit (ou pas. Non)."),
        ("Un « mot. Deux » ici. Fin.", 12, "Un « mot. Deux » ici."),
        ("Selon Rolnick et al. Les autres non plus. Fin.", 20, "Selon Rolnick et al. Les autres non plus."),
        ("Sans point", 3, "Sans point"),
        ("**Un. Deux.** Trois.", 4, "**Un. Deux.**"),
    ],
)
def test_a_slide_shows_whole_sentences(text, room, found):
    assert slides.opening(text, room) == found


@given(text=st.text(alphabet="ab .!?«»()[]*`\n", max_size=80), room=st.integers(1, 60))
def test_the_opening_is_how_a_text_begins(text, room):
    found = slides.opening(text, room)
    assert text.startswith(found)
    assert found or not text
    if found != text:
        assert found.count("*") % 2 == found.count("`") % 2 == 0
        assert found.count("(") == found.count(")")


@given(st.lists(st.text(alphabet="ab\n", min_size=1, max_size=900), max_size=12))
def test_nothing_is_lost_between_slides(blocks):
    slides_made = list(slides.filled(blocks))
    assert "".join(slides_made).replace("\n", "") == "".join(blocks).replace("\n", "")


def test_formulas_links_and_blocks_with_a_class_are_portable():
    text = "::: {.callout-tip}\nVoir [là](other.ipynb), [ici](#ref-a) et [loin](https://a.b/c.ipynb).\n:::\n\n`l'a`"
    made = slides.portable(text, "https://guidon.example/posts/tiny.html")
    assert made.strip() == (
        "Voir [là](https://guidon.example/posts/other.html), [ici](https://guidon.example/posts/tiny.html#ref-a) et"
        " [loin](https://a.b/c.ipynb).\n\n\n`l'a`"
    )


QUARTO = """#!/bin/sh
test "$1 $3 $4 $5 $6 $7" = "render --to revealjs --no-execute --output slides.html" || exit 9
test -f slides.css || exit 8
cat "$2" > slides.html
"""


@pytest.mark.parametrize(("script", "wrong"), [(QUARTO, ""), ("#!/bin/sh\necho ERROR: no >&2\nexit 1\n", "no")])
def test_quarto_makes_them_where_it_is_installed(stage, tmp_path, monkeypatch, script, wrong):
    """A stand-in that refuses other words than those of Quarto's documentation, outside the project."""
    (tmp_path / "bin").mkdir()
    quarto = tmp_path / "bin" / "quarto"
    quarto.write_text(script)
    quarto.chmod(quarto.stat().st_mode | stat.S_IXUSR)
    monkeypatch.setenv("PATH", f"{quarto.parent}{os.pathsep}{os.environ['PATH']}")
    if wrong:
        with pytest.raises(ExportError, match="quarto: ERROR: no"):
            exports.export("tiny", "slides")
        return
    folder = exports.export("tiny", "slides")
    given_to_it = json.loads((folder / "tiny.html").read_text())
    assert given_to_it == json.loads((folder / "tiny.ipynb").read_text())
    kinds = [cell["metadata"]["slideshow"]["slide_type"] for cell in given_to_it["cells"]]
    assert kinds == ["skip", "slide", "slide", "slide", "slide", "notes", "slide", "slide"]
    front = re.search(r"---\n(.*)---", given_to_it["cells"][0]["source"], re.DOTALL)[1]
    assert "embed-resources: true" in front
    assert (folder / "figures/fig-mean.svg").is_file()


def a_table(*rows):
    body = "".join(f"<tr><td>{row}</td><td>1</td></tr>" for row in rows)
    return f"<table><caption>C</caption><thead><tr><th>A</th><th>B</th></tr></thead><tbody>{body}</tbody></table>"


def test_a_table_that_a_slide_cannot_hold_goes_over_two_and_shows_that_there_is_more():
    assert slides._table(a_table("one", "two")) == [slides.div("shown", a_table("one", "two"))]
    (small,) = slides._table(a_table(*["short"] * 20))
    assert small == slides.div("rows", a_table(*["short"] * 20))
    first, second = slides._table(a_table(*[f"row {number} " + "word " * 30 for number in range(40)]))
    for part in (first, second):
        shown = BeautifulSoup(part, "html.parser")
        assert shown.caption.get_text() == "C"
        assert [one.get_text() for one in shown.select("th")] == ["A", "B"]
    numbers = re.findall(r"row (\d+) ", first + second)
    assert numbers == [str(number) for number in range(len(numbers))]
    assert "…" not in first
    assert BeautifulSoup(second, "html.parser").select("tr")[-1].get_text() == "…"
    three = slides._table(a_table(*["word " * 30] * 5))
    assert len(three) == 2
    assert "…" not in "".join(three)


def test_long_code_is_in_smaller_letters():
    assert slides._code("```python\na\n```") == "```python\na\n```"
    assert "long" in slides._code("```python\n" + "a\n" * 20 + "```")
