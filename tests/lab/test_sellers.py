import math
import re

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lib.lab import sellers

SPELLINGS = {
    "llama-3-3-70b": [
        "oci/meta.llama-3.3-70b-instruct",
        "us.meta.llama3-3-70b-instruct-v1:0",
        "groq/llama-3.3-70b-versatile",
        "databricks/databricks-meta-llama-3-3-70b-instruct",
        "fireworks_ai/accounts/fireworks/models/llama-v3p3-70b-instruct",
        "sambanova/Meta-Llama-3.3-70B-Instruct",
    ],
    "claude-sonnet-4-5-20250929": [
        "us-gov.anthropic.claude-sonnet-4-5-20250929-v1:0",
        "vertex_ai/claude-sonnet-4-5@20250929",
        "claude-sonnet-4-5-20250929",
    ],
    "gpt-4o-2024-11-20": ["gpt-4o-2024-11-20", "azure/eu/gpt-4o-2024-11-20", "openrouter/openai/gpt-4o-2024-11-20"],
    "deepseek-r1": ["us.deepseek.r1-v1:0", "deepinfra/deepseek-ai/DeepSeek-R1", "replicate/deepseek/deepseek-r1"],
    "qwen-2-5-72b": [
        "together_ai/Qwen/Qwen2.5-72B-Instruct",
        "fireworks_ai/accounts/fireworks/models/qwen2p5-72b-instruct",
    ],
}


@pytest.mark.parametrize(("model", "spelling"), [(model, one) for model, said in SPELLINGS.items() for one in said])
def test_one_model_has_one_name_at_every_seller(model, spelling):
    assert sellers.canonical(spelling) == model


def test_models_that_differ_keep_names_of_their_own():
    names = [
        "together_ai/meta-llama/Llama-3.3-70B-Instruct-Turbo", "groq/llama-3.3-70b-versatile",
        "gpt-4o-2024-05-13", "gpt-4o-2024-11-20", "gpt-4o", "gpt-4o-mini", "nebius/Qwen/QwQ-32B",
        "vertex_ai/meta/llama-4-maverick-17b-128e-instruct-maas", "lambda_ai/llama-4-maverick-17b-128e-instruct-fp8",
    ]  # fmt: skip
    assert len({sellers.canonical(one) for one in names}) == len(names)


@pytest.mark.parametrize("name", ["mistral/mistral-large-latest", "ft:gpt-4o-2024-11-20", "azure/gpt-4", "command-r"])
def test_a_name_that_moves_or_is_the_buyers_own_is_no_model(name):
    assert sellers.canonical(name) == ""


@given(st.text(max_size=40))
def test_a_canonical_name_is_plain(name):
    assert re.fullmatch(r"([a-z0-9]+(-[a-z0-9]+)*)?", sellers.canonical(name))


def test_a_family_has_no_date_and_a_line_is_a_brand():
    dated = [
        "gpt-4o-2024-11-20",
        "claude-opus-4-20250514",
        "kimi-k2-0905",
        "mistral-small-2503",
        "gemini-2-0-flash-001",
    ]
    assert [sellers.family(one) for one in dated] == [
        "gpt-4o", "claude-opus-4", "kimi-k2", "mistral-small", "gemini-2-0-flash"
    ]  # fmt: skip
    assert sellers.family("llama-3-1-405b") == "llama-3-1-405b"
    assert [sellers.line(one) for one in ("o3-mini", "gpt-5", "mixtral-8x7b", "llama-3-8b", "")] == [
        "gpt", "gpt", "mistral", "llama", ""
    ]  # fmt: skip


def test_names_of_one_company_are_one_seller():
    assert sellers.seller("vertex_ai-anthropic_models") == sellers.seller("gemini") == "google"
    assert sellers.seller("bedrock_converse") == "amazon"
    assert sellers.seller("azure_ai") == "microsoft"
    assert sellers.seller("groq") == "groq"


def listed(*rows: tuple[str, str, str, float, float]) -> pd.DataFrame:
    frame = pd.DataFrame(rows, columns=["name", "provider", "mode", "input", "output"])
    return frame.assign(date=pd.Timestamp("2026-06-26"))


def test_an_offer_is_the_cheapest_of_its_seller_blended():
    found = sellers.offers(
        listed(
            ("azure/eu/gpt-4o", "azure", "chat", 2.75, 11.0), ("azure/gpt-4o", "azure", "chat", 2.5, 10.0),
            ("gpt-4o", "openai", "chat", 3.0, 10.0), ("free/gpt-4o", "free", "chat", 0.0, 0.0),
            ("x/gpt-4o", "x", "image_generation", 1.0, 1.0), ("unknown/gpt-4o", "unknown", "chat", math.nan, 1.0),
        ),
        blend=3,
    )  # fmt: skip
    assert dict(zip(found["seller"], found["price"], strict=True)) == {"microsoft": 4.375, "openai": 4.75}
    assert not found["open"].any()


def test_an_offer_too_far_from_the_others_is_left_out():
    rows = [(f"{seller}/llama-3.3-70b", seller, "chat", price, price) for seller, price in
            {"a": 0.5, "b": 0.7, "c": 0.9, "wrong": 71_000.0, "low": 0.01}.items()]  # fmt: skip
    found = sellers.offers(listed(*rows), blend=3, outlier=10)
    assert set(found["seller"]) == {"a", "b", "c"}
    assert found["open"].all()
    assert len(sellers.offers(listed(*rows), blend=3)) == 5


def test_discounts_are_shares_of_the_price_of_a_token_read():
    told = {
        "sample_spec": {"mode": "chat", "input_cost_per_token": 1.0},
        "gpt-4o": {
            "mode": "chat", "litellm_provider": "openai", "input_cost_per_token": 2e-6,
            "input_cost_per_token_batches": 1e-6, "cache_read_input_token_cost": "5e-7",
        },
        "plain": {
            "mode": "chat", "litellm_provider": "groq", "input_cost_per_token": 1e-6, "cache_read_input_token_cost": 0,
        },
        "picture": {"mode": "image_generation", "input_cost_per_token": 1e-6},
        "free": {"mode": "chat", "input_cost_per_token": 0},
        "note": "not a model",
    }  # fmt: skip
    first, second = sellers.read_discounts(told)
    assert first == {"name": "gpt-4o", "seller": "openai", "batch": pytest.approx(0.5), "cache": pytest.approx(0.25)}
    assert second["seller"] == "groq"
    assert math.isnan(second["batch"])
    assert math.isnan(second["cache"])
