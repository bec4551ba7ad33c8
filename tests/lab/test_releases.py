"""Names of models, as lists spell them: which model, whose, of which day."""

from datetime import date

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lib.lab import releases

SEEN = date(2026, 6, 26)
SPELLINGS = {  # name in a list -> canonical name
    "gpt-4o-2024-05-13": "gpt-4o",
    "azure/eu/gpt-4o-2024-08-06": "gpt-4o",
    "azure/gpt-35-turbo-16k": "gpt-3-5-turbo",
    "ft:gpt-3.5-turbo-0613": "gpt-3-5-turbo",
    "gpt-4o-mini": "gpt-4o-mini",
    "chatgpt-4o-latest": "chatgpt-4o",
    "openai/gpt-oss-120b": "gpt-oss-120b",
    "claude-3-5-sonnet-20241022": "claude-3-5-sonnet",
    "anthropic.claude-3-5-sonnet-20241022-v2:0": "claude-3-5-sonnet",
    "eu.anthropic.claude-sonnet-4-5-20250929-v1:0": "claude-4-5-sonnet",
    "vertex_ai/claude-opus-4-1@20250805": "claude-4-1-opus",
    "openrouter/anthropic/claude-3.7-sonnet:beta": "claude-3-7-sonnet",
    "anthropic.claude-v2:1": "claude-2-1",
    "claude-4-opus-20250514": "claude-4-opus",
    "claude-opus-4-20250514": "claude-4-opus",
    "gemini/gemini-1.5-pro-002": "gemini-1-5-pro",
    "gemini-2.5-flash-preview-04-17": "gemini-2-5-flash",
    "chat-bison@001": "chat-bison",
    "text-bison32k@002": "text-bison",
    "mistral/mistral-large-2407": "mistral-large",
    "mistral.mistral-large-2407-v1:0": "mistral-large",
    "fireworks_ai/accounts/fireworks/models/llama-v3p2-90b-vision-instruct": "llama-3-2-90b-vision",
    "azure_ai/Meta-Llama-3.1-70B-Instruct": "llama-3-1-70b",
    "databricks/databricks-meta-llama-3-1-70b-instruct": "llama-3-1-70b",
    "together_ai/meta-llama/Llama-3.3-70B-Instruct-Turbo": "llama-3-3-70b",
    "groq/llama3-70b-8192": "llama-3-70b",
    "xai/grok-2-vision-1212": "grok-2-vision",
    "xai/grok-3-fast-latest": "grok-3",
    "xai/grok-4-fast-reasoning": "grok-4-fast-reasoning",
    "dashscope/qwen-plus-2025-07-28": "qwen-plus",
    "novita/qwen/qwen3-235b-a22b-instruct-2507": "qwen-3-235b-a22b",
    "moonshot/kimi-k2-0905-preview": "kimi-k2",
    "volcengine/doubao-seed-2-0-pro-260215": "doubao-seed-2-0-pro",
    "command-r-plus-08-2024": "command-r-plus",
    "us.amazon.nova-pro-v1:0": "nova-pro",
}
DATES = {  # name -> first and last day that it says
    "gpt-4o-2024-05-13": ("2024-05-13", "2024-05-13"),
    "claude-3-opus-20240229": ("2024-02-29", "2024-02-29"),
    "volcengine/doubao-seed-2-0-pro-260215": ("2026-02-15", "2026-02-15"),
    "mistral/mistral-large-2407": ("2024-07-01", "2024-07-31"),
    "command-a-03-2025": ("2025-03-01", "2025-03-31"),
    "gpt-4-0314": ("2024-03-14", "2024-03-14"),  # alone, the latest year that can be; `table` knows more
    "xai/grok-4-0709": ("2025-07-09", "2025-07-09"),
    "gpt-4o": (None, None),
    "llama-3.1-8b": (None, None),
    "grok-4.20": (None, None),
}


@pytest.mark.parametrize(("name", "model"), SPELLINGS.items())
def test_spellings_of_one_model_are_one(name, model):
    assert releases.read(name, SEEN).model == model


@pytest.mark.parametrize(("name", "days"), DATES.items())
def test_date_in_a_name(name, days):
    said = releases.read(name, SEEN)
    assert (said.first and str(said.first), said.last and str(said.last)) == days
    assert said.to_the_day == (days[0] is not None and days[0] == days[1])


@pytest.mark.parametrize(
    ("model", "who"),
    [("gpt-5", "OpenAI"), ("o3-mini", "OpenAI"), ("llama-3-1-sonar-large", "Perplexity"), ("llama-3-1-8b", "Meta"),
     ("llama-3-1-nemotron-70b", "NVIDIA"), ("open-mixtral-8x7b", "Mistral"), ("mythomax-l2-13b", ""), ("o", "")],
)  # fmt: skip
def test_maker(model, who):
    assert releases.maker(model) == who


def test_maker_sells_or_another_does():
    assert releases.sold_by_maker("OpenAI", "openai")
    assert not releases.sold_by_maker("OpenAI", "azure")
    assert not releases.sold_by_maker("", "")
    assert set(releases.OWN) <= set(releases.MAKERS)


def test_lines_and_generations():
    assert releases.line("claude-3-5-sonnet") == releases.line("claude-4-sonnet") == "claude-sonnet"
    assert releases.line("gpt-4o-mini") == releases.line("gpt-5-mini") == "gpt-mini"
    assert releases.line("llama-3-8b") != releases.line("llama-3-70b")
    assert releases.generation("claude-4-5-haiku") == releases.generation("claude-4-5-opus") == "claude-4-5"
    assert releases.generation("o3-mini") == "o3"


def test_open_weights_by_the_list():
    assert all(map(releases.is_open, ("llama-3-1-8b", "gpt-oss-120b", "qwen-3-32b")))
    assert not any(map(releases.is_open, ("gpt-4o", "claude-4-opus", "qwen-3-max", "gemini-2-5-pro", "grok-4")))


def test_year_that_is_not_said_is_of_the_first_list_with_it():
    days = pd.to_datetime(["2025-05-06", "2026-05-24", "2023-11-13"])
    names = ["deepseek/deepseek-v3-0324", "nebius/deepseek-ai/DeepSeek-V3-0324", "gpt-4-0613"]
    found = releases.table(pd.DataFrame({"name": names, "date": days})).set_index("name")
    assert list(found.loc[names, "first"].dt.year) == [2025, 2025, 2023]
    assert list(found.loc[names, "model"]) == ["deepseek-v3", "deepseek-v3", "gpt-4"]


def test_day_before_the_list_always():
    assert releases.read("gemini-exp-1206", date(2025, 1, 6)).first == date(2024, 12, 6)
    assert releases.read("kimi-k2-2027-01-01", SEEN).first is None  # not out yet: no date


@given(st.text(max_size=40))
def test_any_name_is_read(name):
    said = releases.read(name, SEEN)
    assert said.model or not name
    assert said.first is None or said.first <= SEEN
