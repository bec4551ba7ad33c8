"""Letters, read back by an email parser and an HTML parser."""

import datetime as dt
import email
import email.policy
import json
import re

import html5lib
import pytest
from bs4 import BeautifulSoup
from hypothesis import given, settings
from hypothesis import strategies as st

from lib.cli import main
from lib.press import exports, finished, newsletter, pages
from tests.conftest import accept_by_hand


def read(path):
    return email.message_from_bytes(path.read_bytes(), policy=email.policy.default)


def bodies(message):
    """The HTML as a tree, and the text."""
    return (
        BeautifulSoup(message.get_body(("html",)).get_content(), "html.parser"),
        message.get_body(("plain",)).get_content().replace("\r\n", "\n"),
    )


@pytest.mark.parametrize("lang", ["fr", "en"])
def test_a_mail_program_reads_the_post(website, capsys, lang):
    assert main(["export", "tiny", "--to", "newsletter", "--lang", lang]) == 0
    folder = website.root / f"build/exports/newsletter/{lang}/tiny"
    assert sorted(path.name for path in folder.rglob("*") if path.is_file()) == [
        "tiny-fig-mean.png", "tiny.eml", "tiny.html",
    ]  # fmt: skip
    message = read(folder / "tiny.eml")
    title, said = {"fr": ("Un titre", "Moyenne\u00a0: 0,50."), "en": ("A title", "Mean: 0.50.")}[lang]
    assert message["Subject"] == title
    assert message["Content-Language"] == lang
    assert message["X-Unsent"] == "1"
    assert message["From"].addresses[0].domain == "guidon.example"
    assert message["Date"].datetime.date() == dt.date(2026, 11, 24)
    assert "List-Unsubscribe" not in message  # a mark is no address
    assert [part.get_content_type() for part in message.walk()] == [
        "multipart/alternative", "text/plain", "multipart/related", "text/html", "image/png",
    ]  # fmt: skip
    page, text = bodies(message)
    assert page.html["lang"] == lang
    for shown in (page.get_text(), text):
        assert said in shown
        assert pages.post_address("tiny", lang) in text
        assert newsletter.UNSUBSCRIBE in text
    (picture,) = page.find_all("img")
    (attached,) = [part for part in message.walk() if part.get_content_maintype() == "image"]
    assert attached["Content-ID"] == f"<{picture['src'].removeprefix('cid:')}>"
    assert attached.get_content_disposition() == "inline"
    assert attached.get_content() == (folder / "figures/tiny-fig-mean.png").read_bytes()
    assert picture["alt"] == {"fr": "Un trait.", "en": "A line."}[lang]
    assert page.find("a", string={"fr": "Se désabonner", "en": "Unsubscribe"}[lang])["href"] == newsletter.UNSUBSCRIBE
    assert "{{ mean" not in text + page.get_text()
    assert "tiny.eml" in capsys.readouterr().out


def test_the_page_holds_what_mail_clients_can_show(website):
    accept_by_hand(website, prose=("Soit $x^2$ :\n\n```python\nsecret = 1\n```", "Let $x^2$."))
    folder = exports.export("tiny", "newsletter")
    text = (folder / "tiny.html").read_text()
    page = BeautifulSoup(text, "html.parser")
    assert not page.find_all(["script", "math", "svg", "details", "section", "figure", "link", "button"])
    assert [one.string for one in page.find_all("code") if one.string == "x^2"] == ["x^2"]
    assert "var(--" not in text
    for one in page.select("h1, p, a, img, td.piece, .claim-box, .button"):
        assert one.get("style"), one
    assert len(page.find_all("style")) == 1
    assert re.fullmatch(r"(@media [^{]+\{(?:[^{}]+\{[^{}]*\}\s*)+\}\s*)+", page.style.string.strip())
    layout = page.find_all("table", role="presentation")
    assert len(layout) >= 5
    assert page.select_one("div.preheader").get_text().startswith("Une description.")
    parser = html5lib.HTMLParser(strict=False)
    parser.parse(text)
    assert [error for _, error, _ in parser.errors if error not in ("invalid-codepoint",)] == []


def test_an_address_for_those_who_leave_is_told_in_the_head_too(website):
    leave = "https://list.example/leave?id=1&x=2"
    folder = exports.export("tiny", "newsletter", "fr", exports.Options("https://cdn.example/f", leave))
    message = read(folder / "tiny.eml")
    assert message["List-Unsubscribe"] == f"<{leave}>"
    assert bodies(message)[0].find("a", string="Se désabonner")["href"] == leave
    hosted = BeautifulSoup((folder / "tiny.html").read_text(), "html.parser")
    assert hosted.img["src"] == "https://cdn.example/f/tiny-fig-mean.png"


def test_the_same_post_makes_the_same_bytes(website):
    first = (exports.export("tiny", "newsletter") / "tiny.eml").read_bytes()
    assert (exports.export("tiny", "newsletter") / "tiny.eml").read_bytes() == first


def test_a_tutorial_keeps_its_code_and_an_experiment_announces_none(website):
    accept_by_hand(website, prose=("On calcule :", "We compute:"))
    text = BeautifulSoup((exports.export("tiny", "newsletter") / "tiny.html").read_text(), "html.parser").get_text()
    assert "On calcule." in text
    assert "default_rng" not in text
    accept_by_hand(website, head={"kind": "tutorial"}, prose=("On calcule :", "We compute:"))
    page = BeautifulSoup((exports.export("tiny", "newsletter") / "tiny.html").read_text(), "html.parser")
    assert "On calcule\u00a0:" in page.get_text()
    assert "np.random.default_rng(seed)" in "".join(one.get_text() for one in page.find_all("pre"))


