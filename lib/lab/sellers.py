"""The same model at several sellers: one name for it, who sells it at what price, and what discounts a list tells.

Knows how sellers spell a model's name in litellm's price lists. A model served at another precision ("turbo", "fp8")
keeps a name of its own; a name that moves from one version to the next without saying so is left out.
"""

import json
import math
import re
from typing import TYPE_CHECKING, Any

from lib.lab import archives, prices, sources

if TYPE_CHECKING:
    import pandas as pd

TEXT_MODES = ("chat", "completion", "responses")  # paid by the tokens read and written
MOVING = (
    "codestral", "command", "command-light", "command-r", "command-r-plus", "deepseek", "deepseek-coder",
    "deepseek-reasoner", "gpt-3-5-turbo", "gpt-4", "gpt-4-turbo", "mistral", "mistral-large", "mistral-medium",
    "mistral-small", "mistral-tiny", "palm", "pixtral-large", "qwen-max", "qwen-plus", "qwen-turbo",
)  # fmt: skip  # names that have meant several models: two sellers may not mean the same one
OPEN = (
    "deepseek", "devstral", "dolphin", "falcon", "gemma", "glm", "gpt-oss", "hermes", "internlm", "jamba", "kimi",
    "llama", "magistral-small", "minimax", "ministral", "mistral-7b", "mistral-large-2407", "mistral-large-2411",
    "mistral-nemo", "mistral-small-2", "mixtral", "mpt", "mythomax", "nemotron", "olmo", "phi", "pixtral-12b", "qwen",
    "qwq", "starcoder", "wizardlm", "yi",
)  # fmt: skip  # beginnings of the names of models whose weights can be downloaded
_SELLERS = {
    "amazon": ("bedrock", "sagemaker", "amazon"),
    "google": ("vertex_ai", "gemini", "palm"),
    "microsoft": ("azure",),
    "openai": ("openai", "text-completion-openai"),
    "mistral": ("mistral", "codestral", "text-completion-codestral"),
    "cohere": ("cohere",),
    "fireworks_ai": ("fireworks_ai",),
}  # the same company under several names, by the beginning of each
_PREFIXES = "ai21|amazon|anthropic|cohere|deepseek|google|meta|minimax|mistral|mistralai|moonshot|moonshotai|nvidia"
_PREFIXES += "|openai|qwen|writer|xai|zai|apac|au|ca|eu|global|jp|us|us-gov"
_SAID_OTHERWISE = {"chat", "hf", "instruct", "it", "maas", "preview", "versatile"}  # the same model, in more words
_DATE = re.compile(r"-(20\d\d-[01]\d-[0-3]\d|20\d\d[01]\d[0-3]\d|2[3-6][01]\d|[01]\d[0-3]\d|00\d)(?=-|$)")


def canonical(name: str) -> str:
    """One name for a model, whoever sells it: llama-3-3-70b, gpt-4o-2024-11-20, claude-sonnet-4-5.

    Drops the seller's path, region and the maker's name, what says "chat" or "instruct", and the ways to write a
    version; "" for a name that moves ("latest", `MOVING`) and for a model that its buyer has tuned ("ft:").
    """
    found = name.lower().rsplit("/", 1)[-1]
    if name.startswith("ft:") or "latest" in found:
        return ""
    found = re.sub(rf"^(?:(?:{_PREFIXES})\.)+", "", found)
    found = re.sub(r"(-v\d+)?:\d+k?$|@default$", "", found)
    found = re.sub(r"(?<=\d)p(?=\d)", "-", found)  # Fireworks writes 3p1 for 3.1
    found = re.sub(r"[^a-z0-9]+", "-", found)
    found = re.sub(r"^(?:(?:databricks|snowflake|meta|openai|anthropic|mistralai|nvidia)-(?=[a-z]))+", "", found)
    found = re.sub(r"^(llama|qwen|gemma|phi|mixtral)-?v?(?=\d)", r"\1-", found)
    found = re.sub(r"^(?=v3|v4|r1\b)", "deepseek-", found)
    found = re.sub(r"^(large|medium|small)-(?=2[3-6])", r"mistral-\1-", found)
    kept = "-".join(part for part in found.split("-") if part and part not in _SAID_OTHERWISE)
    return "" if kept in MOVING else kept


