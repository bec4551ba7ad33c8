import numpy as np
import pytest
import torch

from lib.lab import likelihood, models

WORDS = ["le", "chat", "dort", "sur", "un", "tapis", "rouge", "et", "bleu"]


pytestmark = pytest.mark.usefixtures("one_thread")


@pytest.fixture(scope="module")
def loaded():
    """A tiny random language model of words, and its tokenizer."""
    from tokenizers import Tokenizer, pre_tokenizers
    from tokenizers import models as kinds
    from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

    known = {word: number for number, word in enumerate(["<end>", *WORDS])}
    tokenizer = Tokenizer(kinds.WordLevel(known, unk_token="<end>"))
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    torch.manual_seed(0)
    size = {"hidden_size": 32, "intermediate_size": 48, "num_hidden_layers": 2, "num_attention_heads": 2}
    model = LlamaForCausalLM(LlamaConfig(vocab_size=len(known), max_position_embeddings=600, **size)).eval()
    return model, PreTrainedTokenizerFast(tokenizer_object=tokenizer, eos_token="<end>")


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
