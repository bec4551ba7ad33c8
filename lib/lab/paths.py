"""Where the project's files are. Knows the tree; reads and writes nothing."""

import os
from pathlib import Path


def root() -> Path:
    """The project's folder: `GUIDON_ROOT` when set, else the clone this package was installed from."""
    return Path(os.environ.get("GUIDON_ROOT") or Path(__file__).resolve().parents[2]).resolve()


def _placed(variable: str, default: str) -> Path:
    return Path(os.environ.get(variable) or root() / default).resolve()


def raw_dir() -> Path:
    """Verified downloads (`GUIDON_RAW` moves it, for instance to share one among clones)."""
    return _placed("GUIDON_RAW", "data/raw")


def cache_dir() -> Path:
    """Derived files, disposable (`GUIDON_CACHE` moves it)."""
    return _placed("GUIDON_CACHE", "data/cache")


def kept_dir() -> Path:
    """Derived files that take minutes to make, kept with the sources under the names they would have in the cache."""
    return root() / "data" / "derived"


def build_dir() -> Path:
    """Local runs and working files, disposable (`GUIDON_BUILD` moves it)."""
    return _placed("GUIDON_BUILD", "build")


def sources_file() -> Path:
    """The list of every external data set and model."""
    return root() / "data" / "sources.toml"


def facts_dir() -> Path:
    """Small tables of public facts."""
    return root() / "data" / "facts"


def results_dir() -> Path:
    """Accepted results, by profile and slug: what is published."""
    return root() / "data" / "results"


def lab_dir() -> Path:
    """The modules that notebooks import."""
    return Path(__file__).resolve().parent


def notebooks_dir() -> Path:
    """The sources of experiments, tutorials and writing."""
    return root() / "notebooks"
