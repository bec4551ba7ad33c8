"""The pages that list others: latest posts, claims, tutorials, notes; and the notes themselves. Renders nothing."""

import datetime as dt
import json
import re
import shutil
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Any

import yaml

from lib.lab import paths
from lib.lab.cache import atomic, write_text
from lib.press import asides, boxes, history, prose, store
from lib.press.notebooks import LANGS, Notebook, find, load_yaml
from lib.press.words import WORDS

STATIC = ("index", "about", "claims", "tutorials", "notes", "formats")
_NOTE = re.compile(r"(?P<stem>(?:(?P<number>\d+)-)?[\w-]+)\.(?P<lang>fr|en)\.(?:qmd|md)")


@dataclass(frozen=True)
class Page:
    """One page of the site in one language, as lists, feeds and the finishing pass know it."""

    lang: str
    path: str  # from the site's root, such as en/posts/label_noise.html
    title: str
    description: str
    kind: str  # page, claim, demonstration, tutorial or note
    date: str = ""
    categories: list[str] = field(default_factory=list)
    image: str = ""  # PNG, from the site's root
    image_alt: str = ""
    thumbnail: str = ""  # SVG, from the site's root
    verdict: str = ""
    twin: str = ""
    series: str = ""  # of posts that follow each other; a page that is no post has none
    number: int | None = None  # in its series
    canonical: str = ""  # the address of which this page is a copy
    aliases: list[str] = field(default_factory=list)  # paths that lead here
    updated: str = ""  # when the run that it shows was made, with the zone


def site_url() -> str:
    """The address that the author set, without a final slash; read again only when the file changes."""
    path = paths.root() / "_quarto.yml"
    return _site_url(path, path.stat().st_mtime_ns)


@lru_cache(maxsize=8)
def _site_url(path: Path, _date: int) -> str:
    config = load_yaml(path.read_text(encoding="utf-8"))
    return str((config.get("website") or {}).get("site-url") or "https://guidon.example").rstrip("/")


def post_address(slug: str, lang: str) -> str:
    """Where a post is on the web."""
    return f"{site_url()}/{_prefix(lang)}posts/{slug}.html"


def write(notebooks: list[Notebook], shown: Mapping[str, store.Result], drafts: bool) -> list[Path]:
    """Write the lists, the notes and the manifest build/site.json; return the files under posts/ and en/posts/."""
    written: list[Path] = []
    every: list[Page] = []
    for lang in LANGS:
        listed = [_post(notebook, shown[notebook.slug], lang) for notebook in notebooks]
        notes, files = write_notes(lang, shown, drafts)
        listed = sorted([*listed, *notes], key=lambda page: (page.date, page.path), reverse=True)
        every += [*listed, *_static(lang)]
        fragments = {
            "latest": cards(listed[:12], lang),
            "claims": claims_table(notebooks, shown, lang),
            "tutorials": cards([page for page in listed if page.kind == "tutorial"], lang, level=2),
            "notes": cards([page for page in listed if page.kind == "note"], lang, level=2),
        }
        for name, markup in fragments.items():
            path = _folder(lang) / f"_{name}.md"
            write_text(path, boxes.raw(markup))
            written.append(path)
        written += files
    known = {page.path for page in every}
    write_text(paths.build_dir() / "claims.json", claims_json(notebooks, shown))
    every = [Page(**{**asdict(page), "twin": twin if (twin := _twin(page)) in known else ""}) for page in every]
    text = json.dumps([asdict(page) for page in every], ensure_ascii=False, indent=1)
    write_text(paths.build_dir() / "site.json", text + "\n")
    return written


def manifest() -> list[Page]:
    """What `write` last wrote."""
    return [Page(**one) for one in json.loads((paths.build_dir() / "site.json").read_text(encoding="utf-8"))]


def _folder(lang: str) -> Path:
    return paths.root() / ("posts" if lang == "fr" else "en/posts")


