"""Text as it is said aloud, in French and in English: numbers, units, ranges, acronyms. Knows no voices and no posts.

`spoken` takes plain text, typeset for reading, and returns what a voice should read; `sentences` and `pieces` cut it.
"""

import re
from collections.abc import Iterator

from lib.press import slides
from lib.press.numerals import cardinal, ordinal, year

LINE, LINES = 42, 2  # of a subtitle: characters, lines
FEW = 15  # characters that are too few for a subtitle of their own
_WORDS = {
    "fr": {
        "point": "virgule", "dot": "point", "minus": "moins", "between": "entre", "and": "et", "to": "à", "at": "à",
        "cents": "centimes", "cent": "centime", "dash": "tiret",
    },
    "en": {
        "point": "point", "dot": "point", "minus": "minus", "between": "between", "and": "and", "to": "to", "at": "at",
        "cents": "cents", "cent": "cent", "dash": "dash",
    },
}  # fmt: skip
_UNITS = {  # one, several
    "fr": {
        "%": ("pour cent", "pour cent"), "€": ("euro", "euros"), "$": ("dollar", "dollars"),
        "ms": ("milliseconde", "millisecondes"), "s": ("seconde", "secondes"), "min": ("minute", "minutes"),
        "h": ("heure", "heures"), "ko": ("kilooctet", "kilooctets"), "Mo": ("mégaoctet", "mégaoctets"),
        "Go": ("gigaoctet", "gigaoctets"), "MiB": ("mébioctet", "mébioctets"), "GiB": ("gibioctet", "gibioctets"),
        "Wh": ("wattheure", "wattheures"), "kWh": ("kilowattheure", "kilowattheures"), "W": ("watt", "watts"),
        "Md": ("milliard", "milliards"),
    },
    "en": {
        "%": ("percent", "percent"), "€": ("euro", "euros"), "$": ("dollar", "dollars"),
        "ms": ("millisecond", "milliseconds"), "s": ("second", "seconds"), "min": ("minute", "minutes"),
        "h": ("hour", "hours"), "kB": ("kilobyte", "kilobytes"), "MB": ("megabyte", "megabytes"),
        "GB": ("gigabyte", "gigabytes"), "MiB": ("mebibyte", "mebibytes"), "GiB": ("gibibyte", "gibibytes"),
        "Wh": ("watt-hour", "watt-hours"), "kWh": ("kilowatt-hour", "kilowatt-hours"), "W": ("watt", "watts"),
    },
}  # fmt: skip
_FEMININE = re.compile(
    r"\s(?:fois|secondes?|minutes?|heures?|millisecondes?|années?|semaines?|pages?|questions?|réponses?|fiches?|phrases?"
    r"|graines?|valeurs?|personnes?|expériences?|recherches?|images?|tâches?|erreurs?|lignes?|couches?|langues?"
    r"|mesures?|sections?|parts?|annonces?|offres?|places?|affirmations?|versions?|époques?|conventions?|données)\b"
)
_SAID = {  # what is a word, or is read otherwise than it is written
    "fr": {
        r"RAG": "rague", r"LoRA": "Lora", r"(?:art|Art)\.": "article", r"n[ᵒ°º]s?\b|nᵒˢ": "numéro", r"cf\.": "voir",
        r"p\.\s?(?=\d)": "page ", r"et al\.": "et ses collègues", r"vs\.?": "contre", r"§\s?": "paragraphe ",
        r"etc\.": "et cetera", r"ex\.": "exemple", r"GPUs": "GPU", r"JSON": "jisonne",
    },
    "en": {
        r"RAG": "rag", r"LoRA": "Lora", r"(?:art|Art)\.": "article", r"No\.\s?(?=\d)": "number ", r"cf\.": "see",
        r"p\.\s?(?=\d)": "page ", r"et al\.": "and colleagues", r"vs\.?": "versus", r"§\s?": "section ",
        r"etc\.": "et cetera", r"e\.g\.": "for example", r"i\.e\.": "that is", r"JSON": "jason",
    },
}  # fmt: skip
_SIGNS = {
    "fr": {
        "×": " fois ", "≥": " au moins ", "≤": " au plus ", "≈": " environ ", "±": " plus ou moins ", "=": " égale ",
        ">": " plus de ", "<": " moins de ", "&": " et ", "²": " carré ", "→": ", ", "°": " degrés ",
        "%": " pour cent ",
    },
    "en": {
        "×": " times ", "≥": " at least ", "≤": " at most ", "≈": " about ", "±": " plus or minus ", "=": " equals ",
        ">": " more than ", "<": " less than ", "&": " and ", "²": " squared ", "→": ", ", "°": " degrees ",
        "%": " percent ",
    },
}  # fmt: skip
_AS_WORDS = {"BERT", "BEIR", "DILA", "CLIP", "LIME", "SHAP", "RAM", "ROUGE", "BLEU", "SIGIR"}  # not letter by letter
_DIGITS = {
    "fr": r"(?:(?<!\d)\d{1,3}(?:[ \u202f\u00a0]\d{3})+(?!\d)|\d+)(?:,\d+)?",
    "en": r"(?:\d{1,3}(?:,\d{3})+(?!\d)|\d+)(?:\.\d+)?",
}
_SIGN = r"(?:[+−]\s?|(?<![\w)])-(?=\d))?"
_MONTHS = "January|February|March|April|May|June|July|August|September|October|November|December"
_DAY = re.compile(rf"(?<![\w.,])(\d\d?)[ \u00a0]({_MONTHS})\b")
_ROMAN = re.compile(r"\b(?=[IVX]{2})(X{0,3})(IX|IV|V?I{0,3})(?=e?\b)")


