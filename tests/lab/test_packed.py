"""Fewer bits a weight: rounding, packing, files, and MiniLM's forward pass beside transformers'."""

import json

import pytest
import torch
import torch.nn.functional as F

from lib.lab import packed
from lib.lab.packed import Encoder, Integers, Matrix, Nibbles, Version

VERSIONS = [
    Version(), Version(16), Version(8), Version(8, -1), Version(4, 16), Version(4, 32), Version(3, 32), Version(2),
    Version(4, -1), Version(kept=0.5),
]  # fmt: skip
WORDS = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "un", "contrat", "de", "travail", "durée", "congé", "salarié"]
TEXTS = ["un contrat de travail", "durée", "un congé de un salarié de un travail", "contrat inconnu"]


def matrix(rows=40, columns=64, seed=0):
    return torch.randn(rows, columns, generator=torch.Generator().manual_seed(seed)) * 0.05


def rounded(weights, bits, group):
    """Oracle: one weight after the other."""
    flat = weights.flatten() if group == -1 else weights
    size = flat.numel() if group == -1 else (group or weights.shape[1])
    found = []
    for start in range(0, weights.numel(), size):
        some = [float(one) for one in weights.flatten()[start : start + size]]
        low, high = min(0.0, *some), max(0.0, *some)
        scale = float(torch.tensor((high - low) / (2**bits - 1)).half())
        zero = min(2**bits - 1, max(0, round(-low / scale)))
        found += [(min(2**bits - 1, max(0, round(one / scale) + zero)) - zero) * scale for one in some]
    return torch.tensor(found).view(weights.shape)


@pytest.mark.parametrize(("bits", "group"), [(8, 0), (8, -1), (4, 32), (4, -1), (3, 16), (2, 64)])
def test_rounding_agrees_with_a_loop_and_with_torch(bits, group):
    weights = matrix()
    levels, scale, zero = packed.quantize(weights, bits, group)
    whole = (1, 1, -1) if group == -1 else (len(weights), scale.shape[1], -1)
    flat = levels.view(1, -1) if group == -1 else levels
    found = packed.dequantize(flat, scale, zero).view(weights.shape)
    assert torch.allclose(found, rounded(weights, bits, group), atol=1e-6)
    groups = weights.reshape(whole).flatten(0, 1)
    faked = torch.fake_quantize_per_channel_affine(
        groups, scale.float().flatten(), zero.int().flatten(), 0, 0, 2**bits - 1
    )
    step = float(scale.float().max())
    near = (found.reshape(groups.shape) - faked).abs()
    assert near.max() <= step * 1.001  # a tie may fall on either side
    assert (near > 1e-6).float().mean() < 0.01


def test_zero_stays_zero_and_smaller_groups_lose_less():
    weights = matrix()
    weights[:, ::7] = 0
    errors = []
    for group in (-1, 0, 32, 16):
        found = packed.unfold(packed.fold(weights, Version(4, group)), 4)
        assert (found[weights == 0] == 0).all()
        errors.append(float((found - weights).norm()))
    assert errors == sorted(errors, reverse=True)
    assert torch.equal(packed.unfold(packed.fold(torch.zeros(8, 32), Version(4, 16)), 4), torch.zeros(8, 32))


