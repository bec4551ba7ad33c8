"""What a model's name in a price list says: which model it is, who made it, and of what day it is.

Knows how makers and resellers spell names; knows nothing of prices. Makers are told from the name, whoever sells it.
"""

import calendar
import re
from dataclasses import dataclass
from datetime import date
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pandas as pd

MAKERS = {  # how the canonical names of each maker's text models begin, as regular expressions
    "OpenAI": r"(chatgpt|gpt|o[134]|codex|davinci|babbage|text-(davinci|ada|babbage|curie)|computer-use)(-|$)",
    "Anthropic": r"claude(-|$)",
    "Google": r"(gemini|gemma|codegemma|palm|medlm|learnlm|(chat|text|code|codechat)-(bison|gecko|unicorn))(-|$)",
    "Mistral": r"(open-)?(mistral|mixtral|ministral|codestral|devstral|magistral|pixtral|voxtral)(-|$)",
    "xAI": r"grok(-|$)",
    "DeepSeek": r"deepseek(-|$)",
    "Cohere": r"(command|c4ai|aya)(-|$)",
    "AI21": r"(j2|jamba)(-|$)",
    "Alibaba": r"(qwen|qwq|qvq|code-qwen|tongyi)(-|$)",
    "Moonshot": r"(kimi|moonshot)(-|$)",
    "Zhipu": r"glm(-|$)",
    "MiniMax": r"minimax(-|$)",
    "Amazon": r"(nova|titan-text)(-|$)",
    "Meta": r"(llama|code-llama|codellama|muse)(-|$)",
    "Microsoft": r"(phi|mai)(-|$)",
    "Perplexity": r"(sonar|pplx|llama-3-1-sonar)(-|$)",
    "Aleph Alpha": r"luminous(-|$)",
    "ByteDance": r"(doubao|seed)(-|$)",
    "Baidu": r"ernie(-|$)",
    "IBM": r"granite(-|$)",
    "NVIDIA": r"(nemotron|llama-3-[13]-nemotron|nvidia)(-|$)",
    "Databricks": r"(dbrx|mpt)(-|$)",
    "Writer": r"palmyra(-|$)",
    "Sber": r"gigachat(-|$)",
    "Inception": r"mercury(-|$)",
    "Sarvam": r"sarvam(-|$)",
}
OWN = {  # where each maker sells its models itself: litellm's names of providers
    "OpenAI": "openai text-completion-openai",
    "Anthropic": "anthropic",
    "Google": "gemini palm vertex_ai vertex_ai-language-models vertex_ai-chat-models vertex_ai-text-models "
    "vertex_ai-code-chat-models vertex_ai-code-text-models vertex_ai-vision-models",
    "Mistral": "mistral codestral text-completion-codestral",
    "xAI": "xai",
    "DeepSeek": "deepseek",
    "Cohere": "cohere cohere_chat",
    "AI21": "ai21",
    "Alibaba": "dashscope",
    "Moonshot": "moonshot",
    "Zhipu": "zai",
    "MiniMax": "minimax",
    "Amazon": "amazon_nova bedrock bedrock_converse",
    "Meta": "meta_llama",
    "Microsoft": "azure_ai",
    "Perplexity": "perplexity",
    "Aleph Alpha": "aleph_alpha",
    "ByteDance": "volcengine",
    "IBM": "watsonx",
    "NVIDIA": "nvidia_nim",
    "Databricks": "databricks",
    "Sber": "gigachat",
    "Inception": "inception text-completion-inception",
    "Sarvam": "sarvam",
}
OPEN = (  # canonical names of models whose weights can be downloaded, whatever the licence: from memory
    r"(gpt-oss|gemma|codegemma|open-|mixtral|mistral-(7b|nemo|8x)|mistral-small-(24b|3)|ministral-(3|8b)|devstral-small|"
    r"magistral-small|pixtral-12b|codestral-(22b|mamba)|grok-(1|2)$|deepseek|jamba|aya|c4ai|command-r|"
    r"qwen-(\d+-)*(\d+b|next|vl-\d+b|coder-\d+b|coder-next|omni-\d+b)|qwq-32b|code-qwen|kimi-k2|glm-(4-5|4-6|4-7|5|4-32b|4-9b)|"
    r"minimax-(m|text)|llama(?!-3-1-sonar)|code-llama|codellama|phi|granite|nemotron|dbrx|mpt|ernie-4-5|sarvam-m|seed-oss)"
)
PLACES = "us-gov|us|eu|apac|au|jp|ca|global"
VENDORS = (
    "ai21|amazon|anthropic|cohere|deepseek|google|meta|minimax|mistral|moonshot(?:ai)?|nvidia|openai|qwen|writer|zai"
)
OPENAI_YEARS = date(2024, 4, 8)  # from the next day on, OpenAI writes the year of a model; before, never
SELLERS = "meta|databricks|snowflake|nvidia|amazon|anthropic|openai|labs|xai|zai|alibaba|google"
DROPPED = {  # words that name an alias, a format, or a way of being served, never another model
    "latest", "preview", "exp", "experimental", "beta", "instruct", "it", "hf", "maas", "fp8", "fp16", "bf16", "int4",
    "int8", "nvfp4", "mxfp4", "awq", "gptq", "lora", "tee", "versatile", "instant", "online", "specdec", "paddle", "pt",
    "default", "free", "labs", "turbo", "lightning", "nightly", "public", "global", "tput", "fast", "gguf", "mxfp",
    "basic", "dynamic", "chat", "4096", "8192", "32768", "40960", "131072",
}  # fmt: skip
KEPT = re.compile(
    r"gpt-(3-5|4)-turbo|claude-instant|grok-4|grok-code|qwen-turbo|chat-bison"
)  # here such a word is the model's own
VERSION = r"v?\d{1,2}o?|[krmjx]\d"  # a word of a name that is a version: 3, 4o, v3, k2, m2
TIERS = ("opus", "sonnet", "haiku", "fable", "mythos", "instant")
_DATES = (  # spelling of a date -> its parts, most explicit first
    re.compile(r"(?<!\d)(?P<y>20\d\d)-(?P<m>\d\d)-(?P<d>\d\d)(?!\d)"),
    re.compile(r"(?<!\d)(?P<y>20\d\d)(?P<m>\d\d)(?P<d>\d\d)(?!\d)"),
    re.compile(r"(?<!\d)(?P<m>\d\d)-(?P<y>202\d)(?!\d)"),
    re.compile(r"(?<=-)(?P<y>2[3-9])(?P<m>\d\d)(?P<d>\d\d)(?!\d)"),
    re.compile(r"(?<=[-@])(?P<y>2[3-9])(?P<m>0[1-9]|1[0-2])(?=$|[-@])"),
    re.compile(r"(?<=-)(?<!20\d\d-)(?P<m>0[1-9]|1[0-2])-?(?P<d>0[1-9]|[12]\d|3[01])(?=$|[-@])"),
)


