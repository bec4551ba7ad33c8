"""A small suite of tasks with answers that a program knows, put in several formats: what compares language models.

Knows French public texts and prompts; knows nothing of models. A prompt shows a few examples, then the text asked.
"""

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from lib.lab import corpus, text, themes

if TYPE_CHECKING:
    import pandas as pd

ARTICLE = r"\b[LRD]\. ?\d{3,4}(?:-\d+)+\b"
DURATION = r"\b\d+ (?:jour|mois|an|heure|semaine)s?\b"
THEMES = ("Famille", "Logement", "Transports", "Travail")
POOL = 20  # texts of each task that examples are drawn from; none of them is asked about
TASKS = {  # the instruction, in French and in English
    "article": ("Relever le numéro de l'article cité.", "Copy the number of the article that is cited."),
    "json": ('Relever l\'article cité, en JSON, avec les clés "type" et "numéro".',
             'Copy the article that is cited, as JSON, with the keys "type" and "numéro".'),
    "duration": ("Relever la durée.", "Copy the duration."),
    "theme": ("Choisir le thème : Famille, Logement, Transports ou Travail.",
              "Choose the theme: Famille, Logement, Transports or Travail."),
}  # fmt: skip
FORMATS = {  # what comes first, and how a text with its answer is written
    "lines": ("{fr}\n\n", "Texte : {text}\nRéponse : {gold}\n\n"),
    "arrow": ("{fr}\n", "{text} => {gold}\n"),
    "headings": ("# CONSIGNE\n{fr}\n\n", "## TEXTE\n{text}\n## RÉPONSE\n{gold}\n\n"),
    "english": ("{en}\n\n", "Text: {text}\nAnswer: {gold}\n\n"),
}


@dataclass(frozen=True)
class Suite:
    """Texts of one draw. asked: columns task, text, gold, one row a text; pool: task -> the texts of examples."""

    asked: "pd.DataFrame"
    pool: "dict[str, pd.DataFrame]"
    seed: int

    def prompts(self, form: str, draw: int, shots: int) -> list[str]:
        """What a model is asked about every text, in one of FORMATS, with the examples of one draw."""
        return [one for task in TASKS for one in self._of_task(task, form, draw, shots)]

    def _of_task(self, task: str, form: str, draw: int, shots: int) -> list[str]:
        head, pattern = FORMATS[form]
        dice = np.random.default_rng([self.seed + draw, list(TASKS).index(task)])
        pool = self.pool[task].iloc[dice.permutation(len(self.pool[task]))]
        kinds = pool["gold"] if task == "theme" else pool["text"]  # as many examples of each answer
        picked = pool.iloc[np.argsort(kinds.groupby(kinds).cumcount().to_numpy(), kind="stable")[:shots]]
        shown = "".join(pattern.format(text=one, gold=gold) for one, gold in picked[["text", "gold"]].to_numpy())
        start = head.format(fr=TASKS[task][0], en=TASKS[task][1]) + shown
        beginning = pattern.partition("{gold}")[0]
        texts = self.asked["text"][self.asked["task"] == task]
        return [start + beginning.format(text=one).rstrip() for one in texts]


def load(n_items: int, longest: int, seed: int) -> Suite:
    """n_items texts of each task, each of another document and of `longest` characters at most."""
    import pandas as pd

    code, public = corpus.code_du_travail(), corpus.service_public()
    cited = _sentences(code, "cid", ARTICLE, DURATION, longest, seed)
    lasting = _sentences(public[~public["theme"].isin(THEMES)], "sheet_id", DURATION, ARTICLE, longest, seed)
    parts = cited["gold"].str.extract(r"(.)\. ?(.*)").to_numpy()
    cited["json"] = [json.dumps({"type": letter, "numéro": number}, ensure_ascii=False) for letter, number in parts]
    items = {
        "article": cited[0::2][["text", "gold"]],
        "json": cited[1::2][["text", "json"]].rename(columns={"json": "gold"}),
        "duration": lasting[["text", "gold"]],
        "theme": _titles(public, longest, seed),
    }
    items = {task: frame.reset_index(drop=True)[: POOL + n_items] for task, frame in items.items()}
    asked = pd.concat([frame[POOL:].assign(task=task) for task, frame in items.items()], ignore_index=True)
    return Suite(asked, {task: frame[:POOL] for task, frame in items.items()}, seed)


def _titles(public: "pd.DataFrame", longest: int, seed: int) -> "pd.DataFrame":
    """Titles of sheets that do not say their theme, the themes in turn. Columns: text, gold."""
    titles = public.merge(themes.sheets()[["sheet_id"]])  # near-copies left out
    titles = titles[titles["theme"].isin(THEMES) & (titles["title"].str.len() <= longest)]
    titles = titles[~titles["title"].str.contains("famil|logement|transport|travail", case=False)]
    titles = titles.sample(frac=1, random_state=seed)
    titles = titles.loc[titles.groupby("theme").cumcount().sort_values(kind="stable").index]
    return titles.assign(text=titles["title"].map(text.normalize), gold=titles["theme"])[["text", "gold"]]


def _sentences(
    frame: "pd.DataFrame", document: str, pattern: str, other: str, longest: int, seed: int
) -> "pd.DataFrame":
    """One sentence a document that matches a pattern once and another never, in an order drawn at random."""
    import pandas as pd

    whole = rf"[A-ZÀ-Ý][^:;()\"«]{{38,{longest - 2}}}\."  # a sentence of its own
    cut = [re.split(r"(?<=[^LRD][.;:]) (?=[A-ZÀ-Ý0-9])", text.normalize(one)) for one in frame["text"]]
    said = pd.DataFrame({"document": frame[document], "text": cut}).explode("text")
    said = said[said["text"].str.fullmatch(whole) & (said["text"].str.count(pattern) == 1)]
    said = said[said["text"].str.count(other) == 0].sample(frac=1, random_state=seed)
    alike = said["text"].str.replace(r"\d+", "0", regex=True).duplicated()
    said = said[~alike].drop_duplicates("document")
    return said.assign(gold=said["text"].str.extract(f"({pattern})")[0]).reset_index(drop=True)


def parse(task: str, answer: str) -> str | None:
    """What an answer says, in one spelling; None when it has not the form that was asked for."""
    answer = answer.strip(" .")
    if task == "json":
        try:
            said = json.loads(answer)
        except ValueError:
            return None
        return json.dumps(said, sort_keys=True) if isinstance(said, dict) and set(said) == {"type", "numéro"} else None
    pattern = {"article": ARTICLE, "duration": DURATION, "theme": "|".join(THEMES)}[task]
    return answer.replace(" ", "") if re.fullmatch(pattern, answer) else None


def marks(asked: "pd.DataFrame", said: Sequence[str] | np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """(valid, right), bool of the answers' shape, (..., N) for the N texts of `asked`."""
    gold = [parse(*one) for one in asked[["task", "gold"]].to_numpy()]
    answers = np.asarray(said)
    flat = answers.reshape(-1, len(gold))
    read = [[parse(task, one) for task, one in zip(asked["task"], row, strict=True)] for row in flat]
    valid = np.array([[one is not None for one in row] for row in read]).reshape(answers.shape)
    right = np.array([[one is not None and one == own for one, own in zip(row, gold, strict=True)] for row in read])
    return valid, right.reshape(answers.shape)
