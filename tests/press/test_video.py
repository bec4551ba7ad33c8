"""A video, read back: by ffmpeg for picture and sound, by readers of their own for subtitles and description.

Slides are drawn by a stand-in here; tests/browser draws them in Chromium.
"""

import html
import json
import os
import re
import signal
import subprocess
import sys
import time
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from PIL import Image

from lib.cli import main
from lib.lab.normalize import digest
from lib.press import exports, film, narration, parts, speech, video, voices
from lib.press.finished import ExportError
from lib.press.video import Cue
from tests.press.test_narration import with_cells


def streams(path):
    """(seconds, kinds of streams with what is told of them, chapters) of a film."""
    told = film.ffmpeg(["-i", str(path), "-t", "0", "-f", "null", "-"]).partition("Output #0")[0]
    hours, minutes, seconds = re.search(r"Duration: (\d+):(\d+):([\d.]+)", told).groups()
    chapters = re.findall(r"Chapter #0:\d+: start ([\d.]+), end [\d.]+\n\s+Metadata:\n\s+title\s+: (.*)", told)
    found = re.findall(r"Stream #0:.*?: (Video|Audio|Data|Subtitle): (.*)", told)
    return 3600 * int(hours) + 60 * int(minutes) + float(seconds), found, chapters


def silences(path, shortest_s):
    """Stretches without sound."""
    told = film.ffmpeg(["-i", str(path), "-vn", "-af", f"silencedetect=n=-45dB:d={shortest_s}", "-f", "null", "-"])
    return [float(one) for one in re.findall(r"silence_duration: ([\d.]+)", told)]


def blacks(path):
    """Stretches of black picture."""
    told = film.ffmpeg(
        ["-i", str(path), "-an", "-vf", "scale=320:180,blackdetect=d=0.04:pix_th=0.1", "-f", "null", "-"]
    )
    return re.findall(r"black_start:\S+", told)


def sound_of(path, folder):
    """What is heard, at the rate of voices."""
    film.ffmpeg(["-i", str(path), "-vn", "-ac", "1", "-ar", str(voices.RATE), "-bitexact", str(folder / "heard.wav")])
    return voices.read(folder / "heard.wav")


def frame(path, second, folder):
    """The picture at a second, small: (90, 160, 3)."""
    target = folder / "frame.png"
    film.ffmpeg(["-ss", f"{second:.3f}", "-i", str(path), "-frames:v", "1", "-vf", "scale=160:90", str(target)])
    with Image.open(target) as image:
        return np.asarray(image.convert("RGB"), dtype=float)


def onset_s(sound, start_s, end_s):
    """When something is first heard between two seconds, or None."""
    part = sound[max(0, round(start_s * voices.RATE)) : round(end_s * voices.RATE)]
    found = np.flatnonzero(np.abs(part) > 0.02)
    return start_s + found[0] / voices.RATE if len(found) else None


def read_srt(text):
    """Cues of a SubRip file."""
    found = []
    for block in text.strip().split("\n\n"):
        number, time, *lines = block.split("\n")
        assert int(number) == len(found) + 1
        start, end = (_second(one, ",") for one in re.fullmatch(r"(\S+) --> (\S+)", time).groups())
        found.append((start, end, "\n".join(lines)))
    return found


def read_vtt(text):
    """Cues of a WebVTT file."""
    head, *blocks = text.rstrip("\n").split("\n\n")
    assert head.startswith("WEBVTT")
    found = []
    for block in blocks:
        time, *lines = block.strip("\n").split("\n")
        start, end = (_second(one, ".") for one in re.fullmatch(r"(\S+) --> (\S+)", time).groups())
        found.append((start, end, html.unescape("\n".join(lines))))
    return found


def _second(text, decimal):
    hours, minutes, seconds = re.fullmatch(rf"(\d\d+):(\d\d):(\d\d{re.escape(decimal)}\d\d\d)", text).groups()
    return 3600 * int(hours) + 60 * int(minutes) + float(seconds.replace(decimal, "."))


def painted(pages, advance=lambda: None, scale=1.5):
    """Pictures instead of slides: each page has a colour of its own."""
    made = []
    for page in pages:
        path = film.folder() / f"{digest(page, str(scale))[:16]}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        if not path.is_file():
            colour = tuple(100 + 30 * (int(digest(page)[place], 16) % 5) for place in range(3))
            Image.new("RGB", (round(1280 * scale), round(720 * scale)), colour).save(path)
        made.append(path)
    return made


