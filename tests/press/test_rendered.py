"""What is remembered of a rendering is what the rendering would give."""

import json

import pytest

from lib.press import rendered, site
from tests.conftest import accept_by_hand


@pytest.fixture
def counted(monkeypatch):
    """The pages that were really rendered."""
    from smalldocs.site import Site

    seen, really = [], Site.render_page
    monkeypatch.setattr(Site, "render_page", lambda self, page: seen.append(str(page.src)) or really(self, page))
    return seen


def files(folder):
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file() and path.name != site.STAMP
    }


def test_a_remembered_site_is_the_rendered_one_to_the_last_byte(website, tmp_path, counted):
    first = files(site.publish(renderer="smalldocs", out=tmp_path / "one"))
    rendered_then = len(counted)
    assert rendered_then > 10
    assert files(site.publish(renderer="smalldocs", out=tmp_path / "two")) == first
    assert len(counted) == rendered_then


def test_only_what_changed_is_rendered_again(website, counted):
    site.publish(renderer="smalldocs")
    counted.clear()
    accept_by_hand(website, prose=("Une autre phrase : {{ mean | number(2) }}.", "Mean: {{ mean | number(2) }}."))
    out = site.publish(renderer="smalldocs")
    assert counted == ["posts/tiny.ipynb"]
    assert "Une autre phrase" in (out / "posts/tiny.html").read_text()
    accept_by_hand(website, mean=0.75)
    out = site.publish(renderer="smalldocs")
    assert {"posts/tiny.ipynb", "en/posts/tiny.ipynb", "claims.qmd", "posts/001-first.qmd"} <= set(counted)
    assert "0,75" in (out / "posts/tiny.html").read_text()


def test_a_page_that_goes_or_comes_renders_the_links_of_the_others_again(website, counted):
    site.publish(renderer="smalldocs")
    kept = set((website.root / "build/rendered").iterdir())
    counted.clear()
    (website.root / "en" / "extra.qmd").write_text("---\ntitle: more\nlang: en\n---\n\nmore\n")
    site.publish(renderer="smalldocs")
    assert len(counted) > 10
    assert not kept & set((website.root / "build/rendered").iterdir())  # what nobody needs is forgotten


@pytest.mark.parametrize("content", ["", "{", "[]", "{}", '{"html": "x"}'])
def test_a_damaged_memory_is_no_memory(website, tmp_path, counted, content):
    first = files(site.publish(renderer="smalldocs", out=tmp_path / "one"))
    for path in (website.root / "build/rendered").iterdir():
        path.write_text(content)
    counted.clear()
    assert files(site.publish(renderer="smalldocs", out=tmp_path / "two")) == first
    assert len(counted) > 10


def test_broken_links_are_told_every_time(website, tmp_path, capsys):
    page = website.root / "about.qmd"
    page.write_text(page.read_text() + "\n[nowhere](missing.qmd)\n")
    for name in ("one", "two"):
        site.publish(renderer="smalldocs", out=tmp_path / name)
        assert "about.qmd: broken link missing.qmd" in capsys.readouterr().err
    told = [json.loads(path.read_text()) for path in (website.root / "build/rendered").iterdir()]
    assert sum(len(one["broken"]) for one in told) == 1
    assert rendered.GIVEN[0] not in told[0]["env"]
