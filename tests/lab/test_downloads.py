import base64
import hashlib
import io
import json
import os
import signal
import subprocess
import sys
import tarfile
import threading
import zipfile
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from lib.lab import archives, downloads, paths, sources
from lib.lab.sources import SourceError

PATIENCE_S = 60  # a test that waits longer has failed
FILES = {"tiny": "tiny-1.0.0.tgz", "small": "small-1.0.0.whl"}
ENTRY = """
[{0}]
kind = "{1}"
package = "{0}"
version = "1.0.0"
{2} = "{3}"
size = {4}
licence = "MIT"
url = ""
attribution = {{}}
holds = {{}}
"""
NOTHING = "notebooks without inputs still work"


def npm_archive(text):
    made = io.BytesIO()
    script = json.dumps({"prepack": "touch ran", "prepare": "touch ran", "postinstall": "touch ran"})
    manifest = f'{{"name": "tiny", "version": "1.0.0", "scripts": {script}}}'
    with tarfile.open(fileobj=made, mode="w:gz", compresslevel=0) as opened:
        for name, content in (("package/package.json", manifest), ("package/data.txt", text)):
            header = tarfile.TarInfo(name)
            header.size = len(content)
            opened.addfile(header, io.BytesIO(content.encode()))
    return made.getvalue()


