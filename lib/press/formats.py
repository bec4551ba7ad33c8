"""The page of what each post is to be had as: its notebook, and the exports of today's post that were made here.

What is small goes with the site, into formats/; an export of an older post, or one that is not whole, is as good as
none. Makes no export.
"""

import json
import shutil
import zipfile
from pathlib import Path
from typing import Any

from lib.lab import paths
from lib.lab.cache import write_text
from lib.press import boxes, pages, prose, stamps
from lib.press.notebooks import LANGS
from lib.press.pages import Page
from lib.press.words import WORDS

SHARED = {"slides": ".html", "markdown": ".zip", "video": ".vtt"}  # what of an export goes with the site
_DAY = (2000, 1, 1, 0, 0, 0)  # of files in an archive, so that the same files make the same archive


def write() -> list[Path]:
    """Write the table of each language and the list of what goes with the site, of the posts in the manifest."""
    kept = stamps.Stamps()
    listed = [page for page in pages.manifest() if page.kind != "page"]
    found = {(page.path, target): told for page in listed for target in SHARED if (told := kept.current(page, target))}
    written = []
    for lang in LANGS:
        path = (paths.root() / ("" if lang == "fr" else "en/")) / "posts" / "_formats.md"
        rows = [_row(page, found) for page in listed if page.lang == lang]
        write_text(path, boxes.raw(_table(rows, lang)))
        written.append(path)
    going = {
        _address(page, target): {"from": _source(page, target), "key": found[page.path, target]["key"]}
        for page in listed for target in SHARED if (page.path, target) in found
    }  # fmt: skip
    write_text(_list(), json.dumps(going, indent=1) + "\n")
    return written


def put(out: Path) -> None:
    """Put what goes with the site into it."""
    if not _list().is_file():
        return
    for address, told in json.loads(_list().read_text(encoding="utf-8")).items():
        source, target = paths.build_dir() / told["from"], out / address
        target.parent.mkdir(parents=True, exist_ok=True)
        if source.is_dir():
            _pack(source, target)
        else:
            shutil.copy2(source, target)


def _list() -> Path:
    return paths.build_dir() / "formats.json"


def _address(page: Page, target: str) -> str:
    """Where it is on the site."""
    return f"formats/{page.lang}/{Path(page.path).stem}{SHARED[target]}"


def _source(page: Page, target: str) -> str:
    """What it is made of, in the build folder: a folder where it is an archive."""
    stem = Path(page.path).stem
    place = stamps.folder(target, page.lang, stem).relative_to(paths.build_dir())
    return (place if SHARED[target] == ".zip" else place / f"{stem}{SHARED[target]}").as_posix()


def _pack(folder: Path, target: Path) -> None:
    """An archive of a folder; the same files make the same archive."""
    with zipfile.ZipFile(target, "w") as archive:
        for path in sorted(one for one in folder.rglob("*") if one.is_file()):
            entry = zipfile.ZipInfo(f"{folder.name}/{path.relative_to(folder).as_posix()}", _DAY)
            entry.external_attr = 0o644 << 16
            archive.writestr(entry, path.read_bytes())


def _table(rows: list[str], lang: str) -> str:
    words = WORDS[lang]
    names = ("title", "notebook", "slides", "markdown", "video")
    heads = "".join(f'<th scope="col">{words[name]}</th>' for name in names)
    if not rows:
        return f"<p>{words['nothing']}</p>"
    return f'<table class="formats"><thead><tr>{heads}</tr></thead><tbody>{"".join(rows)}</tbody></table>'


def _row(page: Page, found: dict[tuple[str, str], dict[str, Any]]) -> str:
    """A post and what it is to be had as."""
    base, words = "" if page.lang == "fr" else "en/", WORDS[page.lang]
    cells = [_notebook(page, base)]
    for target in ("slides", "markdown", "video"):
        told = found.get((page.path, target))
        later = f'<span class="later">{words["not_yet"]}</span>'
        cells.append(_cell(page, target, told, "../" if base else "") if told else later)
    link = boxes.escape(page.path.removeprefix(base))
    head = f'<th scope="row"><a href="{link}">{boxes.escape(page.title)}</a></th>'
    return f"<tr>{head}{''.join(f'<td>{cell}</td>' for cell in cells)}</tr>"


def _notebook(page: Page, base: str) -> str:
    """The source notebook, which is always on the site; a note has none."""
    found = sorted((paths.root() / page.path).with_suffix("").glob("*.ipynb")) if page.kind != "note" else []
    if not found:
        return '<span aria-hidden="true">—</span>'
    link = found[0].relative_to(paths.root() / base).as_posix()
    return _link(link, ".ipynb", found[0].stat().st_size, page)


def _cell(page: Page, target: str, told: dict[str, Any], up: str) -> str:
    """A link to what goes with the site; of a video, how long it is, and its subtitles."""
    stem, address = Path(page.path).stem, up + _address(page, target)
    if target != "video":
        size = told["files"][f"{stem}.html"] if target == "slides" else sum(told["files"].values())
        return _link(address, SHARED[target], size, page)
    film = stamps.folder("video", page.lang, stem) / f"{stem}.json"
    seconds = round(json.loads(film.read_text(encoding="utf-8"))["duration_s"])
    length = prose.format_result({"value": seconds, "unit": "s"}, "duration", page.lang)
    return f"{length}, {_link(address, WORDS[page.lang]['subtitles'], None, page)}"


def _link(address: str, text: str, size: int | None, page: Page) -> str:
    told = f" ({weight(size, page.lang)})" if size is not None else ""
    label = boxes.escape(f"{page.title}, {text}")
    kept = "" if text == ".html" else " download"
    return f'<a href="{boxes.escape(address)}"{kept} aria-label="{label}">{text}</a>{told}'


def weight(size: int, lang: str) -> str:
    """Bytes as a reader counts them."""
    great = size >= 1e6
    unit = {"fr": ("ko", "Mo"), "en": ("kB", "MB")}[lang][great]
    value = size / 1e6 if great else max(1, round(size / 1000))
    return f"{prose.format_result({'value': value}, 'number', lang, '1' if great else '0')}\u00a0{unit}"
