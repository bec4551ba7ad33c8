"""The language model that small experiments start from: trained once on the Code du travail, kept, and shared.

Knows one text, one shape and one recipe; knows nothing of what is done with the model afterwards.
"""

import sys
from dataclasses import asdict
from pathlib import Path

import torch
from safetensors.torch import load_file, save_file

from lib.lab import cache, corpus, models, sources, text, training
from lib.lab.training import Llama, Recipe, Shape

SHAPE = Shape()
RECIPE = Recipe(steps=2000, batch=16)  # some two million tokens, most of the Code once: a minute on two cores
THREADS = 2  # fixed, so that the same text gives the same model


def law_model() -> Path:
    """File of the base model's weights; trained the first time, a minute on two cores."""
    inputs = {name: sources.content_hash(name) for name in ("code-du-travail", "service-public")}
    params = {"shape": asdict(SHAPE), "recipe": asdict(RECIPE), "threads": THREADS}
    code = [sys.modules[__name__], training, text, corpus]
    return cache.derived("law_model.safetensors", _write, inputs=inputs, params=params, code=code)


def load_law_model(members: int = 1) -> Llama:
    """The base model, as many times as there are members, each to be trained further on its own."""
    return read(law_model(), members)


def read(file: Path, members: int) -> Llama:
    """A model of this shape from the file of one member, as many times as there are members."""
    model = Llama(SHAPE, range(members))
    model.load_state_dict({name: one.expand(members, -1, -1).clone() for name, one in load_file(file).items()})
    return model


def law_rows() -> torch.Tensor:
    """The Code du travail as rows of one context, (N, T + 1) int, in the tokens of `text.load_bpe`."""
    articles = [text.normalize(one) for one in corpus.code_du_travail()["text"]]
    return training.pack(text.encode(text.load_bpe(SHAPE.vocabulary), articles), SHAPE.context)


def _write(path: Path) -> None:
    model, data = Llama(SHAPE, (0,)), training.batches([law_rows()], RECIPE.batch, (0,))
    with models.threads(THREADS):
        training.train(model, data, RECIPE, label="training the base model on the Code du travail, once")
    save_file(model.state_dict(), path)
