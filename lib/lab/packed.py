"""Weights in fewer bits: rounded by group or pruned, kept in a file, read back, run.

Knows matrices (N rows, K columns), files, MiniLM's forward pass and the texts that it is tried on; judges nothing.
A group is some neighbouring weights of a row that share a scale and a zero. Axes: B batch, T tokens, D width, H heads.
"""

import itertools
import json
import math
import statistics
import time
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch
import torch.nn.functional as F
from tokenizers import Tokenizer
from torch import Tensor

from lib.lab.normalize import code_digest, digest

Run = Literal["packed", "unfolded", "kernel"]
HEADS, EPSILON, MOST_TOKENS = 12, 1e-12, 256  # of MiniLM: attention heads, inside layer norms, tokens it reads
THREADS, BATCH = 2, 16  # of the embeddings that are kept: fixed, so that the same texts give the same vectors
_TYPES = {"F32": torch.float32, "F16": torch.float16, "U8": torch.uint8}


@dataclass(frozen=True)
class Version:
    """How a model's matrices are kept. Vectors (biases, gains) stay float32."""

    bits: int = 32  # a weight: 32 and 16 are floats, 1 to 8 integers
    group: int = 0  # neighbouring weights that share a scale and a zero; 0: a row, -1: the whole matrix
    kept: float = 1.0  # share of weights kept, the largest, as float16; the others are zeros that take one bit
    layers: int = 6  # blocks kept, the first ones


def quantize(weights: Tensor, bits: int, group: int) -> tuple[Tensor, Tensor, Tensor]:
    """Round to the nearest of 2**bits levels, evenly spaced over each group and zero: (levels, scale, zero).

    weights: (N, K) float -> levels (N, K) uint8, scale (N, G) float16, zero (N, G) uint8: w ~ (level - zero) * scale.
    """
    rows, columns = weights.shape
    groups = weights.reshape(1, 1, -1) if group == -1 else weights.reshape(rows, -1, min(group or columns, columns))
    low, high = groups.amin(2).clamp(max=0), groups.amax(2).clamp(min=0)  # (N, G) each
    scale = ((high - low) / (2**bits - 1)).half().clamp(min=2**-24)  # the smallest float16: no division by zero
    zero = (-low / scale.float()).round().clamp(0, 2**bits - 1)
    levels = (groups / scale.float()[..., None]).round() + zero[..., None]
    return levels.clamp(0, 2**bits - 1).to(torch.uint8).reshape(rows, columns), scale, zero.to(torch.uint8)


def dequantize(levels: Tensor, scale: Tensor, zero: Tensor) -> Tensor:
    """Weights (N, K) float32 of levels (N, K) with scale and zero (N, G)."""
    groups = levels.view(*scale.shape, -1).float()  # (N, G, K / G)
    return (groups - zero.float()[..., None]).mul_(scale.float()[..., None]).view(levels.shape)


