"""The practical sheets of service-public.fr as our small models read them: token numbers, encoded once and kept.

Knows one collection and one tokenizer; knows nothing of who reads.
"""

from pathlib import Path

import numpy as np

from lib.lab import cache, corpus, sources, text


def sheets() -> dict[str, np.ndarray]:
    """Tokens of every sheet for the public, (T,) int64, by sheet_id; of its normalized text, without the title."""
    inputs = {"service-public": sources.content_hash("service-public")}
    code = [corpus, text.normalize, text.encode, _write]
    path = cache.derived("sheet_tokens.npz", _write, inputs=inputs, params={"bpe": text.french_bpe().name}, code=code)
    with np.load(path, allow_pickle=False) as kept:
        each = np.split(kept["tokens"].astype(np.int64), kept["ends"][:-1])
        return dict(zip(kept["names"].tolist(), each, strict=True))


def _write(path: Path) -> None:
    found = corpus.service_public()
    each = text.encode(text.load_bpe(), [text.normalize(one) for one in found["text"]])
    tokens = np.concatenate(each).astype(np.uint16)  # 1,024 different ones
    with path.open("wb") as file:
        np.savez(file, names=found["sheet_id"].to_numpy(str), ends=np.cumsum([*map(len, each)]), tokens=tokens)