def long_letter(blocks):
    piece = newsletter.Piece("t", "m", "l", blocks, "text", "https://guidon.example/posts/t.html", {})
    return newsletter.Letter("fr", "t", "p", [piece], "2026-11-24", "Lire")


@settings(max_examples=15, deadline=None)
@given(sizes=st.lists(st.integers(10, 40_000), min_size=1, max_size=12))
def test_no_letter_is_longer_than_gmail_shows(sizes):
    blocks = [f"<p>{number} {'x' * size}</p>" for number, size in enumerate(sizes)]
    markup, cut = newsletter._fitting(long_letter(list(blocks)), "u")
    assert len(markup.encode()) <= newsletter.LIMIT < 102_000
    assert cut == (f"<p>{len(sizes) - 1} " not in re.sub(r' style="[^"]*"', "", markup))
    assert "https://guidon.example/posts/t.html" in markup


def test_a_cut_leaves_no_heading_alone_and_one_block_cannot_be_cut():
    markup, cut = newsletter._fitting(long_letter(["<p>a</p>", "<h2>Suite</h2>", f"<p>{'x' * 120_000}</p>"]), "u")
    assert cut
    assert "Suite" not in markup
    markup, cut = newsletter._fitting(long_letter(["<h2>Seul</h2>", f"<p>{'x' * 120_000}</p>"]), "u")
    assert cut
    assert "Seul" not in markup
    with pytest.raises(finished.ExportError, match="too long for mail"):
        newsletter._fitting(long_letter([f"<p>{'x' * 120_000}</p>"]), "u")


def test_in_a_letter_of_many_the_oldest_keep_their_title_lead_and_link():
    pieces = [
        newsletter.Piece(
            f"t{n}", "m", f"lead {n}", [f"<p>found {n} {'x' * 8000}</p>", "<p>more</p>"], "text", f"https://a.b/{n}", {}
        )
        for n in range(20)
    ]
    markup, cut = newsletter._fitting(newsletter.Letter("fr", "t", "p", pieces, "2026-11-24", "Lire"), "u")
    assert cut
    assert len(markup.encode()) <= newsletter.LIMIT
    kept = [n for n in range(20) if f"found {n} " in markup]
    assert 0 < len(kept) < 20
    assert kept == list(range(len(kept)))  # the newest
    assert "<p>more" not in re.sub(r' style="[^"]*"', "", markup)  # what more is said goes first
    assert all(f"lead {n}<" in markup and f'href="https://a.b/{n}"' in markup for n in range(20))


def test_an_issue_of_several_newest_first(website, tmp_path, capsys):
    intro = tmp_path / "intro.md"
    intro.write_text("Bonjour, **{{ tiny.mean | number(2) }}** ce mois-ci.\n\n<script>alert(1)</script>\n")
    assert main(["newsletter", "--since", "2026-11-01", "--intro", str(intro)]) == 0
    message = read(website.root / "build/exports/newsletter/fr/since-2026-11-01/newsletter.eml")
    assert message["Subject"] == "Guidon, novembre 2026\u00a0: Un titre"
    page, text = bodies(message)
    assert [one.get_text() for one in page.find_all("h1")] == ["Un titre", "Une note"]
    assert page.find("strong", string="0,50")
    assert not page.find("script")
    assert text.index("Bonjour, **0,50**") < text.index("Un titre\n=") < text.index("Une note\n=")
    assert "Tient" in page.get_text()
    assert "La règle" not in page.get_text()  # the letter tells what was found; the page tells how
    assert len(page.find_all("img")) == 1
    assert "newsletter.html" in capsys.readouterr().out
    assert main(["newsletter", "--since", "2026-11-24", "--title", "À lire", "--lang", "en"]) == 0
    message = read(website.root / "build/exports/newsletter/en/since-2026-11-24/newsletter.eml")
    assert message["Subject"] == "À lire"
    assert [one.get_text() for one in bodies(message)[0].find_all("h1")] == ["A title"]


def test_an_issue_tells_which_verdicts_changed(website):
    accept_by_hand(website, head={"date": "2026-01-05"})
    entries = [
        {"date": "2026-10-01", "commit": "a", "profile": "quick", "verdict": "fails", "changed": []},
        {"date": "2026-11-20", "commit": "b", "profile": "quick", "verdict": "holds", "changed": ["data"]},
    ]
    (website.root / "data/results/quick/tiny/history.json").write_text(json.dumps(entries))
    folder = newsletter.issue("2026-11-10")
    page, text = bodies(read(folder / "newsletter.eml"))
    assert "Ces verdicts ont changé" in page.get_text()
    assert "c’était «\u00a0ne tient pas\u00a0», c’est maintenant «\u00a0tient\u00a0»." in text
    assert [one.get_text() for one in page.find_all("h1")] == ["Une note"]
    assert "Ces verdicts" not in bodies(read(newsletter.issue("2026-11-21") / "newsletter.eml"))[1]


def test_what_cannot_be_sent_is_one_sentence(website, capsys, tmp_path):
    assert main(["newsletter", "--since", "2027-01-01"]) == 1
    assert capsys.readouterr().err == "guidon: nothing appeared in fr since 2027-01-01; the last is of 2026-11-24\n"
    with pytest.raises(SystemExit):
        main(["newsletter", "--since", "soon"])
    assert main(["newsletter", "--since", "2026-01-01", "--intro", str(tmp_path / "none.md")]) == 1
    assert "none.md" in capsys.readouterr().err
    bad = tmp_path / "bad.md"
    bad.write_text("{{ tiny.maen }}")
    assert main(["newsletter", "--since", "2026-01-01", "--intro", str(bad)]) == 1
    assert "bad.md" in capsys.readouterr().err
