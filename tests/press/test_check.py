import json

import pytest

from lib.cli import main
from lib.press.accept import accept
from lib.press.check import check_file, check_note, check_notebook, typed_numbers
from lib.press.notebooks import load
from lib.press.runs import run
from tests.conftest import BODY, PARAMETERS, accept_by_hand, cell

FIGURE = (
    "#| label: fig-mean\n#| fig-cap: {fr: La moyenne., en: The mean.}\n#| fig-alt: {fr: Un point., en: A dot.}\n"
    "plots.show(draw, labels={})"
)


def rules(problems):
    return sorted({problem.rule for problem in problems})


def messages(project, **parts):
    return " / ".join(str(problem) for problem in check_notebook(load(project.write(**parts))))


def test_a_sound_notebook_has_no_problem(project):
    assert check_notebook(load(project.write())) == []
    assert check_notebook(load(project.write(body=[*BODY, FIGURE]))) == []


@pytest.mark.parametrize(
    ("head", "message"),
    [
        ({"title": {"fr": "Un titre"}}, "lacks title.en"),
        ({"categories": ["a"]}, "categories in fr and en"),
        ({"kind": "rumour"}, "kind is one of"),
        ({"claim": {"fr": "On dit."}}, "claim.source"),
        ({"date": "soon"}, "lacks a date"),
        ({"profiles": {"quick": {}}}, "lack smoke"),
        ({"profiles": {"smoke": {"sise": 1}}}, "no parameter sise"),
        ({"inputs": ["nowhere"]}, "input nowhere"),
    ],
)
def test_front_matter_is_complete(project, head, message):
    assert message in messages(project, head=head)


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ([*BODY, "\n".join(f"x{n} = {n}" for n in range(16))], "16 lines of code"),
        ([*BODY, "!pip install x"], "magic or shell"),
        ([*BODY, "try:\n    pass\nexcept:\n    pass"], "bare except"),
        ([*BODY, "open('/home/someone/x')"], "absolute path"),
        ([*BODY, FIGURE.replace("fig-mean", "mean")], "label: fig-"),
        ([*BODY, FIGURE.replace(", en: A dot.", "")], "fig-alt"),
        ([*BODY, FIGURE.replace("{fr: La", "{fr: [La")], "not YAML"),
        (BODY[:2], "results.verdict"),
    ],
)
def test_code_and_figures_are_in_order(project, body, message):
    assert message in messages(project, body=body)


def test_parameters_have_a_seed_and_say_why(project):
    assert "has no seed" in messages(project, parameters="size: int = 1  # rows", body=[BODY[0]])
    assert "size has no comment" in messages(project, parameters=PARAMETERS.replace("  # rows: enough for a test", ""))


def test_twins_stand_next_to_each_other(project):
    path = project.write()
    raw = json.loads(path.read_text())
    del raw["cells"][4]
    raw["cells"].append({"cell_type": "markdown", "id": "z", "metadata": {}, "source": "No language."})
    path.write_text(json.dumps(raw))
    assert rules(check_file(path)) == ["twins"]
    assert len(check_file(path)) == 2


def lesson(project, *cells):
    """A tutorial that ends with these cells: (kind, source, tags, metadata)."""
    path = project.write(head={"kind": "tutorial"})
    raw = json.loads(path.read_text())
    for number, (kind, source, tags, metadata) in enumerate(cells):
        added = cell(kind, source, 50 + number, tags)
        added["metadata"] |= metadata
        raw["cells"].append(added)
    path.write_text(json.dumps(raw))
    return [(problem.cell, problem.message) for problem in check_file(path) if problem.rule == "exercises"]


ASKED = [("markdown", "**A. Compter.** Combien ?", ("fr",), {}), ("markdown", "**A. Count.** How many?", ("en",), {})]
HEADED = [("markdown", "## 4. Exercice\n\nOui ?", ("fr",), {}), ("markdown", "## 4. Exercise\n\nSo?", ("en",), {})]
SOLVED = ("code", "assert mean == mean", ("solution",), {"jupyter": {"source_hidden": True}})


@pytest.mark.parametrize("asked", [ASKED, HEADED])
def test_an_exercise_has_a_solution_after_it(project, asked):
    assert lesson(project, *asked, SOLVED) == []
    assert lesson(project, *asked, SOLVED, *asked, SOLVED) == []
    for cells in (asked, [*asked, ("code", "assert mean == mean", (), {})], [*asked, *asked, SOLVED]):
        found = lesson(project, *cells)
        assert [number for number, _ in found] == [8, 9]
        assert all("an exercise without a solution" in message for _, message in found)
    assert [number for number, _ in lesson(project, *asked, SOLVED, *asked)] == [11, 12]


def test_words_about_exercises_are_none(project):
    told = [
        ("markdown", "## Exercices\n\n**Attention.** Rien.", ("fr",), {}),
        ("markdown", "## Exercises", ("en",), {}),
    ]
    assert lesson(project, *told, ("code", "mean", (), {})) == []


def test_each_exercise_has_a_cell_of_its_own(project):
    both = [("markdown", f"{source}\n\n{source}", tags, {}) for _, source, tags, _ in ASKED]
    assert {message.partition(" in ")[0] for _, message in lesson(project, *both, SOLVED)} == {"2 exercises"}


