"""Continuations read as a tree cost what they cost one by one."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from lib.lab import choices, likelihood


class Letters:
    """A tokenizer of one token a character."""

    bos_token_id, eos_token_id = 0, 0

    def __call__(self, texts, add_special_tokens=False):
        if isinstance(texts, str):
            return {"input_ids": [1 + ord(one) % 60 for one in texts]}
        return {"input_ids": [self(one)["input_ids"] for one in texts]}


@pytest.fixture(scope="module")
def model():
    from transformers import LlamaConfig, LlamaForCausalLM

    torch.manual_seed(0)
    config = LlamaConfig(
        vocab_size=64, hidden_size=32, intermediate_size=48, num_hidden_layers=2, num_attention_heads=4,
        num_key_value_heads=2, max_position_embeddings=256,
    )  # fmt: skip
    return LlamaForCausalLM(config).eval()


def test_a_tree_costs_what_its_branches_cost(model):
    options = [" avance", " avance vite", " recule", " va", " avanc"]
    chooser = choices.Chooser(model, Letters(), "Des exemples.", options)
    assert len(chooser.nodes) < sum(map(len, options))
    for text in ("Ordre : hop.", "x", "Ordre : hop."):  # what was read before changes nothing
        expected = likelihood.score(model, Letters(), options, [f"Des exemples.{text}"] * len(options))
        np.testing.assert_allclose(chooser.nats(text), expected, atol=1e-3)
    assert chooser.nats("a").tolist() == chooser.nats("a").tolist()


def test_without_a_beginning(model):
    chooser = choices.Chooser(model, Letters(), "", ["oui", "non"])
    expected = likelihood.score(model, Letters(), ["oui", "non"], ["dis"] * 2)
    np.testing.assert_allclose(chooser.nats("dis"), expected, atol=1e-3)


def test_nothing_to_read_is_refused(model):
    with pytest.raises(ValueError, match="empty"):
        choices.Chooser(model, Letters(), "a", ["b", ""])
    with pytest.raises(ValueError, match="empty"):
        choices.Chooser(model, Letters(), "a", ["b"]).nats("")


@given(st.lists(st.lists(st.integers(0, 3), min_size=1, max_size=5), min_size=1, max_size=6))
def test_the_tree_holds_each_sequence_once(sequences):
    nodes, paths = choices.grow(sequences)
    assert [[nodes[place].token for place in path] for path in paths] == sequences
    beginnings = {tuple(one[: end + 1]) for one in sequences for end in range(len(one))}
    assert len(nodes) == len(beginnings)
    seen = choices.sights(2, nodes)
    for path in paths:
        for depth, place in enumerate(path):
            allowed = {0, 1} | {2 + one for one in path[: depth + 1]}
            assert set(torch.nonzero(seen[2 + place])[:, 0].tolist()) == allowed
