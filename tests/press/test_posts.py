import copy
import json

import pytest
import yaml
from markdown_it import MarkdownIt

from lib.press import boxes, pages, posts, prose, reproduce, store
from lib.press.posts import PostError
from tests.conftest import BODY, FIGURE, accept_by_hand


def sources(project, name="posts/tiny.ipynb"):
    return [cell["source"] for cell in json.loads((project.root / name).read_text())["cells"]]


def test_one_run_gives_a_post_in_each_language(website):
    posts.write()
    french, english = ("\n".join(sources(website, name)) for name in ("posts/tiny.ipynb", "en/posts/tiny.ipynb"))
    assert "Moyenne : 0,50." in french
    assert "Mean: 0.50." in english
    assert "Moyenne" not in english
    assert '![La moyenne vaut 0,5.](tiny/fig-mean.svg){#fig-mean fig-alt="Un trait."}' in french
    assert (website.root / "posts/tiny/fig-mean.png").read_bytes().startswith(b"\x89PNG")
    assert json.loads(sources_text(website))["cells"]
    front = yaml.safe_load(sources(website)[0].strip("-\n"))
    assert (front["title"], front["date"], front["lang"], front["image"]) == (
        "Un titre",
        "2026-11-24",
        "fr",
        "tiny/fig-mean.svg",
    )


def sources_text(project):
    return (project.root / "posts/tiny/01_tiny.ipynb").read_text()


def test_the_box_gives_claim_verdict_effect_rule_and_profile(website):
    posts.write()
    box = sources(website)[1]
    for text in (
        "On dit que.",
        "Tient",
        "L’écart moyen\u00a0: 0,50\u00a0points (de 0,40 à 0,60, intervalle à 95\u00a0%)",
        "La règle.",
        "quick",
    ):
        assert text in box
    whole = "\n".join(sources(website))
    for text in (
        "abc123",
        "A CPU (2 cores)",
        "12\u00a0s",
        "seed = 0, size = 100",
        "guidon reproduce tiny",
        "pas encore été refait",
    ):
        assert text in whole


def test_a_verdict_that_this_machine_measures_otherwise_is_told(website):
    accepted = store.accepted("tiny")["quick"]
    accepted.record["results"]["mean"]["kind"] = "measured"  # here, not in the file
    here = store.Result(copy.deepcopy(accepted.record), accepted.folder)
    here.record["verdict"]["value"] = "fails"
    found = reproduce.summary(accepted, here)
    assert (found["agree"], found["total"], found["other_verdict"]) == (0, 0, "fails")
    assert reproduce.lines(found)[-1].endswith("the verdict is: fails")
    reproduce.keep(found)
    posts.write()
    french, english = ("\n".join(sources(website, name)) for name in ("posts/tiny.ipynb", "en/posts/tiny.ipynb"))
    assert "le verdict serait\u00a0: ne tient pas." in french
    assert "the verdict would be: fails." in english


@pytest.mark.parametrize(
    ("source", "fr"),
    [
        ("E, an article (2024)", "an article (2024)"),
        ({"fr": "B, une note", "en": "B, a note"}, "une note"),
        ("Essai", "Essai"),
        ("", ""),
    ],
)
def test_a_source_is_told_in_the_language_without_its_letter(source, fr):
    assert boxes._source(source, "fr") == fr


def test_scraps_are_dropped_and_printed_text_stays(website):
    posts.write()
    made = json.loads((website.root / "posts/tiny.ipynb").read_text())
    outputs = [output for cell in made["cells"] for output in cell.get("outputs", [])]
    assert [output["text"] for output in outputs] == ["printed\n"]
    assert not any(line.startswith("#| fig") for cell in made["cells"] for line in cell["source"].splitlines())


def test_code_that_shows_nothing_is_folded_with_what_comes_next(website):
    posts.write()
    made = json.loads((website.root / "posts/tiny.ipynb").read_text())["cells"]
    code = [cell["source"] for cell in made if cell["cell_type"] == "code"]
    assert len(code) == 2
    assert all(source.startswith('#| code-fold: true\n#| code-summary: "Code"\n') for source in code)
    assert [part in code[0] for part in ("size: int", "import numpy", "results.rule(", 'results.record("mean"')] == [
        True
    ] * 4
    assert "results.verdict(" in code[1]
    assert "plots.show(draw" in code[1]


