"""The model that has read the other sheets, on sheets and a shape small enough for a test."""

import pandas as pd
import pytest
import torch

from lib.lab import base, corpus, sheets_model, sources, text, themes
from lib.lab.training import Recipe, Shape, nats, pack

pytestmark = pytest.mark.usefixtures("one_thread")

NOUNS = ("permis", "impôt", "mariage", "loyer", "recours", "salaire", "retraite", "bateau", "passeport", "chien")


def sheet(number, theme):
    noun = NOUNS[number % 10]
    body = f"Le {noun} numéro {number} se demande au guichet {number * 7} de la mairie, où l'agent {number} le remet. "
    return {"sheet_id": f"F{number}", "theme": theme, "title": f"Le {noun} {number}", "text": body * 4}


def sheets(first, count, theme):
    return [sheet(first + number, theme) for number in range(count)]


@pytest.fixture
def small(project, monkeypatch):
    """Thirty sheets of the themes, thirty of another, twenty for firms: one a copy, one known already, one short."""
    public = pd.DataFrame([*sheets(0, 30, "Travail"), *sheets(100, 30, "Loisirs"), *sheets(200, 1, "")])
    firms = pd.DataFrame(sheets(300, 20, "Travail"))
    firms.loc[0, "text"] = public.loc[0, "text"] + "Merci."
    firms.loc[1, "sheet_id"] = "F100"
    firms.loc[2, "text"] = "Trop court."
    tokenizer = text.train_bpe(list(public["text"]), 300)
    monkeypatch.setattr(base, "SHAPE", Shape(vocabulary=300, context=16, width=16, layers=1, heads=2, hidden=24))
    monkeypatch.setattr(base, "RECIPE", Recipe(steps=5, batch=8, learning_rate=1e-2))
    monkeypatch.setattr(sheets_model, "RECIPE", Recipe(steps=60, batch=8, learning_rate=1e-2))
    monkeypatch.setattr(text, "load_bpe", lambda size: tokenizer)
    monkeypatch.setattr(corpus, "code_du_travail", lambda: pd.DataFrame({"text": list(public["text"])[:9]}))
    frames = {"particuliers": public, "professionnels": firms, "associations": firms[:0]}
    monkeypatch.setattr(corpus, "service_public", lambda audience="particuliers": frames[audience].copy())
    monkeypatch.setattr(themes, "sheets", lambda: public[["sheet_id"]][1:])
    monkeypatch.setattr(sources, "content_hash", lambda name: name)
    return public, firms


def test_theme_sheets_are_those_of_the_themes_without_near_copies(small):
    found = sheets_model.theme_sheets()
    assert list(found["sheet_id"]) == [f"F{number}" for number in range(1, 30)]
    assert list(found.columns) == ["sheet_id", "theme", "title", "text"]


def test_other_sheets_are_neither_of_a_theme_nor_copies_of_one(small, monkeypatch):
    public, firms = small
    monkeypatch.setattr(themes, "sheets", lambda: public[["sheet_id"]])
    found = sheets_model.other_sheets()
    expected = [*public["text"][30:60], *firms["text"][3:]]
    assert found == [text.normalize(one) for one in expected]


def test_the_model_goes_on_from_the_base_model(small):
    rows = pack(text.encode(text.load_bpe(300), sheets_model.other_sheets()), 16)
    one = sheets_model.load_sheets_model()
    assert nats(one, rows).mean() < 0.8 * nats(base.load_law_model(), rows).mean()
    three = sheets_model.load_sheets_model(3)
    for member in nats(three, rows[:9]):
        torch.testing.assert_close(
            torch.from_numpy(member), torch.from_numpy(nats(one, rows[:9])[0]), atol=1e-4, rtol=0
        )


def test_it_is_trained_once_and_threads_are_given_back(small, monkeypatch):
    before = torch.get_num_threads()
    path = sheets_model.sheets_model()
    monkeypatch.setattr(sheets_model, "_write", lambda path: pytest.fail("trained twice"))
    assert sheets_model.sheets_model() == path
    assert torch.get_num_threads() == before
