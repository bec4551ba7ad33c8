"""A video whose slides are drawn by the real Chromium."""

import numpy as np
import pytest
from PIL import Image

from lib.press import doctor, exports, film, narration, posts
from tests.press.test_video import assert_in_step, blacks, silences

pytestmark = [pytest.mark.browser, pytest.mark.xdist_group("browser")]


def pixels(path):
    with Image.open(path) as image:
        return np.asarray(image.convert("RGB"), dtype=float)


@pytest.fixture
def browser():
    if doctor.chromium() is None:
        pytest.skip("no Chromium on this machine (Debian: apt install chromium)")


def test_slides_are_drawn_whole_and_as_large_as_they_fit(browser, website):
    posts.write()
    script = narration.write("tiny", "fr")
    long = "## T\n\n" + "\n\n".join(["Une phrase assez longue pour une ligne entière de la diapositive."] * 18)
    markups = [*(scene.markup for scene in script.scenes), long]
    for picture in film.draw([film.slide(markup, script.pictures, "fr", False) for markup in markups]):
        shown = pixels(picture)
        assert shown.shape == (film.HEIGHT, film.WIDTH, 3)
        paper = shown[2, 2]
        assert np.abs(shown - paper).max() > 100  # something is written
        assert np.abs(shown[-12:] - paper).max() < 3  # nothing runs off the bottom
        assert np.abs(shown[:, -30:] - paper).max() < 3


def test_a_film_from_end_to_end(browser, website, tmp_path):
    import json

    folder = exports.export("tiny", "video", "en")
    path = folder / "tiny.mp4"
    assert max(silences(path, 0.3)) < 3
    assert blacks(path) == []
    assert_in_step(folder, json.loads((folder / "tiny.json").read_text()), tmp_path)
    shown = pixels(folder / "thumbnail.png")
    assert shown.shape == (720, 1280, 3)
    assert np.abs(shown - shown[2, 2]).max() > 100