def _prefix(lang: str) -> str:
    return "" if lang == "fr" else "en/"


def _twin(page: Page) -> str:
    return page.path.removeprefix("en/") if page.lang == "en" else f"en/{page.path}"


def _static(lang: str) -> list[Page]:
    found = []
    for name in STATIC:
        source = paths.root() / _prefix(lang) / f"{name}.qmd"
        if source.is_file():
            front, _ = split(source)
            found.append(
                Page(
                    lang,
                    f"{_prefix(lang)}{name}.html",
                    str(front.get("title", name)),
                    str(front.get("description", "")),
                    "page",
                )
            )
    return found


def _post(notebook: Notebook, result: store.Result, lang: str) -> Page:
    """What a post says of itself; its figures were written before."""
    base = f"{_prefix(lang)}posts/{notebook.slug}"
    post = json.loads((_folder(lang) / f"{notebook.slug}.ipynb").read_text(encoding="utf-8"))
    front = load_yaml(post["cells"][0]["source"].strip("-\n"))
    image = str(front.get("image") or "")
    return Page(
        lang=lang, path=f"{base}.html", title=boxes.typographic(front["title"]),
        description=front["description"], kind=notebook.kind,
        date=front["date"], updated=result.record["provenance"]["date"], categories=front["categories"],
        thumbnail=f"{_prefix(lang)}posts/{image}" if image else "",
        image=f"{_prefix(lang)}posts/{Path(image).with_suffix('.png')}" if image else "",
        image_alt=str(front.get("image-alt") or ""),
        verdict=(result.verdict or "") if notebook.kind != "tutorial" else "", series=notebook.series,
        number=int(notebook.path.name.partition("_")[0]),
    )  # fmt: skip


def split(path: Path) -> tuple[dict[str, Any], str]:
    """Front matter and body of a text file. Raises ProseError."""
    text = path.read_text(encoding="utf-8-sig")
    found = re.match(r"---\n(.*?)\n---\n?(.*)", text, re.DOTALL)
    try:
        front = load_yaml(found[1]) if found else {}
    except yaml.YAMLError as error:
        raise prose.ProseError(f"{path.name}: its front matter is not YAML: {str(error).splitlines()[0]}") from error
    return (front if isinstance(front, dict) else {}), (found[2] if found else text)


def notes(lang: str = "*") -> list[Path]:
    """The sources of the notes and essays, of one language or of both."""
    found = sorted((paths.notebooks_dir() / "writing").glob(f"*.{lang}.*"))
    return [path for path in found if _NOTE.fullmatch(path.name)]


def write_notes(lang: str, shown: Mapping[str, store.Result], drafts: bool) -> tuple[list[Page], list[Path]]:
    """Write the notes of a language, filled in; return how lists know them, and the files."""
    context = prose.Context(None, lambda slug: shown[slug].record if slug in shown else None)
    pages, files = [], []
    for source in notes(lang):
        named = _NOTE.fullmatch(source.name)
        front, _ = split(source)
        if named is None or (front.get("draft") and not drafts):
            continue
        body = asides.read(filled(source, lang, context), source.name)
        number = int(named["number"]) if named["number"] else None
        told = {
            name: prose.fill(front[name], context, lang, prose.Where(source.name))
            for name in ("title", "description") if isinstance(front.get(name), str)
        }  # fmt: skip
        front = {**front, **told, "date": str(front.get("date", "")), "lang": lang, "toc": False}
        front.pop("draft", None)
        if number is not None:
            front["subtitle"] = numbered(number, lang)
        target = _folder(lang) / f"{named['stem']}.qmd"
        write_text(
            target, f"---\n{yaml.safe_dump(front, allow_unicode=True, sort_keys=False, width=1000)}---\n\n{body}"
        )
        files += [target, *_copy_images(source.parent, target.parent, body)]
        pages.append(Page(
            lang=lang, path=f"{_prefix(lang)}posts/{named['stem']}.html",
            title=boxes.typographic(str(front.get("title", named["stem"]))),
            description=str(front.get("description", "")), kind="note", date=front["date"],
            categories=[str(one) for one in front.get("categories") or []],
            series=str(front.get("series") or "notes"), number=number, canonical=str(front.get("canonical-url") or ""),
            aliases=[str(one) for one in front.get("aliases") or []],
        ))  # fmt: skip
    return pages, files