def test_a_post_begins_with_prose(website):
    posts.write()
    kinds = [cell["cell_type"] for cell in json.loads((website.root / "posts/tiny.ipynb").read_text())["cells"]]
    assert kinds[:4] == ["raw", "markdown", "markdown", "code"]


def test_what_has_not_changed_is_not_written_again_and_what_is_gone_is_removed(website):
    before = {path: path.stat().st_mtime_ns for path in posts.write()}
    stray = website.root / "posts" / "old" / "fig.svg"
    stray.parent.mkdir()
    stray.write_text("old")
    assert {path: path.stat().st_mtime_ns for path in posts.write()} == before
    assert not stray.parent.exists()


def test_editing_prose_changes_the_post_and_not_the_state(website):
    posts.write()
    website.write(body=[*BODY, FIGURE], prose=("Autrement : {{ mean | percent }}.", "Otherwise: {{ mean | percent }}."))
    posts.write()
    assert "Autrement : 50\u00a0%." in "\n".join(sources(website))


def test_a_stale_result_stops_or_is_marked(website):
    website.write(body=[BODY[0], BODY[1].replace("- 1", "- 2"), *BODY[2:], FIGURE])
    with pytest.raises(PostError, match=r"result of tiny is stale \(code\): guidon run tiny"):
        posts.write()
    posts.write(allow_stale=True)
    assert "Résultat périmé" in "\n".join(sources(website))


def test_a_hollow_result_never_publishes(website):
    path = website.root / "data/results/quick/tiny/record.json"
    kept = json.loads(path.read_text())
    kept["results"]["mean"]["value"] = 0.9
    path.write_text(json.dumps(kept))
    with pytest.raises(PostError, match="hollow"):
        posts.write(allow_stale=True)


def test_an_unknown_name_stops_with_its_place(website):
    website.write(body=[*BODY, FIGURE], prose=("{{ maen }}", "{{ mean }}"))
    with pytest.raises(
        prose.UnknownName, match=r"01_tiny\.ipynb, cell 3, line 1: unknown name maen; did you mean mean"
    ):
        posts.write()


def test_notes_are_filled_numbered_and_drafts_stay_out(website):
    posts.write()
    note = (website.root / "posts/001-first.qmd").read_text()
    assert "L'économie vaut 0,500." in note
    assert "Note nº\u00a01" in note
    for path in (website.root / "notebooks/writing").glob("*.qmd"):
        path.write_text(path.read_text().replace("date:", "draft: true\ndate:", 1))
    posts.write()
    assert not (website.root / "posts/001-first.qmd").exists()
    posts.write(drafts=True)
    assert (website.root / "posts/001-first.qmd").exists()


def test_the_manifest_pairs_twins_and_orders_by_date(website):
    posts.write()
    every = {page.path: page for page in pages.manifest()}
    assert every["posts/tiny.html"].twin == "en/posts/tiny.html"
    assert every["en/posts/tiny.html"].twin == "posts/tiny.html"
    assert every["index.html"].twin == "en/index.html"
    assert every["posts/tiny.html"].image == "posts/tiny/fig-mean.png"
    latest = (website.root / "posts/_latest.md").read_text()
    assert latest.index("tiny.html") < latest.index("001-first.html")


def test_hostile_text_never_becomes_markup(website):
    evil = '<script>alert("x")</script>'
    accept_by_hand(
        website,
        head={
            "title": {"fr": evil, "en": evil},
            "claim": {"fr": evil, "en": evil, "source": evil},
            "description": {"fr": evil, "en": evil},
        },
    )
    posts.write()
    for name in ("posts/_latest.md", "posts/_claims.md", "posts/tiny.ipynb"):
        body = sources(website)[1] if name.endswith("ipynb") else (website.root / name).read_text()
        assert "<script" not in body
        assert "&lt;script&gt;" in body


