"""Sheets as tokens: those that encoding them again would give, whatever their length."""

import numpy as np
import pandas as pd
import pytest

from lib.lab import corpus, encoded, sources, text


@pytest.fixture
def tokenizer(project, monkeypatch):
    """Three sheets, one of which is empty, and a tokenizer trained on them."""
    frame = pd.DataFrame({"sheet_id": ["F1", "F20", "F3"], "text": ["L’œuvre  du   maire – enfin.", "", "Un permis."]})
    made = text.train_bpe(list(frame["text"]), 300)
    monkeypatch.setattr(corpus, "service_public", lambda: frame.copy())
    monkeypatch.setattr(sources, "content_hash", lambda name: name)
    monkeypatch.setattr(text, "load_bpe", lambda: made)
    monkeypatch.setattr(text, "french_bpe", lambda: project.root / "french_bpe-1.json")
    return made


def test_each_sheet_has_the_tokens_of_its_normalized_text(tokenizer):
    found = encoded.sheets()
    assert list(found) == ["F1", "F20", "F3"]
    for name, said in {"F1": "L'œuvre du maire - enfin.", "F20": "", "F3": "Un permis."}.items():
        np.testing.assert_array_equal(found[name], tokenizer.encode(said).ids)
        assert found[name].dtype == np.int64


def test_they_are_encoded_once_for_each_tokenizer(tokenizer, project, monkeypatch):
    asked = []
    monkeypatch.setattr(text, "encode", lambda *given, real=text.encode: asked.append(1) or real(*given))
    first, again = encoded.sheets(), encoded.sheets()
    assert len(asked) == 1
    assert all((first[name] == again[name]).all() for name in first)
    monkeypatch.setattr(text, "french_bpe", lambda: project.root / "french_bpe-2.json")
    encoded.sheets()
    assert len(asked) == 2
