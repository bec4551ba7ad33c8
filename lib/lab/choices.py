"""What a language model pays for each of several continuations of a text. Knows models and texts; nothing of tasks.

All continuations are read at once: as a tree whose branches do not see one another, so that what they share is read
once. Much cheaper than `likelihood.score` when the text and the choices are short and the texts are many.
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    import numpy as np
    import torch


class Node(NamedTuple):
    """A token of the tree; parent: its place in the tree, -1 for the first token of a continuation."""

    token: int
    parent: int
    depth: int


class Chooser:
    """A causal language model of transformers, before a fixed beginning and a fixed set of continuations.

    Raises ValueError when a continuation is empty. The model reads everything it is given: it has no sliding window.
    """

    def __init__(self, model: Any, tokenizer: Any, beginning: str, choices: Sequence[str]) -> None:
        self.model, self.tokenizer = model, tokenizer
        start = tokenizer.bos_token_id if tokenizer.bos_token_id is not None else tokenizer.eos_token_id
        self.head = [start, *self._tokens(beginning)]
        self.nodes, self.paths = grow([self._tokens(one) for one in choices])
        self.kept: Any = None  # what the model keeps of the beginning

    def nats(self, text: str) -> "np.ndarray":
        """What each choice costs after the beginning and this text, (choices,) float64."""
        import numpy as np
        import torch

        middle = self._tokens(text)
        if not middle:
            raise ValueError("an empty text has no continuation to choose")
        with torch.inference_mode():
            states = self._read(middle)  # (middle + nodes, D)
            before = torch.tensor([len(middle) + node.parent for node in self.nodes])
            before[[place for place, node in enumerate(self.nodes) if node.parent < 0]] = len(middle) - 1
            unique, where = before.unique(return_inverse=True)
            logs = self.model.get_output_embeddings()(states[unique]).float().log_softmax(-1)
            costs = -logs[where, torch.tensor([node.token for node in self.nodes])].double().numpy()
        return np.array([costs[path].sum() for path in self.paths])

    def _tokens(self, text: str) -> list[int]:
        return self.tokenizer(text, add_special_tokens=False)["input_ids"] if text else []

    def _read(self, middle: list[int]) -> "torch.Tensor":
        """Last hidden states of the middle and of the tree, after the beginning, which is read once."""
        import torch
        from transformers import DynamicCache

        body, long = self.model.get_decoder(), len(self.head)
        if self.kept is None:
            self.kept = DynamicCache()
            body(input_ids=torch.tensor([self.head]), cache=self.kept, use_cache=True)
        tokens = torch.tensor([[*middle, *(node.token for node in self.nodes)]])
        depths = [*range(len(middle)), *(len(middle) + node.depth for node in self.nodes)]
        seen = torch.ones(len(depths), long + len(depths), dtype=torch.bool)
        seen[:, long:] = sights(len(middle), self.nodes)
        hidden = torch.zeros(seen.shape).masked_fill(~seen, torch.finfo(torch.float32).min)[None, None]
        places = torch.tensor([depths]) + long
        out = body(input_ids=tokens, attention_mask=hidden, position_ids=places, cache=self.kept, use_cache=True)
        self.kept.crop(-len(depths))
        return out.last_hidden_state[0]


def grow(sequences: Sequence[Sequence[int]]) -> tuple[list[Node], list[list[int]]]:
    """The tree of these sequences of tokens, and the places of each one's tokens in it.

    Raises ValueError if one is empty.
    """
    nodes: list[Node] = []
    known: dict[tuple[int, int], int] = {}
    paths = []
    for sequence in sequences:
        if not sequence:
            raise ValueError("an empty text cannot be chosen")
        parent, path = -1, []
        for depth, token in enumerate(sequence):
            place = known.setdefault((parent, token), len(nodes))
            if place == len(nodes):
                nodes.append(Node(token, parent, depth))
            path.append(parent := place)
        paths.append(path)
    return nodes, paths


def sights(n_before: int, nodes: Sequence[Node]) -> "torch.Tensor":
    """Which places see which: the text sees what precedes it, a node its ancestors and the text. (n, n) bool"""
    import torch

    n = n_before + len(nodes)
    seen = torch.zeros(n, n, dtype=torch.bool)
    seen[:n_before, :n_before] = torch.ones(n_before, n_before).tril().bool()
    for place, node in enumerate(nodes, start=n_before):
        seen[place] = seen[n_before + node.parent] if node.parent >= 0 else False
        seen[place, :n_before] = True
        seen[place, place] = True
    return seen
