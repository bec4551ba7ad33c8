"""The question box as the post of the notebook has it, in real Chromium: keyboard, words, refusals, nothing sent."""

import re
import shutil

import pytest
from playwright.sync_api import expect

from lib.press import finish, prose, site, store
from lib.press.notebooks import LANGS, select
from lib.press.pages import Page
from tests.browser.test_site import NARROW, WIDE, Visit, axe, resize, visits

pytestmark = [pytest.mark.browser, pytest.mark.xdist_group("browser")]
KNOWN = "Quelle est la durée de la période d'essai ?"
AWAY = "Comment refaire ma carte grise ?"
SAID = re.compile("articles?,|abstiens|abstain|pas pu être chargé|not be loaded")


@pytest.fixture(scope="module")
def pages(tmp_path_factory):
    """A page in each language that holds the box as the notebook writes it, with the site's own scripts and index."""
    out = tmp_path_factory.mktemp("boxes")
    (out / "assets").mkdir()
    for asset in (*finish.ASSETS.glob("*.*"), *finish.data_of_pages()):
        shutil.copy(asset, out / "assets")
    cells = {cell.id: cell.source for cell in select(["assistant"])[0].cells}
    context = prose.Context(store.deciding_record("assistant"))
    for lang in LANGS:
        path = out / ("box.html" if lang == "fr" else "en/box.html")
        filled = prose.fill(cells[f"box-{lang}"], context, lang, prose.Where("assistant"))
        body = re.sub(r"^## (.*)", r"<h2>\1</h2>", filled, flags=re.MULTILINE)
        page = Page(lang, str(path.relative_to(out)), "Une boîte", "Une description", "claim", "2026-11-26")
        path.parent.mkdir(exist_ok=True)
        path.write_text(finish.document(page, body, [], ""), encoding="utf-8")
    with site.served(out) as address:
        yield address


@pytest.fixture
def visit(chromium, pages):
    with visits(chromium, pages) as begin:

        def start(path="box.html", **options):
            one = begin(**options)
            one.go(path)
            return one

        yield start


def ask(page, question):
    """Type a question and press Enter; wait for what the box says."""
    page.get_by_label("Votre question").or_(page.get_by_label("Your question")).fill(question)
    page.keyboard.press("Enter")
    expect(page.get_by_role("status")).to_have_text(SAID)
    return page.get_by_role("status").inner_text()


def test_the_keyboard_alone_asks_and_reaches_the_articles(visit):
    page = visit().page
    field = page.get_by_role("textbox", name="Votre question de droit du travail, en français")
    field.focus()
    page.keyboard.type(KNOWN)
    page.keyboard.press("Enter")
    items = page.locator("ol.question-results > li")
    items.first.wait_for()
    assert 1 <= items.count() <= 3
    assert "pas un conseil juridique" in page.get_by_role("status").inner_text()
    assert field.evaluate("one => one === document.activeElement")
    page.keyboard.press("Tab")
    assert page.locator(":focus").inner_text() == "Chercher"
    page.keyboard.press("Tab")
    link = page.locator(":focus")
    assert link.inner_text() == "Article L1221-19"
    assert link.get_attribute("href").startswith("https://www.legifrance.gouv.fr/codes/article_lc/LEGIARTI")
    assert page.get_by_role("heading", level=3, name="Article L1221-19").is_visible()
    sheets = items.first.locator("p a")
    assert sheets.first.get_attribute("href").startswith("https://travail-emploi.gouv.fr/")


def test_the_button_does_what_enter_does(visit):
    page = visit("en/box.html").page
    page.get_by_label("Your question on French labour law, in French").fill(KNOWN)
    page.get_by_role("button", name="Search", exact=True).click()
    page.get_by_role("link", name="Article L1221-19").wait_for()
    assert "not legal advice" in page.get_by_role("status").inner_text()
    assert page.locator("ol.question-results p[lang=fr]").count() >= 1


def test_it_abstains_and_takes_back_what_it_showed(visit):
    page = visit().page
    ask(page, KNOWN)
    assert page.locator("ol.question-results > li").count() >= 1
    for question in (AWAY, "qqq zzz", "…"):
        assert "Je m’abstiens" in ask(page, question)
        assert page.locator("ol.question-results > li").count() == 0
    page.get_by_label("Votre question").fill("   ")
    page.keyboard.press("Enter")
    assert page.get_by_role("status").inner_text() == "Écrivez d’abord une question."


def test_a_refusal_can_be_overruled_and_says_so(visit):
    page = visit().page
    more = page.get_by_role("button", name="Montrer quand même le plus proche")
    assert not more.is_visible()
    ask(page, AWAY)
    page.keyboard.press("Tab")
    page.keyboard.press("Tab")
    expect(more).to_be_focused()
    page.keyboard.press("Enter")
    expect(page.get_by_role("status")).to_contain_text("Sous le seuil")
    assert page.locator("ol.question-results > li").count() >= 1
    assert not more.is_visible()
    ask(page, "qqq zzz")  # no word is known: there is nothing to show
    assert not more.is_visible()
    assert page.locator("ol.question-results > li").count() == 0


def test_what_is_typed_is_text(visit):
    page = visit().page
    ask(page, f"<img src=x onerror='window.hit=1'> {KNOWN} <script>window.hit=1</script>")
    assert page.evaluate("window.hit") is None
    assert page.locator("main img, main script").count() == 0


def test_nothing_is_loaded_before_the_reader_comes_to_the_box_and_nothing_is_sent(visit):
    one = visit()
    asked = []
    one.page.on("request", lambda request: asked.append((request.method, request.url.removeprefix(one.address))))
    one.page.wait_for_timeout(200)
    assert asked == []
    ask(one.page, KNOWN)
    ask(one.page, AWAY)
    assert asked == [("GET", "assets/questions-index.js")]
    assert one.page.url == one.address + "box.html"


def test_an_index_that_does_not_come_is_told_and_asked_for_again(chromium, pages):
    one = Visit(chromium, pages)
    one.page.route("**/questions-index.js", lambda route: route.abort())
    one.go("box.html")
    assert "pas pu être chargé" in ask(one.page, KNOWN)
    one.page.unroute("**/questions-index.js")
    assert "conseil juridique" in ask(one.page, KNOWN)
    one.context.close()
    assert one.outside == []


def test_without_script_the_page_says_what_it_would_do_and_where_to_look(visit):
    page = visit(java_script_enabled=False).page
    told = page.locator(".question-box .without-script")
    assert told.is_visible()
    assert told.locator("a").evaluate_all("links => links.map((link) => new URL(link.href).host)") == [
        "www.legifrance.gouv.fr", "travail-emploi.gouv.fr"
    ]  # fmt: skip
    assert page.get_by_text("Ce n’est pas un conseil juridique.").is_visible()


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_no_violation_and_nothing_runs_over(visit, scheme):
    for path in ("box.html", "en/box.html"):
        one = visit(path, color_scheme=scheme)
        for question in ("", KNOWN):
            if question:
                ask(one.page, question)
            for width in (WIDE, NARROW, 320):
                resize(one.page, width)
                assert one.page.evaluate("document.documentElement.scrollWidth") <= width
                assert axe(one.page) == []
