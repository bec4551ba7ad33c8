"""A post as a narrated video with subtitles, chapters, thumbnail and description: what is shown when, and the files.

Knows the order of the work and the forms of the files; scenes are written by `narration`, spoken by `voices`, drawn
and encoded by `film`.
"""

import contextlib
import json
import math
import re
import textwrap
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lib.lab.cache import atomic, clear, locked
from lib.lab.normalize import digest
from lib.press import boxes, console, digests, film, finished, narration, parts, speech, stamps, voices
from lib.press.narration import Scene, Script
from lib.press.words import WORDS

if TYPE_CHECKING:
    import numpy as np

BEFORE_S, AFTER_S = 0.5, 0.7  # of silence in a scene, around what is said
PAUSE_S = 0.4  # between sentences
LINGER_S = 0.3  # a subtitle stays so long after its words, if no other one comes
CHAPTER_S = 10  # the shortest that YouTube takes
TITLE, DESCRIPTION = 100, 5000  # characters that YouTube takes
SAMPLES = voices.RATE // film.FPS  # of sound in a frame; the rate divides


@dataclass(frozen=True)
class Cue:
    """A subtitle: from when to when, and its text."""

    start_s: float
    end_s: float
    text: str

    @property
    def lines(self) -> list[str]:
        """Its text in two lines of about the same length, where one is too short."""
        if len(self.text) <= speech.LINE:
            return [self.text]
        narrow = range(math.ceil(len(self.text) / speech.LINES), 2 * speech.LINE)
        tried = (textwrap.wrap(self.text, width, break_on_hyphens=False) for width in narrow)
        return next((lines for lines in tried if len(lines) <= speech.LINES), [self.text])


@dataclass(frozen=True)
class Timed:
    """A scene's place: its first frame, how many it has, its sounds with their seconds, its subtitles."""

    first: int
    frames: int
    sounds: tuple[tuple[float, Path], ...]
    cues: tuple[Cue, ...]

    @property
    def start_s(self) -> float:
        return self.first / film.FPS

    @property
    def end_s(self) -> float:
        return (self.first + self.frames) / film.FPS


def export(slug: str, lang: str, burn: bool = False, shown: console.Board | None = None) -> bool:
    """Write SLUG.mp4 and what goes with it into build/exports/; whether it was made: one that is as it would be stays.

    burn: draw the subtitles into the picture. shown: where other progress is shown. Raises ExportError and VoiceError.
    """
    script, voice = narration.write(slug, lang), voices.choose(lang)
    cut = [[speech.pieces(one, lang) for one in scene.sentences] for scene in script.scenes]
    said = [[[speech.spoken(piece, lang) for piece in pieces] for pieces in scene] for scene in cut]
    drawn = [film.slide(scene.markup, script.pictures, lang, burn) for scene in script.scenes]
    front = film.thumbnail(script.page.title, script.verdict, lang)
    key = digest(_code(), str(voice), str(burn), json.dumps([cut, said]), front, describe(script, []), *drawn)
    folder = stamps.folder("video-burnt" if burn else "video", lang, slug)
    with locked(folder), contextlib.nullcontext(shown) if shown else console.board() as board:
        clear(folder)
        if _key(folder / f"{slug}.json") == key:
            return False
        bar = board.bar(f"video of {slug} in {lang}", sum(map(len, said)) + 2 * len(drawn), brief=shown is not None)
        clips = voices.clips(voice, [pieces for scene in said for pieces in scene], bar.advance)
        timed = timeline(cut, clips)
        pictures = film.draw(drawn, bar.advance)
        shots = [shot for scene, picture in zip(timed, pictures, strict=True) for shot in split(scene, picture, burn)]
        reels = film.encode([shot.picture for shot in shots], bar.advance)
        marks = chapters(script.scenes, timed)
        with atomic(folder) as made:
            made.mkdir()
            voices.write(made / "sound.wav", mix(timed))
            told = _metadata(marks, timed[-1].end_s)
            film.join(shots, reels, made / "sound.wav", told, lang, made / f"{slug}.mp4")
            (made / "sound.wav").unlink()
            (cover,) = film.draw([front], scale=1)
            (made / "thumbnail.png").write_bytes(cover.read_bytes())
            _papers(script, timed, marks, key, made)
        sounds = [path for clip in clips for path in (clip.path, clip.path.with_suffix(".json"))]
        drawings = [*pictures, cover, *(shot.picture for shot in shots), *reels.values()]
        parts.keep(_name(lang, slug, burn), [*sounds, *drawings])
        parts.forget_others({_name(one, name, burnt) for one, name in _posts() for burnt in (True, False)})
        bar.done(f"{timed[-1].end_s:.0f} s of film")
    return True


