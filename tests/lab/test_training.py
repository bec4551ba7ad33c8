import math
from dataclasses import replace
from itertools import islice, pairwise

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from lib.lab import training
from lib.lab.training import Llama, Recipe, Shape, batches, generate, nats, pack, train

TINY = Shape(vocabulary=37, context=12, width=16, layers=2, heads=2, hidden=24)
RECIPE = Recipe(steps=12, batch=4, learning_rate=1e-2)


pytestmark = pytest.mark.usefixtures("one_thread")


def some_rows(*size, seed=0):
    return torch.randint(TINY.vocabulary, size, generator=torch.Generator().manual_seed(seed))


def trained(seeds, steps=12, rows=None):
    """Losses and model of members that each read their own rows."""
    model = Llama(TINY, seeds)
    own = rows or [some_rows(20, 13, seed=seed) for seed in seeds]
    return train(model, batches(own, 4, seeds), replace(RECIPE, steps=steps)), model


@pytest.mark.parametrize("shape", [TINY, Shape(), replace(TINY, layers=1, heads=4)])
def test_a_shape_knows_how_many_numbers_a_member_learns(shape):
    assert shape.parameters == sum(weights.numel() for weights in Llama(shape).parameters())
    assert 3 * shape.parameters == sum(weights.numel() for weights in Llama(shape, (0, 1, 2)).parameters())


@pytest.mark.parametrize("schedule", ["cosine", "wsd"])
def test_the_rate_rises_stays_below_its_peak_and_ends_at_the_floor(schedule):
    recipe = Recipe(steps=100, learning_rate=0.5, schedule=schedule)
    rates = [recipe.rate(step) for step in range(100)]
    assert rates[:5] == pytest.approx([0.1, 0.2, 0.3, 0.4, 0.5])
    assert rates[-1] == pytest.approx(0.05)
    assert recipe.rate(150) == pytest.approx(0.05)
    assert Recipe(steps=1, schedule=schedule).rate(0) == Recipe().learning_rate
    assert all(before >= after for before, after in pairwise(rates[4:]))
    cosine = [0.05 + 0.45 * (1 + math.cos(math.pi * (step - 4) / 95)) / 2 for step in (52, 89)]
    assert [rates[52], rates[89]] == pytest.approx(cosine if schedule == "cosine" else [0.5, 0.05 + 0.45 / 2])


def test_a_members_first_weights_depend_on_its_seed_alone():
    alone, together = Llama(TINY, (7,)), Llama(TINY, (3, 7, 4))
    for name, weights in together.member(1).state_dict().items():
        assert torch.equal(weights, alone.state_dict()[name]), name
    assert not torch.equal(together.embedding[0], together.embedding[1])


def test_the_loss_is_the_cross_entropy_of_the_logits():
    model, rows = Llama(TINY, (0, 1, 2)), some_rows(3, 7, 13)  # 84 tokens a member: two pieces
    logits = model(rows[..., :-1])
    assert logits.shape == (3, 7, 12, 37)
    expected = [F.cross_entropy(logits[index].flatten(0, 1), rows[index, :, 1:].flatten()) for index in range(3)]
    torch.testing.assert_close(model.loss(rows), torch.stack(expected))


def test_the_gradients_of_the_tied_cross_entropy_are_those_of_autograd():
    draw = torch.Generator().manual_seed(0)
    x = torch.randn(2, 150, 5, generator=draw, dtype=torch.float64, requires_grad=True)
    embedding = torch.randn(2, 11, 5, generator=draw, dtype=torch.float64, requires_grad=True)
    targets, scale = torch.randint(11, (2, 150), generator=draw), torch.tensor([1.0, -3.0], dtype=torch.float64)
    ours = training._TiedCrossEntropy.apply(x, embedding, targets)
    theirs = F.cross_entropy((x @ embedding.mT).mT, targets, reduction="none").sum(1)
    torch.testing.assert_close(ours, theirs)
    found = torch.autograd.grad((ours * scale).sum(), (x, embedding))
    torch.testing.assert_close(found, torch.autograd.grad((theirs * scale).sum(), (x, embedding)))
    short, few = x[:, :3].detach().requires_grad_(), targets[:, :3]
    assert torch.autograd.gradcheck(training._TiedCrossEntropy.apply, (short, embedding, few))