@pytest.fixture
def studio(website, monkeypatch):
    """The website, with paint instead of Chromium and shorter clips."""
    monkeypatch.setattr(film, "draw", painted)
    monkeypatch.setattr(film, "CLIP", 25)
    return website


def test_a_film_is_read_back(studio, tmp_path, capsys):
    (exports.folder("video", "fr", "tiny").parent / ".tiny.left/tiny").mkdir(parents=True)  # by one that was killed
    assert main(["export", "tiny", "--to", "video", "--json"]) == 0
    folder = exports.folder("video", "fr", "tiny")
    names = ["thumbnail.png", "tiny.json", "tiny.mp4", "tiny.srt", "tiny.txt", "tiny.vtt"]
    assert [one.rpartition("/")[2] for one in json.loads(capsys.readouterr().out)["files"]] == names
    told = json.loads((folder / "tiny.json").read_text())
    path = folder / "tiny.mp4"
    length, found, chapters = streams(path)
    assert length == pytest.approx(told["duration_s"], abs=0.1)
    assert [kind for kind, _ in found] == ["Video", "Audio", "Data"]  # the last holds the chapters
    picture, sound = found[0][1], found[1][1]
    assert re.search(r"h264 .*yuv420p\(tv, bt709.*1920x1080.* 25 fps", picture)
    assert re.search(r"aac .*48000 Hz, mono", sound)
    assert [(float(start), title) for start, title in chapters] == [
        (pytest.approx(one["start_s"], abs=0.001), one["title"]) for one in told["chapters"]
    ]
    assert chapters[0] == ("0.000000", "Un titre")
    assert max(silences(path, 0.3)) < 3
    assert blacks(path) == []
    assert_in_step(folder, told, tmp_path)
    with Image.open(folder / "thumbnail.png") as image:
        assert image.size == (1280, 720)
    assert {one.name for one in folder.parent.iterdir()} == {"tiny", ".tiny.lock"}


def assert_in_step(folder, told, tmp_path):
    """Pictures change when scenes do, and what is read is heard at that time; to a fifth of a second."""
    path = next(folder.glob("*.mp4"))
    heard = sound_of(path, tmp_path)
    cues = read_srt(path.with_suffix(".srt").read_text())
    assert [text for _, _, text in read_vtt(path.with_suffix(".vtt").read_text())] == [text for _, _, text in cues]
    assert " ".join(" ".join(text.split()) for _, _, text in cues) == " ".join(
        " ".join(" ".join(scene["said"]).split()) for scene in told["scenes"]
    )
    assert all(one[0] < one[1] <= other[0] + 1e-9 for one, other in pairwise(cues))
    for scene in told["scenes"]:
        start = scene["start_s"]
        first = next(begin for begin, _, _ in cues if begin >= start)
        assert first == pytest.approx(start + video.BEFORE_S, abs=0.01)
        assert onset_s(heard, start + 0.1, start + 3) == pytest.approx(first, abs=0.2)
        if start:
            before, after = frame(path, start - 0.1, tmp_path), frame(path, start + 0.1, tmp_path)
            assert np.abs(before - after).mean() > 0.5
    for begin, end, text in cues:
        assert onset_s(heard, begin, end) == pytest.approx(begin, abs=0.2), text


def test_a_film_says_nothing_of_who_made_it(studio):
    folder = exports.export("tiny", "video")
    content = b"".join(path.read_bytes() for path in folder.iterdir())
    for trace in (b"x264", b"Lavf", b"Lavc", b"ffmpeg", str(studio.root).encode(), b"espeak"):
        assert trace not in content, trace


def test_what_did_not_change_is_not_made_again(studio, monkeypatch):
    folder = exports.export("tiny", "video")
    first = (folder / "tiny.mp4").stat()
    work = []
    real = film.ffmpeg
    monkeypatch.setattr(film, "ffmpeg", lambda given: work.append(given) or real(given))
    assert exports.export("tiny", "video") == folder
    assert (folder / "tiny.mp4").stat().st_ino == first.st_ino
    assert work == []
    with_cells(studio, [(["fr", "narration"], "", "Autre chose."), (["en", "narration"], "", "Other.")], 5)
    before = set((studio.root / "build/speech").glob("*.wav"))
    exports.export("tiny", "video")
    assert len(set((studio.root / "build/speech").glob("*.wav")) - before) == 1
    assert len(work) == 2  # loudness, and all joined: no picture is encoded again
    assert "Autre chose." in (folder / "tiny.srt").read_text()


