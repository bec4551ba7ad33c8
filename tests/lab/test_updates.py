"""A tiny random model and its updates."""

import pandas as pd
import pytest
import torch

from lib.lab import corpus, models, sources, updates

pytestmark = pytest.mark.usefixtures("one_thread")


@pytest.fixture
def small(project, monkeypatch):
    """A tiny random Llama that reads one letter a token, and sheets of random letters."""
    from tokenizers import Tokenizer, pre_tokenizers
    from tokenizers import models as kinds
    from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

    letters = Tokenizer(kinds.WordLevel({letter: place for place, letter in enumerate("abcdefgh ")}, unk_token=" "))
    letters.pre_tokenizer = pre_tokenizers.Split("", "isolated")
    size = {"hidden_size": 16, "intermediate_size": 32, "num_hidden_layers": 1, "num_attention_heads": 2}

    def load(name):
        torch.manual_seed(0)
        return LlamaForCausalLM(LlamaConfig(vocab_size=9, **size)).eval(), PreTrainedTokenizerFast(
            tokenizer_object=letters
        )

    sheets = pd.DataFrame(
        {"sheet_id": [f"F{n}" for n in range(30)], "text": [("abcdefgh" * 4)[n % 8 :] for n in range(30)]}
    )
    known = pd.DataFrame({"sheet_id": ["F1", "F2"]})
    monkeypatch.setattr(models, "load_causal_lm", load)
    monkeypatch.setattr(corpus, "service_public", lambda audience="": sheets if audience else known)
    monkeypatch.setattr(sources, "load", lambda: {"smollm2": None})
    monkeypatch.setattr(sources, "content_hash", lambda name: name)
    for name, value in {"STEPS": 12, "BATCH": 2, "TOKENS": 8, "RATE": 0.05}.items():
        monkeypatch.setattr(updates, name, value)
    return load


def test_sheets_for_the_public_are_not_read(small):
    _, tokenizer = small("any")
    assert updates.rows(tokenizer, 28).shape == (28, 8)
    with pytest.raises(ValueError, match="only 28 sheets"):
        updates.rows(tokenizer, 29)


def test_an_updated_model_pays_less_for_what_it_read_and_is_the_same_twice(small):
    before, tokenizer = small("smollm2")
    after, _ = updates.load_updated("smollm2")
    text = updates.rows(tokenizer, 8)
    with torch.no_grad():
        assert after(input_ids=text, labels=text).loss < before(input_ids=text, labels=text).loss - 0.1
        same = updates.load_updated("smollm2")[0]
        assert torch.equal(after(input_ids=text).logits, same(input_ids=text).logits)


def test_an_adapter_is_trained_once(small, monkeypatch):
    first = updates.adapter("smollm2")
    monkeypatch.setattr(updates, "_write", None)
    assert updates.adapter("smollm2") == first
    assert (first / "adapter_model.safetensors").is_file()
