import copy
import json
import random

import numpy as np
import pandas as pd
import pytest
import torch

from lib.lab import likelihood, models, niche, sources, specialists, text
from lib.lab.training import Llama, Shape
from tests.lab.conftest import tiny_model

pytestmark = pytest.mark.usefixtures("one_thread")

NOUNS = ["salarié", "contrat", "travail", "congé", "délai", "montant", "conseil", "comité", "projet", "niveau"]
NOUNS += ["régime", "service", "titre", "temps", "début", "moyen", "poste", "droit"]


def sentence(draw, length=40):
    """Nouns after their determiner, so that gaps can be found."""
    return " ".join(f"le {draw.choice(NOUNS)}" for _ in range(length // 2))


@pytest.fixture(scope="module")
def loaded():
    return tiny_model(["le", *NOUNS])


@pytest.fixture
def rows(project, monkeypatch):
    """An exam of three passages, two labelled examples and a gap; lessons are random nouns."""
    draw = random.Random(1)
    monkeypatch.setattr(sources, "content_hash", lambda name: name)
    monkeypatch.setattr(niche, "lesson", lambda seed: [sentence(random.Random(seed + n)) for n in range(60)])
    kinds = ["code", "theme", "sheets", "labelled", "labelled", *["gap"] * 4]
    texts = [sentence(draw) for _ in range(5)] + [f"{noun} le droit" for noun in NOUNS[:4]]
    prefixes = [""] * 5 + ["le contrat le"] * 4
    return pd.DataFrame({"kind": kinds, "prefix": prefixes, "text": texts})


def test_tokens_are_laid_after_one_mark_and_only_the_text_is_paid_for():
    bpe = text.train_bpe(["le salarié et le contrat"] * 20, 280)
    rows = pd.DataFrame({"prefix": ["le salarié", ""], "text": [" et", "le contrat"]})
    laid, paid = specialists.lay_out(bpe, rows, 30)
    cut = [[bpe.encode(one).ids for one in pair] for pair in zip(rows["prefix"], rows["text"], strict=True)]
    width = max(len(before) + len(after) for before, after in cut)
    for place, (before, after) in enumerate(cut):
        assert laid[place].tolist() == [0, *before, *after] + [0] * (width - len(before) - len(after))
        assert np.flatnonzero(paid[place]).tolist() == list(range(len(before), len(before) + len(after)))
    prefix, own = cut[0]
    laid, paid = specialists.lay_out(bpe, rows[:1], len(own) + 2)  # the nearest words, when there is no room for all
    assert laid[0].tolist() == [0, *prefix[-2:], *own]
    assert np.flatnonzero(paid[0]).tolist() == list(range(2, 2 + len(own)))
    with pytest.raises(ValueError, match="1 tokens at most"):
        specialists.lay_out(bpe, rows.assign(text="un autre texte"), 1)


def test_small_models_answer_as_a_loop_over_tokens_does():
    bpe = text.train_bpe(["le salarié et le contrat"] * 20, 280)
    rows = pd.DataFrame({"kind": ["gap", "code"], "prefix": ["le salarié", ""], "text": [" et", "le contrat"]})
    model = Llama(Shape(vocabulary=280, context=30, width=16, layers=1, heads=2, hidden=24), (0, 1))
    said = specialists.examine_small(model, bpe, rows)
    assert said["states"].shape == (2, 2, 32)
    assert np.isnan(said["states"][:, 0]).all()  # gaps are not classified
    for place, (prefix, own) in enumerate(zip(rows["prefix"], rows["text"], strict=True)):
        before, after = (bpe.encode(one).ids for one in (prefix, own))
        tokens = torch.tensor([0, *before, *after])
        with torch.no_grad():
            logits = model(tokens[None, None].expand(2, 1, -1)).log_softmax(-1)[:, 0]  # (E, T, V)
        places = range(1 + len(before), len(tokens))
        expected = [-sum(float(logits[one, at - 1, tokens[at]]) for at in places) for one in range(2)]
        assert said["nats"][:, place] == pytest.approx(expected, rel=1e-4)
    state = model.hidden(tokens[None, None, 1:].expand(2, 1, -1)).view(2, -1, 16).mean(1).detach().numpy()
    bag = torch.stack([one[tokens[1:]].mean(0) for one in model.embedding]).detach().numpy()
    assert np.allclose(said["states"][:, 1], np.concatenate([state, bag], axis=1), atol=1e-4)


def test_four_texts_after_one_prefix_cost_what_they_cost_apart(loaded):
    draw = random.Random(3)
    gaps = pd.DataFrame(
        [
            {"prefix": prefix, "text": f"{noun} {sentence(draw, 2 + 2 * n)}"}
            for prefix in ("le contrat le", "le poste le droit le", "le", "le délai le", "le conseil le comité le")
            for n, noun in enumerate(NOUNS[:4])
        ]
    )
    found = specialists.fill(*loaded, gaps)
    assert found == pytest.approx(likelihood.score(*loaded, list(gaps["text"]), list(gaps["prefix"])), rel=1e-5)


def test_states_halfway_are_those_of_texts_one_by_one(loaded):
    model, tokenizer = loaded
    draw, layers = random.Random(0), model.model.layers
    texts = [sentence(draw, length) for length in (6, 20, 4, 12)]
    found = specialists.halfway(model, tokenizer, texts)
    assert model.model.layers is layers  # the model is whole again
    for one, vector in zip(texts, found, strict=True):
        ids = torch.tensor([[tokenizer.eos_token_id, *tokenizer(one, add_special_tokens=False)["input_ids"]]])
        with torch.inference_mode():
            states = model.model(input_ids=ids, output_hidden_states=True).hidden_states
            middle = model.model.norm(states[len(layers) // 2])[0, 1:]
        assert vector == pytest.approx(middle.mean(0).numpy(), abs=1e-4)


def test_answers_are_kept_and_leave_out_what_is_not_asked(rows, loaded, monkeypatch):
    calls = []
    monkeypatch.setattr(models, "load_causal_lm", lambda name: calls.append(name) or loaded)
    said, again = specialists.answers_of("smollm2", rows), specialists.answers_of("smollm2", rows)
    assert calls == ["smollm2"]
    assert np.array_equal(said["nats"], again["nats"], equal_nan=True)
    kinds = rows["kind"].to_numpy()
    assert np.isnan(said["nats"]).tolist() == np.isin(kinds, ["labelled", "theme"]).tolist()
    assert np.isnan(said["states"][:, 0]).tolist() == np.isin(kinds, ["sheets", "gap"]).tolist()
    assert said["parameters"] == sum(weights.numel() for weights in loaded[0].parameters())
    few = specialists.answers_of("smollm2", rows[rows["kind"] == "code"])  # no gap in it
    assert few["nats"] == pytest.approx(said["nats"][kinds == "code"])


def test_the_clock_runs_each_time_and_counts_bytes(loaded, monkeypatch):
    asked, ticks = [], iter([10.0, 12.0, 20.0, 21.0])
    monkeypatch.setattr(models, "load_causal_lm", lambda name: asked.append(name) or loaded)
    monkeypatch.setattr(specialists.time, "perf_counter", lambda: next(ticks))
    texts = ["le salarié", "le délai"]  # 11 and 9 bytes
    assert specialists.speed("smollm2", texts) == pytest.approx(0.020 / 2)
    assert specialists.speed("smollm2", texts) == pytest.approx(0.020 / 1)
    assert asked == ["smollm2"] * 2


def test_lora_teaches_each_seed_once(rows, loaded, monkeypatch):
    monkeypatch.setattr(models, "load_causal_lm", lambda name: (copy.deepcopy(loaded[0]), loaded[1]))
    monkeypatch.setattr(specialists, "ROW", 16)
    before = specialists.answers_of("smollm2", rows)["nats"]
    one, other = (specialists.lora(seed, 480, 4, 1e-2) for seed in (0, 1))
    assert specialists.lora(0, 480, 4, 1e-2) == one != other
    costs = json.loads((one / "costs.json").read_text())
    assert costs["trained"] > 0
    assert costs["read_bytes"] > 480
    asked = ~np.isnan(before)
    first, second = (specialists.answers_of("smollm2", rows, adapter)["nats"][asked] for adapter in (one, other))
    assert first.sum() < before[asked].sum()
    assert not np.array_equal(first, second)


def test_models_from_scratch_learn_and_know_when_the_niche_is_too_small(rows, monkeypatch):
    monkeypatch.setattr(niche, "VOCABULARY", 280)
    shape = Shape(vocabulary=280, context=300, width=16, layers=1, heads=2, hidden=24)
    little, more = (specialists.from_scratch(rows, (0, 1), tokens, shape, 1e-2, 1) for tokens in (300, 4500))
    assert more["nats"].sum() < little["nats"].sum()
    assert more["nats"].shape == (2, len(rows))
    assert not np.array_equal(more["nats"][0], more["nats"][1])
    assert more["read_bytes"] > little["read_bytes"]
    with pytest.raises(ValueError, match="the niche has"):
        specialists.from_scratch(rows, (0,), 10**9, shape, 1e-2, 1)