def decimal(text: str, lang: str) -> str:
    """Digits with decimals, such as 1 234,05 or 1,234.05, in words. French reads decimals as a number, if it can."""
    whole, _, part = re.sub(r"[ \u202f\u00a0]" if lang == "fr" else ",", "", text).replace(",", ".").partition(".")
    told = cardinal(int(whole), lang)
    if not part:
        return told
    zeros = len(part) - len(part.lstrip("0"))
    rest = part[zeros:]
    together = lang == "fr" and rest and len(rest) <= 3
    digits = [_digit(one, lang) for one in (part[:zeros] if together else part)]
    return " ".join([told, _WORDS[lang]["point"], *digits, *([cardinal(int(rest), lang)] if together else [])])


def _digit(digit: str, lang: str) -> str:
    return cardinal(int(digit), lang)


def spoken(text: str, lang: str) -> str:
    """What a voice reads for a plain text."""
    text = re.sub(r"https?://\S+", "", text)
    for written, said in _SAID[lang].items():
        whole = "" if written[-1] in ".)?" else r"(?!\w)"
        text = re.sub(rf"(?<!\w)(?:{written}){whole}", said, text)
    text = _ranks(re.sub(r"(?<=\w)@(?=\w)", f" {_WORDS[lang]['at']} ", text), lang)
    text = _ranges(re.sub(r"(?<=[A-Za-z])-(?=\d)", " ", re.sub(r"(?<=[A-Za-z]\d)-(?=\d)", ", ", text)), lang)
    text = _quantities(text, lang)
    text = re.sub(r"[\u00a0\u202f]", " ", text)
    for sign, said in _SIGNS[lang].items():
        text = text.replace(sign, said)
    return _tidy(_letters(text, lang))


