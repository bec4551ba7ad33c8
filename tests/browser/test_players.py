"""A player on a page, in real Chromium: it loads its sound when asked, by keyboard too, and nothing before."""

import pytest

from lib.press import site
from tests.browser.test_site import visits
from tests.press.test_players import accept_sound

pytestmark = [pytest.mark.browser, pytest.mark.xdist_group("browser")]


def test_a_reader_hears_a_sound(chromium, website, monkeypatch):
    accept_sound(website, monkeypatch)
    with site.served(site.publish(renderer="smalldocs")) as address, visits(chromium, address) as start:
        visit = start()
        asked = []
        visit.page.on("request", lambda request: request.url.endswith(".wav") and asked.append(request.url))
        visit.go("/posts/tiny.html")
        assert asked == []
        for _ in range(60):
            visit.page.keyboard.press("Tab")
            if visit.page.evaluate("document.activeElement.tagName") == "AUDIO":
                break
        assert visit.page.evaluate("document.activeElement.getAttribute('aria-label')") == "Au calme :"
        visit.page.keyboard.press("Space")
        for _ in range(100):  # the page's policy forbids what Playwright's own waiting evaluates
            if visit.page.evaluate("document.querySelector('audio').duration > 1"):
                break
            visit.page.wait_for_timeout(100)
        assert visit.page.evaluate("document.querySelector('audio').duration > 1")
        assert len(set(asked)) == 1
        assert visit.page.evaluate("document.querySelector('audio').error") is None
