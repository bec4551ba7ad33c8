"""Posts from another blog, as notes of this one: Hashnode, Eleventy, or plain text. Publishes nothing.

What comes in is untrusted (`lib.press.untrusted`), keeps its date and address, and never replaces what is here.
"""

import datetime as dt
import hashlib
import json
import re
import unicodedata
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from lib.lab import paths
from lib.lab.cache import atomic, write_text
from lib.lab.normalize import digest
from lib.press.untrusted import is_safe_address, safe_markdown

LIMIT_BYTES = 5_000_000  # of a post, and of an image
PICTURES = {".png", ".jpg", ".jpeg", ".gif", ".webp", ".avif"}  # an SVG may hold a script
DROPPED_TAGS = {"post", "posts", "all", "nav"}  # of Eleventy: collections, not subjects
_FRONT = re.compile(r"\A---[ \t]*\n(.*?)^---[ \t]*(?:\n|\Z)(.*)\Z", re.DOTALL | re.MULTILINE)
_PLAIN_LINE = re.compile(r"^([A-Za-z][\w-]*):[ \t]+([^\s\"'\[{|>&*!%@`#-].*)$", re.MULTILINE)
_NUMBERED = re.compile(r"^\s*note\s*(?:#|n[o°º]\.?)\s*0*(\d{1,5})\s*[:.\-–—]?\s*(.*)$", re.IGNORECASE | re.DOTALL)
SMALL_WORDS = {
    "fr": re.compile(r"\b(?:le|la|les|des|une|est|et|dans|que|qui|pour|pas|sur|avec|ce|cette|nous|vous|sont|au|du)\b"),
    "en": re.compile(r"\b(?:the|of|and|is|in|that|to|for|not|with|more|this|we|you|are|it|be|as|an|was|by|or)\b"),
}


class ImportFailure(ValueError):
    """A file that cannot become a post; the message says why."""


@dataclass
class Imported:
    """What became of one file."""

    source: str
    status: str = "imported"  # imported, known (it is here already), or failed
    kind: str = ""  # hashnode, eleventy or text
    target: str = ""
    date: str = ""
    lang: str = ""
    notes: list[str] = field(default_factory=list)

    def lines(self) -> list[str]:
        """The report in words: a line, and one for each thing that was not kept as it was."""
        where = f" -> {self.target}" if self.target else ""
        made = f"{self.kind}, {self.lang}, {self.date}"
        told = {"imported": made, "known": "it is here already", "failed": "not imported"}[self.status]
        return [f"{self.source}{where}: {told}", *(f"  {note}" for note in self.notes)]


def run(
    files: list[Path], *, date: str | None = None, assets: Path | None = None, lang: str | None = None
) -> list[Imported]:
    """Import files one by one; what cannot be is told, and stops no other."""
    made = []
    for path in files:
        told = Imported(str(path))
        try:
            _one(path, told, date, assets, lang)
        except (ImportFailure, OSError) as error:
            told.status = "failed"
            told.notes = [str(error) if isinstance(error, ImportFailure) else f"{error.strerror or error}"]
        made.append(told)
    return made