def wheel(text):
    made = io.BytesIO()
    about = "small-1.0.0.dist-info/"
    with zipfile.ZipFile(made, "w") as opened:
        opened.writestr("small/data.txt", text)
        opened.writestr(about + "METADATA", "Metadata-Version: 2.1\nName: small\nVersion: 1.0.0\n")
        opened.writestr(about + "WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
        opened.writestr(about + "RECORD", "")
    return made.getvalue()


TEXT = "un " * 30_000
GOOD = {"tiny": npm_archive(TEXT), "small": wheel(TEXT)}
ALTERED = {"tiny": npm_archive(TEXT[:-1] + "x"), "small": wheel(TEXT[:-1] + "x")}  # one byte, the same size


def integrity(content):
    return "sha512-" + base64.b64encode(hashlib.sha512(content).digest()).decode()


class Registry(ThreadingHTTPServer):
    """Speaks as npm's and PyPI's registries do, for one package each; `fault` says what goes wrong with a file."""

    daemon_threads = True

    def __init__(self):
        super().__init__(("127.0.0.1", 0), Answer)
        self.fault, self.asked, self.meeting = "", [], None
        self.stalled, self.over = threading.Event(), threading.Event()
        self.url = f"http://127.0.0.1:{self.server_port}"
        threading.Thread(target=self.serve_forever, args=(0.05,), daemon=True).start()

    def handle_error(self, request, client_address):
        """A client that hangs up is what some tests are about."""


class Answer(BaseHTTPRequestHandler):
    def log_message(self, *_):
        pass

    def do_GET(self):
        self.server.asked.append(self.path)
        if self.path == "/tiny":
            self.send(json.dumps(self.packument()).encode(), "application/json")
        elif self.path == "/simple/small/":
            self.send(b'<a href="/files/small-1.0.0-py3-none-any.whl">small-1.0.0-py3-none-any.whl</a>', "text/html")
        elif self.path.startswith(("/tiny/-/", "/files/")):
            self.send_package("tiny" if self.path.startswith("/tiny") else "small")
        else:
            self.send_error(404)

    def packument(self):
        """What npm says of a package; unless it is caught lying, its hash is that of what it sends."""
        content = ALTERED["tiny"] if self.server.fault == "altered" else GOOD["tiny"]
        told = {"tarball": f"{self.server.url}/tiny/-/tiny-1.0.0.tgz", "integrity": integrity(content)}
        version = {"name": "tiny", "version": "1.0.0", "dist": told}
        return {"name": "tiny", "dist-tags": {"latest": "1.0.0"}, "versions": {"1.0.0": version}}

    def send_package(self, name):
        fault = self.server.fault
        content = ALTERED[name] if fault in ("altered", "flipped") else GOOD[name]
        half = content[: len(content) // 2]
        if self.server.meeting:
            self.server.meeting.wait(PATIENCE_S)
        if fault in ("refused", "unavailable"):
            self.send_error(403 if fault == "refused" else 503)
        elif fault == "short":  # a proxy that cuts, and says a length that agrees
            self.send(half)
        elif fault in ("cut", "stalled"):
            self.send(half, length=len(content))
            if fault == "stalled":
                self.server.stalled.set()
                self.server.over.wait(PATIENCE_S)
        else:
            self.send(content)

    def send(self, content, kind="application/octet-stream", length=None):
        self.send_response(200)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(length or len(content)))
        self.end_headers()
        self.wfile.write(content)
        self.wfile.flush()


@pytest.fixture
def registry(project, tmp_path, monkeypatch):
    """A registry of our own that both clients are told of, and the sources that pin its two packages."""
    served = Registry()
    for name in [*os.environ]:
        if name.lower().startswith(("npm_config_", "pip_")) or name.lower().endswith("_proxy"):
            monkeypatch.delenv(name)
    (tmp_path / "npmrc").write_text("")
    told = {"registry": served.url, "userconfig": tmp_path / "npmrc", "globalconfig": tmp_path / "none"}
    for name, value in {**told, "cache": tmp_path / "npm", "update_notifier": "false"}.items():
        monkeypatch.setenv(f"npm_config_{name}", str(value))
    monkeypatch.setenv("PIP_CONFIG_FILE", os.devnull)
    monkeypatch.setenv("PIP_INDEX_URL", f"{served.url}/simple")
    pins = {"tiny": ("npm", "integrity", integrity(GOOD["tiny"]))}
    pins["small"] = ("pypi", "sha256", hashlib.sha256(GOOD["small"]).hexdigest())
    text = "".join(ENTRY.format(name, *pin, len(GOOD[name])) for name, pin in pins.items())
    paths.sources_file().write_text(text, encoding="utf-8")
    yield served
    served.over.set()
    served.shutdown()
    served.server_close()


def left():
    """Names of the files and folders that a download left, but for locks."""
    return sorted(path.name for path in paths.raw_dir().glob("*") if not path.name.endswith(".lock"))


@pytest.mark.parametrize("name", ["tiny", "small"])
def test_a_package_is_fetched_whole_and_nothing_of_it_runs(registry, name):
    path = sources.path(name)
    assert path.read_bytes() == GOOD[name]
    assert left() == sorted([f".{name}-1.0.0.verified", FILES[name]])
    assert not list(paths.root().rglob("ran"))
    assert archives.read(path, {"tiny": "package/data.txt", "small": "small/data.txt"}[name]).decode() == TEXT


FAULTS = [
    ("tiny", "altered", "tiny (tiny 1.0.0) is altered, its sha512 is not the pinned one; it was refused"),
    ("small", "altered", "small (small 1.0.0) is altered, its sha256 is not the pinned one; it was refused"),
    ("tiny", "flipped", "tiny (tiny 1.0.0): "),  # npm sees it: its registry announced another hash
    ("tiny", "short", "tiny (tiny 1.0.0): "),
    ("small", "short", "small (small 1.0.0): "),
    ("tiny", "cut", "no network to fetch tiny (tiny 1.0.0)"),
    ("small", "cut", "small (small 1.0.0): "),
    ("tiny", "refused", "tiny (tiny 1.0.0): "),
    ("small", "unavailable", "no network to fetch small (small 1.0.0)"),
]


@pytest.mark.parametrize(("name", "fault", "said"), FAULTS)
def test_a_fault_is_refused_and_named_and_the_next_try_works(registry, name, fault, said):
    registry.fault = fault
    with pytest.raises(SourceError) as caught:
        sources.fetch(name, quiet=True)
    assert str(caught.value).startswith(said)
    assert str(caught.value).endswith(f"; {NOTHING}")
    assert "\n" not in str(caught.value)
    assert left() == []
    registry.fault = ""
    assert sources.fetch(name, quiet=True)[name].read_bytes() == GOOD[name]


def test_a_version_that_is_gone_is_not_taken_for_a_lack_of_network(registry, tmp_path):
    for client, name in ((downloads.npm_pack, "tiny"), (downloads.pip_download, "small")):
        with pytest.raises(SourceError, match=r"(?i)no matching|could not find a version") as caught:
            client(name, "9.9.9", tmp_path / name)
        assert not isinstance(caught.value, downloads.Unreachable)


def test_without_network_one_sentence_says_what_is_missing_and_what_works(registry):
    sources.fetch("small", quiet=True)
    registry.shutdown()
    registry.server_close()
    with pytest.raises(SourceError) as caught:
        sources.fetch(quiet=True)
    assert str(caught.value) == "no network to fetch tiny (tiny 1.0.0); what is here still works: small"
    assert sources.path("small").read_bytes() == GOOD["small"]


def test_sources_are_fetched_side_by_side_and_then_without_the_network(registry, monkeypatch):
    registry.meeting = threading.Barrier(2)  # neither file is sent before both were asked for
    found = sources.fetch(quiet=True)
    assert not registry.meeting.broken
    assert {name: path.read_bytes() for name, path in found.items()} == GOOD
    asked = len(registry.asked)
    monkeypatch.setattr(downloads, "_run", lambda *_: pytest.fail("a client was started"))
    assert sources.fetch(quiet=True) == found
    assert [row["cached"] for row in sources.rows()] == [True, True]
    assert len(registry.asked) == asked


def test_one_failure_keeps_what_the_others_fetched(registry):
    real = paths.sources_file().read_text(encoding="utf-8")
    paths.sources_file().write_text(real.replace('package = "tiny"', 'package = "gone"'), encoding="utf-8")
    with pytest.raises(SourceError, match=r"tiny \(gone 1\.0\.0\): .*; what is here still works: small$"):
        sources.fetch(quiet=True)
    assert left() == [".small-1.0.0.verified", FILES["small"]]


@pytest.mark.parametrize("name", ["tiny", "small"])
def test_a_download_killed_half_way_leaves_nothing_that_is_read_later(registry, name):
    registry.fault = "stalled"
    work = f"from lib.lab import sources; sources.fetch({name!r}, quiet=True)"
    process = subprocess.Popen([sys.executable, "-c", work], start_new_session=True, stderr=subprocess.DEVNULL)
    assert registry.stalled.wait(PATIENCE_S)
    os.killpg(process.pid, signal.SIGKILL)
    assert process.wait(PATIENCE_S) == -signal.SIGKILL
    assert left() == [f".{FILES[name]}.part"]
    assert not sources.is_here(sources.get(name))
    registry.fault = ""
    assert sources.path(name).read_bytes() == GOOD[name]
    assert left() == sorted([f".{name}-1.0.0.verified", FILES[name]])


def test_a_client_that_hears_nothing_is_stopped(registry, tmp_path, monkeypatch):
    registry.fault = "stalled"
    monkeypatch.setattr(downloads, "TIMEOUT_S", 2)
    with pytest.raises(downloads.Unreachable, match="no answer within"):
        downloads.npm_pack("tiny", "1.0.0", tmp_path / "room")


def test_a_client_that_leaves_two_files_is_refused(tmp_path):
    work = "open('a', 'w'); open('b', 'w')"
    with pytest.raises(SourceError, match="left 2 files instead of one"):
        downloads._run([sys.executable, "-c", work], tmp_path / "room")


def test_a_model_of_the_hub_is_taken_from_here_before_the_network(monkeypatch):
    import huggingface_hub
    from huggingface_hub.errors import LocalEntryNotFoundError

    calls = []

    def snapshot(repository, local_files_only=False, **_):
        calls.append(local_files_only)
        if local_files_only and repository == "owner/kept":
            return "kept"
        raise LocalEntryNotFoundError("no connection and no file")

    monkeypatch.setattr(huggingface_hub, "snapshot_download", snapshot)
    assert downloads.hub_snapshot("owner/kept", None) == Path("kept")
    assert calls == [True]
    with pytest.raises(downloads.Unreachable, match="the Hugging Face hub did not answer"):
        downloads.hub_snapshot("owner/name", "main")
    assert calls == [True, True, False]
