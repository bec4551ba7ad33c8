"""Mixtures of experts and their dense twins, on random text and shapes small enough for a test."""

import numpy as np
import pandas as pd
import pytest
import torch
import torch.nn.functional as F

from lib.lab import experts, sources, text
from lib.lab.experts import Setting

SMALL = Setting(seed=3, experts=4, hidden=8, steps=16, held_out=5)


@pytest.fixture
def small(project, monkeypatch):
    """Twelve random texts and small models; the tokenizer only tells how many tokens there are."""
    tokenizer = text.train_bpe(["Le contrat est conclu pour un an, puis rompu avant son terme."] * 2, 260)
    assert tokenizer.get_vocab_size() == 260
    monkeypatch.setattr(text, "load_bpe", lambda: tokenizer)
    monkeypatch.setattr(sources, "content_hash", lambda name: name)
    for name, value in {"WIDTH": 16, "LAYERS": 2, "LENGTH": 12, "BATCH": 4}.items():
        monkeypatch.setattr(experts, name, value)
    draw = np.random.default_rng(0)
    rows = [draw.integers(0, 260, (experts.ROWS + number % 2, 13)) for number in range(12)]
    monkeypatch.setattr(experts, "texts", lambda: pd.DataFrame({"origin": list(experts.ORIGINS) * 6, "rows": rows}))
    experts.split.cache_clear()
    yield
    experts.split.cache_clear()


def test_held_out_texts_are_not_read_and_each_origin_is_read_as_much(small):
    rows, apart = experts.split(5)
    assert apart.shape == (5, experts.ROWS, 13)
    every = experts.texts()["rows"]
    of_code, of_sheets = (np.concatenate(list(every[5:][first::2])) for first in (1, 0))  # text 5 is a sheet
    assert len(of_code) < len(of_sheets)
    assert np.array_equal(rows, np.concatenate([of_code, of_sheets[: len(of_code)]]))
    assert not {tuple(row) for row in rows.tolist()} & {tuple(row) for row in apart.flatten(0, 1).tolist()}


def test_a_dense_twin_computes_as_much_but_for_the_router(small):
    mixture, dense = (experts.build(Setting(experts=number, hidden=8), 260) for number in (4, 1))
    (total, used), (all_dense, used_dense) = experts.parameters(mixture), experts.parameters(dense)
    routers = experts.LAYERS * 4 * experts.WIDTH
    assert used - routers == used_dense == all_dense
    assert total - used == experts.LAYERS * 2 * 3 * experts.WIDTH * 8  # the two of four that are not active


def test_first_weights_depend_on_the_seed_alone(small):
    one, same, other = (experts.build(Setting(seed=seed, experts=4, hidden=8), 260) for seed in (1, 1, 2))
    first, again, different = (model.model.embed_tokens.weight for model in (one, same, other))
    assert torch.equal(first, again)
    assert not torch.equal(first, different)


def test_unevenness_is_least_when_even_and_judges_each_layer():
    even = torch.eye(4) * 50  # four tokens, each surely to an expert of its own
    one_sided = torch.zeros(4, 4) + torch.tensor([50.0, 0, 0, 0])
    assert torch.isclose(experts.unevenness([even], 1), torch.tensor(1.0))
    assert torch.isclose(experts.unevenness([one_sided], 1), torch.tensor(4.0))
    assert torch.isclose(experts.unevenness([even, one_sided], 1), torch.tensor(2.5))


def test_unevenness_is_the_sum_of_the_formula():
    logits = torch.randn(30, 4, generator=torch.Generator().manual_seed(0))
    chances, expected = logits.softmax(-1), 0.0
    for expert in range(4):
        chosen = sum(expert in row.topk(2).indices.tolist() for row in chances) / 30
        expected += 4 * chosen * float(chances[:, expert].mean())
    assert float(experts.unevenness([logits], 2)) == pytest.approx(expected, rel=1e-5)


