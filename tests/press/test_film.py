"""Pages to draw, pictures as film, and loudness; tests/press/test_video.py reads whole films back."""

import re

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from lib.press import film, voices
from lib.press.finished import ExportError


@given(st.integers(2, 100_000))
def test_a_picture_is_shown_for_as_long_as_it_should(frames):
    found = film.repeats(frames)
    assert sum(found) == frames
    assert all(2 <= one <= film.CLIP for one in found)


def test_a_slide_holds_its_pictures_and_asks_nobody(project, tmp_path):
    (tmp_path / "one.svg").write_text("<svg/>")
    page = film.slide(
        "# T\n\nSee <img src='x'>\n\n<img src=\"figures/one.svg\">",
        {"figures/one.svg": tmp_path / "one.svg"},
        "fr",
        False,
    )
    assert 'src="data:image/svg+xml;base64,' in page
    assert "anchor-link" not in page
    assert not re.search(r"""(?:src|href)=["']https?:""", page)
    assert page != film.slide("# T", {}, "fr", True)


def test_the_thumbnail_says_title_and_verdict(project):
    page = film.thumbnail("Trouve-t-il <la loi> ?", "fails", "fr")
    assert "Trouve\u2011t\u2011il &lt;la loi&gt;" in page
    assert "✗ Ne tient pas" in page
    assert "verdict-" not in film.thumbnail("T", None, "en").partition("<body>")[2]


def test_ffmpeg_fails_in_a_sentence():
    with pytest.raises(ExportError, match=r"^ffmpeg: [^\n]+$"):
        film.ffmpeg(["-i", "nowhere.wav", "-f", "null", "-"])


@pytest.mark.parametrize("level", [0.02, 0.2, 0.9])
def test_sound_gets_the_usual_loudness(project, tmp_path, level):
    """Noise in bursts, as loud as one likes."""
    rng, bursts = np.random.default_rng(0), np.tile(np.repeat([1.0, 0.1], voices.RATE // 4), 12)
    sound = (level * bursts * np.clip(rng.normal(scale=0.3, size=len(bursts)), -1, 1)).astype(np.float32)
    voices.write(tmp_path / "in.wav", sound)
    film.ffmpeg(["-i", str(tmp_path / "in.wav"), "-af", film.levelled(tmp_path / "in.wav"), str(tmp_path / "out.wav")])
    told = film.ffmpeg(["-i", str(tmp_path / "out.wav"), "-af", "ebur128=peak=true:framelog=quiet", "-f", "null", "-"])
    assert float(re.findall(r"\bI:\s+(-?[\d.]+) LUFS", told)[-1]) == pytest.approx(film.LOUDNESS, abs=1.5)
    assert float(re.findall(r"Peak:\s+(-?[\d.]+) dBFS", told)[-1]) < -0.5


def test_a_subtitle_stands_below_and_leaves_the_rest(project, tmp_path):
    picture = tmp_path / "slide.png"
    Image.new("RGB", (film.WIDTH, film.HEIGHT), "#ffffff").save(picture)
    made = film.captioned(picture, ["Deux lignes,", "au plus."])
    with Image.open(made) as image:
        shown = np.asarray(image)
    assert (shown[: film.HEIGHT - 180] == 255).all()
    assert (shown[film.HEIGHT - 180 :] < 60).any()
    assert film.captioned(picture, ["Deux lignes,", "au plus."]) == made
    assert film.captioned(picture, ["Autre"]) != made
