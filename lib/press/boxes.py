"""The parts of a post that are made, not written: verdict, references, provenance, reproduction. Returns Markdown."""

import datetime as dt
import html
import re
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from lib.press import history, prose, store
from lib.press.notebooks import Notebook
from lib.press.words import WORDS

MARKS = {"holds": "✓", "fails": "✗", "mixed": "◐", "undecided": "?"}
HYPHEN = "\u2011"  # that does not break
_CITATION = re.compile(r"\[(@[^\[\]]+)\](?!\()")
_CITED = re.compile(r"@([\w:-]+)(?:,\s*([^@]+))?")  # a reference, and where in it
_MATH = re.compile(r"(?<!\\)\$\$(?P<block>.+?)\$\$|(?<!\\)\$(?P<inline>[^\s$](?:[^$\n]*[^\s$])?)\$(?!\d)", re.DOTALL)
_CODE = re.compile(r"(^(?P<fence>`{3,}|~{3,}).*?^(?P=fence)[^\n]*$|`[^`\n]+`)", re.DOTALL | re.MULTILINE)


def raw(markup: str) -> str:
    """HTML that either renderer passes through."""
    return f"```{{=html}}\n{markup}\n```\n"


def escape(text: object) -> str:
    return html.escape(str(text))


def typographic(text: str) -> str:
    """Text with the apostrophe that Pandoc sets in prose, and with French spaces, for what Pandoc does not see."""
    return spaced(re.sub(r"(?<=\w)'(?=\w)", "’", text))


def spaced(text: str) -> str:
    """Text whose French punctuation stays on the line of its word: no-break spaces, narrow before ; ! and ?."""
    text = re.sub(r"(?<!\s) (?=[:»%€])|(?<=«) ", "\u00a0", text)
    return re.sub(r"(?<![ \t\n])[ \u00a0](?=[;!?])", "\u202f", text)


def inline(text: str) -> str:
    """Escaped text with `code` and **strong** marked up: what the boxes need of Markdown."""
    safe = escape(typographic(text))
    safe = re.sub(r"`([^`]+)`", r"<code>\1</code>", safe)
    return re.sub(r"\*\*([^*]+)\*\*", r"<strong>\1</strong>", safe)


def badge(verdict: str | None, lang: str) -> str:
    """A verdict as a mark and a word: told by form and text, not by colour alone."""
    if not verdict:
        return ""
    mark = f'<span aria-hidden="true">{MARKS[verdict]}</span>'
    return f'<span class="verdict verdict-{verdict}">{mark} {WORDS[lang][verdict]}</span>'


def effect(notebook: Notebook, record: Mapping[str, Any], lang: str) -> str:
    """What the headline value is, the value with its unit, and its interval; or nothing."""
    name = (record.get("verdict") or {}).get("effect")
    result = record["results"].get(name) if name else None
    if not result:
        return ""
    share = result.get("unit") == "share"
    places = prose.share_places(result) if share else prose.interval_places(result)
    text = prose.format_result(result, "unit", lang, places)
    if result.get("ci"):
        ends = prose.format_result(result, "ci", lang, f"percent, {places}" if share else "")
        level = prose.format_result(result, "level", lang)
        text += f" ({ends}, {WORDS[lang]['interval'].format(level)})"
    label = notebook.text("effect", lang)
    return f"{typographic(label)}{colon(lang)} {text}" if label else text


def verdict_box(notebook: Notebook, result: store.Result, lang: str) -> str:
    """The claim, its source, the verdict, the effect, the rule, and what decided."""
    words, record = WORDS[lang], result.record
    claim = notebook.meta.get("claim") or {}
    verdict, heard = record.get("verdict") or {}, _source(claim.get("source", ""), lang)
    parts = [
        f'<p class="claim-label">{words["claim"]}</p><blockquote><p>{inline(claim.get(lang, ""))}</p>',
        f"<footer>{words['source']}{colon(lang)} {inline(heard)}</footer></blockquote>",
    ]
    if verdict:
        told = effect(notebook, record, lang)
        parts.append(f'<p class="verdict-line">{badge(verdict["value"], lang)}')
        parts.append(f' <span class="verdict-effect">{escape(told)}</span>' if told else "")
        parts.append(f"{_since(result, lang)}</p>")
        rule = (verdict.get("rule") or {}).get(lang, "")
        parts.append(f'<p class="verdict-rule"><strong>{words["rule"]}{colon(lang)}</strong> {inline(rule)}</p>')
        parts.append(
            f'<p class="verdict-profile">{words["decided_by"]}{colon(lang)} <code>{result.profile}</code>'
            f"{_beside(result, lang)}</p>"
        )
    return raw(f'<div class="claim-box claim-{verdict.get("value", "none")}">{"".join(parts)}</div>')


