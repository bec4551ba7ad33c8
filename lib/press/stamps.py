"""Of what an export was made: a key of the filled post, its figures, what is only said, options, and exporting code.

Keys are kept in build/exports/.made/, so that the exports hold nothing that their places do not want. Exports nothing.
"""

import contextlib
import hashlib
import importlib.metadata
import json
import shutil
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any

from lib.lab import paths
from lib.lab.cache import write_text
from lib.lab.normalize import digest
from lib.press import asides, digests, notebooks, pages, prose, store
from lib.press.pages import Page

TARGETS = ("markdown", "hashnode", "eleventy", "newsletter", "slides", "video")
_TEXT = ["exports", "finished", "finish", "boxes", "words", "rendered"], ["markdownify", "smalldocs"]
_SLIDES = ["slides", "posts", "boxes", "words", "finish"], ["nbconvert", "mistune"]
_CODE = {  # modules of lib.press, and packages, that decide what becomes of a post
    **dict.fromkeys(TARGETS, _TEXT),
    "newsletter": (["newsletter", *_TEXT[0]], ["css-inline", *_TEXT[1]]),
    "slides": _SLIDES,
    "video": (
        [*_SLIDES[0], "narration", "video", "film", "speech", "numerals", "voices", "../lab/espeak"],
        [*_SLIDES[1], "espeakng-loader", "imageio-ffmpeg"],
    ),
}


def folder(target: str, lang: str, name: str) -> Path:
    """Where an export is written."""
    return paths.build_dir() / "exports" / target / lang / name


class Stamps:
    """The keys of posts as they are now, each worked out once."""

    def __init__(self) -> None:
        self._contents: dict[str, str] = {}
        self._codes: dict[str, str] = {}

    def key(self, page: Page, target: str, given: str = "") -> str:
        """Of what an export of a post would be made now. given: the options, as text. Raises ProseError."""
        kind = target.partition("-")[0]  # with subtitles drawn into it, a video goes into a folder of its own
        if page.path not in self._contents:
            self._contents[page.path] = _content(page)
        if kind not in self._codes:
            self._codes[kind] = _code(kind)
        return digest(self._contents[page.path], self._codes[kind], target, given)

    def current(self, page: Page, target: str, given: str = "", by: str | None = None) -> dict[str, Any] | None:
        """What is kept of an export that is as it would be now and whole; None where there is none.

        by: who speaks in a video; None takes any voice.
        """
        told = _read(page, target)
        if told is None or by not in (None, told["by"]) or told["key"] != self.key(page, target, given):
            return None
        place = folder(target, page.lang, Path(page.path).stem)
        return told if files(place) == told["files"] else None

    def put(self, page: Page, target: str, given: str = "", by: str | None = None) -> dict[str, Any]:
        """Keep of what the export that was just made is."""
        place = folder(target, page.lang, Path(page.path).stem)
        told = {"key": self.key(page, target, given), "by": by, "files": files(place)}
        write_text(_file(page, target), json.dumps(told, indent=1) + "\n")
        return told


def files(place: Path) -> dict[str, int]:
    """The files in a folder, by their path there, and how large they are."""
    return {
        path.relative_to(place).as_posix(): path.stat().st_size for path in sorted(place.rglob("*")) if path.is_file()
    }


def _file(page: Page, target: str) -> Path:
    return paths.build_dir() / "exports" / ".made" / target / page.lang / f"{Path(page.path).stem}.json"


def _read(page: Page, target: str) -> dict[str, Any] | None:
    with contextlib.suppress(OSError, ValueError, TypeError):
        told = json.loads(_file(page, target).read_text(encoding="utf-8"))
        return told if set(told) == {"key", "by", "files"} else None
    return None


def _content(page: Page) -> str:
    """Digest of a post as `guidon posts` wrote it, with all that it shows, and of what is only said of it."""
    place, stem = (paths.root() / page.path).parent, Path(page.path).stem
    post = next((path for name in (".ipynb", ".qmd") if (path := place / f"{stem}{name}").is_file()), None)
    beside = sorted(path for path in (place / stem).rglob("*") if path.is_file())
    if post and post.suffix == ".qmd":
        beside += [place / name for name in pages.images(post.read_text(encoding="utf-8")) if (place / name).is_file()]
    shown = [*([post] if post else []), *beside]
    hashed = [f"{path.name} {hashlib.sha256(path.read_bytes()).hexdigest()}" for path in shown]
    return digest(json.dumps(asdict(page)), pages.site_url(), *hashed, *_said(page, place / stem))


def _said(page: Page, beside: Path) -> Iterator[str]:
    """What a video says of a post and no page shows, filled in."""
    stem = Path(page.path).stem
    if page.kind == "note":
        text = pages.filled(pages.note(stem, page.lang), page.lang, prose.Context(None, store.deciding_record))
        yield from (part for kind, part in asides.parts(text, stem) if kind == "narration")
        return
    for path in beside.glob("*.ipynb"):
        if '"narration"' in path.read_text(encoding="utf-8"):
            notebook = notebooks.load(path)
            context = prose.Context(store.deciding_record(notebook.slug), store.deciding_record)
            for cell in notebook.cells:
                if cell.narration and cell.lang in (None, page.lang):
                    yield prose.fill(cell.source, context, page.lang, prose.Where(path.name, cell.index))


def _code(target: str) -> str:
    """Digest of the code that exports, of its templates, and of what it rests on."""
    press = Path(__file__).parent
    modules, packages = _CODE[target]
    code = digests.code((press / f"{name}.py").read_text(encoding="utf-8") for name in modules)
    styles = [press / "assets/guidon.css", *sorted(path for path in (press / "templates").rglob("*") if path.is_file())]
    quarto = str(bool(shutil.which("quarto")))
    return digest(code, quarto, *map(_version, packages), *(path.read_text(encoding="utf-8") for path in styles))


def _version(package: str) -> str:
    with contextlib.suppress(importlib.metadata.PackageNotFoundError):
        return f"{package} {importlib.metadata.version(package)}"
    return package