def _name(lang: str, slug: str, burn: bool) -> str:
    return f"{lang}-{slug}{'-burnt' if burn else ''}"


def _posts() -> list[tuple[str, str]]:
    """(language, slug) of each published post."""
    return [(lang, Path(page.path).stem) for lang in WORDS for page in finished.listing(lang)]


def _code() -> str:
    """Digest of the code that makes a film of scenes and words."""
    here = Path(__file__).parent
    return digests.code((here / f"{name}.py").read_text(encoding="utf-8") for name in ("video", "film", "voices"))


def _key(path: Path) -> str | None:
    """What the video of a folder was made of, if it is whole."""
    try:
        return json.loads(path.read_text(encoding="utf-8"))["key"]
    except (OSError, ValueError, KeyError):
        return None


def timeline(cut: Sequence[Sequence[Sequence[str]]], clips: Sequence[voices.Clip]) -> list[Timed]:
    """When each scene is shown, and each of its sentences heard and read. cut: pieces by sentence, by scene."""
    timed: list[Timed] = []
    left, first = list(clips), 0
    for scene in cut:
        begin = at = first / film.FPS + BEFORE_S
        sounds, cues = [], []
        for pieces in scene:
            clip = left.pop(0)
            begin = at
            sounds.append((begin, clip.path))
            starts = [begin + start for start in clip.starts_s] + [begin + clip.time_s]
            cues += [Cue(starts[number], starts[number + 1], piece) for number, piece in enumerate(pieces)]
            cues[-1] = Cue(cues[-1].start_s, cues[-1].end_s + LINGER_S, cues[-1].text)
            at = begin + clip.time_s + PAUSE_S
        end = at - PAUSE_S + AFTER_S
        frames = math.ceil(round(end * film.FPS, 6)) - first
        timed.append(Timed(first, frames, tuple(sounds), tuple(cues)))
        first += frames
    return timed


def mix(timed: Sequence[Timed]) -> "np.ndarray":
    """All that is said, as one sound as long as the film: (samples,) float32."""
    import numpy as np

    sound = np.zeros((timed[-1].first + timed[-1].frames) * SAMPLES, dtype=np.float32)
    for scene in timed:
        for second, path in scene.sounds:
            start, heard = round(second * voices.RATE), voices.read(path)
            sound[start : start + len(heard)] += heard
    return sound


def split(scene: Timed, picture: Path, burn: bool) -> list[film.Shot]:
    """A scene as shots: one, or one for each subtitle that is drawn into it and for each while without."""
    if not burn:
        return [film.Shot(picture, scene.frames)]
    shots, at, end = [], scene.first, scene.first + scene.frames
    for cue in scene.cues:
        start, stop = round(cue.start_s * film.FPS), min(end, round(cue.end_s * film.FPS))
        start = start if start - at > 2 else at  # one frame alone is no film
        shots += [film.Shot(picture, start - at), film.Shot(film.captioned(picture, cue.lines), stop - start)]
        at = stop
    return [shot for shot in (*shots, film.Shot(picture, end - at)) if shot.frames > 0]


def chapters(scenes: Sequence[Scene], timed: Sequence[Timed]) -> list[tuple[float, str]]:
    """(start, title) of each chapter, none shorter than a player takes."""
    found: list[tuple[float, str]] = []
    for scene, time in zip(scenes, timed, strict=True):
        if not found or (scene.chapter != found[-1][1] and time.start_s - found[-1][0] >= CHAPTER_S):
            found.append((time.start_s, scene.chapter))
    return found[:-1] if len(found) > 1 and timed[-1].end_s - found[-1][0] < CHAPTER_S else found


