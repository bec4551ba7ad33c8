"""All posts for all places: made once, kept while they stand, one failure apart from the others."""

import json
import shutil

import pytest

from lib.cli import main
from lib.press import everywhere, exports, finished, slides, video
from lib.press.finished import ExportError
from tests.conftest import BODY, FIGURE

TEXTS = ["markdown", "hashnode", "eleventy", "newsletter"]
POSTS = [("tiny", "fr"), ("tiny", "en"), ("001-first", "fr"), ("001-first", "en")]


@pytest.fixture
def desk(website, monkeypatch):
    """The website, with stand-ins for what draws, speaks and encodes."""

    def draw(slug, lang, made):
        (made / f"{slug}.html").write_text(f"slides of {slug} in {lang}")

    def film(slug, lang, burn=False, shown=None):
        folder = exports.folder("video-burnt" if burn else "video", lang, slug)
        folder.mkdir(parents=True, exist_ok=True)
        (folder / f"{slug}.json").write_text(json.dumps({"duration_s": 61.2}))
        (folder / f"{slug}.vtt").write_text("WEBVTT")
        return True

    monkeypatch.setattr(slides, "write", draw)
    monkeypatch.setattr(video, "export", film)
    monkeypatch.setattr(exports, "voice", lambda target, lang: "somebody" if target == "video" else None)
    return website


def everything(capsys, *words, status=0):
    assert main(["export", "--all", "--json", *words]) == status
    return json.loads(capsys.readouterr().out)


def test_every_post_goes_everywhere_once(desk, capsys, monkeypatch):
    first = everything(capsys)
    assert {(one["slug"], one["lang"], one["to"]) for one in first} == {
        (*post, target) for post in POSTS for target in exports.TARGETS
    }
    assert {one["status"] for one in first} == {"made"}
    assert [one["to"] for one in first] == sorted((one["to"] for one in first), key=exports.TARGETS.index)
    for one in first:
        folder = exports.folder(one["to"], one["lang"], one["slug"])
        assert one["bytes"] == sum(path.stat().st_size for path in folder.rglob("*") if path.is_file()) > 0
        assert not one["folder"].startswith("/")
    monkeypatch.setattr(exports, "make", lambda *given: pytest.fail("made again"))
    second = everything(capsys)
    assert {one["status"] for one in second} == {"kept"}
    assert [(one["slug"], one["bytes"]) for one in second] == [(one["slug"], one["bytes"]) for one in first]


def test_places_and_languages_can_be_chosen(desk, capsys):
    found = everything(capsys, "--to", "slides", "--to", "markdown", "--lang", "en")
    assert {(one["to"], one["lang"]) for one in found} == {("markdown", "en"), ("slides", "en")}
    assert not (desk.root / "build/exports/video").exists()


def test_only_what_changed_is_made_again(desk, capsys):
    everything(capsys, "--to", "markdown", "--to", "slides")
    desk.write(body=[*BODY, FIGURE], prose=("Une autre phrase.", "Mean: {{ mean | number(2) }}."))
    again = everything(capsys, "--to", "markdown", "--to", "slides")
    assert {(one["slug"], one["lang"]) for one in again if one["status"] == "made"} >= {("tiny", "fr")}
    assert {one["status"] for one in again if one["slug"] == "001-first"} == {"kept"}
    shutil.rmtree(exports.folder("slides", "en", "001-first"))
    again = everything(capsys, "--to", "markdown", "--to", "slides")
    assert [(one["slug"], one["lang"]) for one in again if one["status"] == "made"] == [("001-first", "en")]


def test_a_single_export_is_kept_by_all(desk, capsys):
    exports.export("tiny", "video", "en")
    found = everything(capsys, "--to", "video")
    assert [(one["slug"], one["lang"]) for one in found if one["status"] == "kept"] == [("tiny", "en")]


@pytest.mark.parametrize(
    ("problem", "told"),
    [
        (ExportError("it is too long"), "it is too long"),
        (OSError(28, "No space left on device", "/x"), "No space left on device: /x"),
        (KeyError("bug"), "KeyError: 'bug'"),
    ],
)
def test_one_that_fails_stops_no_other(desk, capsys, monkeypatch, problem, told):
    monkeypatch.delenv("GUIDON_TRACEBACK", raising=False)
    real = exports._WRITERS["markdown"]

    def fail(post, made, hosted):
        if (post.slug, post.page.lang) == ("tiny", "fr"):
            raise problem
        real(post, made, hosted)

    monkeypatch.setitem(exports._WRITERS, "markdown", fail)
    assert main(["export", "--all", "--to", "markdown", "--to", "eleventy"]) == 1
    out, err = capsys.readouterr()
    rows = [line.split()[:5] for line in out.splitlines()]
    assert rows[0] == ["to", "lang", "made", "kept", "failed"]
    assert ["markdown", "fr", "1", "0", "1"] in rows
    assert ["markdown", "en", "2", "0", "0"] in rows
    assert ["eleventy", "fr", "2", "0", "0"] in rows
    assert f"tiny to markdown in fr: {told}" in err
    assert not exports.folder("markdown", "fr", "tiny").exists()
    monkeypatch.setitem(exports._WRITERS, "markdown", real)
    found = everything(capsys, "--to", "markdown", "--to", "eleventy")
    assert [one["slug"] for one in found if one["status"] == "made"] == ["tiny"]


