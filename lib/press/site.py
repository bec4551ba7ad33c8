"""Publish: write the posts, render the Quarto project with quarto or smalldocs, finish, put it in place. Serve it."""

import contextlib
import hashlib
import http.server
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from functools import partial
from pathlib import Path

from lib.lab import paths
from lib.lab.cache import locked
from lib.press import console, finish, posts

STAMP = ".guidon"


class SiteError(RuntimeError):
    """A site that could not be rendered."""


def folder() -> Path:
    """Where the site is."""
    return paths.root() / "_site"


def publish(renderer: str = "auto", drafts: bool = False, allow_stale: bool = False, out: Path | None = None) -> Path:
    """Write the posts and render the site; return its folder (`_site`). Nothing changed means nothing rendered.

    The old site stays until the new one is whole. Raises PostError, ProseError, SiteError.
    """
    out = out or folder()
    with locked(paths.build_dir() / "publish"):
        posts.write(drafts=drafts, allow_stale=allow_stale)
        chosen = choose(renderer)
        stamp = json.dumps([chosen, fingerprint()])
        if (out / STAMP).is_file() and (out / STAMP).read_text(encoding="utf-8") == stamp:
            return out
        with _staging() as staging:
            rendered, made = staging / "rendered", staging / "site"
            {"quarto": _quarto, "smalldocs": _smalldocs}[chosen](rendered)
            finish.finish(rendered, made, last=out)
            (made / STAMP).write_text(stamp, encoding="utf-8")
            _put_in_place(made, out)
    return out


def choose(renderer: str) -> str:
    """The renderer to use: quarto when it is on PATH, unless one is named. Raises SiteError."""
    if renderer == "quarto" and not shutil.which("quarto"):
        raise SiteError("quarto is not on PATH; install it (environment.yml does) or use --renderer smalldocs")
    return ("quarto" if shutil.which("quarto") else "smalldocs") if renderer == "auto" else renderer


def sources() -> Iterator[Path]:
    """Every file that the rendered site depends on."""
    root = paths.root()
    yield from (root / name for name in ("_quarto.yml", "en/_metadata.yml"))
    for folder in (root, root / "en"):
        yield from sorted(folder.glob("*.qmd"))
    for folder in (root / "posts", root / "en" / "posts", finish.ASSETS):
        yield from sorted(path for path in folder.rglob("*") if path.is_file())
    yield from finish.data_of_pages()
    press = Path(__file__).parent
    yield from (
        press / name
        for name in ("finish.py", "beside.py", "feeds.py", "pages.py", "words.py", "boxes.py", "formats.py")
    )
    yield from (paths.build_dir() / name for name in ("site.json", "claims.json", "formats.json"))


def fingerprint() -> str:
    """Digest of the contents of `sources()`."""
    total = hashlib.sha256()
    for path in sources():
        if path.is_file():
            total.update(f"{path.name}\0".encode() + hashlib.sha256(path.read_bytes()).digest())
    return total.hexdigest()


@contextlib.contextmanager
def _staging() -> Iterator[Path]:
    folder = Path(tempfile.mkdtemp(prefix="site-", dir=paths.build_dir()))
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _put_in_place(made: Path, out: Path) -> None:
    old = made.parent / "old"
    if out.exists():
        os.replace(out, old)
    try:
        os.replace(made, out)
    except OSError:  # another file system
        shutil.move(made, out)


def _smalldocs(rendered: Path) -> None:
    from smalldocs.config import BuildError, ConfigError, load

    from lib.press.rendered import RememberingSite

    try:
        project = load(paths.root())
        project.config["project"] = {
            name: value for name, value in project.project.items() if name not in ("pre-render", "post-render")
        } | {"output-dir": str(rendered)}
        site = RememberingSite(project, quiet=True)
        site.build()
        site.forget_others()
    except (BuildError, ConfigError) as error:
        raise SiteError(f"smalldocs: {error}") from error
    for source, target in site.broken:
        console.say(f"{source}: broken link {target}")


def _quarto(rendered: Path) -> None:
    """Render with quarto, whose scripts before and after know by the environment that their work is done here."""
    here = os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", "")])
    environment = {**os.environ, "GUIDON_PUBLISHING": "1", "PATH": here}
    quarto(["--output-dir", os.path.relpath(rendered, paths.root()), "--no-clean"], paths.root(), environment)


def quarto(words: list[str], folder: Path, environment: dict[str, str] | None = None) -> None:
    """Run `quarto render` with these words in a folder. Raises SiteError with its first complaint."""
    command = ["quarto", "render", *words]
    done = subprocess.run(
        command, cwd=folder, env=environment, capture_output=True, text=True, stdin=subprocess.DEVNULL
    )
    if done.returncode:
        lines = [line for line in done.stderr.splitlines() if re.search("error", line, re.IGNORECASE)]
        raise SiteError("quarto: " + (lines[0] if lines else f"it ended with status {done.returncode}"))


class _Quiet(http.server.SimpleHTTPRequestHandler):
    def log_message(self, format: str, *args: object) -> None:
        """Say nothing of each request."""

    def end_headers(self) -> None:
        self.send_header("Cache-Control", "no-store")
        super().end_headers()

    def send_error(self, code: int, message: str | None = None, explain: str | None = None) -> None:
        """Our own page for an address that leads nowhere."""
        page = Path(self.directory) / "404.html"
        if code != 404 or not page.is_file():
            super().send_error(code, message, explain)
            return
        body = page.read_bytes()
        self.send_response(404)
        self.send_header("Content-Type", "text/html; charset=utf-8")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)


@contextlib.contextmanager
def served(folder: Path, port: int = 0) -> Iterator[str]:
    """Serve a folder to this machine only, while the block runs; yield its address. Port 0 takes a free one."""
    handler = partial(_Quiet, directory=str(folder))
    with http.server.ThreadingHTTPServer(("127.0.0.1", port), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        try:
            yield f"http://127.0.0.1:{server.server_port}/"
        finally:
            server.shutdown()


def preview(port: int = 4848, drafts: bool = False) -> None:
    """Publish, serve, and publish again when a source changes, until interrupted."""
    out = publish(drafts=drafts)
    watched = (paths.notebooks_dir(), paths.results_dir(), finish.ASSETS)
    with served(out, port) as address:
        console.say(f"{address} shows the site; it follows the sources. Ctrl-C ends it.")
        seen = _newest(watched)
        while True:
            time.sleep(0.5)
            now = _newest(watched)
            if now != seen:
                seen = now
                _publish_again(drafts)


def _publish_again(drafts: bool) -> None:
    try:
        publish(drafts=drafts)
        console.say(f"published again at {time.strftime('%H:%M:%S')}")
    except (ValueError, RuntimeError) as error:  # the author is in the middle of a sentence
        console.say(str(error))


def _newest(folders: tuple[Path, ...]) -> tuple[int, float]:
    files = [path for folder in folders for path in folder.rglob("*") if path.is_file()]
    files += [*paths.root().glob("*.qmd"), *paths.root().glob("en/*.qmd"), paths.root() / "_quarto.yml"]
    return len(files), max(path.stat().st_mtime for path in files)