def _ranks(text: str, lang: str) -> str:
    """Ranks, decades, articles of law and Roman numbers in words."""
    if lang == "fr":
        pattern = r"(?<![\w-])(\d+)(er|ère|re|ᵉʳ|e|ᵉ|ème|ième)(?!\w)"
        text = re.sub(pattern, lambda m: ordinal(int(m[1]) or 1, "fr", m[2] in ("ère", "re")), text)
    else:
        text = re.sub(r"\b(\d[\d,]*)(?:st|nd|rd|th)\b", lambda m: ordinal(int(m[1].replace(",", "")) or 1, "en"), text)
        text = re.sub(_DAY, lambda m: f"the {ordinal(int(m[1]) or 1, 'en')} of {m[2]}", text)
        text = re.sub(r"\b(\d\d[2-9]0)s\b", lambda m: f"{year(int(m[1])).removesuffix('y')}ies", text)
    text = re.sub(r"\b([LRD])\.?[ \u00a0]?(?=\d)(\d+(?:-\d+)*)(?!\w)", lambda m: _article(m[1], m[2], lang), text)
    return _ROMAN.sub(lambda m: str(_roman(m[0])) if m[0] else m[0], text)


def _article(letter: str, numbers: str, lang: str) -> str:
    return f"{letter} " + f" {_WORDS[lang]['dash']} ".join(cardinal(int(one), lang) for one in numbers.split("-"))


def _roman(text: str) -> int:
    values = [{"I": 1, "V": 5, "X": 10}[one] for one in text]
    return sum(-one if one < after else one for one, after in zip(values, [*values[1:], 0], strict=True))


def _ranges(text: str, lang: str) -> str:
    """`(44 à 57)` and `44–57` as one says them; of two equal units in a row, the last."""
    words, number = _WORDS[lang], _SIGN + _DIGITS[lang]
    unit = r"(?:[ \u00a0\u202f]?%|[ \u00a0]€)"
    to = rf"(?:[ \u00a0]{words['to']}[ \u00a0]|[–-])"
    text = re.sub(
        rf"\((?:de |d’|from |between )?({number}){unit}?{to}({number}{unit}?)(?=[),;])",
        rf"({words['between']} \1 {words['and']} \2", text,
    )  # fmt: skip
    same = rf"(?=[ \u00a0](?:{words['to']}|{words['and']})[ \u00a0]{number}{unit})"
    text = re.sub(rf"(?<![\w.,])({number}){unit}{same}", r"\1", text)
    return re.sub(rf"(?<![\w.,-])({_DIGITS[lang]})[–-](?={_DIGITS[lang]}(?![\w-]))", rf"\1 {words['to']} ", text)


def _quantities(text: str, lang: str) -> str:
    """Numbers with their sign and unit in words."""
    units = "|".join(sorted(map(re.escape, _UNITS[lang]), key=len, reverse=True))
    before = r"(?P<money>[€$])?" if lang == "en" else ""
    other = r"(?P<version>\d+(?:\.\d+)+)|" if lang == "fr" else r"(?P<version>\d+(?:\.\d+){2,})|"
    pattern = (
        rf"(?P<sign>{_SIGN}){before}(?:{other}(?P<number>{_DIGITS[lang]}))"
        rf"(?:[ \u00a0\u202f]?(?P<unit>{units})(?!\w)|(?P<great>[ \u00a0](?:million|billion|thousand)))?"
    )
    return re.sub(pattern, lambda match: _quantity(match, text, lang), text)


def _quantity(match: re.Match[str], text: str, lang: str) -> str:
    words, found = _WORDS[lang], match.groupdict()
    sign = {"+": "plus ", "−": f"{words['minus']} ", "-": f"{words['minus']} "}.get(found["sign"].strip(), "")
    if found["version"]:
        told = f" {words['dot']} ".join(cardinal(int(one), lang) for one in found["version"].split("."))
    else:
        is_year = lang == "en" and re.fullmatch(r"(?:1[5-9]|20)\d\d", found["number"])
        told = year(int(found["number"])) if is_year else decimal(found["number"], lang)
    unit = found["unit"] or found.get("money")
    digits = found["number"] or ""
    if unit in ("€", "$") and re.search(r"[.,]\d\d$", digits) and not found["great"]:
        told = _money(digits, unit, lang)
    else:
        told += found["great"] or ""
        if unit:
            value = float(re.sub(r"[^\d.]", "", digits.replace(",", "." if lang == "fr" else ""))) if digits else 2
            one = value < 2 if lang == "fr" else value == 1
            told += f" {_UNITS[lang][unit][0 if one else 1]}"
    after = text[match.end() :]
    if lang == "fr" and told.endswith("un") and "virgule" not in told and _FEMININE.match(after):
        told += "e"
    told = re.sub(r"\bun (?=(?:milli)?seconde|minute|heure)", "une ", told)
    left = " " if match.start() and re.match(r"[\w@-]", text[match.start() - 1]) else ""
    return f"{left}{sign}{told}" + (" " if after[:1].isalpha() else "")


