"""What a video shows and says of a post."""

import json

import pytest

from lib.press import check, identity, narration, posts
from lib.press.notebooks import load
from tests.conftest import BODY, FIGURE, accept_by_hand, notebook_json

PROSE = (
    "Trouvé : {{ mean | number(2) }} [@a].\n\n## Les données\n\nUn paragraphe. Une suite.\n\n- un\n- deux\n\n"
    "```python\nx = 1\n```\n\n| a | b |\n|---|---|\n| 1 | 2 |\n",
    "Found: {{ mean | number(2) }}.",
)
REFERENCES = {"references": [{"id": "a", "authors": "Page, L.", "year": 1999, "title": "T"}]}


def scenes(lang="fr"):
    posts.write()
    return narration.write("tiny", lang).scenes


def with_cells(website, cells, at, head=None):
    """The tiny experiment with more prose cells from a place on: (tags, slide type, text)."""
    made = notebook_json(body=[*BODY, FIGURE], head=head)
    more = [
        {"cell_type": "markdown", "id": f"more-{number}", "source": text,
         "metadata": {"tags": tags, **({"slideshow": {"slide_type": slide}} if slide else {})}}
        for number, (tags, slide, text) in enumerate(cells)
    ]  # fmt: skip
    made["cells"][at:at] = more
    path = website.root / "notebooks/data/01_tiny.ipynb"
    path.write_text(json.dumps(made), encoding="utf-8")
    return path


def test_a_post_says_its_title_claim_rule_verdict_text_and_figures(website):
    told = scenes()
    assert [one.chapter for one in told] == [
        "Un titre", "L’affirmation", "Verdict", "Ce qu’on a trouvé", "Ce qu’on a trouvé", "Refaire la mesure",
    ]  # fmt: skip
    said = [one.said for one in told]
    assert said[0] == ("Un titre.", "Une description.")
    assert said[1][:2] == ("L’affirmation.", "On dit que.")
    assert said[1][-1] == "La règle, écrite avant le résultat\u00a0: La règle."
    assert said[2] == (
        "Verdict.",
        "Tient.",
        "L’écart moyen\u00a0: 0,50\u00a0points (de 0,40 à 0,60, intervalle à 95\u00a0%).",
    )
    assert said[3] == ("Moyenne\u00a0: 0,50.",)
    assert said[4] == ("La moyenne vaut 0,5.",)
    assert "dans l’article" in said[5][0]
    assert "figures/fig-mean.svg" in told[4].markup


def test_citations_code_and_tables_are_not_read_but_pointed_at(website):
    accept_by_hand(website, prose=PROSE, head=REFERENCES)
    told = [one for one in scenes() if one.chapter in ("Ce qu’on a trouvé", "Les données")]
    assert told[0].said == ("Trouvé\u00a0: 0,50.",)
    data = [line for one in told[1:] for line in one.said]
    assert data[:2] == ["Les données.", "Un paragraphe. Une suite."]
    assert data[2:4] == ["un.", "deux."]
    assert "Le code est dans l’article." in data
    assert "Le tableau est dans l’article." in data
    assert not any("x = 1" in line or line in ("1.", "2.") for line in data)


def test_a_narration_is_said_and_not_shown_and_makes_no_run_stale(website):
    before = identity.compute(load(website.root / "notebooks/data/01_tiny.ipynb"), "quick").digest
    path = with_cells(website, [
        (["fr", "narration"], "", "À voix haute, {{ mean | number(1) }}. Deux phrases.\n\nEt encore."),
        (["en", "narration"], "", "Aloud, {{ mean | number(1) }}."),
    ], 5)  # fmt: skip
    assert identity.compute(load(path), "quick").digest == before
    assert [str(one) for one in check.check_notebook(load(path), states=False)] == []
    told = {one.chapter: one for one in scenes()[:-2]}["Ce qu’on a trouvé"]
    assert told.said == ("À voix haute, 0,5. Deux phrases.", "Et encore.")
    assert told.sentences == ["À voix haute, 0,5.", "Deux phrases.", "Et encore."]
    assert "Moyenne" in told.markup
    post = (website.root / "posts/tiny.ipynb").read_text()
    assert "voix haute" not in post
    assert "Moyenne" in post
    assert "Aloud, 0.5." in [line for one in scenes("en") for line in one.said]


def test_a_narration_after_a_figure_is_said_over_it(website):
    with_cells(website, [(["fr", "narration"], "", "Regardez."), (["en", "narration"], "", "Look.")], 9)
    (figure,) = [one for one in scenes() if "fig-mean" in one.markup]
    assert figure.said == ("Regardez.",)


def test_text_right_after_a_figure_is_said_over_it(website):
    with_cells(website, [(["fr"], "", "On lit cela.\n\nEt ceci."), (["en"], "", "So one reads.")], 9)
    (figure,) = [one for one in scenes() if "fig-mean" in one.markup]
    assert figure.said == ("La moyenne vaut 0,5.", "On lit cela.", "Et ceci.")
    assert not [one for one in scenes() if "On lit" in one.markup]


def test_marked_slides_are_the_scenes_and_their_notes_are_said(website):
    with_cells(website, [
        (["fr"], "slide", "## Partie\n\nVu."), (["fr"], "notes", "Dit {{ mean | number(1) }}."),
        (["fr"], "fragment", "Puis cela."), (["en"], "slide", "Seen."),
    ], 5)  # fmt: skip
    told = scenes()[1:-1]
    assert [one.said for one in told] == [("Dit 0,5.",), ("Puis cela.",)]
    assert told[1].markup.index("Vu.") < told[1].markup.index("Puis cela.")
    assert {one.chapter for one in told} == {"Partie"}
    assert scenes("en")[1].said == ("Seen.",)


def test_a_note_is_told_too(website):
    posts.write()
    script = narration.write("001-first", "fr")
    assert script.verdict is None
    assert script.scenes[-1].said == ("L’économie vaut 0,500.",)


@pytest.mark.parametrize(
    ("said", "found"),
    [
        (["x"], [("a",), ("x",)]),
        (["x", "y"], [("a",), ("x",), ("y",)]),
        (["x", "y", "z"], [("a",), ("x",), ("y", "z")]),
        ([], [("a",), ("b",), ("c",)]),
    ],
)
def test_paragraphs_go_to_slides_one_each(said, found):
    told = [narration.Scene("", name, (name,)) for name in "abc"]
    assert [one.said for one in narration._retold(told, 1, said)] == found
