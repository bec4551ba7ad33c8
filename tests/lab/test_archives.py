import io
import random
import shutil
import struct
import tarfile
import zipfile
from contextlib import suppress
from pathlib import PureWindowsPath

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from lib.lab import archives
from lib.lab.archives import SourceError

FILES = {"package/a.txt": "été".encode(), "package/deep/b.bin": bytes(range(256)) * 3, "package/empty": b""}
RANDOM = random.Random(0)
KINDS = ("tar", "tar.gz", "zip")


def tar(members, mode="w:gz"):
    """A tar made of names with their content, or of headers."""
    made = io.BytesIO()
    with tarfile.open(fileobj=made, mode=mode) as opened:
        for name, content in members:
            header = content if isinstance(content, tarfile.TarInfo) else tarfile.TarInfo(name)
            if isinstance(content, bytes):
                header.size = len(content)
            opened.addfile(header, io.BytesIO(content) if isinstance(content, bytes) else None)
    return made.getvalue()


def zipped(members, kind=0o100000):
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w", zipfile.ZIP_DEFLATED) as opened:
        for name, content in members:
            header = zipfile.ZipInfo(name)
            header.external_attr, header.compress_type = (kind | 0o644) << 16, zipfile.ZIP_DEFLATED
            opened.writestr(header, content)
    return made.getvalue()


def packed(kind, members):
    return {"tar": lambda: tar(members, "w"), "tar.gz": lambda: tar(members), "zip": lambda: zipped(members)}[kind]()


def written(folder):
    """What is under a folder: relative names and contents of its files."""
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@pytest.fixture
def archive(tmp_path):
    def write(content):
        path = tmp_path / "given"
        path.write_bytes(content)
        return path

    return write


@pytest.mark.parametrize("kind", KINDS)
def test_a_good_archive_is_streamed_read_and_unpacked(archive, tmp_path, kind):
    path = archive(packed(kind, FILES.items()))
    assert [(name, handle.read()) for name, handle in archives.stream(path)] == list(FILES.items())
    assert [name for name, _ in archives.stream(path, "*/deep/*")] == ["package/deep/b.bin"]
    assert archives.read(path, "package/a.txt").decode() == "été"
    archives.unpack(path, tmp_path / "whole")
    assert written(tmp_path / "whole") == FILES
    archives.unpack(path, tmp_path / "part", "package/deep/*", strip=1)
    assert written(tmp_path / "part") == {"deep/b.bin": FILES["package/deep/b.bin"]}


@pytest.mark.parametrize("kind", KINDS)
def test_a_member_that_is_not_there_is_named(archive, kind):
    with pytest.raises(SourceError, match="given has no member package/none"):
        archives.read(archive(packed(kind, FILES.items())), "package/none")


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(
    "name", ["../out", "a/../../out", "/out", "//out", "..", "a\\..\\..\\out", "C:/out", "package/C:out", "a\nb"]
)
def test_a_path_that_leads_outside_is_refused(archive, tmp_path, kind, name):
    path = archive(packed(kind, [("package/a.txt", b"good"), (name, b"bad")]))
    with pytest.raises(SourceError, match="is refused: it could be written outside its folder"):
        archives.unpack(path, tmp_path / "folder")
    with pytest.raises(SourceError, match="is refused"):
        list(archives.stream(path))
    assert written(tmp_path) == {"given": path.read_bytes(), "folder/package/a.txt": b"good"}


def test_a_member_with_no_name_left_is_refused(archive, tmp_path):
    with pytest.raises(SourceError, match="has no name left"):
        archives.unpack(archive(tar(FILES.items())), tmp_path / "folder", strip=2)


@pytest.mark.parametrize("kind", [tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.CHRTYPE, tarfile.BLKTYPE, tarfile.FIFOTYPE])
def test_a_link_or_a_device_in_a_tar_is_refused(archive, tmp_path, kind):
    header = tarfile.TarInfo("package/odd")
    header.type, header.linkname = kind, "package/a.txt"
    path = archive(tar([*FILES.items(), ("", header)]))
    with pytest.raises(SourceError, match="given is refused: package/odd is not a regular file"):
        archives.unpack(path, tmp_path / "folder")
    with pytest.raises(SourceError, match="not a regular file"):
        list(archives.stream(path))
    assert not (tmp_path / "folder" / "package" / "odd").exists()


@pytest.mark.parametrize("kind", [0o120000, 0o020000, 0o060000, 0o010000])
def test_a_link_or_a_device_in_a_zip_is_refused(archive, tmp_path, kind):
    with pytest.raises(SourceError, match="given is refused: odd is not a regular file"):
        archives.unpack(archive(zipped([("odd", "/etc/hostname")], kind)), tmp_path / "folder")
    assert written(tmp_path / "folder") == {}


def test_a_file_is_not_written_through_a_link_that_was_there(archive, tmp_path):
    (tmp_path / "folder" / "package").mkdir(parents=True)
    (tmp_path / "folder" / "package" / "a.txt").symlink_to(tmp_path / "outside")
    with pytest.raises(FileExistsError):
        archives.unpack(archive(tar(FILES.items())), tmp_path / "folder")
    assert not (tmp_path / "outside").exists()


