"""What videos are made of, kept while a post needs it."""

import os
import time

import pytest

from lib.press import parts


@pytest.fixture
def shelf(project):
    """Sounds and pictures of two videos, and of none; all of them two hours old."""
    names = {"speech": ["a.json", "a.wav", "b.json", "b.wav"], "video": ["a.png", "b.png", "shared.mp4", "old.mp4"]}
    made = {}
    for folder, files in names.items():
        (project.root / "build" / folder / ".x.wav.left").mkdir(parents=True)
        for name in files:
            made[name] = project.root / "build" / folder / name
            made[name].touch()
    parts.keep("fr-a", [made[name] for name in ("a.json", "a.wav", "a.png", "shared.mp4")])
    parts.keep("fr-b", [made[name] for name in ("b.json", "b.wav", "b.png", "shared.mp4")])
    for path in (project.root / "build").rglob("*"):
        os.utime(path, (time.time() - 2 * parts.SPARED_S,) * 2)
    return project.root / "build"


def left(build):
    return sorted(path.name for folder in ("speech", "video") for path in (build / folder).iterdir())


def test_what_no_video_needs_goes(shelf):
    parts.forget_others({"fr-a", "fr-b"})
    assert left(shelf) == sorted(["a.json", "a.wav", "b.json", "b.wav", "a.png", "b.png", "shared.mp4", "made"])


def test_what_only_a_post_that_is_gone_needs_goes(shelf):
    parts.forget_others({"fr-a"})
    assert left(shelf) == sorted(["a.json", "a.wav", "a.png", "shared.mp4", "made"])
    assert [path.stem for path in (shelf / "video/made").iterdir()] == ["fr-a"]


def test_what_is_young_stays(shelf):
    (shelf / "speech/new.wav").touch()
    (shelf / "speech/.new.wav.at-work").mkdir()
    parts.forget_others(set())
    assert left(shelf) == [".new.wav.at-work", "made", "new.wav"]


def test_without_any_there_is_nothing_to_do(project):
    parts.forget_others({"fr-a"})
    assert not (project.root / "build").exists()