def family(model: str) -> str:
    """A model's name without the date of its version."""
    return _DATE.sub("", model)


def line(model: str) -> str:
    """What a maker sells under one brand: gpt, claude, llama. Prices within one are set by the same people."""
    brand = re.match(r"[a-z]+", model)
    return {"o": "gpt", "codex": "gpt", "qwq": "qwen", "mixtral": "mistral"}.get(brand[0], brand[0]) if brand else ""


def seller(provider: str) -> str:
    """The company behind a provider's name in the lists."""
    for company, beginnings in _SELLERS.items():
        if provider.startswith(beginnings):
            return company
    return provider


def offers(listed: "pd.DataFrame", *, blend: float, outlier: float = math.inf) -> "pd.DataFrame":
    """The cheapest price of each model at each seller in each list, for text models sold by the token.

    listed: rows of `prices.listings`. blend: tokens read for one written. outlier: an offer this many times above or
    below the median of its model is taken for a mistake of the list and left out. Columns: date, model, family, line,
    seller, open (bool: weights can be downloaded), price (US dollars a million tokens, blended).
    """
    paid = (listed["input"] > 0) & (listed["output"] > 0) & listed["mode"].isin(TEXT_MODES)
    named = listed[paid].assign(
        model=lambda frame: frame["name"].map(canonical),
        seller=lambda frame: frame["provider"].map(seller),
        price=lambda frame: (blend * frame["input"] + frame["output"]) / (blend + 1),
    )
    key = ["date", "model", "seller"]
    cheapest = named[named["model"] != ""].groupby(key)["price"].min().reset_index()
    usual = cheapest.groupby(["date", "model"])["price"].transform("median")
    kept = (cheapest["price"] <= outlier * usual) & (cheapest["price"] * outlier >= usual)
    found = cheapest[kept].assign(
        family=lambda frame: frame["model"].map(family),
        line=lambda frame: frame["model"].map(line),
        open=lambda frame: frame["model"].str.startswith(OPEN),
    )
    return found.reset_index(drop=True)[["date", "model", "family", "line", "seller", "open", "price"]]


def discounts() -> "pd.DataFrame":
    """What the latest list says of discounts, one row a text model that has a price.

    Columns: name, seller, batch, cache (float: price in a batch, price of a cached token that is read again, as
    shares of the price of a token read; NaN when the list does not say).
    """
    import pandas as pd

    latest = list(prices.dates())[-1]
    wheels = {sources.get(name).version: file for name, file in sources.fetch("litellm").items()}
    told = json.loads(archives.read(wheels[latest], prices.MEMBER))
    return pd.DataFrame(read_discounts(told))


def read_discounts(told: dict[str, Any]) -> list[dict[str, Any]]:
    """Rows of `discounts` from the content of one list."""
    rows = []
    for name, said in told.items():
        if not isinstance(said, dict) or said.get("mode") not in TEXT_MODES or name == "sample_spec":
            continue
        full = _price(said.get("input_cost_per_token"))
        if full > 0:
            batch, cache = (
                _price(said.get(key)) / full for key in ("input_cost_per_token_batches", "cache_read_input_token_cost")
            )
            provider = str(said.get("litellm_provider") or "")
            rows.append({"name": name, "seller": seller(provider), "batch": batch, "cache": cache})
    return rows


def _price(value: object) -> float:
    """A positive price; NaN for anything else: a list also writes 0 for what it does not know."""
    try:
        found = float(value)  # type: ignore[arg-type]
    except (TypeError, ValueError):
        return math.nan
    return found if math.isfinite(found) and found > 0 else math.nan