def _one(path: Path, told: Imported, date: str | None, assets: Path | None, lang: str | None) -> None:
    text = decode(path, told)
    front, body = split(text)
    told.kind = _kind(front)
    body = body.strip("\n")
    if not body.strip():
        raise ImportFailure("it has no text")
    title = _title(front, body, told)
    told.lang = lang or str(front.get("lang") or front.get("language") or "")[:2].lower()
    if told.lang not in SMALL_WORDS:
        told.lang = _language(f"{title}\n{body}", told)
    told.date = _date(front, date, path, told)
    number, title = _numbered(title)
    slug = slugify(str(front.get("slug") or "") or title) or "post"
    if number is not None:
        slug = re.sub(rf"^note-(?:no-)?0*{number}-(?=.)", "", slug)
    stem = f"{number:03d}-{slug}" if number is not None else slug
    key = digest(title, body)[:16]
    known = _known(key)
    if known is not None:
        told.status, told.target = "known", _shown(known)
        return
    target = paths.notebooks_dir() / "writing" / f"{stem}.{told.lang}.md"
    if any(target.parent.glob(f"{stem}.{told.lang}.*")):
        raise ImportFailure(f"{_shown(target)} is here already with another text; give one of them another slug")
    pictures = _Pictures(target.parent, stem, assets)
    safe, found = safe_markdown(_kept_lines(body), pictures.place)
    head = _front_matter(front, title, told, slug, key, safe)
    told.notes += [*_left_out(front), *found.notes]
    pictures.write()
    write_text(target, f"---\n{yaml.safe_dump(head, allow_unicode=True, sort_keys=False, width=1000)}---\n\n{safe}")
    told.target = _shown(target)


def decode(path: Path, told: Imported) -> str:
    """A text file's text, whatever its encoding and line ends. Raises ImportFailure."""
    if path.is_dir():
        raise ImportFailure("it is a folder; name the files in it")
    if path.stat().st_size > LIMIT_BYTES:
        raise ImportFailure(f"it is over {LIMIT_BYTES // 1_000_000} MB; that is no post")
    data = path.read_bytes()
    if b"\0" in data:
        raise ImportFailure("it is not text")
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError:
        text = data.decode("cp1252", errors="replace")
        told.notes.append("read as Latin-1, as it is not UTF-8")
    text = text.replace("\r\n", "\n").replace("\r", "\n")
    odd = sum(unicodedata.category(sign) == "Cc" and sign not in "\n\t\f" for sign in text)
    if odd > len(text) / 100:
        raise ImportFailure("it is not text")
    return "".join(sign for sign in text if sign in "\n\t" or unicodedata.category(sign) not in ("Cc", "Cs"))


def split(text: str) -> tuple[dict[str, Any], str]:
    """Front matter and body. Raises ImportFailure for front matter that is not YAML."""
    found = _FRONT.match(text.lstrip("\n"))
    if not found:
        return {}, text
    try:
        front = yaml.safe_load(_PLAIN_LINE.sub(_quoted, found[1]))
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        mark = getattr(error, "problem_mark", None)
        line = f", line {mark.line + 2}" if mark else ""
        raise ImportFailure(f"its front matter is not YAML{line}") from error
    if front is not None and not isinstance(front, dict):
        return {}, text  # a text between two rules, not front matter
    return {str(name): value for name, value in (front or {}).items()}, found[2]


def _quoted(line: re.Match[str]) -> str:
    """A plain value with a colon or a number sign in it, as blogs write titles, in the quotes that YAML wants."""
    if re.search(r": | #|:$", line[2]):
        return f"{line[1]}: {json.dumps(line[2].rstrip(), ensure_ascii=False)}"
    return line[0]


def _kind(front: dict[str, Any]) -> str:
    if "datePublished" in front or "cuid" in front:
        return "hashnode"
    return "eleventy" if "layout" in front or isinstance(front.get("tags"), list) else "text"


def _title(front: dict[str, Any], body: str, told: Imported) -> str:
    given = " ".join(str(front.get("title") or "").split())
    if given:
        return given[:300]
    plain = _plain(body)
    first = re.match(r".{1,120}?(?:[.!?…](?=\s|$)|\n|$)", plain) or re.match(r".{1,80}(?=\s|$)", plain)
    title = " ".join((first[0] if first else plain[:80]).split()).strip(" .")
    told.notes.append("the title is its first sentence")
    return title or "Sans titre"


def _numbered(title: str) -> tuple[int | None, str]:
    """(18, "Le reste") from "Note #018 : Le reste"."""
    found = _NUMBERED.match(title)
    if not found:
        return None, title
    rest = found[2].strip()
    return int(found[1]), f"{rest[0].upper()}{rest[1:]}" if rest else f"Note {int(found[1])}"


