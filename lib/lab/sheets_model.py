"""The base model a little later: it has also read the sheets of service-public.fr that belong to none of six themes.

So it knows how the site writes, and not yet these six subjects. Knows one text and one recipe; knows nothing of what is
taught to the model afterwards.
"""

import sys
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

from safetensors.torch import save_file

from lib.lab import base, cache, corpus, models, sources, text, themes, training
from lib.lab.training import Llama, Recipe

if TYPE_CHECKING:
    import pandas as pd

THEMES = ("Argent", "Famille", "Justice", "Logement", "Social - Santé", "Travail")  # those with most sheets
RECIPE = Recipe(steps=2000, batch=16)  # two million tokens, three quarters of these sheets: a minute on two cores


def sheets_model() -> Path:
    """File of the model's weights; trained the first time, a minute on two cores."""
    inputs = {name: sources.content_hash(name) for name in ("code-du-travail", "service-public")}
    params = {"shape": asdict(base.SHAPE), "recipe": asdict(RECIPE), "start": base.law_model().name}
    code = [sys.modules[__name__], training, text, corpus, themes]
    return cache.derived("sheets_model.safetensors", _write, inputs=inputs, params=params, code=code)


def load_sheets_model(members: int = 1) -> Llama:
    """The model, as many times as there are members, each to be trained further on its own."""
    return base.read(sheets_model(), members)


def theme_sheets() -> "pd.DataFrame":
    """Sheets for the public of the six themes, near-copies left out. Columns: sheet_id, theme, title, text (str)."""
    sheets = corpus.service_public().merge(themes.sheets()[["sheet_id"]])
    return sheets.loc[sheets["theme"].isin(THEMES), ["sheet_id", "theme", "title", "text"]].reset_index(drop=True)


def other_sheets() -> list[str]:
    """Texts of the sheets of all audiences that belong to none of the six themes and copy no sheet that does."""
    import pandas as pd
    from sklearn.feature_extraction.text import TfidfVectorizer

    public = corpus.service_public()
    others = [public[~public["theme"].isin([*THEMES, ""])]]
    for audience in ("professionnels", "associations"):
        sheets = corpus.service_public(audience)
        others.append(sheets[~sheets["sheet_id"].isin(public["sheet_id"])])
    found = pd.concat(others)
    found = found[found["text"].str.len() >= themes.MINIMUM].drop_duplicates("sheet_id")
    own = theme_sheets()["text"]
    vectors = TfidfVectorizer(sublinear_tf=True).fit_transform([*found["text"], *own])
    alike = (vectors[: len(found)] @ vectors[len(found) :].T).max(axis=1).toarray()[:, 0]  # (N,) cosine
    return [text.normalize(one) for one in found["text"][alike < themes.ALIKE]]


def _write(path: Path) -> None:
    rows = training.pack(text.encode(text.load_bpe(base.SHAPE.vocabulary), other_sheets()), base.SHAPE.context)
    model = base.load_law_model()
    with models.threads(base.THREADS):
        training.train(model, training.batches([rows], RECIPE.batch, (0,)), RECIPE, label="reading other sheets, once")
    save_file(model.state_dict(), path)
