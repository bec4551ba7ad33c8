"""Low-rank adapters of our small models, against peft's."""

import pytest
import torch

from lib.lab import adapters, lora, training
from lib.lab.training import Llama, Recipe, Shape

TINY = Shape(vocabulary=50, context=16, width=16, layers=2, heads=2, hidden=24)

pytestmark = pytest.mark.usefixtures("one_thread")


def rows(count, seed=0):
    return torch.randint(0, 50, (count, 13), generator=torch.Generator().manual_seed(seed))


def taught(seeds=(0, 1), steps=6, rank=4):
    model = Llama(TINY, seeds)
    lora.add_adapters(model, rank, seeds)
    data = training.batches([rows(8, seed) for seed in seeds], 4, seeds)
    training.train(model, data, Recipe(steps=steps, batch=4, learning_rate=1e-2, weight_decay=0.0))
    return model


def test_nothing_changes_at_first():
    model = Llama(TINY, (0, 1))
    before = model(rows(3).expand(2, -1, -1))
    lora.add_adapters(model, 4, (0, 1))
    assert torch.equal(model(rows(3).expand(2, -1, -1)), before)


def test_only_the_adapters_learn():
    model, whole = taught(), Llama(TINY, (0, 1))
    learned = sum(weights.numel() for weights in model.parameters() if weights.requires_grad)
    matrices = [getattr(block, name) for block in whole.blocks for name in lora.MATRICES]
    assert learned == 2 * sum(4 * (one.shape[1] + one.shape[2]) for one in matrices)
    lora.merge_adapters(model)
    for name, weights in whole.state_dict().items():
        assert torch.equal(model.state_dict()[name], weights) == (name.rpartition(".")[2] not in lora.MATRICES)


def test_what_is_added_has_the_rank():
    model, whole = taught(steps=12, rank=3), Llama(TINY, (0, 1))
    lora.merge_adapters(model)
    for block, other in zip(model.blocks, whole.blocks, strict=True):
        for name in lora.MATRICES:
            added = (getattr(block, name) - getattr(other, name)).detach()
            assert torch.linalg.matrix_rank(added, rtol=1e-3).tolist() == [3, 3]


def test_merging_changes_no_answer_and_frees_the_weights():
    model = taught()
    before = model(rows(3).expand(2, -1, -1)).detach()
    lora.merge_adapters(model)
    torch.testing.assert_close(model(rows(3).expand(2, -1, -1)).detach(), before)
    assert set(model.state_dict()) == set(Llama(TINY, (0, 1)).state_dict())
    assert all(weights.requires_grad for weights in model.parameters())


def test_a_member_learns_as_if_it_were_alone():
    together, alone = taught(seeds=(0, 1)), taught(seeds=(1,))
    lora.merge_adapters(together), lora.merge_adapters(alone)
    for name, weights in alone.state_dict().items():
        torch.testing.assert_close(together.state_dict()[name][1:], weights, rtol=1e-4, atol=1e-5)


def test_it_computes_and_learns_as_peft_does():
    from peft import LoraConfig, get_peft_model

    ours = taught(seeds=(1,), steps=3)
    plain = adapters.to_transformers(Llama(TINY, (1,)))
    config = LoraConfig(r=4, lora_alpha=int(4 * lora.SCALE), target_modules=["o_proj", "down_proj"])
    theirs = get_peft_model(plain, config)
    with torch.no_grad():  # of the matrices that stand for one of theirs
        for number, block in enumerate(ours.blocks):
            layer = theirs.base_model.model.model.layers[number]
            for name, other in (("out", layer.self_attn.o_proj), ("down", layer.mlp.down_proj)):
                own = block.parametrizations[name][0]
                other.lora_A["default"].weight.copy_(own.a[0].T)
                other.lora_B["default"].weight.copy_(own.b[0].T)
            for name in ("qkv", "gate_up"):
                block.parametrizations[name][0].b.zero_()
    some = rows(5)
    torch.testing.assert_close(ours(some[None])[0], theirs(some).logits, rtol=1e-4, atol=1e-4)
    ours.zero_grad()
    ours.loss(some[None]).sum().backward()
    theirs(input_ids=some, labels=some).loss.backward()
    for number, block in enumerate(ours.blocks):
        layer = theirs.base_model.model.model.layers[number]
        for name, other in (("out", layer.self_attn.o_proj), ("down", layer.mlp.down_proj)):
            own = block.parametrizations[name][0]
            torch.testing.assert_close(own.a.grad[0].T, other.lora_A["default"].weight.grad, rtol=1e-3, atol=1e-5)
            torch.testing.assert_close(own.b.grad[0].T, other.lora_B["default"].weight.grad, rtol=1e-3, atol=1e-5)
