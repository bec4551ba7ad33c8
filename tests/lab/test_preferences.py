"""Going on from a beginning, weighing texts, comparing two: against loops, and against trl."""

import pytest
import torch
import torch.nn.functional as F

from lib.lab import adapters, preferences
from lib.lab.training import Llama, Shape

TINY = Shape(vocabulary=30, context=16, width=16, layers=2, heads=2, hidden=24)
START, LENGTH = 4, 6

pytestmark = pytest.mark.usefixtures("one_thread")


def some_rows(members: int = 2, count: int = 5, length: int = START + LENGTH) -> torch.Tensor:
    return torch.randint(1, 30, (members, count, length), generator=torch.Generator().manual_seed(5))


def sharp(seeds: tuple[int, ...]) -> Llama:
    """A model whose chances differ from one token to the next."""
    model = Llama(TINY, seeds)
    with torch.no_grad():
        model.embedding *= 20
    return model


def draws(*seeds: int) -> list[torch.Generator]:
    return [torch.Generator().manual_seed(seed) for seed in seeds]


def test_what_is_written_follows_the_chances_token_by_token():
    model, beginnings = sharp((0, 1)), some_rows(length=START)
    rows = preferences.write(model, beginnings, LENGTH, draws(7, 8))
    assert torch.equal(rows[..., :START], beginnings)
    for member, draw in enumerate(draws(7, 8)):
        uniform = torch.rand(5, LENGTH, generator=draw)
        for place in range(LENGTH):  # the oracle reads the whole row anew for each token
            with torch.no_grad():
                chances = model(rows[..., : START + place])[member, :, -1].softmax(-1)
            reached = (chances.cumsum(-1) / chances.sum(-1, keepdim=True) <= uniform[:, place, None]).sum(-1)
            assert torch.equal(rows[member, :, START + place], reached.clamp(max=29))


def test_draws_move_on_and_come_back():
    model, beginnings, moving = sharp((0,)), some_rows(1, length=START), draws(7)
    first, second = (preferences.write(model, beginnings, LENGTH, moving) for _ in range(2))
    assert not torch.equal(first, second)
    assert torch.equal(first, preferences.write(model, beginnings, LENGTH, draws(7)))


def test_only_what_follows_is_weighed(monkeypatch):
    monkeypatch.setattr(preferences, "FEW", 2)  # 5 texts in three pieces
    model, rows = sharp((0, 1)), some_rows()
    weights, parted = preferences.weigh(model, rows, START)
    assert weights.shape == parted.shape == (2, 5)
    assert not parted.any()
    with torch.no_grad():
        logits = model(rows[..., :-1])
    for member in range(2):
        for row in range(5):
            places = range(START, START + LENGTH)
            paid = sum(F.cross_entropy(logits[member, row, at - 1], rows[member, row, at]) for at in places)
            assert weights[member, row].item() == pytest.approx(-paid.item(), rel=1e-4)


def test_one_reference_reads_the_rows_of_all():
    reference, rows = sharp((3,)), some_rows()
    together, _ = preferences.weigh(reference, rows, START)
    for member in range(2):
        alone, _ = preferences.weigh(reference, rows[member : member + 1], START)
        torch.testing.assert_close(together[member], alone[0])


def test_divergence_is_nothing_from_oneself_and_the_mean_of_log_ratios():
    model, reference = sharp((0,)), sharp((3,))
    rows = preferences.write(model, some_rows(1, 1, START).expand(1, 4000, START), LENGTH, draws(1))
    with torch.no_grad():
        ours, nothing = preferences.weigh(model, rows, START, model)
        _, exact = preferences.weigh(model, rows, START, reference)
        theirs, _ = preferences.weigh(reference, rows, START)
    ratio = ours - theirs
    assert nothing.abs().max() < 1e-4
    assert exact.min() > 0
    assert exact.mean().item() == pytest.approx(ratio.mean().item(), rel=0.05)
    assert exact.std() < ratio.std()


def test_divergence_moves_the_model_and_not_the_reference():
    model, reference, rows = sharp((0, 1)), sharp((3,)), some_rows()
    preferences.weigh(model, rows, START, reference)[1].sum().backward()
    assert model.embedding.grad is not None
    assert reference.embedding.grad is None


def test_features_are_means_over_what_follows(monkeypatch):
    monkeypatch.setattr(preferences, "AT_ONCE", 4)  # two rows of each member at once
    model, rows = sharp((3,)), some_rows()
    found = preferences.features(model, rows, START)
    assert found.shape == (2, 5, 2 * TINY.width)
    with torch.no_grad():
        state = model.hidden(rows[1:, 4:5]).view(START + LENGTH, -1)[START:].mean(0)
    torch.testing.assert_close(found[1, 4], torch.cat([state, model.embedding[0, rows[1, 4, START:]].mean(0)]))


def test_dpo_starts_at_one_bit_and_falls_when_the_chosen_gains():
    before = torch.tensor([[-20.0, -30.0]])
    assert preferences.dpo(before, before, before, before, 0.1).item() == pytest.approx(0.6931, abs=1e-4)
    better, worse = (preferences.dpo(before + by, before, before, before, 0.1).item() for by in (5, -5))
    assert better < 0.6931 < worse


def test_dpo_is_trls(tmp_path):
    """The same pairs, model and reference: the loss and its gradient as trl's trainer computes them."""
    from datasets import Dataset
    from tokenizers import Tokenizer, models, pre_tokenizers
    from transformers import PreTrainedTokenizerFast
    from trl import DPOConfig, DPOTrainer

    model, reference = sharp((0,)), sharp((3,))
    rows = some_rows(2, 3)  # chosen, rejected
    rows[1, :, :START] = rows[0, :, :START]
    chosen, rejected = rows[:1], rows[1:]
    now = [preferences.weigh(model, one, START)[0] for one in (chosen, rejected)]
    then = [preferences.weigh(reference, one, START)[0] for one in (chosen, rejected)]
    ours = preferences.dpo(*now, *(one.detach() for one in then), beta=0.1)
    ours.sum().backward()

    words = Tokenizer(models.WordLevel({f"w{number}": number for number in range(30)}, unk_token="w0"))
    words.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    tokenizer = PreTrainedTokenizerFast(tokenizer_object=words, eos_token="w0", pad_token="w0")
    spell = lambda ids: " ".join(f"w{number}" for number in ids.tolist())  # noqa: E731
    pairs = Dataset.from_list([
        {"prompt": spell(one[:START]), "chosen": " " + spell(one[START:]), "rejected": " " + spell(two[START:])}
        for one, two in zip(chosen[0], rejected[0], strict=True)
    ])  # fmt: skip
    config = DPOConfig(output_dir=str(tmp_path), beta=0.1, report_to=[], use_cpu=True, bf16=False,
                       gradient_checkpointing=False, per_device_train_batch_size=3)  # fmt: skip
    policy = adapters.to_transformers(model)
    trainer = DPOTrainer(policy, adapters.to_transformers(reference), config, train_dataset=pairs,
                         processing_class=tokenizer)  # fmt: skip
    batch = trainer.data_collator([
        {"prompt_ids": one[:START].tolist(), "chosen_ids": one[START:].tolist(), "rejected_ids": two[START:].tolist()}
        for one, two in zip(chosen[0], rejected[0], strict=True)
    ])  # fmt: skip
    theirs = trainer.compute_loss(trainer.model, batch)
    theirs.backward()
    assert theirs.item() == pytest.approx(ours.item(), rel=1e-4)
    torch.testing.assert_close(policy.model.embed_tokens.weight.grad, model.embedding.grad[0], rtol=1e-3, atol=1e-5)