def _date(front: dict[str, Any], given: str | None, path: Path, told: Imported) -> str:
    for name in ("datePublished", "date", "published", "pubDate"):
        value = front.get(name)
        found = _day(value)
        if found:
            return found
        if value:
            told.notes.append(f"{name} {str(value)[:40]!r} is not a date that can be read")
    if given:
        return given
    told.notes.append("the date is that of the file; --date gives another")
    return dt.date.fromtimestamp(path.stat().st_mtime).isoformat()


def _day(value: object) -> str | None:
    """2024-04-19 from a date, or from "Fri Apr 19 2024 16:57:23 GMT+0000 (Coordinated Universal Time)"."""
    if isinstance(value, (dt.date, dt.datetime)):
        return value.isoformat()[:10]
    text = re.sub(r"\s*\(.*\)\s*$", "", str(value or "").strip())
    for pattern in ("%a %b %d %Y %H:%M:%S GMT%z", "%a, %d %b %Y %H:%M:%S %z", "%Y/%m/%d", "%d/%m/%Y"):
        try:
            return dt.datetime.strptime(text, pattern).date().isoformat()
        except ValueError:
            continue
    try:
        return dt.datetime.fromisoformat(text.replace("Z", "+00:00")).date().isoformat()
    except ValueError:
        return None


def _language(text: str, told: Imported) -> str:
    """The language that most of its small words are of."""
    share = {lang: len(words.findall(text.lower())) for lang, words in SMALL_WORDS.items()}
    lang = max(share, key=lambda one: (share[one], one == "fr"))
    told.notes.append(f"the language is taken to be {lang}; --lang gives another")
    if min(share.values()) > sum(share.values()) / 4:
        told.notes.append("it seems to mix French and English; it is one page, in one of them")
    return lang


def slugify(text: str) -> str:
    """Lower case letters, digits and hyphens, at most sixty."""
    plain = unicodedata.normalize("NFKD", text.replace("œ", "oe").replace("æ", "ae")).encode("ascii", "ignore").decode()
    return re.sub(r"[^a-z0-9]+", "-", plain.lower()).strip("-")[:60].strip("-")


def _known(key: str) -> Path | None:
    """The note that this text became before."""
    for path in sorted((paths.notebooks_dir() / "writing").glob("*.md")):
        if re.search(rf"^  digest: '?{key}'?$", path.read_text(encoding="utf-8", errors="replace"), re.MULTILINE):
            return path
    return None


def _kept_lines(body: str) -> str:
    """Without white space that ends a line inside a list, or makes up an empty one: blogs' editors leave it there."""
    body = re.sub(r"^[ \t\u00a0]+$", "", body, flags=re.MULTILINE)
    return re.sub(r"^(\s*(?:[-*+]|\d+[.)])\s.*?)[ \t]+$", r"\1", body, flags=re.MULTILINE)


def _front_matter(
    front: dict[str, Any], title: str, told: Imported, slug: str, key: str, safe: str
) -> dict[str, Any]:  # fmt: skip
    given = front.get("description") or front.get("seoDescription") or front.get("subtitle") or _beginning(safe)
    head: dict[str, Any] = {"title": _line(title), "description": _line(given)[:300]}
    head["date"] = told.date
    head["categories"] = _categories(front.get("tags") or front.get("categories"))
    address = str(front.get("canonical_url") or front.get("canonical") or front.get("canonicalUrl") or "")
    if re.match(r"https?://[^\s\"'<>]+$", address) and is_safe_address(address):
        head["canonical-url"] = address
    alias = _alias(front.get("permalink") if told.kind == "eleventy" else front.get("slug"))
    if alias:
        head["aliases"] = [alias]
    if front.get("draft") is True or front.get("published") is False:
        head["draft"] = True
    head["imported"] = {"from": told.kind, "digest": key}
    if front.get("cuid"):
        head["imported"]["cuid"] = str(front["cuid"])[:40]
    return head


