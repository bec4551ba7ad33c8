"""Reading archives that others made: members by name or streamed, unpacking that stays inside its folder.

Knows tar and zip; knows nothing of what the members say, and executes nothing.
"""

import contextlib
import re
import tarfile
import zipfile
import zlib
from collections.abc import Iterator
from fnmatch import fnmatchcase
from pathlib import Path, PurePosixPath
from typing import IO

MIB = 2**20
MEMBER_LIMIT = 512 * MIB  # bytes: the largest member of a pinned source is 98 MB
TOTAL_LIMIT = 2048 * MIB  # bytes unpacked: the largest pinned source is 400 MB
DAMAGE: tuple[type[Exception], ...] = (tarfile.TarError, zipfile.BadZipFile, zlib.error, EOFError)


class SourceError(RuntimeError):
    """An external data set or model that cannot be used; one sentence."""


def safe_path(member: str) -> PurePosixPath:
    """Path of an archive member relative to where it is unpacked. Raises SourceError if it could lead elsewhere."""
    path = PurePosixPath(member)
    risky = path.is_absolute() or ".." in path.parts or not path.parts
    drive = any(re.match(r"[A-Za-z]:", part) for part in path.parts)  # on Windows it forgets what comes before
    if risky or drive or "\\" in member or any(ord(letter) < 32 for letter in member):
        raise SourceError(f"archive member {member!r} is refused: it could be written outside its folder")
    return path


def stream(archive: Path, pattern: str = "*") -> Iterator[tuple[str, IO[bytes]]]:
    """Yield (name, open file) of the regular members whose name matches, in the archive's order, without unpacking.

    Raises SourceError for a member that leads outside, is a link or a device, or is too large, and for an archive that
    is cut; a member cut half-way raises its format's own error when it is read.
    """
    budget = TOTAL_LIMIT
    for name, size, opened in _members(archive, pattern):
        safe_path(name)
        budget -= size
        if size > MEMBER_LIMIT or budget < 0:
            raise SourceError(f"{archive.name} is refused: {name} would unpack to more than is allowed")
        with opened as handle:
            yield name, handle


def read(archive: Path, member: str) -> bytes:
    """Content of one member. Raises SourceError when there is none of that name."""
    for name, handle in stream(archive, member):
        if name == member:
            with _reading(archive):
                return handle.read()
    raise SourceError(f"{archive.name} has no member {member}")


def unpack(archive: Path, folder: Path, pattern: str = "*", strip: int = 0) -> None:
    """Write the matching members under `folder`, less their first `strip` path parts.

    Files only: a link, a device or a path that leads outside stops it with SourceError.
    """
    folder.mkdir(parents=True, exist_ok=True)
    for name, handle in stream(archive, pattern):
        parts = safe_path(name).parts[strip:]
        if not parts:
            raise SourceError(f"{archive.name} is refused: {name} has no name left to be written under")
        target = folder.joinpath(*parts)
        target.parent.mkdir(parents=True, exist_ok=True)
        with target.open("xb") as written, _reading(archive):
            copy(handle, written)


def copy(source: IO[bytes], target: IO[bytes], limit: int = MEMBER_LIMIT) -> None:
    """Copy at most `limit` bytes; raise SourceError when there are more, whatever the archive announced."""
    while block := source.read(MIB):
        limit -= len(block)
        if limit < 0:
            raise SourceError("an archive member is refused: it is larger than it says")
        target.write(block)


@contextlib.contextmanager
def _reading(archive: Path, damage: tuple[type[Exception], ...] = DAMAGE) -> Iterator[None]:
    try:
        yield
    except damage as error:
        raise SourceError(f"{archive.name} cannot be read: {error}") from error


def _members(archive: Path, pattern: str) -> Iterator[tuple[str, int, IO[bytes]]]:
    with _reading(archive, (*DAMAGE, OSError, NotImplementedError)):
        yield from (_zip if zipfile.is_zipfile(archive) else _tar)(archive, pattern)


def _zip(archive: Path, pattern: str) -> Iterator[tuple[str, int, IO[bytes]]]:
    with zipfile.ZipFile(archive) as opened:
        for member in opened.infolist():
            if member.filename.endswith("/") or not fnmatchcase(member.filename, pattern):
                continue
            kind = member.external_attr >> 16 & 0o170000
            if kind not in (0, 0o100000):
                raise SourceError(f"{archive.name} is refused: {member.filename} is not a regular file")
            yield member.filename, member.file_size, opened.open(member)


def _tar(archive: Path, pattern: str) -> Iterator[tuple[str, int, IO[bytes]]]:
    with tarfile.open(archive, "r|*") as opened:  # read once from start to end, never back
        for member in opened:
            if member.isdir() or not fnmatchcase(member.name, pattern):
                continue
            handle = opened.extractfile(member) if member.isreg() else None
            if handle is None:
                raise SourceError(f"{archive.name} is refused: {member.name} is not a regular file")
            yield member.name, member.size, handle
        if opened.fileobj.tell() < opened.offset + tarfile.BLOCKSIZE:  # no end mark: cut before a member's header
            raise tarfile.ReadError("unexpected end of data")
