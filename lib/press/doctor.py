"""What this machine has and lacks, and how to get it. Changes nothing."""

import importlib.metadata
import importlib.util
import os
import shutil
import sys
from dataclasses import dataclass
from pathlib import Path

import yaml

from lib.lab import paths

CHROMIUM = ("chromium", "chromium-browser", "google-chrome")


@dataclass(frozen=True)
class Finding:
    """One thing looked at."""

    name: str
    ok: bool
    needed: bool
    text: str


def chromium() -> str | None:
    """The path of a Chromium that draws videos and that browser tests can drive, or None."""
    return next((found for name in CHROMIUM if (found := shutil.which(name))), None)


def examine() -> list[Finding]:
    """Look at everything; at most a second, no network."""
    return [
        _python(), _packages(), _torch(), _sources(), _quarto(), _chromium(), _site_url(), _memory(),
    ]  # fmt: skip


def _python() -> Finding:
    version = ".".join(map(str, sys.version_info[:3]))
    ok = sys.version_info >= (3, 11)
    return Finding("Python", ok, True, version if ok else f"{version}; 3.11 or newer is needed")


def locked_versions() -> dict[str, str]:
    """Distribution -> version that `requirements.lock` pins on this machine."""
    from packaging.requirements import Requirement

    pinned = {}
    for line in (paths.root() / "requirements.lock").read_text(encoding="utf-8").splitlines():
        if line[:1].isalnum():
            wanted = Requirement(line.rstrip(" \\"))
            if wanted.marker is None or wanted.marker.evaluate():
                pinned[wanted.name] = next(iter(wanted.specifier)).version
    return pinned


def unlike_lock() -> dict[str, str]:
    """Pinned distribution -> the version that is installed instead, or `missing`."""
    found = {}
    for name, version in locked_versions().items():
        try:
            here = importlib.metadata.version(name).partition("+")[0]
        except importlib.metadata.PackageNotFoundError:
            here = "missing"
        if here != version:
            found[name] = here
    return found


def _packages() -> Finding:
    unlike = unlike_lock()
    if not unlike:
        return Finding("packages", True, True, "as pinned in requirements.lock")
    missing = [name for name, version in unlike.items() if version == "missing"]
    some = ", ".join([*missing, *(f"{name} {unlike[name]}" for name in unlike if name not in missing)][:4])
    told = f"{len(missing)} missing, {len(unlike) - len(missing)} of another version ({some}); run `make setup`"
    return Finding("packages", False, True, told)


def _torch() -> Finding:
    if importlib.util.find_spec("torch") is None:
        return Finding("torch", False, True, "missing; run `make setup`")
    version = importlib.metadata.version("torch")
    return Finding("torch", True, True, f"{version}, {os.cpu_count()} cores")


def _sources() -> Finding:
    from lib.lab import sources

    rows = [row for row in sources.rows() if not row["optional"]]
    here = sum(bool(row.get("cached")) for row in rows)
    ok = here == len(rows)
    return Finding(
        "data and models",
        ok,
        False,
        f"{here} of {len(rows)} fetched" + ("" if ok else "; `guidon data fetch` gets the rest"),
    )


def _quarto() -> Finding:
    found = shutil.which("quarto")
    text = (
        found and "found; it renders the site"
    ) or "not found; smalldocs renders the site (environment.yml brings quarto)"
    return Finding("quarto", bool(found), False, text)


def _chromium() -> Finding:
    found = chromium()
    return Finding(
        "Chromium",
        bool(found),
        False,
        "found" if found else "not found; no videos, and browser tests are skipped (Debian: apt install chromium)",
    )


def _site_url() -> Finding:
    config = yaml.safe_load((paths.root() / "_quarto.yml").read_text(encoding="utf-8"))
    url = ((config.get("website") or {}).get("site-url")) or ""
    ok = bool(url) and "guidon.example" not in url
    return Finding(
        "site-url", ok, False, url if ok else "still https://guidon.example; set yours in _quarto.yml before publishing"
    )


def _memory() -> Finding:
    try:
        free = os.sysconf("SC_AVPHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") / 2**30
    except (ValueError, OSError, AttributeError):
        return Finding("memory", True, False, "not known on this system")
    disk = shutil.disk_usage(Path(paths.root())).free / 2**30
    ok = free > 4 and disk > 3
    return Finding(
        "room",
        ok,
        False,
        f"{free:.0f} GiB of memory and {disk:.0f} GiB of disk free" + ("" if ok else "; 4 and 3 are wanted"),
    )
