"""Whole numbers and ranks in words, in French and in English. Knows nothing else."""

import re

_FR = [
    "zéro", "un", "deux", "trois", "quatre", "cinq", "six", "sept", "huit", "neuf", "dix", "onze", "douze",
    "treize", "quatorze", "quinze", "seize", "dix-sept", "dix-huit", "dix-neuf",
]  # fmt: skip
_FR_TENS = [
    "-", "dix", "vingt", "trente", "quarante", "cinquante", "soixante", "soixante", "quatre-vingt", "quatre-vingt",
]  # fmt: skip
_EN = [
    "zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve",
    "thirteen", "fourteen", "fifteen", "sixteen", "seventeen", "eighteen", "nineteen",
]  # fmt: skip
_EN_TENS = [
    "-", "-", "twenty", "thirty", "forty", "fifty", "sixty", "seventy", "eighty", "ninety",
]  # fmt: skip
_EN_ORDINALS = {
    "one": "first", "two": "second", "three": "third", "five": "fifth", "eight": "eighth", "nine": "ninth",
    "twelve": "twelfth",
}  # fmt: skip
_GREAT = {
    "fr": ((10**9, "milliard", "milliards"), (10**6, "million", "millions")),
    "en": ((10**12, "trillion", "trillion"), (10**9, "billion", "billion"), (10**6, "million", "million")),
}


def cardinal(number: int, lang: str) -> str:
    """A whole number in words; 0 and more."""
    for size, one, several in _GREAT[lang]:
        if number >= size:
            many, rest = divmod(number, size)
            told = f"{cardinal(many, lang)} {one if many == 1 else several}"
            return f"{told} {_after(rest, lang)}" if rest else told
    return (_french if lang == "fr" else _english)(number)


def _after(rest: int, lang: str) -> str:
    """What follows millions or thousands."""
    return ("and " if lang == "en" and rest < 100 else "") + cardinal(rest, lang)


def _french(number: int, final: bool = True) -> str:
    """Below a million. final: whether nothing follows, so that cents and quatre-vingts take their s."""
    if number < 20:
        return _FR[number]
    if number < 100:
        tens, ones = divmod(number, 10)
        if tens in (7, 9):
            ones += 10
        if number == 80:
            return "quatre-vingts" if final else "quatre-vingt"
        if not ones:
            return _FR_TENS[tens]
        joined = " et " if ones in (1, 11) and tens < 8 else "-"
        return f"{_FR_TENS[tens]}{joined}{_FR[ones]}"
    if number < 1000:
        hundreds, rest = divmod(number, 100)
        told = "cent" if hundreds == 1 else f"{_FR[hundreds]} cent{'' if rest or not final else 's'}"
        return f"{told} {_french(rest, final)}" if rest else told
    thousands, rest = divmod(number, 1000)
    told = "mille" if thousands == 1 else f"{_french(thousands, False)} mille"
    return f"{told} {_french(rest)}" if rest else told


def _english(number: int) -> str:
    """Below a million."""
    if number < 20:
        return _EN[number]
    if number < 100:
        tens, ones = divmod(number, 10)
        return _EN_TENS[tens] + (f"-{_EN[ones]}" if ones else "")
    size, word = (100, "hundred") if number < 1000 else (1000, "thousand")
    many, rest = divmod(number, size)
    told = f"{_english(many)} {word}"
    return told if not rest else f"{told} and {_english(rest)}" if size == 100 else f"{told} {_after(rest, 'en')}"


def year(number: int) -> str:
    """A year as the English say it, in two halves where it has some."""
    century, rest = divmod(number, 100)
    if number < 1100 or number > 9999 or (century % 10 == 0 and rest < 10):
        return cardinal(number, "en")
    return f"{_english(century)} {_english(rest) if rest > 9 else f'oh {_english(rest)}' if rest else 'hundred'}"


def ordinal(number: int, lang: str, feminine: bool = False) -> str:
    """A rank in words: premier, deuxième; first, second. From 1."""
    if lang == "fr":
        if number == 1:
            return "première" if feminine else "premier"
        told = _french(number, False) if number < 10**6 else cardinal(number, lang)
        return re.sub("cinq$", "cinqu", re.sub("neuf$", "neuv", told.removesuffix("e"))) + "ième"
    head, last = re.fullmatch(r"(.*?)(\w+)", cardinal(number, lang)).groups()  # type: ignore[union-attr]
    return head + (_EN_ORDINALS.get(last) or (f"{last[:-1]}ieth" if last.endswith("y") else f"{last}th"))