def test_the_architecture_is_that_of_llama():
    from transformers import LlamaConfig, LlamaForCausalLM

    model, d = Llama(TINY, (5,)), TINY.width
    theirs = LlamaForCausalLM(
        LlamaConfig(
            vocab_size=37, hidden_size=d, intermediate_size=24, num_hidden_layers=2, num_attention_heads=2,
            max_position_embeddings=12, rms_norm_eps=TINY.epsilon, tie_word_embeddings=True,
            rope_parameters={"rope_type": "default", "rope_theta": TINY.theta},
        )
    ).eval()  # fmt: skip
    for weights in model.parameters():  # gains that differ from one another
        torch.nn.init.normal_(weights, 0.1, 0.4, generator=torch.Generator().manual_seed(weights.numel()))
    ours = {"embed_tokens": model.embedding[0], "norm": model.gain[0, 0]}
    for number, block in enumerate(model.blocks):
        matrices = dict(zip(("q", "k", "v"), block.qkv[0].T.split(d), strict=True)) | {"o": block.out[0].T}
        feed = {"gate": block.gate_up[0].T[:24], "up": block.gate_up[0].T[24:], "down": block.down[0].T}
        at = f"layers.{number}"
        ours |= {f"{at}.self_attn.{name}_proj": matrix for name, matrix in matrices.items()}
        ours |= {f"{at}.mlp.{name}_proj": matrix for name, matrix in feed.items()}
        ours[f"{at}.input_layernorm"] = block.attention_gain[0, 0]
        ours[f"{at}.post_attention_layernorm"] = block.feed_gain[0, 0]
    theirs.model.load_state_dict({f"{name}.weight": weights.detach() for name, weights in ours.items()})
    rows = some_rows(4, 12)
    with torch.no_grad():
        torch.testing.assert_close(model(rows[None])[0], theirs(rows).logits, rtol=1e-4, atol=1e-4)
    assert theirs.num_parameters() == TINY.parameters


def test_a_members_training_does_not_depend_on_its_neighbours():
    together, model = trained((3, 7, 4))
    for index, seed in enumerate((3, 7, 4)):
        alone, own = trained((seed,))
        assert together[:, index] == pytest.approx(alone[:, 0], abs=1e-5)
        torch.testing.assert_close(model.member(index).embedding, own.embedding, atol=1e-3, rtol=0)


def test_the_same_seeds_give_the_same_bits():
    (first, model), (second, other) = trained((0, 1)), trained((0, 1))
    assert first.shape == (12, 2)
    assert first.tobytes() == second.tobytes()
    assert all(torch.equal(weights, other.get_parameter(name)) for name, weights in model.named_parameters())


def test_gradients_are_clipped_by_member():
    model = Llama(TINY, (0, 1))
    for weights in model.parameters():
        weights.grad = torch.ones_like(weights) * torch.tensor([1e-4, 5.0])[:, None, None]
    training._clip(list(model.parameters()), 1.0, stacked=True)
    norms = torch.stack([weights.grad.flatten(1).square().sum(1) for weights in model.parameters()]).sum(0).sqrt()
    assert norms.tolist() == pytest.approx([1e-4 * math.sqrt(TINY.parameters), 1.0], rel=1e-4)


def test_only_matrices_decay():
    model = Llama(TINY, (0,))
    before = {name: weights.detach().clone() for name, weights in model.named_parameters()}

    def nothing(rows):
        return sum(weights.sum() * 0 for weights in model.parameters())[None]

    train(model, iter([some_rows(1, 1, 13)]), Recipe(steps=1, learning_rate=0.5, weight_decay=0.1), loss=nothing)
    for name, weights in model.named_parameters():
        kept = 1.0 if "gain" in name else 1 - 0.5 * 0.1
        torch.testing.assert_close(weights.detach(), before[name] * kept)


def test_any_torch_model_can_be_trained():
    torch.manual_seed(0)
    model, data = torch.nn.Linear(3, 1), torch.randn(64, 3)

    def distance(rows):
        return (model(rows)[:, 0] - rows.sum(1)).square().mean()

    losses = train(model, iter([data] * 80), Recipe(steps=80, learning_rate=0.1, weight_decay=0), loss=distance)
    assert losses.shape == (80,)
    assert losses[-1] < 0.01 * losses[0]


def test_a_repetitive_sequence_is_learned():
    rows = pack([[1, 2, 3, 4, 5, 6] * 60], 12)
    losses, model = trained((0, 1), steps=60, rows=[rows, rows])
    assert losses[0] == pytest.approx([math.log(37)] * 2, rel=0.1)
    assert (losses[-1] < 0.25 * losses[0]).all()
    written = generate(model, 1, (0, 1), temperature=0)
    assert written[:, 0, 1:].tolist() == [[*range(1, 7)] * 2] * 2


def test_documents_are_packed_end_to_end():
    documents = [[5, 6, 7], [8], list(range(10, 17))]
    rows = pack(documents, 4, end=1)
    assert rows.tolist() == [[1, 5, 6, 7, 1], [1, 8, 1, 10, 11], [1, 12, 13, 14, 15]]  # 16 and its end are left out
    assert rows.dtype == torch.int64
    assert pack([np.array([2, 3])], 5).shape == (0, 6)
    assert pack([[2, 3]], 3).tolist() == [[0, 2, 3, 0]]