def test_a_film_that_fails_leaves_the_one_before(studio, monkeypatch):
    folder = exports.export("tiny", "video")
    first = {path.name: path.read_bytes() for path in folder.iterdir()}
    with_cells(studio, [(["fr", "narration"], "", "Autre chose."), (["en", "narration"], "", "Other.")], 5)
    monkeypatch.setattr(film, "join", lambda *given: (_ for _ in ()).throw(ExportError("no")))
    with pytest.raises(ExportError, match="no"):
        exports.export("tiny", "video")
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == first
    assert {one.name for one in folder.parent.iterdir()} == {"tiny", ".tiny.lock"}


PAINTED = """
import sys
from lib.press import film
from tests.press.test_video import painted
film.draw, film.CLIP = painted, 25
from lib.cli import main
sys.exit(main(["export", "tiny", "--to", "video"]))
"""


def whole(folder):
    """Whether a film is there, with all that goes with it."""
    if not folder.exists():
        return False
    told = json.loads((folder / "tiny.json").read_text())
    assert {path.suffix for path in folder.iterdir()} == {".png", ".json", ".mp4", ".srt", ".txt", ".vtt"}
    assert streams(folder / "tiny.mp4")[0] == pytest.approx(told["duration_s"], abs=0.1)
    return True


@pytest.mark.slow
@pytest.mark.skipif(sys.platform == "win32", reason="there is no SIGKILL to send")
def test_a_film_whose_maker_is_killed_is_made_by_the_next(website):
    """Killed when the first sound is there, the first scene, and the film that is being put together."""
    build, folder = website.root / "build", exports.folder("video", "fr", "tiny")
    root = Path(__file__).resolve().parents[2]
    environment = {**os.environ, "PYTHONPATH": str(root)}
    seen: dict[Path, int] = {}
    for sign in ("speech/*.json", "video/*.mp4", "exports/video/fr/.tiny.*/tiny/*.mp4"):
        with subprocess.Popen(
            [sys.executable, "-c", PAINTED], cwd=root, env=environment, start_new_session=True
        ) as one:
            until = time.monotonic() + 60
            while not any(build.glob(sign)) and one.poll() is None and time.monotonic() < until:
                time.sleep(0.002)
            one.kill()
        assert one.returncode == -signal.SIGKILL, sign
        assert not whole(folder)
        for path in build.glob("speech/*.json"):  # where it is, the sound is
            assert seen.setdefault(path, path.stat().st_ino) == path.stat().st_ino, "it was spoken again"
    assert seen
    assert subprocess.run([sys.executable, "-c", PAINTED], cwd=root, env=environment).returncode == 0
    assert whole(folder)
    assert {path.name for path in folder.parent.iterdir()} == {"tiny", ".tiny.lock"}
    assert all(path.stat().st_ino == inode for path, inode in seen.items())


def test_parts_of_posts_that_are_gone_are_forgotten(studio, monkeypatch):
    monkeypatch.setattr(parts, "SPARED_S", -60)
    exports.export("001-first", "video")
    sounds = set((studio.root / "build/speech").glob("*.wav"))
    for path in (studio.root / "notebooks/writing").glob("001-first.*"):
        path.unlink()
    exports.export("tiny", "video")
    left = set((studio.root / "build/speech").glob("*.wav"))
    assert len(sounds - left) >= 2  # what both say stays
    listed = {path.stem for path in (studio.root / "build/video/made").iterdir()}
    assert listed == {"fr-tiny"}
    told = json.loads((exports.folder("video", "fr", "tiny") / "tiny.json").read_text())
    assert len(left) == len({one for scene in told["scenes"] for one in scene["said"]})


def test_burnt_subtitles_are_in_the_picture(studio, tmp_path):
    folder = exports.export("tiny", "video", "en", exports.Options(burn=True))
    assert folder == exports.folder("video-burnt", "en", "tiny")
    assert not exports.folder("video", "en", "tiny").exists()
    begin, end, _ = read_srt((folder / "tiny.srt").read_text())[0]
    clear, read = (frame(folder / "tiny.mp4", second, tmp_path) for second in (begin / 2, (begin + end) / 2))
    assert np.abs(clear[70:] - read[70:]).max() > 60
    assert np.abs(clear[:60] - read[:60]).max() < 12
    assert_in_step(folder, json.loads((folder / "tiny.json").read_text()), tmp_path)


