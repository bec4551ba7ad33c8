"""Posts from other blogs become notes here: whole, once, with their date and address, and nothing that runs."""

import json
import os
import re

import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from lib.cli import main
from lib.press import importing, site
from lib.press.pages import split

HASHNODE = """---
title: "Note #018 : les données d'abord"
seoTitle: "Les données"
datePublished: Fri Apr 19 2024 16:57:23 GMT+0000 (Coordinated Universal Time)
cuid: clv6abcdef
slug: note-018-les-donnees-dabord
tags: ai, data-quality, post
---

Les modèles sont ce que leurs données en font, et c'est une idée simple.

- un point   
- un autre
   
%[https://youtu.be/abc]

![Un graphique](https://cdn.hashnode.com/res/a.png align="center")
"""
ELEVENTY = """---
layout: post.njk
title: Models: swap them
date: 2024-05-02
tags:
  - post
  - models
description: What is lost when a model is swapped.
permalink: /blog/swap/index.html
coverImage: /img/cover.png
---
The model is a part that you can swap, and {{ site.title }} is not {% raw %}evaluated{% endraw %}.

![chart](/img/chart.png)
"""
PNG = b"\x89PNG\r\n\x1a\n" + bytes(40)


@pytest.fixture
def blog(project, tmp_path):
    """Write a file of the old blog; the folder of this one's notes."""
    (project.root / "notebooks" / "writing").mkdir(parents=True)
    folder = tmp_path / "old"
    folder.mkdir()

    def write(name, content):
        path = folder / name
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return path

    write.writing = project.root / "notebooks" / "writing"
    return write


def one(path, **options):
    (told,) = importing.run([path], **options)
    return told


def test_a_hashnode_post_becomes_a_numbered_note(blog):
    told = one(blog("a.md", HASHNODE))
    assert (told.status, told.kind, told.date, told.lang) == ("imported", "hashnode", "2024-04-19", "fr")
    assert told.target == "notebooks/writing/018-les-donnees-dabord.fr.md"
    front, body = split(blog.writing / "018-les-donnees-dabord.fr.md")
    assert front["title"] == "Les données d'abord"
    assert front["date"] == "2024-04-19"
    assert front["categories"] == ["ai", "data-quality"]
    assert front["aliases"] == ["/note-018-les-donnees-dabord"]
    assert front["imported"]["cuid"] == "clv6abcdef"
    assert front["description"].startswith("Les modèles sont")
    assert "- un point\n" in body
    assert "[https://youtu.be/abc](https://youtu.be/abc)" in body
    assert "an embed is a link now: https://youtu.be/abc" in told.notes


def test_an_eleventy_post_keeps_its_address_and_images(blog, tmp_path):
    images = tmp_path / "public" / "img"
    images.mkdir(parents=True)
    (images / "chart.png").write_bytes(PNG)
    told = one(blog("b.md", ELEVENTY), assets=tmp_path / "public")
    assert (told.kind, told.date, told.lang) == ("eleventy", "2024-05-02", "en")
    front, body = split(blog.writing / "models-swap-them.en.md")
    assert front["title"] == "Models: swap them"
    assert front["description"] == "What is lost when a model is swapped."
    assert front["categories"] == ["models"]
    assert front["aliases"] == ["/blog/swap"]
    found = re.search(r"!\[chart\]\((images/models-swap-them/chart-[0-9a-f]{8}\.png)\)", body)
    assert (blog.writing / found[1]).read_bytes() == PNG
    assert r"\{\{ site.title \}\}" in body
    assert any("coverImage" in note for note in told.notes)


