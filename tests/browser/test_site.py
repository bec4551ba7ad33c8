"""The real site in real Chromium: what a reader does, and what axe-core and the network say."""

import os
from pathlib import Path

import pytest

from lib.press import doctor, site

pytestmark = pytest.mark.browser
FLAGS = [
    "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync",
]  # fmt: skip
PAGES = ["index.html", "claims.html", "posts/rag_retrieval.html"]
EVERY = [prefix + page for page in PAGES for prefix in ("", "en/")]


@pytest.fixture(scope="session")
def address(tmp_path_factory):
    """The repository's own site, published into a temporary folder and served on this machine."""
    out = site.publish(renderer="smalldocs", out=tmp_path_factory.mktemp("site") / "_site")
    with site.served(out) as found:
        yield found


@pytest.fixture(scope="session")
def chromium():
    path = doctor.chromium()
    if path is None:
        if os.environ.get("GUIDON_REQUIRE_BROWSER"):
            pytest.fail("Chromium is required here and is not installed (Debian: apt install chromium)")
        pytest.skip("no Chromium on this machine (Debian: apt install chromium)")
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=FLAGS)
        yield browser
        browser.close()


class Visit:
    """A page that notes every complaint of the console and every request to another host."""

    def __init__(self, browser, address, **options):
        self.context = browser.new_context(**{"viewport": {"width": 1280, "height": 900}} | options)
        self.page = self.context.new_page()
        self.address, self.complaints, self.outside = address, [], []
        self.page.on(
            "console", lambda message: message.type in ("error", "warning") and self.complaints.append(message.text)
        )
        self.page.on("pageerror", lambda error: self.complaints.append(str(error)))
        self.page.on("request", lambda request: self._asked(request.url))

    def _asked(self, url):
        if not url.startswith((self.address, "data:")):
            self.outside.append(url)

    def go(self, path):
        response = self.page.goto(self.address + path)
        self.page.wait_for_load_state("networkidle")
        return response


@pytest.fixture
def visit(chromium, address):
    made = []

    def start(**options):
        made.append(Visit(chromium, address, **options))
        return made[-1]

    yield start
    for one in made:
        one.context.close()
        assert one.complaints == []
        assert one.outside == []


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("path", EVERY)
def test_axe_finds_no_violation(visit, path, scheme):
    from axe_playwright_python.sync_playwright import Axe

    one = visit(color_scheme=scheme)
    one.go(path)
    found = Axe().run(one.page).response["violations"]
    assert [(rule["id"], rule["nodes"][0]["html"][:200]) for rule in found] == []


@pytest.mark.parametrize("path", EVERY)
def test_a_narrow_screen_scrolls_down_only(visit, path):
    one = visit(viewport={"width": 390, "height": 800})
    one.go(path)
    assert one.page.evaluate("document.documentElement.scrollWidth") <= 390


def test_every_page_loads_and_no_local_link_is_broken(visit, address):
    one = visit()
    waiting, seen = ["index.html"], set()
    while waiting:
        path = waiting.pop()
        if path in seen:
            continue
        seen.add(path)
        response = one.context.request.get(address + path)
        assert response.status == 200, path
        if path.endswith(".html"):
            one.page.goto(address + path)
            links = one.page.eval_on_selector_all("a[href]", "links => links.map(link => link.href)")
            inside = [link.removeprefix(address).partition("#")[0] for link in links if link.startswith(address)]
            waiting += [link or "index.html" for link in inside]
    assert {"claims.html", "en/claims.html", "posts/rag_retrieval.html", "en/posts/rag_retrieval.html"} <= seen


def test_navigation_and_language_switch(visit, address):
    one = visit()
    one.go("index.html")
    one.page.get_by_role("navigation").get_by_role("link", name="Affirmations").click()
    assert one.page.url == address + "claims.html"
    one.page.locator("a.switch").click()
    assert one.page.url == address + "en/claims.html"
    assert one.page.locator("html").get_attribute("lang") == "en"
    one.page.locator("table.claims a").first.click()
    assert "/en/posts/" in one.page.url
    one.page.locator("a.switch").click()
    assert "/en/" not in one.page.url


@pytest.mark.parametrize("typed", ["methode", "Méthode", "METHODE"])
def test_search_finds_french_words_without_accents(visit, typed):
    one = visit()
    one.go("index.html")
    one.page.get_by_role("combobox").fill(typed)
    results = one.page.get_by_role("option")
    results.first.wait_for()
    assert results.count() >= 1
    assert "Rien trouvé" not in results.first.inner_text()
    one.page.keyboard.press("ArrowDown")
    chosen = one.page.locator('[role=option][aria-selected="true"]')
    assert chosen.count() == 1
    one.page.keyboard.press("Enter")
    one.page.wait_for_url("**/*.html")
    assert one.page.locator("main").inner_text()


def test_search_says_when_nothing_is_found_and_shows_text_as_text(visit):
    one = visit()
    one.go("en/index.html")
    one.page.get_by_role("combobox").fill("<img src=x onerror=alert(1)> qqqqq")
    one.page.get_by_role("option").first.wait_for()
    assert one.page.get_by_role("option").first.inner_text() == "Nothing found"


def test_dark_mode_is_kept(visit):
    one = visit(color_scheme="light")
    one.go("index.html")
    before = one.page.evaluate("getComputedStyle(document.body).backgroundColor")
    button = one.page.locator("button.theme")
    assert button.get_attribute("aria-pressed") == "false"
    button.click()
    assert button.get_attribute("aria-pressed") == "true"
    assert one.page.evaluate("getComputedStyle(document.body).backgroundColor") != before
    one.go("about.html")
    assert one.page.locator("html").get_attribute("data-theme") == "dark"


def test_code_is_folded_and_opens(visit):
    one = visit()
    one.go("posts/rag_retrieval.html")
    code = one.page.locator("main details pre").first
    assert not code.is_visible()
    one.page.locator("main details summary").first.click()
    assert code.is_visible()


def test_claims_are_sorted_by_a_click(visit):
    one = visit()
    one.go("claims.html")
    head = one.page.locator("table.claims thead th").nth(1)
    head.get_by_role("button").click()
    assert head.get_attribute("aria-sort") == "ascending"
    cells = one.page.locator("table.claims tbody td:nth-child(2)").evaluate_all(
        "cells => cells.map(cell => cell.dataset.sort)"
    )
    assert cells == sorted(cells)
    head.get_by_role("button").click()
    assert head.get_attribute("aria-sort") == "descending"


def test_a_figure_has_its_alternative_text_and_is_seen(visit):
    one = visit()
    one.go("posts/rag_retrieval.html")
    picture = one.page.locator("main figure img").first
    picture.scroll_into_view_if_needed()
    assert len(picture.get_attribute("alt")) > 30
    assert picture.evaluate("image => image.complete && image.naturalWidth") > 100


def test_the_site_can_be_read_from_the_disk(chromium, address, tmp_path):
    out = site.publish(renderer="smalldocs", out=Path(tmp_path) / "_site")
    page = chromium.new_page()
    complaints = []
    page.on("console", lambda message: message.type == "error" and complaints.append(message.text))
    page.goto((out / "index.html").as_uri())
    page.get_by_role("combobox").fill("methode")
    page.get_by_role("option").first.wait_for()
    assert page.evaluate("getComputedStyle(document.querySelector('.bar')).display") == "flex"
    assert complaints == []
    page.close()
