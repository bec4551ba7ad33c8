"""Slides as pictures, pictures and sound as a film: Chromium draws, ffmpeg encodes. Knows nothing of what is told.

What was drawn or encoded is kept in build/video/ by its content, so that a changed sentence makes one scene again.
"""

import asyncio
import os
import re
import subprocess
import tempfile
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from lib.lab import paths
from lib.lab.cache import atomic
from lib.lab.normalize import digest
from lib.press import boxes, doctor, slides
from lib.press.finished import ExportError
from lib.press.words import WORDS

FPS = 25
WIDTH, HEIGHT = 1920, 1080
SCALE = 1.5  # of what slides are laid out in
MARGIN = 0.94, 0.86  # share of the screen that a slide fills; the same above burnt subtitles
CLIP = 100  # frames of a picture as film, which is repeated as long as the picture is shown
QUALITY = [
    "-c:v", "libx264", "-preset", "superfast", "-crf", "18", "-bf", "0", "-g", str(CLIP),
    "-x264-params", "rc-lookahead=0:scenecut=0:weightp=0",
]  # fmt: skip
YUV = "scale=out_color_matrix=bt709:out_range=tv:flags=full_chroma_int+accurate_rnd,format=yuv420p"
COLOUR = "setparams=color_primaries=bt709:color_trc=bt709:colorspace=bt709:range=tv"
QUIET = [
    "-map_metadata:g", "-1", "-map_metadata:s", "-1",
    "-fflags", "+bitexact", "-flags:v", "+bitexact", "-flags:a", "+bitexact",
]  # fmt: skip
LOUDNESS, PEAK = -16.0, 0.8  # LUFS, and the share of full scale that no sample passes
EVEN = "acompressor=threshold=-20dB:ratio=3:attack=5:release=100"  # leaves room for the loudness below the peak
LANGUAGES = {"fr": "fra", "en": "eng"}
FLAGS = [
    "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync", "--force-color-profile=srgb",
]  # fmt: skip
_FIT = """() => {
  const section = document.querySelector('section'), inside = document.querySelector('.fit');
  for (let zoom = 1.3; zoom > 0.5; zoom -= 0.05) {
    inside.style.zoom = zoom;
    if (section.scrollHeight <= section.clientHeight && section.scrollWidth <= section.clientWidth) break;
  }
}"""


@dataclass(frozen=True)
class Shot:
    """A picture and for how many frames it is shown."""

    picture: Path
    frames: int


def folder() -> Path:
    """Where pictures and scenes are kept."""
    return paths.build_dir() / "video"


def slide(markup: str, pictures: Mapping[str, Path], lang: str, burn: bool) -> str:
    """A slide's Markdown as the page that is drawn: nothing in it is elsewhere."""
    from nbconvert.filters import markdown2html

    shown = re.sub(r'<a class="anchor-link".*?</a>', "", markdown2html(markup))
    held = r'(?<=src=")(?:figures|images)/[^"]+'
    shown = re.sub(held, lambda match: slides.data(pictures[match[0]]) if match[0] in pictures else match[0], shown)
    inside = f'<div class="slides"><section><div class="fit">{shown}</div></section></div>'
    return _page(
        f'<div class="reveal">{inside}</div><div class="name">Guidon</div>',
        lang,
        f":root {{ --share: {MARGIN[burn]}; }}",
    )


def thumbnail(title: str, verdict: str | None, lang: str) -> str:
    """The page that is drawn as the picture of the whole: title and verdict."""
    told = f"{boxes.MARKS[verdict]} {WORDS[lang][verdict]}" if verdict else ""
    mark = f'<span class="verdict verdict-{verdict}">{told}</span>' if verdict else ""
    shown = boxes.escape(boxes.typographic(title)).replace("-", boxes.HYPHEN)
    heading = f'<h1 class="{"long" if len(title) > 60 else "short"}">{shown}</h1>'
    return _page(f'<div class="thumb">{heading}{mark}<div class="name">Guidon</div></div>', lang, "")


def _page(inside: str, lang: str, style: str) -> str:
    styled = (slides.TEMPLATES / "video.css").read_text(encoding="utf-8")
    given = f"<style>{slides.style()}{styled}{style}</style>"
    return f'<!DOCTYPE html><html lang="{lang}"><head><meta charset="utf-8">{given}</head><body>{inside}</body></html>'


def draw(pages: Sequence[str], advance: Callable[[], object] = lambda: None, scale: float = SCALE) -> list[Path]:
    """Pages as PNG, 1280 by 720 times the scale; those drawn before are not drawn again. Raises ExportError."""
    places = [folder() / f"{digest(str(scale), _FIT, page)[:24]}.png" for page in pages]
    missing = {place: page for place, page in zip(places, pages, strict=True) if not place.is_file()}
    if missing:
        path = doctor.chromium()
        if path is None:
            raise ExportError("a video needs Chromium, which draws its slides (Debian: apt install chromium)")
        try:
            asyncio.get_running_loop()
        except RuntimeError:
            _draw(path, missing, scale, advance)
        else:  # as in JupyterLab, where Playwright needs a thread of its own
            with ThreadPoolExecutor(1) as pool:
                pool.submit(_draw, path, missing, scale, advance).result()
    return places


