"""Exports, read back by readers of their formats: a Markdown parser, YAML, and the real Eleventy."""

import json
import re
import subprocess
from pathlib import Path

import pytest
from markdown_it import MarkdownIt
from PIL import Image

from lib.cli import main
from lib.lab.downloads import _npm
from lib.press import exports, finished, pages
from tests.conftest import accept_by_hand

ELEVENTY = "@11ty/eleventy@3.1.2"


def read(text):
    """The headings, links and images of a Markdown text, and its HTML."""
    parser = MarkdownIt("commonmark").enable("table")
    tokens = parser.parse(text)
    inline = [child for token in tokens for child in token.children or []]
    return {
        "headings": [tokens[place + 1].content for place, token in enumerate(tokens) if token.type == "heading_open"],
        "links": [child.attrs["href"] for child in inline if child.type == "link_open"],
        "images": [child.attrs["src"] for child in inline if child.type == "image"],
        "html": parser.render(text),
    }


def front_and_body(path):
    return pages.split(path)


@pytest.mark.parametrize("lang", ["fr", "en"])
def test_markdown_reads_anywhere(website, capsys, lang):
    assert main(["export", "tiny", "--to", "markdown", "--lang", lang]) == 0
    folder = website.root / "build/exports/markdown" / lang / "tiny"
    assert sorted(path.name for path in folder.rglob("*") if path.is_file()) == ["fig-mean.png", "tiny.md"]
    text = (folder / "tiny.md").read_text()
    found = read(text)
    title = {"fr": "Un titre", "en": "A title"}[lang]
    assert found["headings"][0] == title
    assert "Provenance" in found["headings"]
    said = {"fr": "Moyenne\u00a0: 0,50.", "en": "Mean: 0.50."}[lang]
    assert said in text.replace("Moyenne :", "Moyenne\u00a0:")
    assert "{{ " not in text
    assert found["images"] == ["figures/fig-mean.png"]
    with Image.open(folder / "figures/fig-mean.png") as picture:
        assert picture.format == "PNG"
        assert picture.width == 1200
    assert all(re.match(r"https?://", link) for link in found["links"])
    address = pages.post_address("tiny", lang)
    assert found["links"][-1] == address
    assert "tiny.md" in capsys.readouterr().out


def test_hashnode_takes_its_front_matter_and_figures_by_address(website):
    folder = exports.export("tiny", "hashnode", "fr", exports.Options("https://cdn.example/x/"))
    front, body = front_and_body(folder / "tiny.md")
    assert front == {
        "title": "Un titre", "subtitle": "Une description.", "slug": "tiny", "datePublished": "2026-11-24",
        "tags": "données", "canonical": "https://guidon.example/posts/tiny.html", "enableToc": True,
        "cover": "https://cdn.example/x/fig-mean.png",
    }  # fmt: skip
    assert read(body)["images"] == ["https://cdn.example/x/fig-mean.png"]
    assert (folder / "figures/fig-mean.png").is_file()


def test_a_note_goes_out_as_a_post_does(website):
    folder = exports.export("001-first", "markdown", "fr")
    text = (folder / "001-first.md").read_text()
    assert "L’économie vaut 0,500." in text
    assert read(text)["images"] == []


@pytest.mark.parametrize("words", [["nowhere"], ["about"], ["001-first", "--lang", "fr", "--to", "television"]])
def test_what_cannot_go_out_is_one_sentence(website, capsys, words):
    wrong = "television" in words
    given = words if wrong else [*words, "--to", "markdown"]
    if wrong:
        with pytest.raises(SystemExit):
            main(["export", *given])
        return
    assert main(["export", *given]) == 1
    assert "no published post" in capsys.readouterr().err


def test_code_keeps_its_language_and_tables_their_rows():
    text = finished.markdown(
        '<div class="sourceCode"><pre class="sourceCode python"><code class="sourceCode python">a = {{ b }}\n</code>'
        "</pre></div><table><tr><th>a</th></tr><tr><td>1</td></tr></table><p>x <math><mi>y</mi></math></p>"
    )
    assert "```python\na = {{ b }}\n```" in text
    assert "| a |\n| --- |\n| 1 |" in text
    assert "<math><mi>y</mi></math>" in text


@pytest.mark.network
@pytest.mark.slow
def test_the_real_eleventy_builds_it(website, tmp_path):
    """With code that looks like a template, which must come out as it is."""
    accept_by_hand(website, prose=("Voici `{{ mean }}` et {{ mean | number(2) }}.", "Here: {{ mean | number(2) }}."))
    folder = exports.export("tiny", "eleventy", "fr")
    blog = tmp_path / "blog"
    (blog / "_includes").mkdir(parents=True)
    (blog / "_includes/post.njk").write_text(
        "<html><head><title>{{ title }}</title></head><body>{{ content | safe }}</body></html>"
    )
    (blog / "package.json").write_text(json.dumps({"name": "blog", "private": True}))
    folder.rename(blog / "tiny")
    (blog / "eleventy.config.js").write_text(
        'module.exports = (config) => { config.addPassthroughCopy({ "tiny/figures": "tiny/figures" }); };'
    )
    npm = _npm()
    install = [*npm, "install", "--ignore-scripts", "--no-audit", "--no-fund", ELEVENTY]
    subprocess.run(install, cwd=blog, check=True, capture_output=True)
    node = [npm[0]] if len(npm) > 1 else ["node"]
    done = subprocess.run([*node, "node_modules/@11ty/eleventy/cmd.cjs"], cwd=blog, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    page = (blog / "_site/tiny/index.html").read_text()
    assert "<title>Un titre</title>" in page
    assert "<code>{{ mean }}</code> et 0,50." in page
    picture = re.search(r'src="([^"]+\.png)"', page)[1]
    assert (Path(blog / "_site/tiny") / picture).is_file()
