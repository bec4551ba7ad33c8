"""The shared base model, on a text and a shape small enough for a test."""

import pandas as pd
import pytest
import torch

from lib.lab import base, corpus, sources, text
from lib.lab.training import Recipe, Shape, nats

ARTICLES = [
    f"Le contrat numéro {n} est conclu pour {n + 1} mois et peut être rompu avant son terme." for n in range(60)
]


@pytest.fixture
def small(project, monkeypatch):
    """A base model of a few steps on a few articles; counts how often it is trained."""
    tokenizer = text.train_bpe(ARTICLES, 300)
    monkeypatch.setattr(base, "SHAPE", Shape(vocabulary=300, context=16, width=16, layers=1, heads=2, hidden=24))
    monkeypatch.setattr(base, "RECIPE", Recipe(steps=30, batch=8, learning_rate=1e-2))
    monkeypatch.setattr(text, "load_bpe", lambda size: tokenizer)
    monkeypatch.setattr(corpus, "code_du_travail", lambda: pd.DataFrame({"text": ARTICLES}))
    monkeypatch.setattr(sources, "content_hash", lambda name: name)
    trained = []
    write = base._write
    monkeypatch.setattr(base, "_write", lambda path: trained.append(path) or write(path))
    return trained


def test_it_is_trained_once_and_loaded_as_often_as_asked(small):
    one, three = base.load_law_model(), base.load_law_model(3)
    assert len(small) == 1
    assert base.law_model().is_file()
    rows = base.law_rows()[:20]
    alone, together = nats(one, rows), nats(three, rows)
    assert (alone.shape[0], together.shape[0]) == (1, 3)
    for member in together:
        assert torch.allclose(torch.from_numpy(member), torch.from_numpy(alone[0]), atol=1e-4)


def test_it_has_learned_from_its_text(small):
    from lib.lab.training import Llama

    rows = base.law_rows()
    assert nats(base.load_law_model(), rows).mean() < 0.8 * nats(Llama(base.SHAPE), rows).mean()


def test_members_can_be_trained_apart(small):
    models = base.load_law_model(2)
    with torch.no_grad():
        models.embedding[0] += 1
    assert not torch.equal(models.embedding[0], models.embedding[1])


def test_threads_are_given_back(small):
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    base.law_model()
    assert torch.get_num_threads() == 1
    torch.set_num_threads(before)


def test_rows_are_one_context_and_a_mark_of_beginning(small):
    rows = base.law_rows()
    assert rows.shape[1] == base.SHAPE.context + 1
    assert (rows[:, 0] == 0).all()