@pytest.mark.parametrize("kind", KINDS)
def test_a_member_over_the_limit_is_refused_before_it_is_written(archive, tmp_path, monkeypatch, kind):
    path = archive(packed(kind, [("bomb", bytes(10**6))]))
    monkeypatch.setattr(archives, "MEMBER_LIMIT", 10**6 - 1)
    with pytest.raises(SourceError, match="bomb would unpack to more than is allowed"):
        archives.unpack(path, tmp_path / "folder")
    assert written(tmp_path / "folder") == {}
    monkeypatch.setattr(archives, "MEMBER_LIMIT", 10**6)
    archives.unpack(path, tmp_path / "folder")
    assert (tmp_path / "folder" / "bomb").stat().st_size == 10**6


@pytest.mark.parametrize("kind", KINDS)
def test_many_members_over_the_total_are_refused(archive, monkeypatch, kind):
    monkeypatch.setattr(archives, "TOTAL_LIMIT", 2500)
    passed = []
    with pytest.raises(SourceError, match="file2 would unpack to more than is allowed"):
        passed.extend(name for name, _ in archives.stream(archive(packed(kind, _thousands(5)))))
    assert passed == ["file0", "file1"]
    assert len(list(archives.stream(archive(packed(kind, _thousands(2)))))) == 2


def _thousands(count):
    return [(f"file{number}", bytes(1000)) for number in range(count)]


def test_a_zip_that_says_less_than_it_holds_is_refused(archive, tmp_path):
    content = bytearray(zipped([("bomb", bytes(10**6))]))
    for place in (22, content.index(b"PK\x01\x02") + 24):  # the size in the file's header and in the directory
        assert struct.unpack_from("<I", content, place) == (10**6,)
        struct.pack_into("<I", content, place, 100)
    path = archive(content)
    with pytest.raises(SourceError, match="given cannot be read: Bad CRC-32"):
        archives.unpack(path, tmp_path / "folder")
    assert (tmp_path / "folder" / "bomb").stat().st_size <= 100
    with pytest.raises(SourceError, match="cannot be read"):
        archives.read(path, "bomb")


def test_a_copy_stops_at_its_limit():
    target = io.BytesIO()
    archives.copy(io.BytesIO(bytes(500)), target, limit=500)
    assert len(target.getvalue()) == 500
    with pytest.raises(SourceError, match="larger than it says"):
        archives.copy(io.BytesIO(bytes(501)), io.BytesIO(), limit=500)


@pytest.mark.parametrize("kind", KINDS)
def test_an_archive_cut_anywhere_is_refused_or_whole(archive, tmp_path, kind):
    content = packed(kind, [(f"file{number}", RANDOM.randbytes(300)) for number in range(3)])
    archives.unpack(archive(content), tmp_path / "whole")
    for cut in range(0, len(content), 5 if len(content) < 5000 else 41):
        path, folder = archive(content[:cut]), tmp_path / str(cut)
        try:
            archives.unpack(path, folder)
        except SourceError as error:
            assert str(error).startswith("given cannot be read: ")  # noqa: PT017
        else:  # only padding was lost
            assert written(folder) == written(tmp_path / "whole")
        shutil.rmtree(folder)


@pytest.mark.parametrize("content", [b"", b"no archive", b"\x1f\x8b\x08\x00", RANDOM.randbytes(5000), b"<html>" * 99])
def test_what_is_not_an_archive_is_refused(archive, content):
    with pytest.raises(SourceError, match="given cannot be read"):
        list(archives.stream(archive(content)))


def test_an_archive_that_is_missing_is_named(tmp_path):
    with pytest.raises(SourceError, match="gone cannot be read"):
        list(archives.stream(tmp_path / "gone"))


PARTS = st.sampled_from(["..", ".", "", "a", "b", "é", "C:", "c:d", "~", "\\", "..\\x", "/", "con", " ", "a\0b", "-"])
NAMES = st.one_of(st.lists(PARTS, min_size=1, max_size=5).map("/".join), st.text(min_size=1, max_size=12))


@pytest.mark.filterwarnings("ignore:Duplicate name")
@example(names=["\0"], kind="zip", strip=0)  # zipfile ends a name there, and asks an empty one for its last letter
@given(names=st.lists(NAMES, min_size=1, max_size=4), kind=st.sampled_from(KINDS), strip=st.integers(0, 2))
@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_nothing_is_ever_written_outside_the_folder(tmp_path, names, kind, strip):
    shutil.rmtree(tmp_path / "1", ignore_errors=True)
    home = tmp_path / "1/2/3/4/5"  # as deep as the names climb
    home.mkdir(parents=True)
    try:
        (home / "given").write_bytes(packed(kind, [(name, b"content") for name in names]))
        archives.unpack(home / "given", home / "folder", strip=strip)
    except (SourceError, UnicodeEncodeError, FileExistsError, NotADirectoryError, IsADirectoryError):
        pass  # refused, a name that the format cannot hold, or two names at one place
    else:
        assert len(written(home / "folder")) == len(list(archives.stream(home / "given")))
    inside = {path for path in tmp_path.rglob("*") if path.is_relative_to(home / "folder")}
    assert {*tmp_path.rglob("*")} - inside <= {home, *home.parents, home / "given"}


@given(name=NAMES)
@settings(max_examples=300, deadline=None)
def test_a_safe_path_stays_inside_on_windows_too(name):
    with suppress(SourceError):
        parts = archives.safe_path(name).parts
        for kept in range(len(parts)):
            assert PureWindowsPath("D:/home", *parts[kept:]).parts[:2] == ("D:\\", "home")
            assert ".." not in parts
