"""Markdown of somebody else's, made safe: nothing in it runs, on either renderer or in a browser. Knows no blogs.

The text is parsed, its parts are made harmless one by one, and it is written anew: what comes out is only what was
understood. Braces, dollars, at signs and colons that a renderer would evaluate stay visible as text.
"""

import html
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import ClassVar

import nh3
from markdown_it import MarkdownIt
from markdown_it.token import Token
from mdformat.renderer import MDRenderer

SCHEMES = {"http", "https", "mailto"}
INLINE = {"abbr", "b", "br", "code", "del", "em", "i", "ins", "kbd", "mark", "q", "s", "small", "strong", "sub", "sup"}
BLOCK = INLINE | {
    "a", "blockquote", "caption", "dd", "details", "div", "dl", "dt", "figcaption", "figure", "h2", "h3", "h4", "hr",
    "li", "ol", "p", "pre", "summary", "table", "tbody", "td", "tfoot", "th", "thead", "tr", "u", "ul",
}  # fmt: skip
ATTRIBUTES = {"a": {"href", "title"}, "td": {"colspan", "rowspan"}, "th": {"colspan", "rowspan", "scope"}}
_TAG = re.compile(r"<(?P<end>/?)(?P<name>[A-Za-z][\w-]*)[^>]*>", re.DOTALL)
_EMBED = re.compile(r"^%\[(?P<url>[^\]\s]+)\]$")  # Hashnode's


@dataclass
class Found:
    """What a text was made of: what a report tells."""

    notes: list[str] = field(default_factory=list)
    images: list[tuple[str, str]] = field(default_factory=list)  # (address, what it shows)

    def note(self, text: str) -> None:
        if text not in self.notes:
            self.notes.append(text)


Place = Callable[[str, str], "str | None"]  # an image's address and text -> where it is now, or None: a link or a mark


def safe_markdown(text: str, place: Place = lambda address, shown: None) -> tuple[str, Found]:
    """The text with nothing in it that runs, and what was found. place: see above; called once for each image."""
    found = Found()
    placed: set[str] = set()

    def kept(address: str, shown: str) -> str | None:
        where = place(address, shown)
        placed.update([where] if where else [])
        return where

    safe = _rewritten(text, found, kept)
    for _ in range(3):
        if _is_harmless(safe):
            return safe, found
        # Written anew, the marks of two parts met and made a third.
        safe = _rewritten(safe, Found(), lambda address, shown: address if address in placed else None)
    found.note("its marks are too entangled: it is shown as plain text")
    fence = "`" * max(3, 1 + max(map(len, re.findall("`+", text)), default=0))
    return f"{fence}text\n{_shown(text)}\n{fence}\n", found


def _rewritten(text: str, found: Found, place: Place) -> str:
    parser = _parser()
    return parser.renderer.render(list(_blocks(parser.parse(text), found, place)), parser.options, {})


def _is_harmless(text: str) -> bool:
    """Whether all the HTML in a text is what this module writes."""
    for token in _parser().parse(text):
        if token.type == "html_block" and html.unescape(_clean(token.content)) != html.unescape(token.content):
            return False
        for child in token.children or []:
            tag = _TAG.fullmatch(child.content) if child.type == "html_inline" else None
            if child.type == "html_inline" and (tag is None or f"<{tag['end']}{tag['name']}>" != child.content):
                return False
            if tag and tag["name"] not in INLINE:
                return False
    return True


def _clean(markup: str) -> str:
    return nh3.clean(markup, tags=BLOCK, attributes=ATTRIBUTES, url_schemes=SCHEMES, link_rel=None)


def is_safe_address(address: str) -> bool:
    """Whether a link may lead there: relative, or of a scheme that opens nothing but a page or a letter."""
    plain = re.sub(r"[\s\x00-\x1f\x7f\u200b-\u200f]", "", html.unescape(address))
    scheme = re.match(r"([^/?#:]*):", plain)
    return scheme is None or scheme[1].lower() in SCHEMES


class _Evaluated:
    """A parser extension: what renderers evaluate in text stays text."""

    RENDERERS: ClassVar[dict[str, Callable[..., str]]] = {}
    POSTPROCESSORS: ClassVar[dict[str, Callable[..., str]]] = {
        # mdformat itself escapes a `<` only where it sees a tag begin, and misses one behind another.
        "text": lambda text, node, context: re.sub(r"(?<!\\)((?:\\\\)*)(?:\\?(<)|([{}$@]))", r"\1\\\2\3", text),
        "paragraph": lambda text, node, context: re.sub(r"^( {0,3}):", r"\1\\:", text, flags=re.MULTILINE),
    }


def _parser() -> MarkdownIt:
    from mdformat.plugins import PARSER_EXTENSIONS

    parser = MarkdownIt("commonmark", renderer_cls=MDRenderer)  # type: ignore[arg-type]
    parser.options["mdformat"] = {}
    parser.options["parser_extension"] = [PARSER_EXTENSIONS["tables"], PARSER_EXTENSIONS["gfm"], _Evaluated]
    parser.enable(["table", "strikethrough"])
    return parser


def _blocks(tokens: list[Token], found: Found, place: Place) -> Iterator[Token]:
    for token in tokens:
        if token.type == "fence":
            told = token.info.strip()
            word = re.match(r"\{?[=.\s]*([A-Za-z][\w+#-]*)", told)
            if told.startswith("{"):
                found.note(f"a code block `{told[:30]}` is shown, not run")
            token.info = word[1] if word else ""
        if token.type in ("fence", "code_block"):
            token.content = _shown(token.content)
        if token.type == "html_block":
            yield from _markup(token.content, found, place)
            continue
        if token.type == "inline":
            token.children = _inline(token.children or [], found, place)
        yield token


