"""One small way to put prompts to any language model, named by a word. Knows how to reach models; nothing of tasks.

A name is `smollm2`, `gemma` or a hub id such as `owner/name`, run here by transformers, with another precision after
an "@" (`smollm2@bfloat16`, `smollm2@int8`, `smollm2@int4`); or an address and a model, `https://host/v1#model`, for
anything that speaks OpenAI's chat completions: llama.cpp, vLLM, Ollama, a hosted service.
"""

import json
import os
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

from lib.lab import models, progress

if TYPE_CHECKING:
    import torch

Model = Callable[[Sequence[str]], list[str]]  # prompts -> what the model adds to each, up to the first line's end
LENGTH = 24  # tokens of an answer: a line of a few words
AT_ONCE = 16  # prompts of a batch: more of them pad more
PRECISIONS = ("float32", "bfloat16", "int8", "int4")
KEY = "OPENAI_API_KEY"  # where an endpoint's key is looked for; never written anywhere
TRIES, WAIT_S, PATIENCE_S, SIDE_BY_SIDE = 4, 1.0, 60.0, 4  # of calls to an endpoint


class ModelError(ValueError):
    """A model that cannot be reached or does not answer."""


def open_model(name: str, length: int = LENGTH) -> Model:
    """The model of this name; its answers are the likeliest ones (no drawing), `length` tokens at most.

    Raises ModelError, or SourceError when the weights cannot be had.
    """
    if "://" in name:
        return _endpoint(name, length)
    known, _, precision = name.partition("@")
    if precision not in ("", *PRECISIONS):
        raise ModelError(f"{name}: the precision after @ is one of {', '.join(PRECISIONS)}")
    model, tokenizer = models.load_causal_lm(known)
    return transformers_model(_at_precision(model, precision), tokenizer, length, name)


def transformers_model(model: Any, tokenizer: Any, length: int = LENGTH, name: str = "a model") -> Model:
    """A causal language model of transformers as such a function. Prompts of like length are read together."""
    import torch

    tokenizer.padding_side = "left"
    if tokenizer.pad_token is None:
        tokenizer.pad_token = tokenizer.eos_token
    begin = {"add_special_tokens": True, "padding": True, "return_tensors": "pt"}
    how = {"max_new_tokens": length, "do_sample": False, "pad_token_id": tokenizer.pad_token_id}

    def answer(prompts: Sequence[str]) -> list[str]:
        order = sorted(range(len(prompts)), key=lambda place: len(prompts[place]), reverse=True)
        said = [""] * len(prompts)
        with torch.inference_mode(), progress.bar(f"asking {name}", len(prompts)) as advance:
            for start in range(0, len(order), AT_ONCE):
                some = order[start : start + AT_ONCE]
                inputs = tokenizer([prompts[place] for place in some], **begin)  # (B, T) each
                stop = _LineEnds(tokenizer, inputs["input_ids"].shape[1])
                written = model.generate(**inputs, stopping_criteria=[stop], **how)
                for place, text in zip(some, stop.texts(written), strict=True):
                    said[place] = first_line(text)
                advance(len(some))
        return said

    return answer


class _LineEnds:
    """Tells generation which rows have written a whole line."""

    def __init__(self, tokenizer: Any, start: int) -> None:
        self.tokenizer, self.start = tokenizer, start

    def texts(self, ids: "torch.Tensor") -> list[str]:
        """What was added to each row. ids: (B, T) int"""
        return self.tokenizer.batch_decode(ids[:, self.start :], skip_special_tokens=True)

    def __call__(self, ids: "torch.Tensor", scores: Any, **_: Any) -> "torch.Tensor":
        return ids.new_tensor(["\n" in text.lstrip() for text in self.texts(ids)]).bool()


def first_line(text: str) -> str:
    """What stands on the first line that holds anything."""
    return next((line.strip() for line in text.split("\n") if line.strip()), "")


def _at_precision(model: Any, precision: str) -> Any:
    """The same model, its linear layers' weights stored in fewer bits (by torchao) and read back when they multiply."""
    import torch

    if precision == "bfloat16":
        return model.to(torch.bfloat16)
    if precision in ("int8", "int4"):
        from torchao.quantization import Int8WeightOnlyConfig, IntxWeightOnlyConfig, PerGroup, quantize_

        four = IntxWeightOnlyConfig(weight_dtype=torch.int4, granularity=PerGroup(32))
        quantize_(model, Int8WeightOnlyConfig() if precision == "int8" else four)
    return model


def _endpoint(name: str, length: int) -> Model:
    """Chat completions at an address; a few calls side by side, tried again when the service is busy."""
    address, _, known = name.partition("#")
    parts, key = urllib.parse.urlsplit(address), os.environ.get(KEY)
    if parts.scheme not in ("http", "https") or not known:
        raise ModelError(f"{name}: an endpoint is written https://host/v1#model")
    if key and parts.scheme == "http" and parts.hostname not in ("localhost", "127.0.0.1", "::1"):
        raise ModelError(f"{address}: a key only travels over https; unset {KEY} or change the address")
    headers = {"Content-Type": "application/json"} | ({"Authorization": f"Bearer {key}"} if key else {})

    def one(prompt: str) -> str:
        asked = {"model": known, "messages": [{"role": "user", "content": prompt}], "temperature": 0}
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
