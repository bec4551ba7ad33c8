"""One Chromium for all that is looked at."""

import os

import pytest

from lib.press import doctor
from lib.press.film import FLAGS


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
