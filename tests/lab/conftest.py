"""What several test modules of the lab share."""

import pytest


@pytest.fixture(scope="module")
def one_thread():
    """Small tensors on several threads wait for one another on a busy machine."""
    import torch

    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def tiny_model(words):
    """A random language model of these words, which end with `<end>`, and its tokenizer."""
    import torch
    from tokenizers import Tokenizer, pre_tokenizers
    from tokenizers import models as kinds
    from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

    known = {word: number for number, word in enumerate(["<end>", *words])}
    tokenizer = Tokenizer(kinds.WordLevel(known, unk_token="<end>"))
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    torch.manual_seed(0)
    size = {"hidden_size": 32, "intermediate_size": 48, "num_hidden_layers": 2, "num_attention_heads": 2}
    model = LlamaForCausalLM(LlamaConfig(vocab_size=len(known), max_position_embeddings=600, **size)).eval()
    return model, PreTrainedTokenizerFast(tokenizer_object=tokenizer, eos_token="<end>")
