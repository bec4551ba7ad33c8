import numpy as np
import pytest
import torch

from lib.lab import likelihood, models
from tests.lab.conftest import tiny_model

WORDS = ["le", "chat", "dort", "sur", "un", "tapis", "rouge", "et", "bleu"]


pytestmark = pytest.mark.usefixtures("one_thread")


@pytest.fixture(scope="module")
def loaded():
    return tiny_model(WORDS)


@pytest.fixture
def texts():
    rng = np.random.default_rng(0)
    return [" ".join(rng.choice(WORDS, size)) for size in (3, 40, 1, 12, 200)]


def one_by_one(model, tokenizer, text, prefix=""):
    """The loss as transformers computes it, of one text."""
    before, after = (tokenizer(part, add_special_tokens=False)["input_ids"] for part in (prefix, text))
    ids = torch.tensor([[tokenizer.eos_token_id, *before, *after]])
    labels = ids.clone()
    labels[:, : 1 + len(before)] = -100
    with torch.inference_mode():
        return float(model(input_ids=ids, labels=labels).loss) * len(after)


def test_batches_pay_what_transformers_says_one_by_one(loaded, texts, monkeypatch):
    monkeypatch.setattr(likelihood, "CHUNK", 7)
    expected = [one_by_one(*loaded, text) for text in texts]
    assert likelihood.score(*loaded, texts) == pytest.approx(expected, rel=1e-5)


def test_prefixes_are_read_and_not_paid_for(loaded, texts):
    prefixes = ["le chat", "", "un tapis rouge", "et", "dort"]
    expected = [one_by_one(*loaded, text, prefix) for text, prefix in zip(texts, prefixes, strict=True)]
    found = likelihood.score(*loaded, texts, prefixes)
    assert found == pytest.approx(expected, rel=1e-5)
    assert found[0] != pytest.approx(likelihood.score(*loaded, texts[:1])[0], rel=1e-3)


def test_capped_logits_are_capped(loaded, texts, monkeypatch):
    model, tokenizer = loaded
    monkeypatch.setattr(model.config, "final_logit_softcapping", 1e-9, raising=False)
    lengths = [len(text.split()) for text in texts]
    assert likelihood.score(model, tokenizer, texts) == pytest.approx(np.log(len(WORDS) + 1) * np.array(lengths))


@pytest.mark.parametrize("text", ["", "chat " * 600])
def test_what_cannot_be_read_is_said(loaded, text):
    with pytest.raises(ValueError, match="1 to 512 tokens"):
        likelihood.score(*loaded, ["le chat", text])


def test_readings_are_kept_by_model_texts_and_prefixes(loaded, texts, monkeypatch, tmp_path):
    calls = []

    def load(name):
        calls.append(name)
        return loaded

    monkeypatch.setenv("GUIDON_CACHE", str(tmp_path))
    monkeypatch.setattr(models, "load_causal_lm", load)
    first = likelihood.nats("smollm2", texts, "trial")
    assert likelihood.nats("smollm2", texts, "trial") == pytest.approx(first, abs=0)
    assert first == pytest.approx(likelihood.score(*loaded, texts))
    likelihood.nats("smollm2", texts, "trial", ["le"] * len(texts))
    likelihood.nats("smollm2", texts[:2], "trial")
    assert calls == ["smollm2"] * 3