def _metadata(marks: Sequence[tuple[float, str]], end_s: float) -> str:
    """Chapters as ffmpeg reads them."""
    ends = [start for start, _ in marks[1:]] + [end_s]
    return "".join(
        f"[CHAPTER]\nTIMEBASE=1/1000\nSTART={start * 1000:.0f}\nEND={end * 1000:.0f}\ntitle={_escaped(title)}\n"
        for (start, title), end in zip(marks, ends, strict=True)
    )


def _escaped(text: str) -> str:
    return re.sub(r"([=;#\\\n])", r"\\\1", text)


def clock(second: float, decimal: str = "") -> str:
    """1:02:03, as descriptions have it; with a sign for the decimals, 01:02:03,450, as subtitles have it."""
    whole = round(second * 1000)
    hours, minutes, seconds = whole // 3_600_000, whole // 60_000 % 60, whole // 1000 % 60
    if decimal:
        return f"{hours:02}:{minutes:02}:{seconds:02}{decimal}{whole % 1000:03}"
    return f"{hours}:{minutes:02}:{seconds:02}" if hours else f"{minutes}:{seconds:02}"


def srt(cues: Sequence[Cue]) -> str:
    """Subtitles as SubRip has them."""
    return "\n".join(
        f"{number}\n{clock(cue.start_s, ',')} --> {clock(cue.end_s, ',')}\n{_safe(cue)}\n"
        for number, cue in enumerate(cues, 1)
    )


def vtt(cues: Sequence[Cue], lang: str) -> str:
    """Subtitles as WebVTT has them."""
    told = (f"{clock(cue.start_s, '.')} --> {clock(cue.end_s, '.')}\n{boxes.escape(_safe(cue))}\n" for cue in cues)
    return "\n".join(["WEBVTT\nLanguage: " + lang + "\n", *told])


def _safe(cue: Cue) -> str:
    """A subtitle's lines; nothing in them ends it or looks like a time."""
    return "\n".join(line.replace("-->", "→") for line in cue.lines if line.strip()) or "…"


def describe(script: Script, marks: Sequence[tuple[float, str]]) -> str:
    """What stands under the video: the post's address, the verdict, chapters, sources and licences."""
    page, words = script.page, WORDS[script.page.lang]
    colon = boxes.colon(page.lang)
    head = [boxes.typographic(page.description), "", f"{words['post']}{colon} {script.address}"]
    if script.told:
        head.append(f"{words['verdict']}{colon} {script.told}")
    if marks:
        head += ["", f"{words['chapters']}{colon}", *(f"{clock(round(start))} {title}" for start, title in marks)]
    foot = ["", words["licences"], words["voice"]]
    room = DESCRIPTION - sum(len(line) + 1 for line in (*head, *foot)) - 40
    sources: list[str] = []
    for line in script.sources:
        room -= len(line) + 3
        if room < 0:
            sources.append("…")
            break
        sources.append(f"- {line}")
    named = ["", f"{words['sources']}{colon}", *sources] if sources else []
    return re.sub(r"[<>]", "", "\n".join([*head, *named, *foot])) + "\n"


def _papers(script: Script, timed: Sequence[Timed], marks: Sequence[tuple[float, str]], key: str, made: Path) -> None:
    """Subtitles, description, and all of it once more for programs."""
    page, slug = script.page, Path(script.page.path).stem
    cues = [cue for scene in timed for cue in scene.cues]
    title = textwrap.shorten(page.title, TITLE, placeholder="…")
    told: dict[str, Any] = {
        "title": title, "description": describe(script, marks), "lang": page.lang, "tags": list(page.categories),
        "address": script.address, "date": str(page.date), "duration_s": timed[-1].end_s,
        "chapters": [{"start_s": start, "title": name} for start, name in marks],
        "scenes": [
            {"start_s": time.start_s, "chapter": scene.chapter, "said": scene.sentences}
            for scene, time in zip(script.scenes, timed, strict=True)
        ],
        "key": key,
    }  # fmt: skip
    (made / f"{slug}.srt").write_text(srt(cues), encoding="utf-8")
    (made / f"{slug}.vtt").write_text(vtt(cues, page.lang), encoding="utf-8")
    (made / f"{slug}.txt").write_text(f"{title}\n\n{told['description']}", encoding="utf-8")
    (made / f"{slug}.json").write_text(json.dumps(told, ensure_ascii=False, indent=1) + "\n", encoding="utf-8")
