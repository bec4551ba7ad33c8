"""What a note holds for a voice alone: on no page, in no export, said in its video."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lib.cli import main
from lib.press import asides, exports, finished, narration, posts
from lib.press.prose import ProseError, UnknownName
from lib.press.untrusted import safe_markdown

SAID = "::: {.narration}\nÀ voix haute : {{ tiny.mean | number(1) }}.\n\nEt encore.\n:::\n"
NOTE = "L'économie vaut {{ tiny.mean }}.\n"


def with_narration(website, said=SAID, lang="fr"):
    path = website.root / f"notebooks/writing/001-first.{lang}.qmd"
    path.write_text(path.read_text() + said, encoding="utf-8")
    return path


def test_blocks_are_told_apart_in_order():
    text = f"Un.\n\n{SAID}\nDeux.\n\n:::: narration\nDit.\n::::\n"
    assert list(asides.parts(text, "n")) == [
        ("text", "Un.\n"), ("narration", SAID.split("\n", 1)[1].removesuffix("\n:::\n")), ("text", "\nDeux.\n"),
        ("narration", "Dit."), ("text", ""),
    ]  # fmt: skip
    assert "voix" not in asides.read(text, "n")
    assert "Deux." in asides.read(text, "n")


def test_other_blocks_and_code_stay():
    shown = "````md\n::: {.narration}\n```\nx\n:::\n````\n\n```x``` and `::: {.narration}`\n"
    text = f"::: {{.callout-note}}\nLu.\n:::\n\n{shown}"
    assert list(asides.parts(text, "n")) == [("text", text)]


def test_a_block_without_its_end_is_one_sentence(website, capsys):
    path = with_narration(website, SAID.removesuffix(":::\n"))
    with pytest.raises(ProseError, match=r"001-first\.fr\.qmd: a block of narration has no end"):
        posts.write()
    assert main(["check"]) == 1
    assert f"{path.name}: a block of narration has no end" in " ".join(capsys.readouterr().out.split())


@given(st.text(alphabet=":{.narto}`~\n ab", max_size=60))
def test_what_is_no_block_reads_as_it_is(text):
    try:
        found = list(asides.parts(text, "n"))
    except ProseError:
        return
    assert "".join(part for _, part in found).replace("\n", "") in text.replace("\n", "") or len(found) > 1
    if len(found) == 1:
        assert found == [("text", text)]


def test_it_is_said_and_on_no_page_and_in_no_export(website):
    with_narration(website)
    posts.write()
    assert narration.write("001-first", "fr").scenes[-1].said == ("À voix haute\u00a0: 0,5.", "Et encore.")
    assert "voix haute" not in (website.root / "posts/001-first.qmd").read_text()
    for target in ("markdown", "hashnode", "eleventy", "newsletter"):
        folder = exports.export("001-first", target, "fr")
        for path in folder.rglob("*.*"):
            assert "voix haute" not in path.read_text(), path
    page = (website.root / "_site" / finished.find("001-first", "fr").path).read_text()
    assert "0,500" in page
    assert "voix haute" not in page
    assert "narration" not in page


def test_somebody_elses_text_has_none():
    safe, _ = safe_markdown("::: {.narration}\nx\n\ny\n:::\n")
    assert [kind for kind, _ in asides.parts(safe, "n")] == ["text"]


def test_its_names_are_those_of_records(website):
    with_narration(website, SAID.replace("tiny.mean", "tiny.maen"))
    with pytest.raises(UnknownName, match=r"tiny\.mean"):
        posts.write()
