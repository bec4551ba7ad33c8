"""Sounds that notebooks show: files beside a post's page, and links where no player can go. Knows no pages or channels.

A player is what `lib.lab.sounds` displays: an `audio` element that holds its sound.
"""

import base64
import hashlib
import re
from pathlib import Path

from lib.lab.cache import atomic
from lib.press.words import WORDS

_HELD = re.compile(r'(?<=\bsrc=")data:audio/wav;base64,([A-Za-z0-9+/=]+)(?=")')
_PLAYER = re.compile(r'<audio\b[^>]*?\bsrc="(?P<source>[^"]*)"[^>]*>.*?</audio>', re.DOTALL)


def filed(markup: str, folder: Path) -> tuple[str, list[Path]]:
    """Markup whose sounds are files of a folder, named from its parent, and these files.

    A page then loads without them; a browser fetches the one that the reader plays.
    """
    files: list[Path] = []

    def one(match: re.Match[str]) -> str:
        sound = base64.b64decode(match[1])
        path = folder / f"sound-{hashlib.sha256(sound).hexdigest()[:12]}.wav"
        if not path.is_file():
            with atomic(path) as made:
                made.write_bytes(sound)
        files.append(path)
        return f"{folder.name}/{path.name}"

    return _HELD.sub(one, markup), files


def has(markup: str) -> bool:
    """Whether there is a player in it."""
    return bool(_PLAYER.search(markup))


def linked(markup: str, lang: str) -> str:
    """Markup with a link to the sound in place of each player: mail, slides and other sites' Markdown have none."""
    return _PLAYER.sub(lambda match: f'<a class="listen" href="{match["source"]}">{WORDS[lang]["listen"]}</a>', markup)
