"""Keys of exports: they change with what an export is made of, and with nothing else."""

from types import SimpleNamespace

import pytest

from lib.press import exports, finished, posts, stamps
from lib.press.stamps import TARGETS
from tests.conftest import accept_by_hand
from tests.press.test_asides import with_narration
from tests.press.test_narration import with_cells


def keys(slug="tiny", lang="fr", given=""):
    posts.write()
    fresh = stamps.Stamps()
    return {target: fresh.key(finished.find(slug, lang), target, given) for target in TARGETS}


def changed(before, after):
    return {target for target in TARGETS if before[target] != after[target]}


def test_nothing_changed_means_the_same_key(website):
    assert keys() == keys()
    assert len(set(keys().values())) == len(TARGETS)


def test_prose_and_numbers_change_it(website):
    before, note, english = keys(), keys("001-first"), keys(lang="en")
    accept_by_hand(website, prose=("Autre chose : {{ mean }}.", "Mean: {{ mean | number(2) }}."))
    assert changed(before, keys()) == set(TARGETS)
    assert changed(note, keys("001-first")) == set()
    accept_by_hand(website, mean=0.6)
    assert changed(note, keys("001-first")) == set(TARGETS)  # it names that number
    assert changed(english, keys(lang="en")) == set(TARGETS)


@pytest.mark.parametrize("said", ["Une.", "{{ mean | number(1) }}."])
def test_what_is_only_said_changes_it(website, said):
    before = keys()
    with_cells(website, [(["fr", "narration"], "", said), (["en", "narration"], "", "One.")], 5)
    once = keys()
    assert "video" in changed(before, once)
    accept_by_hand(website, mean=0.7)
    with_cells(website, [(["fr", "narration"], "", said), (["en", "narration"], "", "One.")], 5)
    assert "video" in changed(once, keys())


def test_what_a_note_only_says_changes_it(website):
    before, english = keys("001-first"), keys("001-first", "en")
    with_narration(website)
    assert changed(before, keys("001-first")) == set(TARGETS)
    assert changed(english, keys("001-first", "en")) == set()


def test_options_and_code_change_it(website, monkeypatch):
    before = keys()
    assert changed(before, keys(given="x")) == set(TARGETS)
    real = stamps.digests.code
    monkeypatch.setattr(stamps, "digests", SimpleNamespace(code=lambda sources: real([*sources, "more = 1"])))
    assert changed(before, keys()) == set(TARGETS)


def test_each_target_rests_on_modules_that_exist():
    for target, (modules, _) in stamps._CODE.items():
        assert {"newsletter": "newsletter", "slides": "slides", "video": "film"}.get(target, "exports") in modules
        assert stamps._code(target)


def test_only_what_is_whole_is_current(website):
    folder = exports.export("tiny", "markdown")
    page = finished.find("tiny", "fr")
    told = stamps.Stamps().current(page, "markdown")
    assert told["files"] == {name: (folder / name).stat().st_size for name in ("figures/fig-mean.png", "tiny.md")}
    assert stamps.Stamps().current(page, "hashnode") is None
    assert stamps.Stamps().current(page, "markdown", "other options") is None
    assert stamps.Stamps().current(page, "markdown", by="another voice") is None
    (folder / "tiny.md").write_text("cut", encoding="utf-8")
    assert stamps.Stamps().current(page, "markdown") is None
    exports.export("tiny", "markdown")
    (folder / "figures/fig-mean.png").unlink()
    assert stamps.Stamps().current(page, "markdown") is None


@pytest.mark.parametrize("text", ["", "{", "[]", '{"key": 1}', '"x"'])
def test_a_damaged_stamp_is_none(website, text):
    exports.export("tiny", "markdown")
    (path,) = (website.root / "build/exports/.made").rglob("*.json")
    path.write_text(text, encoding="utf-8")
    assert stamps.Stamps().current(finished.find("tiny", "fr"), "markdown") is None