@pytest.mark.parametrize("bits", range(1, 9))
def test_packed_numbers_take_their_bits_and_come_back(bits):
    levels = torch.randint(0, 2**bits, (5, 48), dtype=torch.uint8, generator=torch.Generator().manual_seed(bits))
    found = packed.pack(levels, bits)
    assert found.shape == (5, 48 * bits // 8)
    assert torch.equal(packed.unpack(found, bits), levels)


def test_a_byte_holds_neighbours_the_first_one_lowest():
    assert packed.pack(torch.tensor([[1, 2, 3, 4, 5, 6, 7, 8]], dtype=torch.uint8), 4).tolist() == [[33, 67, 101, 135]]


def test_pruning_keeps_the_largest():
    weights = matrix()
    found = packed.unfold(packed.fold(weights, Version(kept=0.25)), 32)
    kept = found != 0
    assert int(kept.sum()) == weights.numel() // 4
    assert weights[~kept].abs().max() <= weights[kept].abs().min()
    assert torch.equal(found[kept], weights[kept].half().float())


@pytest.mark.parametrize("version", VERSIONS, ids=str)
def test_a_file_gives_back_what_was_folded(tmp_path, version):
    weights = {"a": matrix(), "b": torch.arange(5.0), "c": matrix(8, 32, seed=1)}
    packed.save(weights, version, tmp_path / "x.safetensors")
    told, parts = packed.read(tmp_path / "x.safetensors")
    assert [name for name, _ in parts] == ["a", "b", "c"]
    found = packed.load(tmp_path / "x.safetensors")
    assert told == version
    assert set(found) == set(weights)
    assert torch.equal(found["b"], weights["b"])
    for name in ("a", "c"):
        assert torch.equal(found[name], packed.unfold(packed.fold(weights[name], version), version.bits))
    size = (tmp_path / "x.safetensors").stat().st_size - int.from_bytes(
        (tmp_path / "x.safetensors").read_bytes()[:8], "little"
    )
    bits = 1 + 16 * version.kept if version.kept < 1 else version.bits
    assert size >= (40 * 64 + 8 * 32) * bits / 8
    assert size <= (40 * 64 + 8 * 32) * bits / 8 + 800  # scales and zeros


@pytest.mark.parametrize("version", VERSIONS, ids=str)
def test_rows_and_products_are_those_of_the_whole_matrix(version):
    parts = packed.fold(matrix(), version)
    whole, x, bias = packed.unfold(parts, version.bits), torch.randn(3, 64), torch.randn(40)
    for run in ("packed", "unfolded"):
        found = Matrix(dict(parts), version.bits, run)
        assert torch.equal(found.rows(torch.tensor([3, 0, 3])), whole[[3, 0, 3]])
        assert torch.allclose(found(x, bias), F.linear(x, whole, bias), atol=1e-6)


def test_kernels_multiply_by_the_same_matrix():
    x, bias = torch.randn(5, 64), torch.randn(64)
    for kind, version in ((Integers, Version(8)), (Nibbles, Version(4, 32))):
        parts = packed.fold(matrix(64, 64), version)
        wanted = F.linear(x, packed.unfold(parts, version.bits), bias)
        found = kind(parts, version.bits)(x, bias)
        assert float((found - wanted).norm() / wanted.norm()) < 0.02


@pytest.fixture
def small(tmp_path, monkeypatch):
    """A random BERT of transformers, its weights, and a tokenizer of eleven words."""
    from tokenizers import Tokenizer, models, pre_tokenizers, processors
    from transformers import BertConfig, BertModel

    monkeypatch.setattr(packed, "HEADS", 4)
    torch.manual_seed(0)
    config = BertConfig(
        vocab_size=len(WORDS), hidden_size=32, num_hidden_layers=6, num_attention_heads=4, intermediate_size=64,
        max_position_embeddings=32,
    )  # fmt: skip
    model = BertModel(config, add_pooling_layer=False).eval()
    tokenizer = Tokenizer(models.WordLevel({word: place for place, word in enumerate(WORDS)}, unk_token="[UNK]"))
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    tokenizer.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]", special_tokens=[("[CLS]", 2), ("[SEP]", 3)]
    )
    tokenizer.save(str(tmp_path / "tokenizer.json"))
    weights = {name: one for name, one in model.state_dict().items() if not name.endswith("_ids")}
    return model, weights, tmp_path / "tokenizer.json"


def test_the_forward_pass_is_that_of_transformers(small, tmp_path):
    model, weights, tokenizer = small
    packed.save(weights, Version(), tmp_path / "m.safetensors")
    encoder = Encoder(tmp_path / "m.safetensors", tokenizer)
    found = encoder(TEXTS, batch=3)
    for text, vector in zip(TEXTS, found, strict=True):  # one at a time, without padding
        with torch.no_grad():
            states = model(torch.tensor([encoder.tokenizer.encode(text).ids])).last_hidden_state[0]
        assert torch.allclose(vector, F.normalize(states.mean(0), dim=0), atol=1e-5)


@pytest.mark.parametrize("version", VERSIONS, ids=str)
def test_a_version_computes_with_the_weights_of_its_file(small, tmp_path, version):
    _, weights, tokenizer = small
    packed.save(weights, version, tmp_path / "m.safetensors")
    packed.save(packed.load(tmp_path / "m.safetensors"), Version(), tmp_path / "plain.safetensors")
    wanted = Encoder(tmp_path / "plain.safetensors", tokenizer)(TEXTS)
    done = []
    for run in ("packed", "unfolded"):
        found = Encoder(tmp_path / "m.safetensors", tokenizer, run)(TEXTS, advance=done.append)
        assert torch.allclose(found, wanted, atol=1e-5)
    assert sum(done) == 2 * len(TEXTS)