def _money(digits: str, unit: str, lang: str) -> str:
    """An amount with two decimals: euros, then cents."""
    plain = re.sub(r"\D", "", digits)
    whole, cents = int(plain[:-2]), int(plain[-2:])
    names = _UNITS[lang][unit]
    several = whole > 1 if lang == "fr" else whole != 1
    parts = [f"{cardinal(whole, lang)} {names[several]}"] if whole or not cents else []
    small = _WORDS[lang]["cents" if cents > 1 else "cent"]
    if cents:
        parts.append(cardinal(cents, lang) + ("" if parts and lang == "fr" else f" {small}"))
    return (" " if lang == "fr" else " and ").join(parts)


def _letters(text: str, lang: str) -> str:
    """Acronyms letter by letter, and words that hold several apart."""
    text = re.sub(r"(?<=[a-zé])(?=[A-Z]{2})", " ", text).replace("_", " ")
    return re.sub(
        r"(?<![\w])([A-Z]{2,5})(s?)(?!\w)",
        lambda m: m[0] if m[1] in _AS_WORDS else " ".join(m[1]) + ("'s" if m[2] else ""),
        text,
    )


def _tidy(text: str) -> str:
    """Brackets and dashes as pauses, no marks that a voice would spell."""
    text = re.sub(r"\s*[(\[]\s*|\s*[)\]]|\s+[—–-]\s+", ", ", text)
    text = re.sub(r"(?<=\w)\s?/\s?(?=\w)", ", ", text).replace("’", "'")
    text = re.sub(r"[«»“”\"*`#^|~{}\\✓✗◐@+]", " ", text)
    text = re.sub(r"\s+", " ", text)
    text = re.sub(r"\s+(?=[,.])", "", text)
    text = re.sub(r"(?:,\s*)+(?=[,.;:!?…])|^[\s,]+|(?<=[;:.!?…]) ?,", "", text)
    return re.sub(r"[\s,]+$", "", text) if not text.rstrip().endswith(".") else text.strip()


def sentences(text: str) -> list[str]:
    """The sentences of a plain text, whole."""
    found = []
    for paragraph in filter(None, map(str.strip, text.split("\n"))):
        while paragraph:
            first = slides.opening(paragraph, 1)
            found.append(first.strip())
            paragraph = paragraph[len(first) :].strip()
    return found


def pieces(sentence: str, lang: str) -> list[str]:
    """A sentence cut for subtitles, where neither a number nor a unit is cut in two."""
    room, made = LINE * LINES - 4, []
    while len(sentence) > room:
        places = [place for place in _breaks(sentence, lang) if FEW < place <= room and len(sentence) - place > FEW]
        if not places:
            break
        best = max(places, key=lambda place: place + (25 if sentence[place - 1] in ",;:)»" else 0))
        made.append(sentence[:best].strip())
        sentence = sentence[best:].strip()
    return [*made, sentence]


def _breaks(sentence: str, lang: str) -> Iterator[int]:
    """The places of blanks where a sentence sounds the same in two halves."""
    whole = re.findall(r"\w+", spoken(sentence, lang))
    for blank in re.finditer(" ", sentence):
        head, tail = (spoken(one, lang) for one in (sentence[: blank.start()], sentence[blank.end() :]))
        if re.findall(r"\w+", f"{head} {tail}") == whole:
            yield blank.start()
