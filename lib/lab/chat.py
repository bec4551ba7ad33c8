"""One small way to put prompts to any language model, named by a word. Knows how to reach models; nothing of tasks.

A name is `smollm2`, `gemma` or a hub id such as `owner/name`, run here by transformers; `smollm2+french` is the same
after the updates of `lib.lab.updates`; with rounded weights after an "@" (`smollm2@bfloat16`, `smollm2@int8`,
`smollm2@int4`); with drawn answers after a "~", at that temperature (`smollm2~0.7`, `smollm2@int4~1`). Or an address
and a model, `https://host/v1#model`, for anything that speaks OpenAI's chat completions: llama.cpp, vLLM, Ollama, a
hosted service.
"""

import json
import math
import os
import time
import urllib.error
import urllib.parse
import urllib.request
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

from lib.lab import models, progress, updates
from lib.lab.normalize import digest
from lib.lab.packed import Version, fold, unfold

if TYPE_CHECKING:
    import numpy as np
    import torch

Model = Callable[[Sequence[str]], list[str]]  # prompts -> what the model adds to each, up to the first line's end
LENGTH = 24  # tokens of an answer: a line of a few words
AT_ONCE = 48  # prompts of a batch: read and continued together, more of them gain little
DRAWN = "~"  # before the temperature at which answers are drawn
STEP = 16  # tokens read in the time of one step of writing, which goes through all the weights for one token a row
PRECISIONS = {"float32": None, "bfloat16": None, "int8": Version(8), "int4": Version(4, 64)}  # int4: 64 share a scale
UPDATED = "+french"  # ends the name of a model after the updates of lib.lab.updates
KEY = "OPENAI_API_KEY"  # where an endpoint's key is looked for; never written anywhere
TRIES, WAIT_S, PATIENCE_S, SIDE_BY_SIDE = 4, 1.0, 60.0, 4  # of calls to an endpoint


class ModelError(ValueError):
    """A model that cannot be reached or does not answer."""


def open_model(name: str, length: int = LENGTH) -> Model:
    """The model of this name; its answers are the likeliest ones, or drawn, `length` tokens at most.

    A prompt given several times has as many drawn answers; those of a local model are the same at each call. Raises
    ModelError, or SourceError when the weights cannot be had.
    """
    plain, temperature = _temperature(name)
    if "://" in plain:
        return _endpoint(plain, length, temperature)
    known, _, precision = plain.partition("@")
    if precision not in ("", *PRECISIONS):
        raise ModelError(f"{name}: the precision after @ is one of {', '.join(PRECISIONS)}")
    if known.endswith(UPDATED):
        model, tokenizer = updates.load_updated(known.removesuffix(UPDATED))
    else:
        model, tokenizer = models.load_causal_lm(known)
    round_weights(model, precision or "float32")
    return transformers_model(model, tokenizer, length, name, temperature)


def _temperature(name: str) -> tuple[str, float]:
    """A name without its temperature, and the temperature: 0 when none is said."""
    plain, mark, said = name.rpartition(DRAWN)
    if not mark or "/" in said:  # an address may hold the mark
        return name, 0.0
    try:
        found = float(said)
    except ValueError:
        found = math.nan
    if not 0 < found < math.inf:
        raise ModelError(f"{name}: after {DRAWN} stands a temperature above 0")
    return plain, found


def round_weights(model: Any, precision: str) -> None:
    """Round every matrix of a model to what the precision can hold; it still computes in float32.

    So it answers as a rounded model does, at the speed of the whole one. Matrices whose rows cannot be cut in groups
    get a scale a row.
    """
    import torch

    if precision == "float32":
        return
    version = PRECISIONS[precision]
    with torch.no_grad():
        for weights in model.parameters():
            if weights.ndim != 2:
                continue
            if version is None:
                weights.copy_(weights.bfloat16())
            else:
                fits = version.group and weights.shape[1] % version.group == 0
                chosen = version if fits else Version(version.bits)
                for start in range(0, len(weights), 8192):  # rows at once: a vocabulary has 262,000
                    some = weights[start : start + 8192]
                    some.copy_(unfold(fold(some, chosen), chosen.bits))