def _shown(code: str) -> str:
    """Code without a shortcode that a renderer would find even there."""
    return re.sub(r"\{\{(?=[<%])", "{{ ", code)


def _text(content: str) -> Token:
    return Token("text", "", 0, content=content)


def _inline(children: list[Token], found: Found, place: Place) -> list[Token]:
    made: list[Token] = []
    opened: list[str] = []
    links = 0
    for token in children:
        if token.type == "html_inline":
            made += _tag(token.content, opened, found, place)
        elif token.type == "image":
            made += _image(str(token.attrs.get("src", "")), token.content, found, place, linked=bool(links))
        elif token.type == "link_open":
            links += 1
            address = str(token.attrs.get("href", ""))
            if not is_safe_address(address):
                token.attrs["href"] = "#"
                found.note(f"a link to {address[:40]!r} leads nowhere now")
            token.info = ""  # an address in angle brackets becomes an ordinary link
            token.attrs = {name: value for name, value in token.attrs.items() if name in ("href", "title")}
            made.append(token)
        elif token.type == "code_inline":
            token.content = _shown(token.content)
            made += [_text(" "), token] if made and made[-1].type == "code_inline" else [token]
        else:
            links -= token.type == "link_close"
            embed = _EMBED.match(token.content) if token.type == "text" else None
            made += _link(embed["url"], embed["url"], found, "an embed is a link now") if embed else [token]
    return made + [Token("html_inline", "", 0, content=f"</{name}>") for name in reversed(opened)]


def _link(address: str, shown: str, found: Found, note: str) -> list[Token]:
    found.note(f"{note}: {address[:80]}")
    if not is_safe_address(address):
        return [_text(shown)]
    return [Token("link_open", "a", 1, attrs={"href": address}), _text(shown), Token("link_close", "a", -1)]


def _image(address: str, shown: str, found: Found, place: Place, linked: bool = False) -> list[Token]:
    found.images.append((address, shown))
    kept = place(address, shown)
    if kept is not None:
        return [Token("image", "img", 0, attrs={"src": kept, "alt": ""}, content=shown, children=[_text(shown)])]
    name = shown or address.rpartition("/")[2][:60]
    if re.match(r"https?://", address) and not linked:
        return _link(address, f"image : {name}", found, "an image elsewhere is a link now")
    found.note(f"missing image {address[:60]}")
    return [_text(f"[image : {name}]")]


def _tag(markup: str, opened: list[str], found: Found, place: Place) -> list[Token]:
    """A tag inside a paragraph: kept bare when it is harmless, so that what it stood around stays as text."""
    tag = _TAG.fullmatch(markup)
    if tag is None:  # a comment, a declaration
        return []
    name = tag["name"].lower()
    if name == "br":
        return [Token("hardbreak", "br", 0)]
    if name == "img":
        return [token for address, shown in _images(markup) for token in _image(address, shown, found, place)]
    if name not in INLINE:
        if not tag["end"] and name not in ("a", "p", "span", "div", "font", "center"):
            found.note(f"<{name}> was left out")
        return []
    if not tag["end"]:
        opened.append(name)
    elif name in opened:
        while opened[-1] != name:  # what was opened inside it ends with it
            opened.pop()
        opened.pop()
    else:
        return []
    return [Token("html_inline", "", 0, content=f"<{tag['end']}{name}>")]


def _markup(markup: str, found: Found, place: Place) -> Iterator[Token]:
    """A block of HTML: sanitized, its images and embeds behind it as Markdown."""
    for name in sorted(
        {tag["name"].lower() for tag in _TAG.finditer(markup)} - BLOCK - {"img", "iframe", "span", "center"}
    ):
        found.note(f"<{name}> was left out")
    clean = re.sub(r"\n\s*\n", "\n", _clean(markup)).strip()
    words = re.sub(r"<[^>]*>|&nbsp;|\s", "", clean)
    if words:
        yield Token("html_block", "", 0, content=_shown_markup(clean) + "\n", block=True)
    behind: list[Token] = []
    for address, shown in _images(markup):
        behind += [*_image(address, shown, found, place), Token("softbreak", "br", 0)]
    for address in _frames(markup):
        behind += [*_link(address, address, found, "an embed is a link now"), Token("softbreak", "br", 0)]
    if behind:
        yield Token("paragraph_open", "p", 1, block=True)
        yield Token("inline", "", 0, block=True, children=behind[:-1])
        yield Token("paragraph_close", "p", -1, block=True)


def _shown_markup(markup: str) -> str:
    """Sanitized HTML whose text no renderer evaluates; it begins with a tag that makes a block of it."""
    for sign in "{}$@`[]":
        markup = markup.replace(sign, f"&#{ord(sign)};")
    return markup if markup.startswith("<div>") else f"<div>\n{markup}\n</div>"


def _tags(markup: str, name: str) -> Iterator[dict[str, str]]:
    """The attributes of these tags: nh3 writes each as name="value", whatever it was given."""
    clean = nh3.clean(markup, tags={name}, attributes={name: {"src", "alt"}}, url_schemes=SCHEMES, link_rel=None)
    for tag in re.finditer(rf'<{name}((?:\s+[\w-]+="[^"]*")*)\s*/?>', clean):
        yield {one: html.unescape(value) for one, value in re.findall(r'([\w-]+)="([^"]*)"', tag[1])}


def _images(markup: str) -> list[tuple[str, str]]:
    return [(one["src"], one.get("alt", "")) for one in _tags(markup, "img") if one.get("src")]


def _frames(markup: str) -> list[str]:
    return [one["src"] for one in _tags(markup, "iframe") if re.match(r"https?://", one.get("src", ""))]