def test_a_solution_is_not_shown_to_whoever_opens_the_notebook(project):
    for metadata in ({}, {"jupyter": {}}, {"jupyter": {"source_hidden": False}}):
        found = lesson(project, *ASKED, (*SOLVED[:3], metadata))
        assert [number for number, _ in found] == [10]
        assert "collapsed in JupyterLab" in found[0][1]


def test_names_are_known_before_and_after_a_run(project):
    prose = ("{{ maen }}", "{{ mean }}")
    assert "unknown name maen, line 1; did you mean mean" in messages(project, prose=prose)
    notebook = load(project.write(prose=prose))
    run(notebook, "quick")
    accept(notebook, "quick")
    assert rules(check_notebook(notebook)) == ["names"]


@pytest.mark.parametrize(
    ("asked", "told"),
    [
        ("{{ mean | signed(number, 1) }}", "signed(number, 1) }} cannot be written so"),
        ("{{ mean | pecent }}", "unknown filter in {{ mean | pecent }}"),
        ("{{ mean | table }}", "it is not a list of rows"),
        ("{{ mean | percent(1) }}, {{ nothing }}", "unknown name nothing"),
    ],
)
def test_what_no_filter_can_write_is_found_before_publishing(project, asked, told):
    notebook = project.write()
    accept_by_hand(project)
    assert "names" not in rules(check_notebook(load(notebook)))
    problems = check_notebook(load(project.write(prose=(f"Moyenne : {asked}.", f"Mean: {asked}."))))
    found = [problem for problem in problems if problem.rule == "names"]
    assert [problem.cell for problem in found] == [3, 4]
    assert all(told in problem.message for problem in found)


def test_names_in_captions_are_known_even_when_lines_break_in_them(project):
    figure = (
        "#| label: fig-a\n#| fig-cap:\n#|   fr: >-\n#|     Vaut {{\n#|     {name} }}.\n#|   en: It is {{ mean }}.\n"
        "#| fig-alt: {{fr: a, en: b}}\nplots.show(draw, labels={})"
    )
    for name, expected in (("mean", []), ("maen", ["names"])):
        body = [*BODY, figure.replace("{name}", name).replace("{{fr", "{fr").replace("b}}", "b}")]
        assert rules(check_file(project.write(body=body))) == expected


def test_outputs_in_a_source_are_found(project):
    path = project.write()
    raw = json.loads(path.read_text())
    raw["cells"][-1]["execution_count"] = 3
    path.write_text(json.dumps(raw))
    assert rules(check_file(path)) == ["outputs"]


def test_a_stale_result_is_told_with_what_changed(project):
    notebook = load(project.write())
    run(notebook, "quick")
    accept(notebook, "quick")
    assert check_notebook(notebook) == []
    found = messages(project, body=[BODY[0], BODY[1].replace("- 1", "- 2"), BODY[2]])
    assert "accepted quick result is stale: code changed" in found


def test_a_file_that_is_no_notebook_is_one_problem(project):
    path = project.write()
    path.write_text("{")
    assert rules(check_file(path)) == ["anatomy"]


@pytest.mark.parametrize(
    "text",
    [
        "En 2024, l'article L. 1234-5 du Code, BM25 et e5.",
        "le 19 avril 2024, la section 12 et la figure 14, n°\u00a0305",
        "three seeds, 10 groups, `x = 42`, $p < 0.05$, {{ mrr | number(2) }}",
        "1. a list\n12. its twelfth item",
        "[a link](https://example.org/123) and [@shumailov2024]",
        "from 1 to 10",
    ],
)
def test_what_is_no_result_may_be_typed(text):
    assert list(typed_numbers(text)) == []


@pytest.mark.parametrize(
    "text",
    ["un score de 0,218", "91 % des cas", "5 % of them", "11 545 articles", "1.5 times", "a gain of 42", "+3,5 points"],
)
def test_what_may_be_a_result_may_not(text):
    assert len(list(typed_numbers(text))) == 1


def test_notes_are_checked_too(website, capsys):
    note = website.root / "notebooks/writing/002-essay.fr.md"
    note.write_text(
        "---\ntitle: T {{ tiny.maen }}\ndate: 2026-01-01\n---\n\nIl vaut 37 % de {{ tiny.mean }}, {{ no.x }}.\n"
    )
    told = [problem.message for problem in check_note(note)]
    assert told == [
        "front matter lacks description", "unknown name tiny.maen, line 1; did you mean tiny.mean?",
        "unknown name no.x, line 2; no result of no is accepted",
        "'37 %' is typed by hand; record it and write {{ name }}",
    ]  # fmt: skip
    note.write_text("---\ntitle: T\ndescription: d\ndate: 2026-01-01\n---\n\nUn intervalle à 95 % se trompe.\n")
    assert check_note(note) == []
    note.write_text("---\ntitle: [\n---\n\na\n")
    assert "not YAML" in check_note(note)[0].message
    assert main(["check"]) == 1
    assert "002-essay.fr.md" in capsys.readouterr().out