@dataclass(frozen=True)
class Release:
    """What a name says. first, last: the days between which it was out by its name; both None without a date."""

    model: str
    maker: str
    first: date | None
    last: date | None
    opened: bool
    year_said: bool

    @property
    def to_the_day(self) -> bool:
        """Whether the name gives the day, and not only the month."""
        return self.first is not None and self.first == self.last


def read(name: str, seen: date) -> Release:
    """What a name of a list of the day `seen` says.

    A date without a year is of the last year that puts it no later than that day.
    """
    spelled = _bare(name)
    first, last, without, year_said = _dated(spelled, seen)
    model = _canonical(without) or name.lower()
    who = maker(model)
    if who == "OpenAI" and first and not year_said and seen > OPENAI_YEARS:
        return read(name, OPENAI_YEARS)
    return Release(model, who, first, last, is_open(model), year_said)


def table(listed: "pd.DataFrame") -> "pd.DataFrame":
    """What each name of the lists says, one row a name, in order of name.

    listed: columns name, date (of a list). Columns: name, seen (its first list), model, maker, first, last
    (datetime64, NaT without a date), opened (bool). A date without a year is of the last year before the first list
    that has the model with it.
    """
    import pandas as pd

    seen = listed.groupby("name")["date"].min().dt.date
    said = {name: read(name, day) for name, day in seen.items()}
    earliest: dict[tuple[object, ...], date] = {}
    for name, one in said.items():
        key = (one.model, one.first and (one.first.month, one.first.day))
        earliest[key] = min(seen[name], earliest.get(key, seen[name]))
    rows = []
    for name, one in said.items():
        if one.first and not one.year_said:
            one = read(name, earliest[one.model, (one.first.month, one.first.day)])
        rows.append((name, seen[name], one.model, one.maker, one.first, one.last, one.opened))
    frame = pd.DataFrame(rows, columns=["name", "seen", "model", "maker", "first", "last", "opened"])
    for column in ("seen", "first", "last"):
        frame[column] = pd.to_datetime(frame[column])
    return frame