def pack(levels: Tensor, bits: int) -> Tensor:
    """Put numbers below 2**bits side by side: (N, K) uint8 -> (N, K * bits / 8) uint8. K: a multiple of 8.

    Three bits are a plane of two and a plane of one; in a plane, a byte holds neighbours, the first one lowest.
    """
    planes, done = [], 0
    for width in (8, 4, 2, 1):
        if bits & width:
            part = (levels >> done) & (2**width - 1)
            shifts = torch.arange(0, 8, width, dtype=torch.uint8)
            planes.append((part.view(len(part), -1, 8 // width) << shifts).sum(2, dtype=torch.uint8))
            done += width
    return torch.cat(planes, 1)


def unpack(packed: Tensor, bits: int) -> Tensor:
    """Numbers that `pack` put side by side: (N, K * bits / 8) uint8 -> (N, K) uint8."""
    columns, start, done = packed.shape[1] * 8 // bits, 0, 0
    levels = torch.zeros(len(packed), columns, dtype=torch.uint8)
    for width in (8, 4, 2, 1):
        if bits & width:
            stop = start + columns * width // 8
            shifts = torch.arange(0, 8, width, dtype=torch.uint8)
            part = (packed[:, start:stop, None] >> shifts) & (2**width - 1)  # (N, bytes, 8 / width)
            levels |= part.view(levels.shape) << done
            start, done = stop, done + width
    return levels


def fold(weights: Tensor, version: Version) -> dict[str, Tensor]:
    """A matrix (N, K) as the tensors that a file keeps of it."""
    if version.kept < 1:
        least = weights.abs().flatten().kthvalue(max(1, round((1 - version.kept) * weights.numel()))).values
        mask = weights.abs() > least
        return {"mask": pack(mask.to(torch.uint8), 1), "values": weights[mask].half()}
    if version.bits >= 16:
        return {"weights": weights.to({32: torch.float32, 16: torch.float16}[version.bits])}
    levels, scale, zero = quantize(weights, version.bits, version.group)
    return {"levels": pack(levels, version.bits), "scale": scale, "zero": zero}


def unfold(parts: Mapping[str, Tensor], bits: int) -> Tensor:
    """The matrix (N, K) float32 that these tensors stand for."""
    if "mask" in parts:
        mask = unpack(parts["mask"], 1).bool()
        return torch.zeros(mask.shape).masked_scatter_(mask, parts["values"].float())
    if "weights" in parts:
        return parts["weights"].float()
    levels = unpack(parts["levels"], bits)
    shape = (len(levels), -1) if len(parts["scale"]) == len(levels) else (1, 1)
    scale, zero = parts["scale"].view(shape), parts["zero"].view(shape)
    return dequantize(levels if shape[1] == -1 else levels.view(1, -1), scale, zero).view(levels.shape)


def save(weights: Mapping[str, Tensor], version: Version, path: Path) -> None:
    """Write matrices as the version keeps them and vectors as float32, in one safetensors file."""
    from safetensors.torch import save_file

    kept: dict[str, Tensor] = {}
    for name, one in weights.items():
        parts = fold(one, version) if one.ndim == 2 else {"vector": one.float()}
        kept |= {f"{name}|{part}": tensor.contiguous() for part, tensor in parts.items()}
    save_file(kept, path, metadata={"version": json.dumps(asdict(version))})


def read(path: Path) -> tuple[Version, Iterator[tuple[str, dict[str, Tensor]]]]:
    """(version, names with their parts) of a saved file, each read when it is asked for into memory of its own.

    Not mapped: a mapped page counts as memory only once it is touched, and what was measured would hang on that.
    """
    with path.open("rb") as file:
        start = 8 + int.from_bytes(file.read(8), "little")
        header = json.loads(file.read(start - 8))
    version = Version(**json.loads(header.pop("__metadata__")["version"]))
    return version, _parts(path, start, header)


def _parts(path: Path, start: int, header: Mapping[str, Mapping[str, Any]]) -> Iterator[tuple[str, dict[str, Tensor]]]:
    """One name after the other, in the order of the alphabet, with the tensors that it is made of."""
    with path.open("rb") as file:
        for name, keys in itertools.groupby(sorted(header), lambda key: key.rpartition("|")[0]):
            found = {}
            for key in keys:
                tensor = torch.empty(header[key]["shape"], dtype=_TYPES[header[key]["dtype"]])
                file.seek(start + header[key]["data_offsets"][0])
                if tensor.numel():
                    file.readinto(tensor.numpy().data.cast("B"))
                found[key.rpartition("|")[2]] = tensor
            yield name, found


def load(path: Path) -> dict[str, Tensor]:
    """Every tensor of a saved file, float32: what is left of the weights."""
    version, found = read(path)
    return {name: one["vector"] if "vector" in one else unfold(one, version.bits) for name, one in found}


class Matrix:
    """A matrix that multiplies: kept packed and unfolded at each use, unfolded once, or given to a kernel."""

    def __init__(self, parts: dict[str, Tensor], bits: int, run: Run) -> None:
        self.parts, self.bits = parts, bits
        if run == "unfolded":
            self.parts = {"weights": unfold(parts, bits)}

    def __call__(self, x: Tensor, bias: Tensor) -> Tensor:
        """x: (M, K) -> (M, N)"""
        return F.linear(x, unfold(self.parts, self.bits), bias)

    def rows(self, places: Tensor) -> Tensor:
        """Some rows, (len(places), K) float32; nothing else is unfolded, except of a pruned matrix."""
        if "mask" in self.parts:
            return unfold(self.parts, self.bits)[places]
        whole = len(self.parts.get("levels", ())) != len(self.parts.get("scale", ()))  # one scale for the matrix
        some = {part: one if whole and part != "levels" else one[places] for part, one in self.parts.items()}
        return unfold(some, self.bits)


class Integers(Matrix):
    """Multiplies 8-bit levels, a scale a row, by numbers themselves rounded to 7 bits a batch: FBGEMM's kernel."""

    def __init__(self, parts: dict[str, Tensor], bits: int) -> None:
        levels, scale, zero = parts["levels"], parts["scale"].flatten().double(), parts["zero"].flatten().long()
        signed = (levels.to(torch.int16) - 128).to(torch.int8)
        with warnings.catch_warnings():  # torch, pinned, will drop this some day
            warnings.filterwarnings("ignore", message=".*quantized tensor creation functions.*")
            rounded = torch._make_per_channel_quantized_tensor(signed, scale, zero - 128, 0)
        self.packed = torch.ops.quantized.linear_prepack(rounded, None)

    def __call__(self, x: Tensor, bias: Tensor) -> Tensor:
        return torch.ops.quantized.linear_dynamic(x, self.packed, True) + bias  # True: 7 bits, or AVX2 saturates


class Nibbles(Matrix):
    """Multiplies 4-bit levels by groups of 32, 64, 128 or 256, in bfloat16: torch's kernel for processors."""

    def __init__(self, parts: dict[str, Tensor], bits: int) -> None:
        levels, scale, zero = unpack(parts["levels"], bits), parts["scale"].float(), parts["zero"].float()
        self.group = levels.shape[1] // scale.shape[1]
        self.packed = torch._convert_weight_to_int4pack_for_cpu(levels.to(torch.int32), 2)
        shifted = torch.stack([scale, (8 - zero) * scale], 2)  # the kernel reads (level - 8) * scale + shift
        self.scales = shifted.transpose(0, 1).contiguous().bfloat16()  # (G, N, 2)

    def __call__(self, x: Tensor, bias: Tensor) -> Tensor:
        found = torch._weight_int4pack_mm_for_cpu(x.bfloat16(), self.packed, self.group, self.scales)
        return found.float() + bias


class Encoder:
    """MiniLM from a saved file, with its tokenizer: texts to vectors, by torch alone."""

    def __init__(self, path: Path, tokenizer: Path, run: Run = "packed") -> None:
        self.tokenizer = Tokenizer.from_file(str(tokenizer))
        self.tokenizer.no_padding()
        self.tokenizer.enable_truncation(MOST_TOKENS)
        version, found = read(path)
        self.layers, self.vectors, self.matrices = version.layers, {}, {}
        for name, parts in found:  # each is let go once it is converted
            if "vector" in parts:
                self.vectors[name] = parts["vector"]
            elif run == "kernel" and not name.startswith("embeddings"):
                self.matrices[name] = {8: Integers, 4: Nibbles}[version.bits](parts, version.bits)
            else:
                self.matrices[name] = Matrix(parts, version.bits, run)

    def __call__(
        self, texts: Sequence[str], batch: int = BATCH, advance: Callable[[int], object] = lambda done: None
    ) -> Tensor:
        """(N, D) L2-normalized; texts of like length are batched together. advance: told how many are done."""
        tokens = [one.ids for one in self.tokenizer.encode_batch(list(texts))]
        order = sorted(range(len(texts)), key=lambda place: len(tokens[place]), reverse=True)
        found = torch.empty(len(texts), len(self.vectors["embeddings.LayerNorm.weight"]))
        for start in range(0, len(order), batch):
            some = order[start : start + batch]
            found[some] = self._embed([tokens[place] for place in some])
            advance(len(some))
        return found

    @torch.inference_mode()
    def _embed(self, tokens: Sequence[Sequence[int]]) -> Tensor:
        """Mean of the last states of each text. Devlin et al. 2019; Reimers and Gurevych 2019. -> (B, D)"""
        rows, length = len(tokens), max(map(len, tokens))
        ids = torch.tensor([[*one, *[0] * (length - len(one))] for one in tokens])  # (B, T)
        real = torch.tensor([[True] * len(one) + [False] * (length - len(one)) for one in tokens])
        x = self.matrices["embeddings.word_embeddings.weight"].rows(ids.flatten())
        x = x.view(rows, length, -1) + self.matrices["embeddings.position_embeddings.weight"].rows(torch.arange(length))
        x = x + self.matrices["embeddings.token_type_embeddings.weight"].rows(torch.tensor([0]))
        x = self._norm("embeddings", x.flatten(0, 1))  # (B*T, D)
        for number in range(self.layers):
            x = self._block(f"encoder.layer.{number}", x, real)
        states = x.view(rows, length, -1) * real[..., None]
        return F.normalize(states.sum(1) / real.sum(1, keepdim=True), dim=1)

    def _block(self, name: str, x: Tensor, real: Tensor) -> Tensor:
        rows, length = real.shape
        three = [self._linear(f"{name}.attention.self.{part}", x) for part in ("query", "key", "value")]
        q, k, v = (one.view(rows, length, HEADS, -1).transpose(1, 2) for one in three)  # (B, H, T, D/H)
        mixed = F.scaled_dot_product_attention(q, k, v, attn_mask=real[:, None, None, :])
        mixed = mixed.transpose(1, 2).reshape(x.shape)
        x = self._norm(f"{name}.attention.output", x + self._linear(f"{name}.attention.output.dense", mixed))
        wide = F.gelu(self._linear(f"{name}.intermediate.dense", x))
        return self._norm(f"{name}.output", x + self._linear(f"{name}.output.dense", wide))

    def _linear(self, name: str, x: Tensor) -> Tensor:
        return self.matrices[f"{name}.weight"](x, self.vectors[f"{name}.bias"])

    def _norm(self, name: str, x: Tensor) -> Tensor:
        gain, bias = (self.vectors[f"{name}.LayerNorm.{part}"] for part in ("weight", "bias"))
        return F.layer_norm(x, gain.shape, gain, bias, EPSILON)


def minilm(version: Version) -> Path:
    """MiniLM's file in this version, kept in the cache, without the pooling matrix that embeddings do not use."""
    from lib.lab import cache, sources

    def make(path: Path) -> None:
        save(minilm_weights(version.layers), version, path)

    inputs, params = {"minilm": sources.content_hash("minilm")}, {**asdict(version), "code": _writing()}
    return cache.derived("minilm_packed.safetensors", make, inputs=inputs, params=params)


@lru_cache
def _writing() -> str:
    """Digest of the code that decides what a file holds: taken once a process, as there are many versions."""
    return digest(*map(code_digest, (Version, quantize, pack, fold, save, minilm_weights)))


@lru_cache
def _reading() -> str:
    """Digest of the code that decides which vectors a file gives."""
    return digest(*map(code_digest, (dequantize, unpack, unfold, read, _parts, Matrix, Integers, Nibbles, Encoder)))


def minilm_weights(layers: int = 6) -> dict[str, Tensor]:
    """The tensors that embedding takes, with the first blocks only."""
    from safetensors.torch import load_file

    from lib.lab import models

    found = load_file(models.minilm_folder() / "model.safetensors")
    left_out = {f"encoder.layer.{number}." for number in range(layers, 6)} | {"pooler.", "embeddings.position_ids"}
    return {name: one for name, one in found.items() if not name.startswith(tuple(left_out))}


def tokenizer() -> Path:
    """MiniLM's tokenizer, the same for every version."""
    from lib.lab import models

    return models.minilm_folder() / "tokenizer.json"


def embed(version: Version, texts: Sequence[str], run: Run = "unfolded", batch: int = BATCH) -> Tensor:
    """Vectors (N, D) that a version of MiniLM gives these texts, L2-normalized; computed once and kept."""
    from safetensors.torch import load_file, save_file

    from lib.lab import cache, models, progress, sources

    def make(path: Path) -> None:
        label = f"embedding {len(texts)} texts at {version.bits} bits"
        with models.threads(THREADS), progress.bar(label, len(texts)) as advance:
            save_file({"vectors": Encoder(minilm(version), tokenizer(), run)(texts, batch, advance)}, path)

    params = {**asdict(version), "run": run, "texts": digest(*texts), "batch": batch, "threads": THREADS}
    params["code"] = (_writing(), _reading())
    inputs = {"minilm": sources.content_hash("minilm")}
    return load_file(cache.derived("packed.safetensors", make, inputs=inputs, params=params))["vectors"]


def law_search(characters: int = 160) -> tuple[list[str], list[str], list["np.ndarray"], list[str]]:
    """(questions, passages, gold, groups): titles of fact sheets, and the articles that any of them cites.

    A passage is the title above an article and its text, cut. gold: places among the passages; groups: one a sheet.
    """
    from lib.lab import retrieval

    code, sections = retrieval.load()
    asked = sections[sections["asked"]]
    cited = np.unique(np.concatenate(list(asked["gold"])))
    passages = [one[:characters] for one in retrieval.documents(code.iloc[cited], last=1)]
    gold = [np.searchsorted(cited, places) for places in asked["gold"]]
    return list(asked["question"]), passages, gold, list(asked["group"])


def embeddings() -> None:
    """Make the vectors of every version that the experiment compares: some three minutes on two cores, once."""
    grouped = [(8, 0), *((4, group) for group in (-1, 0, 128, 32)), (3, 32), (2, 32)]
    versions = [Version(), Version(16), *(Version(*one) for one in grouped)]
    versions += [Version(kept=0.5), *(Version(8, layers=number) for number in (5, 3, 0))]
    runs: list[tuple[Version, Run]] = [(version, "unfolded") for version in versions]
    questions, passages, _, _ = law_search()
    for version, run in [*runs, (Version(8), "kernel"), (Version(4, 32), "kernel")]:
        for texts in (questions, passages):
            embed(version, texts, run, 1 if run == "kernel" else BATCH)  # as on a device: one at a time


def answer(path: str, tokenizer: str, run: Run, texts: Sequence[str]) -> int:
    """Load a file and embed texts one at a time; how many were."""
    encoder = Encoder(Path(path), Path(tokenizer), run)
    return sum(len(encoder([one])) for one in texts)


def race(entrants: Sequence[tuple[str, Run]], tokenizer: str, texts: Sequence[str], repeats: int) -> list[float]:
    """Milliseconds that each (path, run) takes for a text: the median over texts of the best of some repeats.

    All are loaded; they take turns, each with all texts in a row after one that is not timed, another first each time.
    """
    encoders = [Encoder(Path(path), Path(tokenizer), run) for path, run in entrants]
    best = [[math.inf] * len(texts) for _ in encoders]
    for turn in range(repeats):
        for place in range(len(encoders)):
            number = (place + turn) % len(encoders)
            encoders[number](texts[:1])
            for index, one in enumerate(texts):
                start = time.perf_counter()
                encoders[number]([one])
                best[number][index] = min(best[number][index], 1000 * (time.perf_counter() - start))
    return [statistics.median(times) for times in best]