def _line(value: object) -> str:
    """One line of front matter, without a shortcode that a renderer would find even there."""
    return re.sub(r"\{(?=\{[<%])", "{ ", " ".join(str(value).split()))


def _beginning(markdown: str) -> str:
    """Its first sentences, as many as make a description, or what comes before the 160th character."""
    text = " ".join(_plain(markdown).split())
    whole = re.match(r".{20,160}[.!?…](?=\s|$)", text)
    return whole[0] if whole else text if len(text) <= 160 else f"{text[:160].rsplit(' ', 1)[0]}…"


def _categories(tags: object) -> list[str]:
    given = tags if isinstance(tags, list) else str(tags or "").split(",")
    names = [_line(tag)[:40] for tag in given]
    return list(dict.fromkeys(name for name in names if name and name.lower() not in DROPPED_TAGS))


def _alias(address: object) -> str | None:
    """The path of a page on the old blog, when it is a plain one."""
    path = str(address or "").strip().removesuffix("index.html").strip("/")
    return f"/{path}" if re.fullmatch(r"[\w-]+(?:/[\w-]+)*(?:\.html)?", path) else None


def _left_out(front: dict[str, Any]) -> list[str]:
    """What the front matter said that a note here has no place for."""
    notes = []
    for name in ("coverImage", "cover", "image", "ogImage"):
        if front.get(name):
            notes.append(f"{name} {str(front[name])[:60]} is not kept: notes have no cover")
    if isinstance(front.get("permalink"), (str, bool)) and not _alias(front["permalink"]):
        notes.append(f"permalink {str(front['permalink'])[:60]!r} is not kept")
    return notes


def _plain(markdown: str) -> str:
    """A text's words, without its marks."""
    text = re.sub(r"^(```|~~~).*?^\1\s*$", " ", markdown, flags=re.DOTALL | re.MULTILINE)
    text = re.sub(r"<[^>]*>|!?\[([^\]]*)\]\([^)]*\)", r"\1", text)
    text = re.sub(r"^[#>\s*+-]+|[*`\\]|^_+$", "", text, flags=re.MULTILINE)
    return re.sub(r"[ \t]+", " ", text).strip()


def _shown(path: Path) -> str:
    return str(path.relative_to(paths.root()))


class _Pictures:
    """The images of a post: found in the folder of assets, copied when the post is written."""

    def __init__(self, writing: Path, stem: str, assets: Path | None) -> None:
        self.folder, self.assets = writing / "images" / stem, assets.resolve() if assets else None
        self.prefix = f"images/{stem}"
        self.copied: dict[str, bytes] = {}

    def place(self, address: str, shown: str) -> str | None:
        """Where an image is from now on, or None when it is not to be had."""
        path = self._find(address)
        if path is None:
            return None
        data = path.read_bytes()
        name = f"{slugify(path.stem) or 'image'}-{hashlib.sha256(data).hexdigest()[:8]}{path.suffix.lower()}"
        self.copied[name] = data
        return f"{self.prefix}/{name}"

    def _find(self, address: str) -> Path | None:
        if self.assets is None:
            return None
        local = re.sub(r"^[a-z]+://[^/]*|[?#].*$", "", address, flags=re.IGNORECASE).strip("/")
        for name in dict.fromkeys((local, local.rpartition("/")[2])):
            try:
                path = (self.assets / name).resolve()
                inside = path.is_relative_to(self.assets) and path.is_file()
            except (OSError, ValueError):
                continue
            if name and inside and path.suffix.lower() in PICTURES and path.stat().st_size <= LIMIT_BYTES:
                return path
        return None

    def write(self) -> None:
        for name, data in self.copied.items():
            with atomic(self.folder / name) as made:
                made.write_bytes(data)