def test_each_member_reads_its_rows_once_before_it_reads_them_again():
    rows = [torch.arange(6)[:, None].expand(6, 3), 100 + torch.arange(4)[:, None].expand(4, 3)]
    seen = torch.stack(list(islice(batches(rows, 2, (0, 1)), 6)))  # (6, E, 2, 3)
    assert seen.shape == (6, 2, 2, 3)
    first, second = seen[:, 0, :, 0].flatten().tolist(), seen[:, 1, :, 0].flatten().tolist()
    assert sorted(first[:6]) == sorted(first[6:]) == list(range(6))
    assert [sorted(second[at : at + 4]) for at in (0, 4, 8)] == [[100, 101, 102, 103]] * 3
    assert first[:6] != first[6:]
    alone = torch.stack(list(islice(batches(rows[1:], 2, (1,)), 6)))
    assert torch.equal(alone[:, 0], seen[:, 1])
    other = torch.stack(list(islice(batches(rows[1:], 2, (5,)), 6)))
    assert not torch.equal(other, alone)
    (larger,) = next(batches([torch.arange(3)[:, None]], 8, (0,)))
    assert sorted(torch.bincount(larger[:, 0]).tolist()) == [2, 3, 3]


def test_what_each_token_costs_adds_up_to_the_loss():
    model, rows = Llama(TINY, (0, 1)), some_rows(5, 13)
    costs = nats(model, rows, at_once=2)
    assert costs.shape == (2, 5, 12)
    shared = rows.expand(2, -1, -1)
    assert costs.mean((1, 2)) == pytest.approx(model.loss(shared).detach().numpy(), rel=1e-5)
    by_hand = -model(shared[..., :-1]).log_softmax(-1).gather(-1, shared[..., 1:, None])[..., 0]
    assert costs == pytest.approx(by_hand.detach().numpy(), abs=1e-5)


def test_sampling_with_a_cache_is_sampling_without():
    _, model = trained((0, 1))
    written = generate(model, 2, (0, 1), temperature=0, start=9)
    rows = torch.full((2, 2, 1), 9)
    for _ in range(TINY.context):
        rows = torch.cat([rows, model(rows)[:, :, -1:].argmax(-1)], dim=-1)
    assert torch.equal(written, rows)
    assert len(written[0, 0].unique()) > 2


@torch.no_grad()
def test_drawn_tokens_follow_from_the_members_seed():
    model = Llama(TINY, (0, 1))
    written = generate(model, 5, (8, 9), length=6, temperature=0.7, at_once=5)
    assert written.shape == (2, 5, 7)
    assert (written[..., 0] == 0).all()
    for index, seed in enumerate((8, 9)):
        uniform = torch.rand(5, 6, generator=torch.Generator().manual_seed(seed))
        chances = (model.member(index)(written[index : index + 1, :, :-1])[0] / 0.7).softmax(-1)
        drawn = (chances.cumsum(-1) < uniform[..., None]).sum(-1)  # (5, 6)
        assert torch.equal(drawn, written[index, :, 1:])


def test_what_a_member_writes_does_not_depend_on_its_neighbours():
    model = Llama(TINY, (0, 1))
    together = generate(model, 70, (8, 9), at_once=16)
    assert torch.equal(generate(model, 70, (8, 9), at_once=16), together)
    assert torch.equal(generate(model.member(1), 70, (9,), at_once=16)[0], together[1])
    assert not torch.equal(generate(model, 70, (8, 10), at_once=16)[1], together[1])
    assert generate(model, 1, (0, 1), length=99).shape == (2, 1, TINY.context + 1)


def test_the_nucleus_keeps_the_likeliest_tokens_that_reach_it():
    logits = torch.tensor([0.1, 0.5, 0.15, 0.25]).log().expand(1, 1000, 4)
    uniform = torch.linspace(0, 1 - 1e-6, 1000)[None]
    for top_p, kept in ((1.0, [0.1, 0.5, 0.15, 0.25]), (0.7, [0, 0.5, 0, 0.25]), (0.8, [0, 0.5, 0.15, 0.25])):
        drawn = torch.bincount(training._draw(logits, uniform, 1.0, top_p)[0], minlength=4) / 1000
        assert drawn.tolist() == pytest.approx([share / sum(kept) for share in kept], abs=2e-3)
    model = Llama(TINY, (0,))
    assert torch.equal(generate(model, 3, (0,), top_p=1e-6), generate(model, 3, (5,), temperature=0))