@pytest.mark.parametrize("version", [Version(8), Version(4, 32)], ids=str)
def test_kernels_run_the_whole_model(small, tmp_path, version):
    _, weights, tokenizer = small
    packed.save(weights, version, tmp_path / "m.safetensors")
    plain, kernel = (Encoder(tmp_path / "m.safetensors", tokenizer, run)(TEXTS) for run in ("packed", "kernel"))
    assert float((plain * kernel).sum(1).min()) > 0.98


def test_fewer_layers_are_run_when_fewer_are_kept(small, tmp_path):
    model, weights, tokenizer = small
    model.encoder.layer = model.encoder.layer[:2]
    packed.save(weights, Version(layers=2), tmp_path / "m.safetensors")
    encoder = Encoder(tmp_path / "m.safetensors", tokenizer)
    with torch.no_grad():
        states = model(torch.tensor([encoder.tokenizer.encode(TEXTS[0]).ids])).last_hidden_state[0]
    assert torch.allclose(encoder(TEXTS[:1])[0], F.normalize(states.mean(0), dim=0), atol=1e-5)


def test_vectors_are_computed_once_and_kept(small, tmp_path, project, monkeypatch):
    from lib.lab import sources

    _, weights, tokenizer = small
    saved = []

    def weights_of(layers=6):
        saved.append(layers)
        return weights

    monkeypatch.setattr(sources, "content_hash", lambda name: name)
    monkeypatch.setattr(packed, "minilm_weights", weights_of)
    monkeypatch.setattr(packed, "tokenizer", lambda: tokenizer)
    first, again = (packed.embed(Version(4, 32), TEXTS) for _ in range(2))
    assert first.shape == (4, 32)
    assert torch.equal(first, again)
    assert saved == [6]
    assert packed.minilm(Version(4, 32)).stat().st_size < packed.minilm(Version()).stat().st_size
    assert not torch.equal(first, packed.embed(Version(2, 32), TEXTS))


def test_blocks_left_out_are_not_read(monkeypatch, tmp_path):
    from safetensors.torch import save_file

    from lib.lab import models

    names = ["embeddings.position_ids", "pooler.dense.weight", "embeddings.x", "encoder.layer.0.x", "encoder.layer.5.x"]
    save_file({name: torch.zeros(1) for name in names}, tmp_path / "model.safetensors")
    monkeypatch.setattr(models, "minilm_folder", lambda: tmp_path)
    assert sorted(packed.minilm_weights()) == ["embeddings.x", "encoder.layer.0.x", "encoder.layer.5.x"]
    assert sorted(packed.minilm_weights(3)) == ["embeddings.x", "encoder.layer.0.x"]
    assert packed.tokenizer() == tmp_path / "tokenizer.json"


def test_the_search_keeps_what_sheets_cite(monkeypatch):
    import numpy as np
    import pandas as pd

    from lib.lab import retrieval

    code = pd.DataFrame({"section_path": ["I > A", "I > B", "I > C"], "text": ["un", "deux" * 50, "trois"]})
    sections = pd.DataFrame({
        "question": ["q1", "q2", "q3"], "gold": [np.array([1, 2]), np.array([2]), np.array([0])],
        "asked": [True, True, False], "group": ["s", "s", "t"],
    })  # fmt: skip
    monkeypatch.setattr(retrieval, "load", lambda: (code, sections))
    questions, passages, gold, groups = packed.law_search(20)
    assert (questions, groups) == (["q1", "q2"], ["s", "s"])
    assert passages == ["B " + ("deux" * 50)[:18], "C trois"]
    assert [places.tolist() for places in gold] == [[0, 1], [1]]


def test_the_experiment_s_vectors_are_those_of_its_versions(monkeypatch):
    made = []
    monkeypatch.setattr(packed, "law_search", lambda: (["q"], ["p"], [], []))
    monkeypatch.setattr(
        packed, "embed", lambda version, texts, run, batch=packed.BATCH: made.append((version, run, batch))
    )
    packed.embeddings()
    assert len(made) == 2 * 15
    assert made.count((Version(), "unfolded", packed.BATCH)) == 2
    assert (Version(8), "kernel", 1) in made
    assert len(set(made)) == 15


def test_what_a_process_of_its_own_does(small, tmp_path):
    _, weights, tokenizer = small
    packed.save(weights, Version(8), tmp_path / "m.safetensors")
    path = str(tmp_path / "m.safetensors")
    assert packed.answer(path, str(tokenizer), "kernel", TEXTS) == len(TEXTS)
    found = packed.race([(path, "kernel"), (path, "packed"), (path, "unfolded")], str(tokenizer), TEXTS, 2)
    assert json.loads(json.dumps(found)) == found
    assert len(found) == 3
    assert all(0 < one < 1000 for one in found)
