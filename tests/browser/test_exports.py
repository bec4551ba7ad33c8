"""The real posts as letters and as slides, in real Chromium: what the one who gets them sees."""

import base64
import email
import email.policy

import pytest

from lib.press import exports, newsletter, posts
from lib.press.notebooks import LANGS, find

pytestmark = [pytest.mark.browser, pytest.mark.xdist_group("browser")]
ABOUT_PAGES = {"landmark-one-main", "region"}  # a mail program has landmarks of its own


@pytest.fixture(scope="module", autouse=True)
def build(tmp_path_factory):
    """Posts and exports into a folder of their own, so that a run of the tests leaves the project's as they are."""
    patch = pytest.MonkeyPatch()
    patch.setenv("GUIDON_BUILD", str(tmp_path_factory.mktemp("build")))
    posts.write()
    yield
    patch.undo()


@pytest.fixture
def open_page(chromium):
    """Open a file, and note what it complains of and what it asks for."""
    contexts, wrong = [], []

    def start(url, **options):
        contexts.append(chromium.new_context(**options))
        page = contexts[-1].new_page()
        page.on("console", lambda message: wrong.append(message.text))
        page.on("pageerror", lambda error: wrong.append(str(error)))
        page.on("request", lambda request: request.url.startswith(("file:", "data:")) or wrong.append(request.url))
        page.goto(url)
        return page

    yield start
    for context in contexts:
        context.close()
    assert wrong == []


def slugs():
    """Every post that is published, notes included."""
    shown = posts.results(find())
    return [*shown, "001-rule_first"]


def as_shown(path, folder):
    """The HTML of a message with its attached pictures in place, as a mail program puts them there."""
    message = email.message_from_bytes(path.read_bytes(), policy=email.policy.default)
    text = message.get_body(("html",)).get_content()
    for part in message.walk():
        if part.get_content_maintype() == "image":
            data = base64.b64encode(part.get_content()).decode()
            text = text.replace(f"cid:{part['Content-ID'][1:-1]}", f"data:{part.get_content_type()};base64,{data}")
    assert "cid:" not in text
    shown = folder / f"{path.stem}.html"
    shown.write_text(text, encoding="utf-8")
    return shown.as_uri()


@pytest.mark.parametrize("lang", LANGS)
def test_every_post_is_a_letter_that_can_be_read(open_page, tmp_path, lang):
    from axe_playwright_python.sync_playwright import Axe

    written = {slug: exports.export(slug, "newsletter", lang) / f"{slug}.eml" for slug in slugs()}
    written["all"] = newsletter.issue("2024-01-01", lang) / "newsletter.eml"
    looks = (("light", 700), ("dark", 360))
    for place, (name, path) in enumerate(written.items()):
        assert len(path.with_suffix(".html").read_bytes()) <= newsletter.LIMIT
        url = as_shown(path, tmp_path)
        turn = (place + LANGS.index(lang)) % 2  # letters are made alike: each has one look, the longest has both
        for scheme, width in looks if name == "all" else looks[turn : turn + 1]:
            page = open_page(url, color_scheme=scheme, viewport={"width": width, "height": 800})
            assert page.evaluate("document.documentElement.scrollWidth") <= width, name
            pictures = page.eval_on_selector_all("img", "all => all.map(one => one.naturalWidth > 0 && one.width)")
            assert all(0 < shown <= newsletter.WIDTH for shown in pictures), name
            assert not page.locator(".preheader").is_visible()
            found = Axe().run(page).response["violations"]
            told = [(rule["id"], rule["nodes"][0]["html"][:200]) for rule in found if rule["id"] not in ABOUT_PAGES]
            assert told == [], (name, scheme)


@pytest.mark.network
@pytest.mark.parametrize("lang", LANGS)
def test_every_post_is_slides_that_fit_and_that_one_can_go_through(open_page, lang):
    for slug in slugs()[LANGS.index(lang) :: len(LANGS)]:  # one language each: both are laid out alike
        page = open_page(
            (exports.export(slug, "slides", lang) / f"{slug}.html").as_uri(), viewport={"width": 1280, "height": 720}
        )
        page.wait_for_function("window.Reveal && Reveal.isReady()")
        total = page.evaluate("Reveal.getTotalSlides()")
        assert total >= 3
        for _ in range(total - 1):
            assert page.evaluate("Reveal.getCurrentSlide().scrollHeight") <= 720, slug
            page.keyboard.press("Space")
        assert page.evaluate("Reveal.isLastSlide()")
        assert page.eval_on_selector_all("img", "all => all.every(one => one.naturalWidth > 0)")
        notes = page.eval_on_selector_all("aside.notes", "all => all.map(one => one.textContent.trim().length)")
        assert notes
        assert all(notes)
        assert page.locator("aside.notes").first.is_hidden()