def transformers_model(
    model: Any, tokenizer: Any, length: int = LENGTH, name: str = "a model", temperature: float = 0.0
) -> Model:
    """A causal language model of transformers as such a function; temperature: 0 takes the likeliest token.

    Prompts that begin alike are answered together, and their beginning is read once. What is drawn hangs on the prompt
    and on how many times it came before, not on its neighbours, if prompts fit the model's window of attention (512
    tokens for Gemma 3): in longer ones, padding moves what the window holds.
    """
    import torch

    def answer(prompts: Sequence[str]) -> list[str]:
        rows = tokenizer(list(prompts))["input_ids"] if prompts else []
        said = [""] * len(rows)
        dice = uniform(prompts, length) if temperature else None
        with torch.inference_mode(), progress.bar(f"asking {name}", len(rows)) as advance:
            for places, shared in batches(rows, STEP * length):
                some = [rows[place] for place in places]
                drawn = (temperature, dice[places]) if dice is not None else None
                written = _continue(model, tokenizer, some, shared, length, drawn)
                for place, text in zip(places, written, strict=True):
                    said[place] = first_line(text)
                advance(len(places))
        return said

    return answer


def uniform(prompts: Sequence[str], length: int) -> "np.ndarray":
    """Numbers in [0, 1) that draw each answer's tokens, (N, length): others each time a prompt comes again."""
    import numpy as np

    times: Counter[str] = Counter()
    found = np.empty((len(prompts), length))
    for place, prompt in enumerate(prompts):
        found[place] = np.random.default_rng([int(digest(prompt)[:16], 16), times[prompt]]).random(length)
        times[prompt] += 1
    return found


def batches(rows: list[list[int]], own: int = 0) -> Iterator[tuple[list[int], int]]:
    """Places of rows to read together, and how many first tokens they share, at least one less than each has.

    A row joins a batch unless reading it apart would take fewer tokens, what is shared being read once. own: what a
    batch of one's own costs beside, in tokens read.
    """
    order = sorted(range(len(rows)), key=lambda place: rows[place])
    start = 0
    while start < len(order):
        first, size, shared, longest = rows[order[start]], 1, len(rows[order[start]]) - 1, len(rows[order[start]])
        for place in order[start + 1 : start + AT_ONCE]:
            row = rows[place]
            alike = next((at for at, (one, other) in enumerate(zip(first, row, strict=False)) if one != other), None)
            less = min(shared, len(row) - 1, len(first) if alike is None else alike)
            more = max(longest, len(row))
            if less + (size + 1) * (more - less) > shared + size * (longest - shared) + len(row) + own:
                break
            size, shared, longest = size + 1, less, more
        yield order[start : start + size], shared
        start += size


def _continue(
    model: Any, tokenizer: Any, rows: Sequence[list[int]], shared: int, length: int,
    drawn: "tuple[float, np.ndarray] | None" = None,
) -> list[str]:  # fmt: skip
    """Continue each row, token by token, until it has a whole line or ends.

    drawn: the temperature, and numbers in [0, 1) (B, length) that draw the tokens; without it, the likeliest ones.
    """
    import torch
    from transformers import DynamicCache

    read, cache = model.get_decoder(), DynamicCache(config=model.config)
    if shared:
        read(input_ids=torch.tensor([rows[0][:shared]]), cache=cache, use_cache=True)
        cache.batch_repeat_interleave(len(rows))
    longest = max(len(row) for row in rows) - shared
    gaps = [longest + shared - len(row) for row in rows]  # left of what a row does not share
    ids = torch.tensor([[row[-1]] * gap + row[shared:] for gap, row in zip(gaps, rows, strict=True)])  # (B, T)
    mask = torch.tensor([[1] * shared + [0] * gap + [1] * (longest - gap) for gap in gaps])  # (B, shared + T)
    said: list[list[int]] = [[] for _ in rows]
    going = list(range(len(rows)))
    for step in range(length):
        at = (mask.cumsum(1) - 1).clamp(min=0)[:, -ids.shape[1] :]
        states = read(input_ids=ids, attention_mask=mask, position_ids=at, cache=cache, use_cache=True)
        logits = _logits(model, states.last_hidden_state[:, -1])  # (B, V)
        best = logits.argmax(-1) if drawn is None else _draw(logits / drawn[0], drawn[1][going, step])  # (B,)
        kept = []
        for place, (row, token) in enumerate(zip(going, best.tolist(), strict=True)):
            said[row].append(token)
            if token != tokenizer.eos_token_id and "\n" not in tokenizer.decode(said[row]).lstrip():
                kept.append(place)
        if not kept:
            break
        if len(kept) < len(going):
            cache.batch_select_indices(torch.tensor(kept))
        going = [going[place] for place in kept]
        ids, mask = best[kept, None], torch.cat([mask[kept], mask.new_ones(len(kept), 1)], dim=1)
    return tokenizer.batch_decode(said, skip_special_tokens=True)