def test_without_a_chromium_it_says_so_in_a_sentence(website, monkeypatch, capsys):
    monkeypatch.setattr("lib.press.doctor.chromium", lambda: None)
    assert main(["export", "tiny", "--to", "video"]) == 1
    assert "a video needs Chromium" in capsys.readouterr().err
    assert not exports.folder("video", "fr", "tiny").exists()


def test_the_description_holds_what_a_viewer_needs(website):
    from lib.press import posts

    posts.write()
    script = narration.write("tiny", "en")
    text = video.describe(script, [(0.0, "One"), (75.0, "Two")])
    for told in (script.address, "A description.", "0:00 One", "1:15 Two", "Holds. Mean gap: 0.50", "CC BY 4.0"):
        assert told in text
    long = video.describe(narration.Script(**{**vars(script), "sources": ("<s> " + "x" * 900,) * 9}), [])
    assert len(long) <= video.DESCRIPTION
    assert "…" in long
    assert "<" not in long


def scene(name):
    return narration.Scene(name, "", ("x",))


def timed(*lengths_s):
    first, made = 0, []
    for length in lengths_s:
        made.append(video.Timed(first, length * film.FPS, (), ()))
        first += length * film.FPS
    return made


@pytest.mark.parametrize(
    ("names", "lengths", "found"),
    [
        ("AABB", (5, 6, 8, 9), [(0, "A"), (11, "B")]),
        ("ABC", (5, 20, 20), [(0, "A"), (25, "C")]),
        ("ABC", (20, 20, 5), [(0, "A"), (20, "B")]),
        ("A", (5,), [(0, "A")]),
    ],
)
def test_chapters_are_as_long_as_players_want(names, lengths, found):
    assert video.chapters([scene(name) for name in names], timed(*lengths)) == found


CUES = st.lists(
    st.builds(
        Cue, st.floats(0, 90_000), st.floats(0, 90_000),
        st.text(alphabet=st.characters(codec="utf-8", categories=["L", "N", "P", "S", "Zs"]), min_size=1, max_size=90),
    ),
    max_size=6,
)  # fmt: skip


def _letters(text):
    """What is read, without the spaces and the ends of lines: a word longer than a line is broken."""
    return "".join(text.split())


@given(CUES)
@example([Cue(0, 0, 43 * "0")])
def test_subtitles_are_read_back(cues):
    for found in (read_srt(video.srt(cues)) if cues else [], read_vtt(video.vtt(cues, "fr"))):
        assert len(found) == len(cues)
        for (start, end, text), cue in zip(found, cues, strict=True):
            assert start == pytest.approx(cue.start_s, abs=0.0006)
            assert end == pytest.approx(cue.end_s, abs=0.0006)
            assert _letters(text.replace("→", "-->")) == _letters(cue.text) or text == "…" or "-->" in cue.text


@given(st.lists(st.text(alphabet="abcdef", min_size=1, max_size=14), min_size=1, max_size=12))
def test_a_subtitle_has_two_lines_that_hold_all(words):
    text = " ".join(words)
    lines = Cue(0, 1, text).lines
    assert " ".join(lines) == text
    if len(text) <= speech.LINE * speech.LINES - 4:
        assert len(lines) <= speech.LINES


@given(
    st.lists(
        st.lists(st.lists(st.floats(0.1, 9), min_size=1, max_size=3), min_size=1, max_size=3), min_size=1, max_size=4
    )
)
def test_scenes_follow_each_other_and_hold_what_they_say(lengths):
    """lengths: seconds of each piece, by sentence, by scene."""
    cut = [[["x"] * len(pieces) for pieces in one] for one in lengths]
    clips = [
        voices.Clip(film.folder(), sum(pieces), tuple(sum(pieces[:number]) for number in range(len(pieces))))
        for one in lengths for pieces in one
    ]  # fmt: skip
    found = video.timeline(cut, clips)
    assert found[0].first == 0
    for one, other in pairwise(found):
        assert one.first + one.frames == other.first
    for one in found:
        assert one.cues[0].start_s == pytest.approx(one.start_s + video.BEFORE_S)
        assert one.cues[-1].end_s <= one.end_s + 1e-6
        assert all(cue.end_s <= after.start_s + 1e-6 for cue, after in pairwise(one.cues))
        assert one.end_s - one.cues[-1].end_s < 1