def note(stem: str, lang: str) -> Path:
    """The source of a note that has a post."""
    return next(path for path in notes(lang) if path.name.rsplit(".", 2)[0] == stem)


def filled(source: Path, lang: str, context: prose.Context) -> str:
    """The text of a note, filled in; what is only said stands in its blocks. Raises ProseError."""
    _, body = split(source)
    first_line = source.read_text(encoding="utf-8-sig").count("\n") - body.count("\n") + 1
    body = boxes.mathml(prose.fill(body, context, lang, prose.Where(source.name, line=first_line)))
    return re.sub(r"\]\((?:\.\./)*writing/([\w-]+)\.(?:fr|en)\.(?:qmd|md)\)", r"](\1.qmd)", body)


def numbered(number: int | None, lang: str) -> str:
    """What a note is called: by its number; one without is an essay."""
    return WORDS[lang]["essay"] if number is None else f"{'Note nº' if lang == 'fr' else 'Note no.'}\u00a0{number}"


def kind_of(page: Page) -> str:
    """What a page is, in a word or two of its language."""
    words = WORDS[page.lang]
    known = {"note": numbered(page.number, page.lang), "tutorial": words["tutorial"]}
    return known.get(page.kind, words["experiment"])


def images(body: str) -> list[str]:
    """The images that a note shows, from the folder it lies in; none outside images/."""
    return [name for name in dict.fromkeys(re.findall(r"\]\((images/[\w./-]+)\)", body)) if ".." not in name]


def _copy_images(writing: Path, posts: Path, body: str) -> list[Path]:
    """Copy the images of a note, which lie in notebooks/writing/images/, beside what is written of it."""
    copied = []
    for name in images(body):
        source = writing / name
        if source.is_file():
            with atomic(posts / name) as made:
                shutil.copy2(source, made)
            copied.append(posts / name)
    return copied


def cards(pages: list[Page], lang: str, level: int = 3) -> str:
    """A list of posts: picture, title (a heading of this level), date, verdict, description, categories."""
    words = WORDS[lang]
    items = []
    for page in pages:
        link = boxes.escape(page.path.removeprefix(_prefix(lang)))
        picture = ""
        if page.thumbnail:
            source = boxes.escape(page.thumbnail.removeprefix(_prefix(lang)))
            picture = f'<img class="card-picture" src="{source}" alt="" loading="lazy" width="280" height="168">'
        elif page.kind == "note":
            picture = '<span class="card-picture card-note" aria-hidden="true">¶</span>'
        kind = kind_of(page)
        day = prose.format_day(dt.date.fromisoformat(page.date), lang) if page.date else ""
        categories = "".join(f"<li>{boxes.escape(name)}</li>" for name in page.categories)
        items.append(
            f'<li class="card">{picture}<div class="card-text">'
            f'<p class="card-meta">{kind} · <time datetime="{page.date}">{day}</time> '
            f"{boxes.badge(page.verdict, lang)}</p>"
            f'<h{level} class="card-title"><a href="{link}">{boxes.escape(page.title)}</a></h{level}>'
            f"<p>{boxes.inline(page.description)}</p>"
            f'<ul class="categories">{categories}</ul></div></li>'
        )
    return f'<ul class="cards">{"".join(items)}</ul>' if items else f"<p>{words['nothing']}</p>"


