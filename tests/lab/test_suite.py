import json

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lib.lab import corpus, suite, themes

LETTERS = "abcdefghijklmnopqrstuvwxyz"
CASES = [LETTERS[n % 26] + LETTERS[n // 26] for n in range(96)]
CODE = [f"L'article L. 12{n:02}-{n + 1} est applicable à la demande du cas {case}." for n, case in enumerate(CASES)]


@pytest.fixture
def small(monkeypatch):
    """Texts enough for every task, some of which must be left out."""
    code = pd.DataFrame({"cid": [f"A{n}" for n in range(len(CODE))], "text": CODE})
    code["text"] = [f"{one} Ceci dure {n} mois." for n, one in enumerate(code["text"])]
    said = [f"La demande du cas {case} est faite dans un délai de {n + 2} mois." for n, case in enumerate(CASES[:60])]
    lasting = pd.DataFrame({"sheet_id": [f"F{n}" for n in range(60)], "text": said, "theme": "Argent", "title": "Un"})
    titles = pd.DataFrame({"sheet_id": [f"G{n}" for n in range(160)], "text": "", "theme": list(suite.THEMES) * 40})
    titles["title"] = [f"Carte numéro {n}" for n in range(160)]
    titles.loc[0, "title"] = "La famille nombreuse"
    public = pd.concat([lasting, titles], ignore_index=True)
    monkeypatch.setattr(corpus, "code_du_travail", lambda: code.copy())
    monkeypatch.setattr(corpus, "service_public", lambda: public.copy())
    monkeypatch.setattr(themes, "sheets", lambda: public[["sheet_id"]])
    return suite.load(8, 90, 3)


def test_each_task_asks_as_many_texts_none_of_which_is_an_example(small):
    assert small.asked.groupby("task", sort=False).size().to_dict() == dict.fromkeys(suite.TASKS, 8)
    for task, pool in small.pool.items():
        assert len(pool) == suite.POOL
        assert not set(pool["text"]) & set(small.asked["text"][small.asked["task"] == task])
    titles = small.asked[small.asked["task"] == "theme"]
    assert titles["gold"].value_counts().to_dict() == dict.fromkeys(suite.THEMES, 2)
    assert not small.asked["text"].str.contains("famille", case=False).any()


def test_answers_are_in_their_texts_and_in_the_form_asked_for(small):
    for task, said, gold in small.asked[["task", "text", "gold"]].to_numpy():
        assert suite.parse(task, gold) is not None
        if task in ("article", "duration"):
            assert gold in said
        if task == "json":
            assert json.loads(gold)["numéro"] in said


def test_prompts_follow_the_texts_and_show_as_many_examples(small):
    for form in suite.FORMATS:
        prompts = small.prompts(form, 0, 4)
        assert len(prompts) == len(small.asked)
        assert all(said in prompt for said, prompt in zip(small.asked["text"], prompts, strict=True))
        assert all(prompt == prompt.rstrip() for prompt in prompts)
    arrows = small.prompts("arrow", 0, 4)
    assert {prompt.count("=>") for prompt in arrows} == {5}
    assert small.prompts("arrow", 0, 4) == arrows
    assert small.prompts("arrow", 1, 4) != arrows
    assert arrows[0].startswith(suite.TASKS["article"][0])
    assert small.prompts("english", 0, 4)[0].startswith(suite.TASKS["article"][1])


def test_examples_of_themes_show_each_theme_once(small):
    prompt = small.prompts("arrow", 2, 4)[-1]
    assert sorted(line.partition("=> ")[2] for line in prompt.splitlines()[1:5]) == sorted(suite.THEMES)


@pytest.mark.parametrize(
    ("task", "answer", "said"),
    [
        ("article", "L. 1234-5", "L.1234-5"),
        ("article", " L.1234-5. ", "L.1234-5"),
        ("article", "l'article L. 1234-5", None),
        ("article", "L. 12-5", None),
        ("duration", "3 mois", "3mois"),
        ("duration", "trois mois", None),
        ("theme", "Logement", "Logement"),
        ("theme", "Logement et Travail", None),
        ("json", '{"numéro": "1-2", "type": "L"}', '{"num\\u00e9ro": "1-2", "type": "L"}'),
        ("json", '{"type": "L"}', None),
        ("json", "L. 1-2", None),
        ("json", "[1]", None),
    ],
)
def test_an_answer_is_read_strictly(task, answer, said):
    assert suite.parse(task, answer) == said


@given(st.sampled_from(list(suite.TASKS)), st.text())
def test_any_answer_can_be_read(task, answer):
    assert suite.parse(task, answer) is None or isinstance(suite.parse(task, answer), str)


def test_marks_have_the_shape_of_the_answers():
    asked = pd.DataFrame({"task": ["theme", "duration"], "text": "", "gold": ["Travail", "2 ans"]})
    said = np.array([[["Travail", "2 ans"], ["Famille", "deux ans"]], [["travail", "3 ans"], ["", "2  ans"]]])
    valid, right = suite.marks(asked, said)
    assert valid.tolist() == [[[True, True], [True, False]], [[False, True], [False, False]]]
    assert right.tolist() == [[[True, True], [False, False]], [[False, False], [False, False]]]
