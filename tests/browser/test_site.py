"""The real site in real Chromium: what a reader does, and what axe-core and the network say."""

import contextlib
from pathlib import Path
from urllib.parse import unquote

import html5lib
import pytest

from lib.press import pages, site

pytestmark = [pytest.mark.browser, pytest.mark.xdist_group("browser")]
NARROW, WIDE, WIDTHS = 390, 1280, (320, 360, 390, 768, 1280, 1440)  # 320: a screen of 1280 at 400 %
PAPER = 643  # A4 without its margins, in CSS pixels


@pytest.fixture(scope="session")
def address(tmp_path_factory):
    """The repository's own site, published into a temporary folder and served on this machine."""
    out = site.publish(renderer="smalldocs", out=tmp_path_factory.mktemp("site") / "_site")
    with site.served(out) as found:
        yield found


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


@contextlib.contextmanager
def visits(chromium, address):
    """Yield what opens visits; at the end none of them may have complained or asked another host."""
    made = []

    def start(**options):
        made.append(Visit(chromium, address, **options))
        return made[-1]

    yield start
    for one in made:
        one.context.close()
        assert one.complaints == []
        assert one.outside == []


@pytest.fixture
def visit(chromium, address):
    with visits(chromium, address) as start:
        yield start


def every_page():
    """Every page of the site, as its address ends."""
    return [page.path for page in pages.manifest()] + ["404.html"]


def in_turn(turn, of):
    """Every page of its own kind, and one post in so many: all posts are made alike, and each has its turn."""
    posts = [path for path in every_page() if "posts/" in path]
    return [path for path in every_page() if path not in posts or posts.index(path) % of == turn]


def axe(page):
    """What axe-core complains of: rule and place. Small targets, which it leaves out by default, are in."""
    from axe_playwright_python.sync_playwright import Axe

    found = Axe().run(page, options={"rules": {"target-size": {"enabled": True}}}).response["violations"]
    return [(rule["id"], rule["nodes"][0]["html"][:200]) for rule in found]


def resize(page, width):
    page.set_viewport_size({"width": width, "height": 900})


LOOKS = [(width, theme) for width in (WIDE, NARROW) for theme in ("light", "dark")]


@pytest.mark.parametrize("turn", range(len(LOOKS)))
def test_axe_finds_no_violation_on_any_page_light_or_dark_wide_or_narrow(visit, turn):
    one, found = visit(), {}
    width, theme = LOOKS[turn]
    resize(one.page, width)
    for path in in_turn(turn, len(LOOKS)):
        one.page.goto(one.address + path)
        one.page.evaluate("theme => { document.documentElement.dataset.theme = theme }", theme)
        if complaints := axe(one.page):
            found[path] = complaints
    assert found == {}


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_no_violation_in_what_opens(visit, scheme):
    one = visit(color_scheme=scheme)
    one.go("posts/rag_retrieval.html")
    one.page.evaluate("document.querySelectorAll('main details').forEach(fold => { fold.open = true })")
    one.page.get_by_role("combobox").fill("methode")
    one.page.get_by_role("option").first.wait_for()
    one.page.keyboard.press("ArrowDown")
    one.page.locator('[role=option][aria-selected="true"]').wait_for()
    assert axe(one.page) == []


def test_no_page_scrolls_sideways_at_any_width_nor_on_paper(visit):
    one, found = visit(), []
    for path in every_page():
        one.page.goto(one.address + path)
        for media, widths in (("screen", WIDTHS), ("print", (PAPER,))):
            one.page.emulate_media(media=media)
            for width in widths:
                resize(one.page, width)
                if one.page.evaluate("document.documentElement.scrollWidth") > width:
                    found.append((path, media, width))
        one.page.emulate_media(media="screen")
    assert found == []


CONTROLS = """() => [...document.querySelectorAll('a[href], button, input, summary, [tabindex="0"]')]
    .filter((one) => one.checkVisibility({ visibilityProperty: true }) && !one.closest('[role=listbox]')
      && !one.hasAttribute('data-reached')).map((one) => one.outerHTML.slice(0, 120))"""
FOCUSED = """() => {
    const one = document.activeElement;
    const inside = one.tagName === 'AUDIO';  // a player's own buttons count as the player
    if (one === document.body || !inside && one.hasAttribute('data-reached')) return null;
    one.setAttribute('data-reached', '');
    const box = one.getClientRects()[0], style = getComputedStyle(one);
    const middle = (low, high, most) => (Math.max(low, 0) + Math.min(high, most)) / 2;
    const across = middle(box.left, box.right, innerWidth), down = middle(box.top, box.bottom, innerHeight);
    const at = document.elementFromPoint(across, down);
    const seen = at !== null && (one.contains(at) || at.contains(one) && !at.closest('.site-header'));
    const ringed = style.outlineStyle !== 'none' && parseFloat(style.outlineWidth) >= 2;
    return { what: one.outerHTML.slice(0, 120), seen, ringed };
}"""


