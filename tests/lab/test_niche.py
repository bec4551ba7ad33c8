import random

import numpy as np
import pandas as pd
import pytest
import torch

from lib.lab import corpus, models, niche, sources, text
from lib.lab.training import Llama, Shape

NOUNS = ["salarié", "contrat", "travail", "congé", "délai", "montant", "conseil", "comité", "projet", "niveau"]
NOUNS += ["régime", "service", "titre", "temps", "début", "moyen", "poste", "droit"]


def sentence(draw, length=40):
    """Nouns after their determiner, so that gaps can be found."""
    return " ".join(f"le {draw.choice(NOUNS)}" for _ in range(length // 2))


@pytest.fixture(scope="module")
def loaded():
    """A tiny random language model of these words, and its tokenizer."""
    from tokenizers import Tokenizer, pre_tokenizers
    from tokenizers import models as kinds
    from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

    known = {word: number for number, word in enumerate(["<end>", "le", *NOUNS])}
    tokenizer = Tokenizer(kinds.WordLevel(known, unk_token="<end>"))
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    torch.manual_seed(0)
    size = {"hidden_size": 32, "intermediate_size": 48, "num_hidden_layers": 2, "num_attention_heads": 2}
    model = LlamaForCausalLM(LlamaConfig(vocab_size=len(known), max_position_embeddings=600, **size)).eval()
    return model, PreTrainedTokenizerFast(tokenizer_object=tokenizer, eos_token="<end>")


@pytest.fixture
def small(project, monkeypatch):
    """A Code and sheets of random nouns; one sheet quotes the Code at length."""
    draw = random.Random(1)
    paths = [f"Partie législative > {part} partie : A > Livre {book}" for part in niche.PARTS for book in range(12)]
    law = pd.DataFrame(
        {"section_path": [path for path in paths for _ in range(3)], "text": [sentence(draw) for _ in range(288)]}
    )
    sheets = pd.DataFrame(
        {"sheet_title": [f"Fiche {n}" for n in range(60)], "text": [sentence(draw) for _ in range(60)]}
    )
    monkeypatch.setattr(corpus, "code_du_travail", lambda: law)
    monkeypatch.setattr(corpus, "fact_sheets", lambda: sheets)
    monkeypatch.setattr(sources, "content_hash", lambda name: name)
    return law, sheets


def test_whole_chapters_and_sheets_are_kept_apart(small):
    found = niche.documents()
    assert len(found) == 348
    assert (found.groupby(["source", "group"])["read"].nunique() == 1).all()
    assert 0 < (~found["read"]).mean() < 0.3
    assert sorted(found.loc[found["source"] == "code", "part"].unique()) == list(range(1, 9))
    assert (found.loc[found["source"] == "sheets", "part"] == 0).all()


def test_a_passage_that_quotes_what_is_read_is_left_out():
    words = [f"mot{'abcdefghij'[n // 10]}{'abcdefghij'[n % 10]}" for n in range(niche.WORDS)]
    whole = " ".join(words)
    assert niche._passage(whole, set()) == whole
    assert niche._passage(whole, niche.grams(" ".join(words[:30]))) == ""
    assert niche._passage(whole, niche.grams(" ".join(words[:12]))) == whole
    assert niche._passage(" ".join(words[:-1]), set()) == ""  # too short
    assert niche._passage(" ".join(word * 3 for word in words), set()) == ""  # too long


def test_sequences_of_words_are_those_of_a_loop():
    words = [f"m{'abcdefghijklm'[n]}" for n in range(12)]
    expected = set()
    for start in range(len(words) - niche.GRAM + 1):
        expected.add(hash(tuple(words[start : start + niche.GRAM])))
    assert niche.grams(" ".join(words).upper()) == expected


def test_an_exam_asks_what_specialists_have_not_read(small, monkeypatch):
    monkeypatch.setattr(niche, "KNOWN", 5)
    rows, documents = niche.exam(5, 3, 4, 10, 4), niche.documents()
    kinds = rows["kind"].value_counts().to_dict()
    assert kinds == {"code": 5, "sheets": 3, "theme": 4, "labelled": 10, "gap": 16}
    read = set(documents["text"][documents["read"]])
    of = rows["kind"].isin(["code", "theme", "sheets"])
    assert not any(whole.startswith(passage) for passage in rows["text"][of] for whole in read)
    assert not set(rows["text"][rows["kind"] == "code"]) & set(rows["text"][rows["kind"] == "theme"])
    assert (rows["part"][rows["kind"] == "labelled"] > 0).all()


def test_a_gap_has_one_right_word_in_its_sentence(small, monkeypatch):
    monkeypatch.setattr(niche, "KNOWN", 5)
    documents = niche.documents()
    rows = niche.gap_rows(documents, 4)
    apart = list(documents["text"][~documents["read"]])
    assert (rows.groupby("item")["right"].sum() == 1).all()
    for _, four in rows.groupby("item"):
        assert four["text"].nunique() == 4
        assert four["prefix"].nunique() == 1
        right = four[four["right"]].iloc[0]
        assert any(right["prefix"] + right["text"] in whole for whole in apart)
        assert len({one.split(maxsplit=1)[1] for one in four["text"]}) == 1  # the same words follow


def test_tokens_are_laid_after_one_mark_and_only_the_text_is_paid_for():
    bpe = text.train_bpe(["le salarié et le contrat"] * 20, 280)
    rows = pd.DataFrame({"prefix": ["le salarié", ""], "text": [" et", "le contrat"]})
    laid, paid = niche.lay_out(bpe, rows, 30)
    for place, (prefix, own) in enumerate(zip(rows["prefix"], rows["text"], strict=True)):
        before, after = (bpe.encode(one).ids for one in (prefix, own))
        assert laid[place].tolist() == [0, *before, *after] + [0] * (30 - len(before) - len(after))
        assert np.flatnonzero(paid[place]).tolist() == list(range(len(before), len(before) + len(after)))
    prefix, own = (bpe.encode(one).ids for one in ("le salarié", " et"))
    laid, paid = niche.lay_out(bpe, rows[:1], len(own) + 2)  # the nearest words, when there is no room for all
    assert laid[0].tolist() == [0, *prefix[-2:], *own]
    assert np.flatnonzero(paid[0]).tolist() == list(range(2, 2 + len(own)))
    with pytest.raises(ValueError, match="1 tokens at most"):
        niche.lay_out(bpe, rows.assign(text="un autre texte"), 1)


def test_small_models_answer_as_a_loop_over_tokens_does():
    bpe = text.train_bpe(["le salarié et le contrat"] * 20, 280)
    rows = pd.DataFrame({"prefix": ["le salarié", ""], "text": [" et", "le contrat"]})
    model = Llama(Shape(vocabulary=280, context=30, width=16, layers=1, heads=2, hidden=24), (0, 1))
    said = niche.examine_small(model, bpe, rows)
    assert said["states"].shape == (2, 2, 32)
    for place, (prefix, own) in enumerate(zip(rows["prefix"], rows["text"], strict=True)):
        before, after = (bpe.encode(one).ids for one in (prefix, own))
        tokens = torch.tensor([0, *before, *after])
        with torch.no_grad():
            logits = model(tokens[None, None].expand(2, 1, -1)).log_softmax(-1)[:, 0]  # (E, T, V)
        places = range(1 + len(before), len(tokens))
        expected = [-sum(float(logits[one, at - 1, tokens[at]]) for at in places) for one in range(2)]
        assert said["nats"][:, place] == pytest.approx(expected, rel=1e-4)
        state = model.hidden(tokens[None, None, 1:].expand(2, 1, -1)).view(2, -1, 16)[:, len(before) :].mean(1)
        assert np.allclose(said["states"][:, place, :16], state.detach().numpy(), atol=1e-4)


def test_pooled_states_are_those_of_texts_one_by_one(loaded):
    model, tokenizer = loaded
    draw = random.Random(0)
    texts = [sentence(draw, length) for length in (6, 20, 4, 12)]
    found = niche._pool(model, tokenizer, texts, at_once=3)
    for one, vector in zip(texts, found, strict=True):
        ids = torch.tensor([[tokenizer.eos_token_id, *tokenizer(one, add_special_tokens=False)["input_ids"]]])
        with torch.inference_mode():
            layers = model.model(input_ids=ids, output_hidden_states=True).hidden_states
        both = torch.cat([layers[len(layers) // 2], layers[-1]], dim=-1)[0, 1:]
        assert vector == pytest.approx(both.mean(0).numpy(), abs=1e-4)


def test_answers_are_kept_and_leave_out_what_is_not_asked(small, loaded, monkeypatch):
    calls = []
    monkeypatch.setattr(models, "load_causal_lm", lambda name: calls.append(name) or loaded)
    monkeypatch.setattr(niche, "KNOWN", 5)
    rows = niche.exam(3, 2, 2, 4, 2)
    said, again = niche.answers_of("smollm2", rows), niche.answers_of("smollm2", rows)
    assert calls == ["smollm2"]
    assert np.array_equal(said["nats"], again["nats"], equal_nan=True)
    kinds = rows["kind"].to_numpy()
    assert np.isnan(said["nats"]).tolist() == np.isin(kinds, ["labelled", "theme"]).tolist()
    assert np.isnan(said["states"][:, 0]).tolist() == np.isin(kinds, ["sheets", "gap"]).tolist()
    assert said["kb_s"] > 0


def test_lora_teaches_each_seed_once(small, loaded, monkeypatch):
    import copy

    monkeypatch.setattr(models, "load_causal_lm", lambda name: (copy.deepcopy(loaded[0]), loaded[1]))
    monkeypatch.setattr(niche, "ROW", 16)
    rows = niche.exam(3, 2, 2, 4, 0)
    before = niche.answers_of("smollm2", rows)
    one, other = (niche.adapted(rows, seed, 480, 4, 1e-2) for seed in (0, 1))
    asked = ~np.isnan(before["nats"])
    assert one["nats"][asked].sum() < before["nats"][asked].sum()
    assert not np.array_equal(one["nats"][asked], other["nats"][asked])
    assert one["trained"] > 0
    assert one["read_bytes"] > 0


def test_models_from_scratch_learn_and_know_when_the_niche_is_too_small(small, monkeypatch):
    monkeypatch.setattr(niche, "VOCABULARY", 280)
    rows = niche.exam(3, 2, 2, 4, 0)
    shape = Shape(vocabulary=280, context=300, width=16, layers=1, heads=2, hidden=24)
    little, more = (niche.from_scratch(rows, (0, 1), tokens, shape, 1e-2, 2) for tokens in (600, 9000))
    assert more["nats"].sum() < little["nats"].sum()
    assert more["nats"].shape == (2, len(rows))
    assert not np.array_equal(more["nats"][0], more["nats"][1])
    with pytest.raises(ValueError, match="the niche has"):
        niche.from_scratch(rows, (0,), 10**9, shape, 1e-2, 2)


def test_both_kinds_of_lesson_are_what_may_be_read(small):
    documents = niche.documents()
    lesson = niche.lesson(3)
    assert sorted(lesson) == sorted(documents["text"][documents["read"]])
    assert lesson == niche.lesson(3)
    assert lesson != niche.lesson(4)