def maker(model: str) -> str:
    """Who made a model, by its canonical name; "" for a maker that is not in MAKERS."""
    found = [(len(hit[0]), who) for who, pattern in MAKERS.items() if (hit := re.match(pattern, model))]
    return max(found)[1] if found else ""


def sold_by_maker(who: str, provider: str) -> bool:
    """Whether a provider, as litellm names it, is the maker itself."""
    return provider in OWN.get(who, "").split()


def is_open(model: str) -> bool:
    """Whether the weights of a model can be downloaded, by the list OPEN."""
    return re.match(OPEN, model) is not None


def line(model: str) -> str:
    """The line of products a model belongs to: its name without version numbers.

    claude-3-5-sonnet and claude-4-sonnet are of one line, gpt-4o and gpt-5 too; mini and pro are lines of their own.
    """
    kept = [re.sub(r"^o\d$", "o", word) for word in model.split("-") if not re.fullmatch(VERSION, word)]
    return "-".join(kept) or model


def generation(model: str) -> str:
    """The generation of a model: its family and version, without size, tier or speciality (gpt-5, claude-4-5)."""
    family, *words = model.split("-")
    return "-".join([family, *[word for word in words if re.fullmatch(VERSION, word)]])


def _bare(name: str) -> str:
    """A name without who sells it, where, or how."""
    text = name.lower().removeprefix("ft:").rsplit("/", 1)[-1]
    text = re.sub(rf"^(?:(?:{PLACES})\.)?(?:{VENDORS})\.", "", text)
    text = re.sub(r"claude-v?(\d):(\d)", r"claude-\1-\2", text)
    text = re.sub(r"claude-v(\d)", r"claude-\1", text)
    text = re.sub(r"-v\d+(:\d+)?$|:.*$", "", text) if re.search(r":|-v1$", text) else text
    return re.sub(r"[._ ]+", "-", re.sub(r"(?<=\d)p(?=\d)", ".", text))


def _dated(text: str, seen: date) -> tuple[date | None, date | None, str, bool]:
    """First and last day by the name, the name without its date, and whether the date has its year."""
    for pattern in _DATES:
        for hit in pattern.finditer(text):
            found = _days(hit.groupdict(), seen)
            if found:
                return *found, (text[: hit.start()] + text[hit.end() :]), "y" in hit.groupdict()
    return None, None, text, False


def _days(parts: dict[str, str | None], seen: date) -> tuple[date, date] | None:
    month, day = int(parts["m"] or 0), parts.get("d")
    year = parts.get("y")
    if not 1 <= month <= 12:
        return None
    years = [seen.year, seen.year - 1] if year is None else [int(year) if len(year) == 4 else 2000 + int(year)]
    for candidate in years:
        longest = calendar.monthrange(candidate, month)[1]
        if day is not None and not 1 <= int(day) <= longest:
            continue
        first = date(candidate, month, int(day or 1))
        if first <= seen and candidate >= 2022:
            return first, first if day else date(candidate, month, longest)
    return None


def _canonical(text: str) -> str:
    text = text.split("@", 1)[0]
    rest = re.sub(rf"^(?:{SELLERS})-", "", text)
    text = rest if maker(rest) or rest.startswith(("llama", "qwen", "gpt", "meta")) else text
    text = re.sub(r"^meta-", "", text)
    text = re.sub(r"^(llama|gemma|qwen|phi|glm|codellama|code-llama|granite|ernie|kimi)-?v?(?=\d)", r"\1-", text)
    text = re.sub(r"^gpt-(3|4)(5|1)(?=-|$)", r"gpt-\1-\2", text).replace("gpt-4-o-", "gpt-4o-")
    text = re.sub(r"^(claude-opus|claude-sonnet)-(\d)(\d)(?=-|$)", r"\1-\2-\3", text)
    text = re.sub(r"-00\d$|-?(?<!v)\d+k(?=-|$)|-v0-\d$", "", text)
    words = [word for word in text.split("-") if word]
    own = KEPT.match(text)
    own_words = ("turbo", "instant", "fast", "chat") if own else ()
    kept = [word for word in words if word not in DROPPED or word in own_words]
    if kept[:1] == ["claude"]:
        kept = _claude(kept)
    return "-".join(kept) or text


def _claude(words: list[str]) -> list[str]:
    """claude-opus-4 and claude-4-opus are one: version first, then tier."""
    words = [word for word in words if not re.fullmatch(r"v\d", word)]
    tier = [word for word in words if word in TIERS]
    version = [word for word in words[1:] if re.fullmatch(r"\d", word)]
    return ["claude", *version, *tier, *[word for word in words[1:] if word not in (*tier, *version)]]
