"""What a note holds for a video's voice and for no page: blocks that begin with `::: {.narration}` and end with `:::`.

Knows text only.
"""

import re
from collections.abc import Iterator

from lib.press.prose import ProseError

_BEGIN = re.compile(r":{3,}\s*(?:\{\s*\.narration\s*\}|narration)\s*:*\s*")
_END = re.compile(r":{3,}\s*")
_FENCE = re.compile(r" {0,3}(`{3,}(?=[^`]*$)|~{3,})")


def parts(text: str, name: str) -> Iterator[tuple[str, str]]:
    """(kind, text) in order: `text` is what is read, `narration` what is said instead. name: of the file.

    What code shows of such blocks is code. Raises ProseError for a block without its end.
    """
    kind, fence = "text", ""
    held: list[str] = []
    for line in text.split("\n"):
        if fence:
            fence = "" if line.strip().startswith(fence) and set(line.strip()) == {fence[0]} else fence
        elif found := _FENCE.match(line):
            fence = found[1]
        elif (_BEGIN if kind == "text" else _END).fullmatch(line):
            yield kind, "\n".join(held)
            kind, held = ("narration" if kind == "text" else "text"), []
            continue
        held.append(line)
    if kind == "narration":
        raise ProseError(f"{name}: a block of narration has no end; write ::: on a line of its own after it")
    yield kind, "\n".join(held)


def read(text: str, name: str) -> str:
    """What is read of a note. Raises ProseError."""
    return "\n".join(part for kind, part in parts(text, name) if kind == "text")