@pytest.mark.parametrize(("turn", "key", "width"), [(0, "Tab", WIDE), (1, "Shift+Tab", 768), (2, "Tab", NARROW)])
def test_the_keyboard_reaches_every_control_and_the_focus_is_seen(visit, turn, key, width):
    one, wrong = visit(viewport={"width": width, "height": 500}, reduced_motion="reduce"), []
    for path in in_turn(turn, 3):
        one.page.goto(one.address + path)
        one.page.keyboard.press(key)
        while focused := one.page.evaluate(FOCUSED):
            if not (focused["seen"] and focused["ringed"]):
                wrong.append((path, focused))
            one.page.keyboard.press(key)
        wrong += [(path, "not reached", control) for control in one.page.evaluate(CONTROLS)]
    assert wrong == []


def test_the_keyboard_alone_skips_searches_changes_theme_and_unfolds(visit):
    one = visit(color_scheme="light", reduced_motion="reduce")
    one.go("posts/rag_retrieval.html")
    page, press = one.page, one.page.keyboard.press
    press("Tab")
    skip = page.locator(":focus")
    assert skip.get_attribute("href") == "#main"
    assert skip.bounding_box()["x"] >= 0
    press("Enter")
    press("Tab")
    assert page.evaluate("document.activeElement.closest('main') !== null")
    page.locator("main summary").first.focus()
    for key, opened in (("Enter", True), ("Space", False), ("Space", True)):
        press(key)
        assert page.locator("main details").first.evaluate("fold => fold.open") is opened
    page.locator("button.theme").focus()
    press("Space")
    assert page.locator("html").get_attribute("data-theme") == "dark"
    page.get_by_role("combobox").focus()
    page.keyboard.type("methode")
    results = page.get_by_role("listbox")
    results.wait_for()
    press("Escape")
    assert not results.is_visible()
    page.keyboard.type("methode")
    results.wait_for()
    press("Tab")
    assert not results.is_visible()
    assert page.locator(":focus").get_attribute("class") == "switch"


def test_paper_is_white_and_bears_the_text_what_is_unfolded_and_addresses(visit):
    one = visit(color_scheme="dark")
    one.go("posts/rag_retrieval.html")
    page = one.page
    page.locator("main details summary").first.click()
    page.emulate_media(media="print", color_scheme="dark")
    style = "([selector, name, part]) => getComputedStyle(document.querySelector(selector), part)[name]"
    for selector in (".site-header", ".site-footer", ".toc", ".copy", "nav.around", "main details:not([open])"):
        assert page.locator(selector).count(), selector
        assert page.evaluate(style, [selector, "display", None]) == "none", selector
    assert page.locator("main details[open] pre").first.is_visible()
    assert page.evaluate(style, ["body", "color", None]) == "rgb(28, 35, 38)"
    assert page.evaluate(style, ["html", "colorScheme", None]) == "light"
    assert page.evaluate(style, ["main figure", "breakInside", None]) == "avoid"
    page.evaluate("document.querySelector('main p').innerHTML += '<a id=there href=https://there.example/x>there</a>'")
    assert "https://there.example/x" in page.evaluate(style, ["#there", "content", "::after"])
    assert page.pdf(format="A4").startswith(b"%PDF")


def test_the_markup_of_every_page_parses_and_its_links_lead_somewhere(visit):
    one, wrong = visit(), []
    for path in every_page():
        text = one.context.request.get(one.address + path).text()
        parser = html5lib.HTMLParser(strict=False, namespaceHTMLElements=False)
        tree = parser.parse(text)
        ids = [element.get("id") for element in tree.iter() if element.get("id")]
        wrong += [(path, error[1]) for error in parser.errors]
        wrong += [(path, "twice", name) for name in set(ids) if ids.count(name) > 1]
        links = [link.get("href", "") for link in tree.iter("a")]
        wrong += [(path, link) for link in links if link.startswith("#") and unquote(link[1:]) not in ids]
    assert wrong == []


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


def test_search_says_nothing_before_its_index_has_come(visit):
    one, waiting = visit(), []
    one.page.route("**/assets/search-*.js", lambda route: waiting.append(route))
    one.go("index.html")
    box = one.page.get_by_role("combobox")
    box.click()
    box.press_sequentially("travail")
    one.page.wait_for_timeout(200)
    assert len(waiting) == 1
    assert one.page.get_by_role("option").count() == 0
    assert box.get_attribute("aria-expanded") == "false"
    waiting[0].continue_()
    one.page.get_by_role("option").first.wait_for()
    assert "Rien trouvé" not in one.page.get_by_role("option").first.inner_text()


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
