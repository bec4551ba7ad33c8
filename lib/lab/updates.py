"""A small language model a little later: after a few more updates, on the French sheets for businesses.

Knows one text and one recipe (LoRA, Hu et al. 2021); knows nothing of what is asked of the model before and after.
"""

from pathlib import Path
from typing import Any

from lib.lab import cache, corpus, models, progress, sources
from lib.lab.seeding import seed_everything

STEPS, BATCH, TOKENS = 30, 4, 96  # updates, rows an update, tokens a row: some 11,000 tokens, two minutes
RANK, RATE = 8, 1e-3  # of the matrices added everywhere; peak learning rate, usual with LoRA at this size
MATRICES = ["q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj"]
SEED, THREADS = 0, 1  # fixed, so that the same text gives the same model


def load_updated(name: str) -> tuple[Any, Any]:
    """(model, tokenizer) as `models.load_causal_lm` gives them, the updates added into the weights."""
    from peft import PeftModel

    model, tokenizer = models.load_causal_lm(name)
    return PeftModel.from_pretrained(model, str(adapter(name))).merge_and_unload().eval(), tokenizer


def adapter(name: str) -> Path:
    """Folder of the adapter of a model of data/sources.toml, or of a hub id; trained the first time, two minutes."""
    pinned = sources.content_hash(name) if name in sources.load() else models.hub_folder(name).name
    inputs = {name: pinned, "service-public": sources.content_hash("service-public")}
    params = {"steps": STEPS, "batch": BATCH, "tokens": TOKENS, "rank": RANK, "rate": RATE, "seed": SEED}
    code = [corpus, rows, train]
    label = f"updates-{name.replace('/', '-')}"
    return cache.derived(label, lambda folder: _write(name, folder), inputs=inputs, params=params, code=code)


def rows(tokenizer: Any, count: int) -> Any:
    """Beginnings of sheets for businesses, (count, TOKENS) int; none is a sheet for the public too."""
    import torch

    known = set(corpus.service_public()["sheet_id"])
    sheets = corpus.service_public("professionnels")
    texts = sheets.loc[~sheets["sheet_id"].isin(known), "text"].sample(frac=1, random_state=SEED)
    found = []
    for text in texts:
        tokens = tokenizer(text[: 8 * TOKENS], add_special_tokens=False)["input_ids"]
        if len(tokens) >= TOKENS:
            found.append(tokens[:TOKENS])
        if len(found) == count:
            return torch.tensor(found)
    raise ValueError(f"only {len(found)} sheets have {TOKENS} tokens, not {count}")


def train(model: Any, data: Any) -> Any:
    """The model with adapters (peft's) taught to go on with each row in turn. data: (STEPS * BATCH, T) int"""
    import torch
    from peft import LoraConfig, get_peft_model

    config = LoraConfig(r=RANK, lora_alpha=2 * RANK, target_modules=MATRICES, lora_dropout=0.0, task_type="CAUSAL_LM")
    adapted = get_peft_model(model, config).train()
    optimizer = torch.optim.AdamW([one for one in adapted.parameters() if one.requires_grad], lr=RATE, weight_decay=0)
    chunks = data.split(BATCH)
    with progress.bar("updating a model on French sheets, once", len(chunks)) as advance:
        for step, some in enumerate(chunks):
            optimizer.param_groups[0]["lr"] = RATE * min(1, (step + 1) / 5) * (1 - step / len(chunks))
            adapted(input_ids=some, labels=some).loss.backward()
            optimizer.step()
            optimizer.zero_grad(set_to_none=True)
            advance(1)
    return adapted.eval()


def _write(name: str, folder: Path) -> None:
    model, tokenizer = models.load_causal_lm(name)
    with models.threads(THREADS):
        seed_everything(SEED, threads=THREADS)
        train(model, rows(tokenizer, STEPS * BATCH)).save_pretrained(str(folder))
