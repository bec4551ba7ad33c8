import random

import numpy as np
import pytest

from lib.lab import finetune

ANIMALS, PLANTS = ["chat", "chien", "vache", "mouton"], ["rose", "chêne", "lilas", "blé"]
OTHERS = ["le", "un", "voit", "et", "dans", "pré"]


pytestmark = pytest.mark.usefixtures("one_thread")


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A tiny random language model of words, with its tokenizer."""
    import torch
    from tokenizers import Tokenizer, models, pre_tokenizers
    from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

    place = tmp_path_factory.mktemp("model")
    known = {word: number for number, word in enumerate(["<end>", "<unknown>", *ANIMALS, *PLANTS, *OTHERS])}
    tokenizer = Tokenizer(models.WordLevel(known, unk_token="<unknown>"))
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    PreTrainedTokenizerFast(tokenizer_object=tokenizer, eos_token="<end>", unk_token="<unknown>").save_pretrained(place)
    torch.manual_seed(0)
    size = {"hidden_size": 32, "intermediate_size": 48, "num_hidden_layers": 2, "num_attention_heads": 2}
    LlamaForCausalLM(LlamaConfig(vocab_size=len(known), max_position_embeddings=128, **size)).save_pretrained(place)
    return place


def examples(count, seed):
    """Sentences that name an animal (0) or a plant (1) among other words."""
    draw = random.Random(seed)
    labels = [draw.randrange(2) for _ in range(count)]
    said = [[*draw.choices(OTHERS, k=draw.randrange(1, 9)), draw.choice((ANIMALS, PLANTS)[label])] for label in labels]
    return [" ".join(draw.sample(words, len(words))) for words in said], labels


def learn(folder, labels=None, seed=0, **options):
    texts, true = examples(96, 0)
    return finetune.fine_tune(folder, texts, labels or true, 2, seed=seed, rate=5e-3, device="cpu", **options)


def test_a_task_is_learned_and_the_same_seed_learns_the_same(folder):
    asked, truth = examples(100, 1)
    predict, again = learn(folder, epochs=6), learn(folder, epochs=6)
    found = predict(asked)
    assert found.shape == (100,)
    assert (found == truth).mean() > 0.95
    assert (again(asked) == found).all()
    assert (np.concatenate([predict([text]) for text in asked]) == found).all()  # whatever the padding


def test_what_is_learned_comes_from_the_labels(folder):
    asked, truth = examples(100, 1)
    swapped = [1 - label for label in examples(96, 0)[1]]
    assert (learn(folder, swapped, epochs=6)(asked) != truth).mean() > 0.95


def test_another_seed_is_another_classifier(folder):
    asked, _ = examples(100, 1)
    predictions = [learn(folder, seed=seed, epochs=0)(asked) for seed in range(6)]
    assert len({tuple(found) for found in predictions}) > 1


def test_the_model_on_disk_stays_as_it_was(folder):
    before = {path.name: path.read_bytes() for path in folder.iterdir()}
    learn(folder, epochs=1)
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == before


def test_each_pass_reads_every_text_once_in_an_order_of_its_own():
    rows = list(finetune._batches(40, 2, seed=3))
    assert [len(some) for some in rows] == [16, 16, 8] * 2
    first, second = ([row for some in part for row in some] for part in (rows[:3], rows[3:]))
    assert sorted(first) == sorted(second) == list(range(40))
    assert first != second
    assert list(finetune._batches(40, 2, seed=3)) == rows
    assert list(finetune._batches(40, 2, seed=4)) != rows