def test_a_text_without_front_matter_is_told_what_was_taken_for_granted(blog):
    path = blog("c.txt", "Voici une idée. Elle est simple et elle tient dans une note.\n")
    os.utime(path, (1_700_000_000, 1_700_000_000))
    told = one(path)
    front, _ = split(blog.writing / "voici-une-idee.fr.md")
    assert (front["title"], front["date"], told.kind) == ("Voici une idée", "2023-11-14", "text")
    assert told.notes[0] == "the title is its first sentence"
    assert any("date is that of the file" in note for note in told.notes)
    assert one(blog("d.txt", "Another idea, of the same kind."), date="2024-01-02").date == "2024-01-02"


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        ("\ufeff---\ntitle: é\n---\nà la ligne".encode(), "à la ligne"),
        ("---\r\ntitle: é\r\n---\r\nà la\r\nligne".encode(), "à la\nligne"),
        ("---\ntitle: é\n---\nà la ligne".encode("latin-1"), "à la ligne"),
        ("---\ntitle: é\n---\nprix\u00a0: 3\u00a0€".encode(), "prix\u00a0: 3\u00a0€"),
        ("---\ntitle: é\n---\na\x07b\x00".replace("\x00", "").encode() + b" c" * 100, "ab"),
    ],
    ids=["bom", "crlf", "latin", "nbsp", "bell"],
)
def test_encodings_and_line_ends(blog, data, expected):
    assert one(blog("x.md", data), lang="fr").status == "imported"
    front, body = split(blog.writing / "e.fr.md")
    assert front["title"] == "é"
    assert expected in body


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"\x89PNG\0\0\0", "not text"),
        (b"\x01\x02\x03\x04abc", "not text"),
        ("---\ntitle: [1\n---\nx", "not YAML, line 3"),
        ("---\na: !!python/object/apply:os.system [true]\n---\nx", "not YAML"),
        ("---\na: " + "[" * 3000 + "\n---\nx", "not YAML"),
        ("---\ntitle: x\n---\n\n  \n", "no text"),
        ("", "no text"),
    ],
)
def test_what_cannot_become_a_post_is_one_line_and_stops_no_other(blog, capsys, content, said):
    bad, good = blog("bad.md", content), blog("good.md", HASHNODE)
    assert main(["import", str(bad), str(good), str(bad.parent), str(bad.parent / "gone.md")]) == 1
    told = capsys.readouterr().out
    assert f"{bad}: not imported\n  " in told
    assert said in told
    assert "it is a folder; name the files in it" in told
    assert "No such file or directory" in told
    assert "-> notebooks/writing/018-" in told
    assert len(list(blog.writing.glob("*.md"))) == 1


def test_nothing_is_ever_overwritten(blog):
    first = one(blog("a.md", HASHNODE))
    again = one(blog("copy.md", HASHNODE.replace("\n", "\r\n")))
    assert (again.status, again.target) == ("known", first.target)
    before = (blog.writing / first.target.rpartition("/")[2]).read_bytes()
    clash = one(blog("other.md", HASHNODE + "\nUne phrase de plus.\n"))
    assert clash.status == "failed"
    assert f"{first.target} is here already with another text" in clash.notes[0]
    assert (blog.writing / first.target.rpartition("/")[2]).read_bytes() == before


@pytest.mark.parametrize(
    ("address", "kept"),
    [("../../secret.png", False), ("/etc/passwd", False), ("a.svg", False), ("a.png?x=1", True), ("sub/a.png", True)],
)
def test_images_come_from_the_folder_of_assets_and_no_other(blog, tmp_path, address, kept):
    assets = tmp_path / "assets"
    assets.mkdir()
    (tmp_path / "secret.png").write_bytes(PNG)
    for name in ("a.png", "a.svg"):
        (assets / name).write_bytes(PNG)
    told = one(blog("a.md", f"---\ntitle: t\n---\n![x]({address})\n"), assets=assets)
    written = (blog.writing / told.target.rpartition("/")[2]).read_text()
    assert ("](images/" in written) == kept
    assert ("image : x" in written) != kept
    assert any("missing image" in note for note in told.notes) != kept


@pytest.mark.parametrize(
    ("title", "number", "rest"),
    [
        ("Note #018 : Le titre", 18, "Le titre"), ("Note n° 7 - Autre", 7, "Autre"), ("note no. 12", 12, "Note 12"),
        ("Note #3 : à part", 3, "À part"),
        ("Notes sur un titre", None, "Notes sur un titre"), ("Note #1", 1, "Note 1"),
    ],
)  # fmt: skip
def test_numbered_titles(title, number, rest):
    assert importing._numbered(title) == (number, rest)


@pytest.mark.parametrize(
    ("value", "day"),
    [
        ("Fri Apr 19 2024 16:57:23 GMT+0000 (Coordinated Universal Time)", "2024-04-19"),
        ("2024-04-19T16:57:23.000Z", "2024-04-19"), ("2024-04-19", "2024-04-19"), ("19/04/2024", "2024-04-19"),
        ("Fri, 19 Apr 2024 16:57:23 +0000", "2024-04-19"), ("yesterday", None), (None, None), (3, None),
        ("9" * 99, None),
    ],
)  # fmt: skip
def test_dates(value, day):
    assert importing._day(value) == day


