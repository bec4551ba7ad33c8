"""A smalldocs site that remembers what it rendered: a page whose text is what it was is not rendered again.

Most of a rendering is the colouring of code. Knows smalldocs; knows nothing of our pages.
"""

import contextlib
import importlib.metadata
import json
from pathlib import Path, PurePosixPath
from typing import Any

from smalldocs.site import Page, Site

from lib.lab import paths
from lib.lab.cache import write_text
from lib.lab.normalize import digest

GIVEN = ("link", "symbols")  # to rendering; the rest it finds, for what comes after it or, with an underscore, itself


class RememberingSite(Site):
    """A site whose pages are kept in build/rendered/ by all that decides what becomes of them."""

    resources: set[PurePosixPath]

    def __init__(self, *given: Any, **named: Any) -> None:
        super().__init__(*given, **named)
        self.kept: set[Path] = set()
        self.found: list[PurePosixPath] | None = None

    def discover(self) -> list[PurePosixPath]:
        """The sources, looked for once: no script writes more of them on the way."""
        if self.found is None:
            self.found = super().discover()
        return self.found

    def copy_assets(self, *_given: Any) -> None:
        """Leave out what the finishing pass would: styles, scripts, resources, the index of the search."""

    copy_resources = write_search = copy_assets

    def render_page(self, page: Page) -> None:
        """Render a page, or remember it: its markup, what was found in it, the files and broken links it names."""
        path = paths.build_dir() / "rendered" / f"{self._key(page)}.json"
        self.kept.add(path)
        with contextlib.suppress(OSError, ValueError, KeyError, TypeError):
            told = json.loads(path.read_text(encoding="utf-8"))
            page.html, page.env = told["html"], told["env"]
            self.resources.update(map(PurePosixPath, told["resources"]))
            self.broken.extend(map(tuple, told["broken"]))
            return
        files, self.resources, before = self.resources, set(), len(self.broken)
        super().render_page(page)
        told = {
            "html": page.html,
            "env": {name: value for name, value in page.env.items() if name not in GIVEN and name[0] != "_"},
            "resources": sorted(map(str, self.resources)),
            "broken": self.broken[before:],
        }
        self.resources |= files
        with contextlib.suppress(TypeError, OSError):  # something that JSON does not hold: rendered every time
            write_text(path, json.dumps(told, ensure_ascii=False))

    def _key(self, page: Page) -> str:
        """Digest of a page's text and options, of the site's pages, which links lead to, and of the renderer."""
        version = importlib.metadata.version("smalldocs")
        options = json.dumps([page.front, page.meta], sort_keys=True, default=str)
        return digest(version, str(page.src), options, page.body, *sorted(map(str, self.pages)))

    def forget_others(self) -> None:
        """Remove what no page of this site is any more."""
        for path in (paths.build_dir() / "rendered").glob("*.json"):
            if path not in self.kept:
                path.unlink(missing_ok=True)