def _draw(logits: "torch.Tensor", numbers: "np.ndarray") -> "torch.Tensor":
    """Tokens (B,) where the cumulated probabilities (B, V) pass the numbers (B,)."""
    import torch

    cumulated = logits.double().softmax(-1).cumsum(-1)
    wanted = torch.from_numpy(numbers)[:, None] * cumulated[:, -1:]
    return torch.searchsorted(cumulated, wanted, right=True)[:, 0].clamp(max=logits.shape[-1] - 1)


def _logits(model: Any, states: "torch.Tensor") -> "torch.Tensor":
    """(B, V) float of the last layer's states (B, D)."""
    import torch

    logits = model.get_output_embeddings()(states).float()
    cap = getattr(model.config, "final_logit_softcapping", None)
    return cap * torch.tanh(logits / cap) if cap else logits


def first_line(text: str) -> str:
    """What stands on the first line that holds anything."""
    return next((line.strip() for line in text.split("\n") if line.strip()), "")


def _endpoint(name: str, length: int, temperature: float) -> Model:
    """Chat completions at an address; a few calls side by side, tried again when the service is busy."""
    address, _, known = name.partition("#")
    parts, key = urllib.parse.urlsplit(address), os.environ.get(KEY)
    if parts.scheme not in ("http", "https") or not known:
        raise ModelError(f"{name}: an endpoint is written https://host/v1#model")
    if key and parts.scheme == "http" and parts.hostname not in ("localhost", "127.0.0.1", "::1"):
        raise ModelError(f"{address}: a key only travels over https; unset {KEY} or change the address")
    headers = {"Content-Type": "application/json"} | ({"Authorization": f"Bearer {key}"} if key else {})

    def one(prompt: str) -> str:
        asked = {"model": known, "messages": [{"role": "user", "content": prompt}], "temperature": temperature}
        body = json.dumps(asked | {"max_tokens": length}).encode()
        request = urllib.request.Request(address.rstrip("/") + "/chat/completions", body, headers)
        return first_line(_call(request, name))

    def answer(prompts: Sequence[str]) -> list[str]:
        with ThreadPoolExecutor(SIDE_BY_SIDE) as pool, progress.bar(f"asking {known}", len(prompts)) as advance:
            said = []
            for text in pool.map(one, prompts):
                said.append(text)
                advance(1)
        return said

    return answer


def _call(request: urllib.request.Request, name: str) -> str:
    """The text that an endpoint answers. Raises ModelError after the last try."""
    for number in range(TRIES):
        try:
            with urllib.request.urlopen(request, timeout=PATIENCE_S) as response:
                return json.load(response)["choices"][0]["message"]["content"] or ""
        except urllib.error.HTTPError as error:
            problem, busy = f"answers {error.code} {error.reason}", error.code in (408, 429) or error.code >= 500
        except (OSError, TimeoutError) as error:
            problem, busy = f"cannot be reached ({getattr(error, 'reason', error)})", True
        except (ValueError, LookupError, TypeError) as error:
            raise ModelError(f"{name} does not answer as chat completions do") from error
        if not busy:
            break
        time.sleep(WAIT_S * 2**number if number + 1 < TRIES else 0)
    raise ModelError(f"{name} {problem}")