def _since(result: store.Result, lang: str) -> str:
    """From when the verdict has been what it is, and what it was before."""
    entries = history.read(result.folder)
    first = history.since(entries)
    if first is None:
        return ""
    words = WORDS[lang]
    told = f' <span class="verdict-since">{escape(words["since"].format(date=_day(first["date"], lang)))}</span>'
    place = entries.index(first)
    if place and entries[place - 1].get("verdict"):
        old = entries[place - 1]
        changed = ", ".join(first.get("changed") or []) or words["nothing_named"]
        verdict = words[old["verdict"]].lower()
        text = words["before"].format(date=_day(old["date"], lang), verdict=verdict, changed=changed)
        told += f'<br><span class="verdict-before">{escape(text)}</span>'
    return told


def _day(date: str, lang: str) -> str:
    return prose.format_day(dt.date.fromisoformat(date[:10]), lang)


def _source(value: object, lang: str) -> str:
    """Where a claim was heard, without the letter by which notebooks tell texts apart."""
    text = str(value.get(lang, "")) if isinstance(value, Mapping) else str(value)
    return re.sub(r"^[A-Z], ", "", text)


def colon(lang: str) -> str:
    """A colon as the language sets it."""
    return "\u00a0:" if lang == "fr" else ":"


def _beside(result: store.Result, lang: str) -> str:
    quick = store.accepted(result.record["slug"]).get("quick")
    if result.profile == "quick" or quick is None or not quick.verdict:
        return ""
    return ". " + inline(WORDS[lang]["quick_beside"].format(verdict=WORDS[lang][quick.verdict].lower()))


def notice(text: str) -> str:
    return raw(f'<p class="notice" role="note">{inline(text)}</p>')


def cite(text: str, references: Iterable[Mapping[str, Any]], lang: str) -> str:
    """Resolve `[@id]` and `[@id, section 2; @other]` into linked author and year, outside code.

    Raises ProseError on an unknown id, and on what is written in another way.
    """
    known = {str(one["id"]): one for one in references}

    def one(written: str) -> str:
        found = _CITED.fullmatch(written.strip())
        if found is None:
            raise prose.ProseError(f"[{written.strip()}] is not a citation such as [@id] or [@id, section 2]")
        key, where = found.groups()
        if key not in known:
            raise prose.ProseError(f"[@{key}] is not among the references ({', '.join(known) or 'there are none'})")
        link = f"[{_authors(known[key], lang)}, {known[key]['year']}](#ref-{key})"
        return f"{link}, {where.strip()}" if where else link

    def cited(match: re.Match[str]) -> str:
        return "(" + "\u00a0; ".join(one(part) for part in match[1].split(";")) + ")"

    return outside_code(text, lambda piece: _CITATION.sub(cited, piece))


def _authors(reference: Mapping[str, Any], lang: str) -> str:
    """ "Shumailov et al.", "Dawid et Skene", "Page": from "Family, I., Family, I."."""
    names = re.findall(r"([^,;&]+?),\s*(?:[A-ZÉ][\w.\-]*\.?\s?)+(?:[,;&]|$|et|and)", str(reference["authors"]))
    names = [name.strip() for name in names] or [str(reference["authors"]).partition(",")[0].strip()]
    if len(names) > 2 or "et al" in str(reference["authors"]):
        return f"{names[0]} et al."
    return f" {'et' if lang == 'fr' else 'and'} ".join(names)


def mathml(text: str) -> str:
    """Resolve `$...$` and `$$...$$` into MathML, outside code, so that no page needs a script for it."""

    def converted(match: re.Match[str]) -> str:
        from latex2mathml.converter import convert

        block = match["block"]
        tex = (block or match["inline"]).strip()
        markup = convert(tex, display="block" if block else "inline")
        markup = markup.replace("<math ", f'<math alttext="{escape(tex)}" ', 1)  # what mail and plain text can show
        return f"\n\n{raw(markup)}\n" if block else _untouched(markup)

    return outside_code(text, lambda piece: _MATH.sub(converted, piece))


def _untouched(markup: str) -> str:
    """Inline markup that Markdown leaves as it is: smalldocs does not know inline raw blocks."""
    return re.sub(
        r">([^<]+)<", lambda m: ">" + re.sub(r"[^\w\s&;#()=+,.]", lambda c: f"&#{ord(c[0])};", m[1]) + "<", markup
    )


def outside_code(text: str, change: Callable[[str], str]) -> str:
    """Markdown with its text changed, its code left alone."""
    return outside(_CODE, text, change)


def outside(kept: re.Pattern[str], text: str, change: Callable[[str], str]) -> str:
    """Text with all changed but what a pattern finds."""
    pieces, last = [], 0
    for code in kept.finditer(text):
        pieces += [change(text[last : code.start()]), code[0]]
        last = code.end()
    return "".join([*pieces, change(text[last:])])