def test_an_imported_note_is_published_with_its_address_and_picture(website, tmp_path):
    (tmp_path / "chart.png").write_bytes(PNG)
    post = tmp_path / "b.md"
    post.write_text(ELEVENTY.replace("layout:", "canonical_url: https://old.example/swap\nlayout:"))
    assert main(["import", str(post), "--assets", str(tmp_path)]) == 0
    out = site.publish(renderer="smalldocs")
    page = (out / "en/posts/models-swap-them.html").read_text()
    assert '<link rel="canonical" href="https://old.example/swap">' in page
    assert "{{ site.title }} is not {% raw %}evaluated{% endraw %}" in page
    picture = re.search(r'src="(images/models-swap-them/chart-\w+\.png)"', page)[1]
    assert (out / "en/posts" / picture).read_bytes() == PNG
    assert 'url=../../en/posts/models-swap-them.html"' in (out / "blog/swap/index.html").read_text()
    assert "Models: swap them" in (out / "en/notes.html").read_text()


def test_front_matter_holds_no_shortcode_and_a_description_ends_where_a_sentence_does(blog):
    title = "Un {{< env HOME >}} et {{% x %}}"
    text = "Une phrase qui tient debout toute seule. Une autre, si longue " + "qu'elle n'en finit pas " * 9
    told = one(blog("a.md", f"---\ntitle: '{title}'\ntags: ['{{{{< x >}}}}']\n---\n{text}"))
    front, _ = split(blog.writing / told.target.rpartition("/")[2])
    assert front["title"] == "Un { {< env HOME >}} et { {% x %}}"
    assert front["categories"] == ["{ {< x >}}"]
    assert front["description"] == "Une phrase qui tient debout toute seule."


def test_an_address_never_takes_the_place_of_a_page(website, tmp_path):
    post = tmp_path / "b.md"
    post.write_text(ELEVENTY.replace("/blog/swap/index.html", "/index.html").replace("title: M", "title: N"))
    assert main(["import", str(post)]) == 0
    written = next((website.root / "notebooks/writing").glob("nodels*"))
    written.write_text(
        written.read_text().replace("categories:", "aliases: [/about.html, ../../up, /x/../../y]\ncategories:")
    )
    out = site.publish(renderer="smalldocs")
    assert "refresh" not in (out / "about.html").read_text()
    assert not (out.parent / "up").exists()


def test_the_report_is_json_for_scripts(blog, capsys):
    assert main(["import", "--json", str(blog("a.md", HASHNODE))]) == 0
    (told,) = json.loads(capsys.readouterr().out)
    assert (told["status"], told["kind"]) == ("imported", "hashnode")
    assert main(["import", str(blog("a.md", HASHNODE)), "--assets", "nowhere"]) == 2


FRONTS = st.dictionaries(
    st.sampled_from(["title", "slug", "date", "datePublished", "tags", "layout", "permalink", "canonical_url", "lang"]),
    st.text(max_size=30) | st.lists(st.text(max_size=8), max_size=3) | st.dates() | st.integers() | st.booleans(),
)


@settings(max_examples=1000, deadline=None, suppress_health_check=list(HealthCheck))
@given(FRONTS, st.text(max_size=60) | st.binary(max_size=60))
def test_any_file_is_a_note_or_one_line_and_writes_nowhere_else(blog, front, body):
    content = f"---\n{yaml.safe_dump(front, allow_unicode=True)}---\n".encode() + (
        body if isinstance(body, bytes) else body.encode("utf-8", "surrogatepass")
    )
    path = blog("x.md", content)
    before = {one for one in blog.writing.parents[2].rglob("*") if one.is_file()}
    told = one(path)
    assert told.status in ("imported", "known", "failed")
    assert all("\n" not in note for note in told.notes)
    after = {one for one in blog.writing.parents[2].rglob("*") if one.is_file()} - before
    assert all(path.parent == blog.writing and path.suffix == ".md" for path in after)
    for path in after:
        split(path)
        path.unlink()