def test_what_is_observed_is_what_the_router_did(small):
    _, apart = experts.split(5)
    model = experts.build(SMALL, 260)
    first, nats, states = experts.observe(model, apart)
    assert first.shape == (2, 5, 24)
    assert nats.shape == (5, 24)
    assert states.shape == (2, 5, 2, 16)  # token 4 of each of two rows of 12
    for layer in range(2):
        gate = model.model.layers[layer].mlp.gate.weight
        for row in range(experts.ROWS):
            asked = F.linear(torch.from_numpy(states[layer, :, row]), gate).argmax(-1)
            assert asked.tolist() == first[layer, :, 12 * row + 4].tolist()
    with torch.no_grad():
        alone = model(input_ids=apart[1, 1:2]).logits[0, :-1]
    expected = F.cross_entropy(alone, apart[1, 1, 1:], reduction="none")
    assert np.allclose(nats[1, 12:], expected, atol=1e-4)


def test_a_study_follows_training_and_gives_the_same_numbers_twice(small):
    with experts.alone():
        one, two = experts.study(SMALL), experts.study(SMALL)
        _, untrained, _ = experts.observe(experts.build(SMALL, 260), experts.split(5)[1])
    assert one.steps.tolist() == [0, 1, 2, 4, 8, 16]
    assert one.first.shape == (6, 2, 5, 24)
    assert all(np.array_equal(getattr(one, name), getattr(two, name)) for name in ("first", "nats", "states"))
    assert one.nats.mean() < untrained.mean()
    _, apart = experts.split(5)
    assert np.array_equal(one.first[0], experts.observe(experts.build(SMALL, 260), apart)[0])


def test_studies_are_made_once_and_read_back(small, monkeypatch):
    dense = Setting(experts=1, hidden=8, steps=16, held_out=5)
    found, twin = experts.studies([SMALL, dense], jobs=1)
    monkeypatch.setattr(experts, "_write", None)
    again, _ = experts.studies([SMALL, dense], jobs=1)
    assert np.array_equal(found.first, again.first)
    assert np.array_equal(found.nats, again.nats)
    assert (found.total, found.used) == (again.total, again.used)
    assert twin.first.size == 0
    assert len(twin.steps) == 0
    assert twin.total == twin.used


@pytest.mark.parametrize(("steps", "expected"), [(160, [0, 10, 20, 40, 80, 160]), (4, [0, 1, 2, 4]), (1, [0, 1])])
def test_checkpoints_double_to_the_last(steps, expected):
    assert experts.checkpoints(steps) == expected


def test_texts_take_origins_in_turn_and_leave_out_the_short(project, monkeypatch):
    tokenizer = text.train_bpe(["Le contrat est conclu pour un an, puis rompu avant son terme."] * 2, 260)
    monkeypatch.setattr(text, "load_bpe", lambda: tokenizer)
    monkeypatch.setattr(sources, "content_hash", lambda name: name)
    monkeypatch.setattr(experts, "LENGTH", 12)
    monkeypatch.setattr(experts, "MOST_ROWS", 3)
    law = pd.DataFrame(
        {"section_path": ["a", "a", "b", "c"], "text": ["loi " * 20, "code " * 20, "court", "droit " * 9]}
    )
    sheets = pd.DataFrame({"sheet_id": ["x", "y", "z"], "text": ["fiche " * 60, "guide " * 60, "copie " * 60]})
    monkeypatch.setattr(experts.corpus, "code_du_travail", lambda: law)
    monkeypatch.setattr(experts.corpus, "service_public", lambda: sheets)
    monkeypatch.setattr(experts.themes, "sheets", lambda: sheets[:2])  # the third is a copy
    experts.texts.cache_clear()
    found = experts.texts()
    experts.texts.cache_clear()
    assert found["origin"].tolist() == ["code", "sheet"] * 2
    assert [len(rows) for rows in found["rows"][found["origin"] == "sheet"]] == [3, 3]
    told = [tokenizer.decode([token for row in rows for token in row[1:]]) for rows in found["rows"]]
    words = [set(text.words(one)) for one in told]
    assert [("loi" in one, "droit" in one) for one in words[::2]] in (
        [(True, False), (False, True)],
        [(False, True), (True, False)],
    )
    assert not any("copie" in one or "court" in one for one in words)