def _draw(chromium: str, pages: Mapping[Path, str], scale: float, advance: Callable[[], object]) -> None:
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright, playwright.chromium.launch(executable_path=chromium, args=FLAGS) as browser:
        context = browser.new_context(
            viewport={"width": 1280, "height": 720}, device_scale_factor=scale, color_scheme="light", offline=True
        )
        screen = context.new_page()
        for place, page in pages.items():
            screen.set_content(page)
            if 'class="fit"' in page:
                screen.evaluate(_FIT)
            with atomic(place) as made:
                screen.screenshot(path=made, type="png")
            advance()


def captioned(picture: Path, lines: Sequence[str]) -> Path:
    """A picture with a subtitle drawn into it."""
    place = folder() / f"{digest(picture.name, *lines)[:24]}.png"
    if not place.is_file():
        import matplotlib
        from PIL import Image, ImageDraw, ImageFont

        font = ImageFont.truetype(Path(matplotlib.get_data_path()) / "fonts/ttf/DejaVuSans.ttf", 40)
        with Image.open(picture) as image:
            drawn = image.convert("RGB")
        pen = ImageDraw.Draw(drawn)
        text, middle = "\n".join(lines), (WIDTH // 2, HEIGHT - 28)
        left, top, right, bottom = pen.multiline_textbbox(middle, text, font, anchor="md", align="center", spacing=8)
        pen.rounded_rectangle((left - 24, top - 14, right + 24, bottom + 14), 12, fill="#111617")
        pen.multiline_text(middle, text, "#ffffff", font, anchor="md", align="center", spacing=8)
        with atomic(place) as made:
            drawn.save(made, "PNG", compress_level=1)
    return place


def encode(pictures: Sequence[Path], advance: Callable[[], object] = lambda: None) -> dict[Path, Path]:
    """Each picture as a film of CLIP frames; those made before are not made again. Raises ExportError."""
    every = list(dict.fromkeys(pictures))
    made = {}
    with ThreadPoolExecutor(os.cpu_count() or 1) as pool:
        for picture, place in zip(every, pool.map(_encode, every), strict=True):
            made[picture] = place
            advance()
    return made


def _encode(picture: Path) -> Path:
    place = folder() / f"{digest(picture.name, *QUALITY, YUV, COLOUR)[:24]}.mp4"
    if not place.is_file():
        still = f"{YUV},loop=-1:1,setpts=N/({FPS}*TB),{COLOUR}"
        with atomic(place) as made:
            ffmpeg([
                "-framerate", str(FPS), "-i", str(picture), "-vf", still, "-frames:v", str(CLIP), *QUALITY,
                "-threads", "1", *QUIET, "-video_track_timescale", "12800", str(made),
            ])  # fmt: skip
    return place


def repeats(frames: int) -> list[int]:
    """So many frames as whole clips and the beginning of one, which has two at least: one alone is no film."""
    whole, rest = divmod(frames, CLIP)
    if rest == 1 and whole:
        return [CLIP] * (whole - 1) + [CLIP - 1, 2]
    return [CLIP] * whole + ([rest] if rest else [])


def join(
    shots: Sequence[Shot], clips: Mapping[Path, Path], sound: Path, marks: str, lang: str, target: Path
) -> None:  # fmt: skip
    """Pictures one after the other, with sound at the usual loudness and chapters; no trace of tools.

    marks: chapters as ffmpeg's metadata. Raises ExportError.
    """
    with tempfile.TemporaryDirectory(prefix="guidon-film-") as place:
        listed, told = Path(place) / "shots.txt", Path(place) / "chapters.txt"
        files = {picture: str(clip).replace("'", r"'\''") for picture, clip in clips.items()}
        listed.write_text("".join(
            f"file '{files[shot.picture]}'\noutpoint {frames / FPS:.2f}\n"
            for shot in shots for frames in repeats(shot.frames)
        ), encoding="utf-8")  # fmt: skip
        told.write_text(f";FFMETADATA1\n{marks}", encoding="utf-8")
        ffmpeg([
            "-f", "concat", "-safe", "0", "-i", str(listed), "-i", str(sound), "-f", "ffmetadata", "-i", str(told),
            "-map", "0:v", "-map", "1:a", *QUIET, "-map_chapters", "2", "-c:v", "copy",
            "-bsf:v", "filter_units=remove_types=6", "-af", levelled(sound), "-ar", "48000", "-c:a", "aac",
            "-aac_coder", "fast", "-b:a", "128k", "-metadata:s:a:0", f"language={LANGUAGES[lang]}",
            "-empty_hdlr_name", "1", "-movflags", "+faststart", str(target),
        ])  # fmt: skip


def levelled(sound: Path) -> str:
    """The filter that brings a sound to the usual loudness."""
    heard = ffmpeg(["-i", str(sound), "-af", f"{EVEN},ebur128=framelog=quiet", "-f", "null", "-"])
    found = re.findall(r"\bI:\s+(-?[\d.]+) LUFS", heard)
    gain = LOUDNESS - float(found[-1]) if found else 0.0
    return f"{EVEN},volume={gain:.2f}dB,aresample=48000,alimiter=limit={PEAK}:level=false:latency=true"


def ffmpeg(arguments: Sequence[str]) -> str:
    """Run ffmpeg; what it says on the standard error. Raises ExportError."""
    import imageio_ffmpeg

    command = [imageio_ffmpeg.get_ffmpeg_exe(), "-hide_banner", "-nostdin", "-y", *arguments]
    done = subprocess.run(command, capture_output=True, text=True, errors="replace")
    if done.returncode:
        lines = done.stderr.strip().splitlines() or ["it ended without a word"]
        raise ExportError(f"ffmpeg: {lines[-1]}")
    return done.stderr