def test_interrupted_it_tells_what_it_made_and_goes_on_from_there(desk, capsys, monkeypatch):
    real, work = exports.make, []

    def interrupted(*given):
        if len(work) == 3:
            raise KeyboardInterrupt
        work.append(given)
        return real(*given)

    monkeypatch.setattr(exports, "make", interrupted)
    assert main(["export", "--all", "--to", "markdown", "--to", "hashnode"]) == 1
    out, err = capsys.readouterr()
    assert out.splitlines()[-1].split()[:4] == ["all", "3", "0", "0"]
    assert "interrupted; what was finished is kept" in err
    monkeypatch.setattr(exports, "make", real)
    found = everything(capsys, "--to", "markdown", "--to", "hashnode")
    assert sum(one["status"] == "kept" for one in found) == 3
    assert not [path for path in (desk.root / "build/exports").rglob(".*.*") if path.is_dir()]


def test_a_video_without_a_voice_fails_alone(desk, capsys, monkeypatch):
    def silent(target, lang):
        if target == "video":
            raise RuntimeError("there is no voice: pip install espeakng-loader")

    monkeypatch.setattr(exports, "voice", silent)
    found = everything(capsys, "--to", "markdown", "--to", "video", status=1)
    assert {one["error"] for one in found if one["to"] == "video"} == {"there is no voice: pip install espeakng-loader"}
    assert {one["status"] for one in found if one["to"] == "markdown"} == {"made"}


def test_another_voice_speaks_again(desk, capsys, monkeypatch):
    everything(capsys, "--to", "video", "--lang", "fr")
    monkeypatch.setattr(exports, "voice", lambda target, lang: "somebody else")
    assert {one["status"] for one in everything(capsys, "--to", "video", "--lang", "fr")} == {"made"}


def test_a_film_that_is_as_it_would_be_is_kept(desk, capsys, monkeypatch):
    everything(capsys, "--to", "video", "--lang", "fr")
    path = desk.root / "notebooks/data/01_tiny.ipynb"
    path.write_text(path.read_text().replace("import numpy as np", "import numpy as np  # a comment"))
    monkeypatch.setattr(video, "export", lambda *given: False)
    assert {one["status"] for one in everything(capsys, "--to", "video", "--lang", "fr")} == {"kept"}
    monkeypatch.setattr(exports, "make", lambda *given: pytest.fail("looked at again"))
    assert {one["status"] for one in everything(capsys, "--to", "video", "--lang", "fr")} == {"kept"}


def test_burnt_subtitles_lie_apart(desk, capsys):
    everything(capsys, "--to", "video", "--lang", "fr")
    found = everything(capsys, "--to", "video", "--lang", "fr", "--burn")
    assert {one["status"] for one in found} == {"made"}
    assert exports.folder("video-burnt", "fr", "tiny").is_dir()
    assert {one["status"] for one in everything(capsys, "--to", "video", "--lang", "fr")} == {"kept"}


@pytest.mark.parametrize("words", [[], ["tiny", "--all"], ["--all", "--to", "television"]])
def test_a_wrong_call_says_what_is_wrong(desk, capsys, words):
    with pytest.raises(SystemExit, match="2"):
        main(["export", *words])
    assert "error: " in capsys.readouterr().err


def test_one_post_goes_nowhere_by_itself(desk, capsys):
    assert main(["export", "tiny"]) == 2
    assert "--to" in capsys.readouterr().err


def test_several_places_for_one_post(desk, capsys):
    assert main(["export", "tiny", "--to", "markdown", "--to", "slides", "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert [(one["to"], one["lang"]) for one in told] == [("markdown", "fr"), ("slides", "fr")]


def test_without_a_post_there_is_nothing_to_do(desk, capsys, monkeypatch):
    monkeypatch.setattr(finished, "listing", lambda lang: [])
    assert everything(capsys, "--to", "markdown") == []
    assert everywhere.table([])[-1][:5] == ["all", "", "0", "0", "0"]
