"""Fine-tune all the weights of a small language model to classify texts. Knows texts and labels; nothing of tasks."""

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lib.lab import progress

if TYPE_CHECKING:
    import numpy as np
    import torch

EPOCHS = 3  # passes over the examples: usual for a few thousand short texts
RATE = 5e-5  # peak learning rate of AdamW: usual for a pretrained model of this size
WARM_UP = 0.1  # share of the steps during which the rate rises
BATCH = 16  # texts a step
MAX_TOKENS = 96  # read of each text: a title and thirty words of French
Predictor = Callable[[Sequence[str]], "np.ndarray"]


def fine_tune(
    folder: Path,
    texts: Sequence[str],
    labels: Sequence[int],
    n_classes: int,
    *,
    seed: int,
    epochs: int = EPOCHS,
    rate: float = RATE,
    device: str | None = None,
) -> Predictor:
    """A function from texts to classes (N,), learned from texts and labels in [0, n_classes).

    folder: of a language model and its tokenizer, such as `models.causal_lm_folder` gives. device: the GPU when there
    is one. The same seed gives the same classifier on the same machine.
    """
    import torch
    from transformers import get_linear_schedule_with_warmup

    device = device or ("cuda" if torch.cuda.is_available() else "cpu")
    torch.manual_seed(seed)
    model, tokenizer = _load(folder, n_classes, device)
    steps = epochs * -(-len(texts) // BATCH)
    optimizer = torch.optim.AdamW(model.parameters(), lr=rate)
    schedule = get_linear_schedule_with_warmup(optimizer, round(WARM_UP * steps), steps)
    model.train()
    with progress.bar(f"fine-tuning on {len(texts)} texts", steps) as advance:
        for rows in _batches(len(texts), epochs, seed):
            inputs = _encode(tokenizer, [texts[row] for row in rows], device)
            target = torch.tensor([int(labels[row]) for row in rows], device=device)  # (B,)
            loss = torch.nn.functional.cross_entropy(model(**inputs).logits, target)
            loss.backward()
            torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
            optimizer.step()
            schedule.step()
            optimizer.zero_grad(set_to_none=True)
            advance(1)
    model.eval()
    return lambda asked: _predict(model, tokenizer, asked, device)


def _load(folder: Path, n_classes: int, device: str) -> tuple[Any, Any]:
    """The model with a new, random last layer that reads the last token's state, and its tokenizer."""
    import torch
    from transformers import AutoModelForSequenceClassification, AutoTokenizer
    from transformers.utils import logging

    tokenizer = AutoTokenizer.from_pretrained(folder, local_files_only=True)
    tokenizer.padding_side = "right"
    if tokenizer.pad_token is None:
        tokenizer.pad_token = tokenizer.eos_token
    logging.set_verbosity_error()  # the new layer is meant, and said so here
    model = AutoModelForSequenceClassification.from_pretrained(
        folder, num_labels=n_classes, dtype=torch.float32, local_files_only=True,
        attn_implementation="eager",  # the fast kernels' gradients differ from run to run
    )  # fmt: skip
    model.config.pad_token_id = tokenizer.pad_token_id
    return model.to(device), tokenizer


def _batches(n: int, epochs: int, seed: int) -> Iterator[list[int]]:
    import numpy as np

    rng = np.random.default_rng(seed)
    for _ in range(epochs):
        order = rng.permutation(n)
        yield from (list(order[start : start + BATCH]) for start in range(0, n, BATCH))


def _encode(tokenizer: Any, texts: list[str], device: str) -> dict[str, "torch.Tensor"]:
    """Token numbers and mask, (B, T) each."""
    encoded = tokenizer(texts, truncation=True, max_length=MAX_TOKENS, padding=True, return_tensors="pt")
    return {name: encoded[name].to(device) for name in ("input_ids", "attention_mask")}


def _predict(model: Any, tokenizer: Any, texts: Sequence[str], device: str) -> "np.ndarray":
    import numpy as np
    import torch

    found = []
    with torch.inference_mode():
        for start in range(0, len(texts), 4 * BATCH):
            inputs = _encode(tokenizer, list(texts[start : start + 4 * BATCH]), device)
            found.append(model(**inputs).logits.argmax(dim=-1).cpu().numpy())  # (B, C) -> (B,)
    return np.concatenate(found)