def test_the_readme_table_is_generated_between_its_marks(website):
    readme = website.root / "README.md"
    readme.write_text("before\n<!-- claims:begin -->\nold\n<!-- claims:end -->\nafter\n")
    assert pages.update_readme()
    text = readme.read_text()
    told = "Mean gap: 0.50\u00a0points (0.40 to 0.60, 95% interval)"
    assert f"| [They say that.](notebooks/data/01_tiny.ipynb) | holds | {told} |" in text
    assert (text.startswith("before\n"), text.endswith("after\n")) == (True, True)
    assert not pages.update_readme()


REFERENCES = [
    {"id": "a2020", "authors": "Durand, A.", "year": 2020},
    {"id": "b2021", "authors": "Durand, A., Petit, B.", "year": 2021},
    {"id": "c2022", "authors": "Durand, A., Petit, B., Roux, C.", "year": 2022},
    {"id": "d1958", "authors": "République française", "year": 1958},
]


@pytest.mark.parametrize(
    ("text", "french"),
    [
        ("[@a2020]", "([Durand, 2020](#ref-a2020))"),
        ("[@b2021]", "([Durand et Petit, 2021](#ref-b2021))"),
        ("[@c2022; @d1958]", "([Durand et al., 2022](#ref-c2022)\u00a0; [République française, 1958](#ref-d1958))"),
        ("[@a2020, section 2]", "([Durand, 2020](#ref-a2020), section 2)"),
        ("[@a2020, p. 3; @b2021]", "([Durand, 2020](#ref-a2020), p. 3\u00a0; [Durand et Petit, 2021](#ref-b2021))"),
        ("[@a2020](https://example.org)", "[@a2020](https://example.org)"),
        ("`[@a2020]`", "`[@a2020]`"),
    ],
)
def test_citations_are_resolved_outside_code(text, french):
    assert boxes.cite(text, REFERENCES, "fr") == french


def test_an_unknown_citation_is_refused():
    with pytest.raises(prose.ProseError, match="nobody"):
        boxes.cite("[@nobody]", REFERENCES, "fr")
    for wrong in ("[@a2020 section 2]", "[@a2020; b2021]", "[@a2020;]"):
        with pytest.raises(prose.ProseError, match="is not a citation such as"):
            boxes.cite(wrong, REFERENCES, "fr")


def test_mathematics_become_mathml_outside_code():
    made = boxes.mathml("`$x$` and $x^2$ for 5 $")
    assert made.startswith('`$x$` and <math alttext="x^2" ')
    assert made.endswith("</math> for 5 $")


@pytest.mark.parametrize(
    "tex", ["x_1 * y_1 - z", r"\hat{p} \pm 1.96\sqrt{\frac{p(1-p)}{n}}", "a < b", r"f(x) = [x]_i", "*a*"]
)
def test_markdown_leaves_formulas_as_they_are(tex):
    from bs4 import BeautifulSoup
    from latex2mathml.converter import convert

    page = BeautifulSoup(MarkdownIt("commonmark").render(boxes.mathml(f"Soit *a* ${tex}$ *ici*")), "html.parser")
    assert page.math["alttext"] == tex
    assert page.math.get_text() == BeautifulSoup(convert(tex), "html.parser").get_text()
    assert [one.string for one in page.find_all("em")] == ["a", "ici"]


def test_titles_and_descriptions_hold_results_too(website):
    told = {"fr": "Elle vaut {{ mean | number(1) }}", "en": "It is {{ mean | number(1) }}"}
    accept_by_hand(website, head={"title": told, "description": told})
    for lang, text in (
        ("fr", "Une note sur {{ tiny.mean | number(1) }}"),
        ("en", "A note on {{ tiny.mean | number(1) }}"),
    ):
        note = f'---\ntitle: "{text}"\ndescription: "{text}"\ndate: 2026-01-01\n---\n\na\n'
        (website.root / f"notebooks/writing/001-first.{lang}.qmd").write_text(note)
    posts.write()
    every = {page.path: page for page in pages.manifest()}
    for path, said in {
        "posts/tiny.html": "Elle vaut 0,5", "en/posts/tiny.html": "It is 0.5",
        "posts/001-first.html": "Une note sur 0,5",
        "en/posts/001-first.html": "A note on 0.5",
    }.items():  # fmt: skip
        assert (every[path].title, every[path].description) == (said, said)
