"""What data/derived keeps is what the code makes today, and the code still asks for each file."""

import numpy as np
import pytest
import torch

from lib.lab import (
    base,
    cache,
    corpus,
    likelihood,
    models,
    niche,
    paths,
    retrieval,
    sheets_model,
    specialists,
    static,
    text,
    themes,
    training,
    vocabularies,
)
from lib.press import notebooks

pytestmark = pytest.mark.network
SAMPLE = 24  # texts computed again, of each file of vectors
VECTORS = {
    "articles": lambda: [one[: retrieval.PASSAGE_CHARS] for one in retrieval.documents(corpus.code_du_travail())],
    "themes_text": lambda: list(themes.sheets()["text"]),
    "themes_copy": lambda: list(themes.sheets()["copy"]),
    "themes_off_topic": themes.off_topic,
    "sheet_bodies": static.bodies,
    "themes_truncated": lambda: list(themes.sheets()["truncated"]),
    "questions": lambda: list(retrieval.load()[1]["question"]),
    "sheet_titles": lambda: list(themes.sheets()["text"].str.partition("\n")[0]),
}
QUERIES = ("questions", "sheet_titles")  # vectors of what is asked, not of what is found
READERS = ("smollm2", "gemma")


def quick(slug):
    """Parameters of a notebook's quick run."""
    return next(iter(notebooks.select([slug]))).values("quick")


def exam():
    told = quick("compact_finetune")
    return niche.exam(*(told[name] for name in ("n_code", "n_sheets", "n_theme", "n_labelled", "n_gaps", "seed")))


def declaration():
    """What french_tokens has read: the articles of the Declaration, in French and in English."""
    parts = vocabularies.translations().set_index("language")["parts"]
    return [one for lang in ("fr", "en") for one in parts[lang][1 : 1 + quick("french_tokens")["n_articles"]]]


def passages():
    """What french_tokens has read of labour law."""
    told, sheets = quick("french_tokens"), corpus.fact_sheets()
    some = sheets[sheets["text"].str.len() > told["n_chars"]].groupby("sheet_title", sort=True).first()["text"]
    places = np.sort(np.random.default_rng(told["seed"]).choice(len(some), told["n_sheets"], replace=False))
    return [text.normalize(one)[: told["n_chars"]].rpartition(" ")[0] for one in some.iloc[places]]


def test_the_code_asks_for_each_file_and_makes_none_again(monkeypatch):
    asked, real = set(), cache.derived_path
    monkeypatch.setattr(cache, "derived_path", lambda *given, **more: asked.add(one := real(*given, **more)) or one)
    for label, texts in VECTORS.items():
        models.embed("minilm", texts(), label, query=label in QUERIES)
    for name in READERS:
        specialists.answers_of(name, exam())
        likelihood.nats(name, declaration(), "udhr")
        likelihood.nats(name, passages(), "labour_passages")
    base.law_model()
    sheets_model.sheets_model()
    kept = {path.name for path in paths.kept_dir().iterdir()}
    assert kept <= {path.name for path in asked}
    assert len(kept) == len(VECTORS) + 3 * len(READERS) + 2


@pytest.mark.parametrize("label", VECTORS)
def test_vectors_are_those_that_the_model_gives_today(label):
    texts = VECTORS[label]()
    places = np.random.default_rng(0).choice(len(texts), SAMPLE, replace=False)
    (kept,) = paths.kept_dir().glob(f"{label}-*.npy")
    held = np.load(kept, allow_pickle=False)
    assert held.shape == (len(texts), 384)
    assert held.dtype == np.float16
    again = models._embed("minilm", [texts[place] for place in places], query=label in QUERIES)
    assert held[places] == pytest.approx(again, abs=5e-4)
    assert not np.allclose(held[places - 1], again, atol=5e-3)  # another text's vector would be seen


@pytest.mark.parametrize("name", READERS)
def test_readings_and_answers_are_those_that_the_model_gives_today(name):
    model, tokenizer = models.load_causal_lm(name)
    for label, texts in (("udhr", declaration()), ("labour_passages", passages())):
        (kept,) = paths.kept_dir().glob(f"{label}-{name}-*.npy")
        held = np.load(kept, allow_pickle=False)
        assert held.shape == (len(texts),)
        assert held[2:5] == pytest.approx(likelihood.score(model, tokenizer, texts[2:5]), rel=1e-4)
    rows = exam().reset_index(drop=True)
    first = [int(np.flatnonzero(rows["kind"] == kind)[0]) for kind in ("code", "sheets", "theme", "labelled")]
    gap = int(np.flatnonzero(rows["kind"] == "gap")[0])
    places = [*first, *range(gap, gap + 4)]
    again, held = specialists.examine(model, tokenizer, rows.iloc[places]), specialists.answers_of(name, rows)
    assert held["nats"][places] == pytest.approx(again["nats"], rel=1e-4, nan_ok=True)
    assert held["states"][places] == pytest.approx(again["states"], abs=1e-2, nan_ok=True)
    assert held["parameters"] == again["parameters"]


@pytest.mark.parametrize("load", [base.load_law_model, sheets_model.load_sheets_model])
def test_base_models_have_read_their_texts(load):
    sheets = training.pack(text.encode(text.load_bpe(), sheets_model.other_sheets()[:40]), base.SHAPE.context)
    rows = torch.concatenate([base.law_rows()[-64:], sheets[:64]])
    assert training.nats(load(), rows).mean() < 0.6 * training.nats(training.Llama(base.SHAPE), rows).mean()
