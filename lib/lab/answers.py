"""What models answered to prompts, kept in one compressed file. Knows names, prompts and texts; nothing of tasks.

Each line of the file is a model: its name, what made it say so, in how many seconds, and its answers by the prompts'
digests. A prompt whose answer is not kept is put to the model: whoever changes a prompt or a model gets its answers,
not old ones.
"""

import gzip
import importlib.metadata
import json
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from lib.lab import cache, chat
from lib.lab.normalize import digest

DIGITS = 16  # of a prompt's digest: enough to tell billions apart
MADE_BY = ("torch", "transformers")
Open = Callable[[str], chat.Model]


def read(path: Path) -> dict[str, dict[str, Any]]:
    """Name -> {made_by, seconds, answers: {digest: text}}; empty when there is no file.

    Raises ValueError on other content.
    """
    if not path.is_file():
        return {}
    try:
        lines = [json.loads(line) for line in gzip.decompress(path.read_bytes()).decode("utf-8").splitlines()]
        return {line.pop("model"): {part: line[part] for part in ("made_by", "seconds", "answers")} for line in lines}
    except (OSError, ValueError, LookupError, TypeError, AttributeError) as error:
        raise ValueError(f"{path} does not hold answers: {error}") from error


def ask(kept: dict[str, dict[str, Any]], name: str, prompts: Sequence[str], open_model: Open = chat.open_model) -> int:
    """Complete what is kept with this model's answers to these prompts; how many it had to be asked."""
    one = kept.setdefault(name, {"made_by": made_by(), "seconds": 0, "answers": {}})
    missing = [prompt for prompt in dict.fromkeys(prompts) if key(prompt) not in one["answers"]]
    if missing:
        start = time.monotonic()
        one["answers"] |= dict(zip(map(key, missing), open_model(name)(missing), strict=True))
        one["seconds"] += round(time.monotonic() - start)
    return len(missing)


def ask_draws(
    kept: dict[str, dict[str, Any]], name: str, prompts: Sequence[str], draws: int, open_model: Open = chat.open_model
) -> int:
    """Complete what is kept with as many drawn answers to each prompt; how many answers had to be drawn.

    An answer is then a list of texts. Fewer draws than are kept change nothing; more of them are drawn from the first.
    """
    one = kept.setdefault(name, {"made_by": made_by(), "seconds": 0, "answers": {}})
    short = [prompt for prompt in dict.fromkeys(prompts) if len(one["answers"].get(key(prompt), ())) < draws]
    if short:
        start = time.monotonic()
        said = open_model(name)([prompt for prompt in short for _ in range(draws)])
        one["answers"] |= {key(prompt): said[at * draws : (at + 1) * draws] for at, prompt in enumerate(short)}
        one["seconds"] += round(time.monotonic() - start)
    return len(short) * draws


def look_up(kept: dict[str, dict[str, Any]], name: str, prompts: Sequence[str]) -> list[str]:
    """This model's kept answers. Raises KeyError when one is missing."""
    return [kept[name]["answers"][key(prompt)] for prompt in prompts]


def write(kept: dict[str, dict[str, Any]], path: Path) -> None:
    """Keep all of it; the same answers give the same bytes."""
    lines = [
        json.dumps({"model": name, **one, "answers": dict(sorted(one["answers"].items()))}, ensure_ascii=False)
        for name, one in sorted(kept.items())
    ]
    with cache.atomic(path) as made:
        made.write_bytes(gzip.compress("\n".join(lines).encode("utf-8"), mtime=0))


def key(prompt: str) -> str:
    """What a prompt is found by."""
    return digest(prompt)[:DIGITS]


def made_by() -> dict[str, str]:
    """Versions of what runs models here."""
    return {name: importlib.metadata.version(name).partition("+")[0] for name in MADE_BY}