def references(notebook: Notebook, lang: str) -> str:
    """The list of references, each with an anchor."""
    rows = []
    for one in notebook.meta.get("references") or []:
        url = str(one.get("url") or "")
        link = (
            f' <a href="{escape(url)}">{escape(url.removeprefix("https://"))}</a>' if url.startswith("https://") else ""
        )
        venue = f" <em>{escape(one['venue'])}</em>." if one.get("venue") else ""
        rows.append(
            f'<li id="ref-{escape(one["id"])}">{escape(one["authors"])} ({one["year"]}). '
            f"{escape(one['title'])}.{venue}{link}</li>"
        )
    return f"## {WORDS[lang]['references']}\n\n" + raw(f'<ul class="references">{"".join(rows)}</ul>') if rows else ""


def bibtex(notebook: Notebook, result: store.Result, lang: str, address: str) -> str:
    """A BibTeX entry for a post; the commit of its run tells which numbers were meant."""
    commit = result.record["provenance"].get("commit")
    fields = {
        "author": "{The Guidon contributors}",
        "title": _tex(notebook.text("title", lang)),
        "year": str(notebook.meta["date"])[:4],
        "url": address,
        "language": {"fr": "french", "en": "english"}[lang],
        "note": f"run of {result.record['provenance']['date'][:10]}" + (f", commit {commit}" if commit else ""),
    }
    lines = ",\n".join(f"  {name} = {{{value}}}" for name, value in fields.items())
    return f"@misc{{guidon-{notebook.slug}-{lang},\n{lines}\n}}"


def _tex(text: str) -> str:
    return re.sub(r"([&%$#_{}])", r"\\\1", text)


def provenance(notebook: Notebook, result: store.Result, lang: str, download: str, address: str) -> str:
    """When and where the run was made, how to make it again and to cite it, what was found here."""
    words, record = WORDS[lang], result.record
    told = record["provenance"]
    day = prose.format_day(dt.date.fromisoformat(told["date"][:10]), lang)
    parameters = ", ".join(f"{name} = {value}" for name, value in record["parameters"].items())
    versions = ", ".join(f"{name} {version}" for name, version in record["identity"]["versions"].items())
    rows = {
        "profile": f"<code>{result.profile}</code>",
        "date": day,
        "commit": f"<code>{escape(told['commit'])}</code>{' (' + words['dirty'] + ')' if told['dirty'] else ''}"
        if told["commit"]
        else "",
        "machine": escape(
            ", ".join(filter(None, (told["cpu"], told.get("gpu"), told["platform"], f"Python {told['python']}")))
        ),
        "time": escape(prose.format_result({"value": told["seconds"]}, "duration", lang)),
        "energy": _energy(told, lang),
        "parameters": escape(parameters),
        "versions": escape(versions),
    }
    cells = "".join(
        f'<tr><th scope="row">{words[name]}</th><td>{value}</td></tr>' for name, value in rows.items() if value
    )
    command = f"{notebook.slug}" + ("" if result.profile == "quick" else f" --profile {result.profile}")
    return "\n".join([
        f"## {words['provenance']}\n",
        raw(f'<table class="provenance"><tbody>{cells}</tbody></table>'),
        f"### {words['rerun']}\n\n{words['rerun_text']}\n\n```bash\n.venv/bin/guidon reproduce {command}\n```\n",
        raw(f'<p><a href="{escape(download)}" download>{words["download"]}</a></p>'),
        f"### {words['cite']}\n\n```bibtex\n{bibtex(notebook, result, lang, address)}\n```\n",
        f"### {words['reproduced']}\n",
        reproduced(result, lang),
    ])  # fmt: skip


def _energy(told: Mapping[str, Any], lang: str) -> str:
    energy = told.get("energy")
    if not energy:
        return ""
    amount = prose.format_result({"value": float(energy["wh"])}, "number", lang)
    return escape(f"{amount}\u00a0Wh ({WORDS[lang][energy['method']]})")


def reproduced(result: store.Result, lang: str) -> str:
    """What `guidon reproduce` found on this machine for the result that is shown."""
    words = WORDS[lang]
    found = store.reproduction(result.record["slug"], result.profile)
    if not found or found.get("digest") != result.record["identity"]["digest"]:
        return words["not_reproduced"] + "\n"
    text = words["agree"].format(
        **{name: found[name] for name in ("agree", "total", "identical", "cpu")},
        date=prose.format_day(dt.date.fromisoformat(found["date"][:10]), lang),
        seconds=prose.format_result({"value": found["seconds"]}, "duration", lang),
    )
    if wrong := [row["name"] for row in found["rows"] if not row["ok"]]:
        text += " " + words["disagree"].format(names=", ".join(wrong))
    if verdict := found.get("other_verdict"):
        text += " " + words["other_verdict"].format(verdict=words[verdict].lower())
    return text + "\n"


def attributions(notebook: Notebook, lang: str) -> str:
    """Who made the data and models that a page uses, and under which licence."""
    from lib.lab import sources

    known = sources.load()
    rows = [f"<li>{inline(known[name].attribution[lang])}</li>" for name in notebook.inputs if name in known]
    return f"## {WORDS[lang]['data']}\n\n" + raw(f'<ul class="attributions">{"".join(rows)}</ul>') if rows else ""