def claims_table(notebooks: list[Notebook], shown: Mapping[str, store.Result], lang: str) -> str:
    """Every claim with verdict, effect and last run; `guidon.js` makes the columns sortable."""
    words, rows = WORDS[lang], []
    for notebook in notebooks:
        if notebook.kind == "tutorial":
            continue
        result = shown[notebook.slug]
        day = result.record["provenance"]["date"][:10]
        claim = boxes.inline((notebook.meta.get("claim") or {}).get(lang, notebook.text("title", lang)))
        verdict = result.verdict or "none"
        rows.append(
            f'<tr><th scope="row"><a href="posts/{notebook.slug}.html">{claim}</a></th>'
            f'<td data-sort="{verdict}">{boxes.badge(result.verdict, lang) or words["none"]}</td>'
            f"<td>{boxes.escape(boxes.effect(notebook, result.record, lang))}</td>"
            f'<td data-sort="{day}"><time datetime="{day}">'
            f"{prose.format_day(dt.date.fromisoformat(day), lang, 'medium')}</time>"
            f" <code>{result.profile}</code></td></tr>"
        )
    heads = "".join(f'<th scope="col">{words[name]}</th>' for name in ("claim", "verdict", "effect", "last_run"))
    table = f'<table class="claims sortable"><thead><tr>{heads}</tr></thead><tbody>{"".join(rows)}</tbody></table>'
    return (
        f'<div class="table-scroll" tabindex="0" role="region" aria-label="{words["claims"]}">{table}</div>'
        if rows
        else f"<p>{words['nothing']}</p>"
    )


def claims_json(notebooks: list[Notebook], shown: Mapping[str, store.Result]) -> str:
    """Every claim for other programs: texts, verdict, rule, evidence, effect, since when, history, addresses."""
    rows = []
    for notebook in notebooks:
        result = shown.get(notebook.slug)
        if notebook.kind != "claim" or result is None:
            continue
        told, verdict = result.record, result.record.get("verdict") or {}
        entries = history.read(result.folder)
        rows.append({
            "slug": notebook.slug, "claim": {lang: notebook.meta["claim"].get(lang, "") for lang in LANGS},
            "verdict": verdict.get("value"), "rule": verdict.get("rule"),
            "evidence": {name: told["results"].get(name) for name in verdict.get("evidence") or []},
            "effect": verdict.get("effect"), "profile": result.profile, "commit": told["provenance"].get("commit"),
            "since": (history.since(entries) or {}).get("date"), "history": entries,
            "url": {lang: post_address(notebook.slug, lang) for lang in LANGS},
        })  # fmt: skip
    return json.dumps({"version": 1, "claims": rows}, ensure_ascii=False, indent=1) + "\n"


def readme_table(notebooks: list[Notebook], shown: Mapping[str, store.Result]) -> str:
    """The claims table of README.md, in Markdown."""
    lines = ["| claim | verdict | effect |", "| --- | --- | --- |"]
    for notebook in notebooks:
        if notebook.kind != "tutorial" and notebook.slug in shown:
            result = shown[notebook.slug]
            claim = str((notebook.meta.get("claim") or {}).get("en", "")).replace("|", "\\|")
            path = notebook.path.relative_to(paths.root())
            verdict = WORDS["en"][result.verdict or "none"].lower()
            lines.append(f"| [{claim}]({path}) | {verdict} | {boxes.effect(notebook, result.record, 'en')} |")
    return "\n".join(lines)


def update_readme() -> bool:
    """Put the claims table of what is accepted between the marks of README.md; say whether it changed."""
    path = paths.root() / "README.md"
    if not path.is_file():
        return False
    notebooks = find()
    shown = {notebook.slug: result for notebook in notebooks if (result := store.deciding(notebook.slug))}
    table = f"<!-- claims:begin -->\n{readme_table(notebooks, shown)}\n<!-- claims:end -->"
    marked = re.compile(r"<!-- claims:begin -->.*?<!-- claims:end -->", re.DOTALL)
    return write_text(path, marked.sub(lambda _: table, path.read_text(encoding="utf-8")))
