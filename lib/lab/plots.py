"""One style for every figure, and the way to show a figure or a table in two languages. Knows nothing of what is drawn.

Figures are 6.4 inches wide in 12-point type: on a phone 390 pixels wide the type is still some 9 pixels high.
"""

import html
import io
import re
from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING, Any

import matplotlib as mpl
from cycler import cycler
from matplotlib.axis import Axis
from matplotlib.figure import Figure
from matplotlib.ticker import Formatter, PercentFormatter, ScalarFormatter

if TYPE_CHECKING:
    import pandas as pd

PALETTE = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000")  # Okabe and Ito
MARKERS = ("o", "s", "^", "D", "v", "P", "X")  # one for each colour: told apart without colour too
NBSP, THIN, MINUS = "\u00a0", "\u202f", "\u2212"
_NUMBER = re.compile(r"(\d+)(?:\.(\d+))?")


def use_style() -> None:
    """Set the style of every later figure."""
    mpl.rcParams.update(
        {
            "axes.prop_cycle": cycler(color=PALETTE),
            "axes.spines.top": False,
            "axes.spines.right": False,
            "axes.grid": True,
            "axes.axisbelow": True,
            "axes.formatter.useoffset": False,
            "axes.formatter.limits": (-4, 9),
            "axes.titlesize": 12,
            "axes.titlelocation": "left",
            "grid.color": "#dddddd",
            "font.size": 12,
            "legend.fontsize": 11,
            "legend.frameon": False,
            "svg.fonttype": "path",
            "figure.facecolor": "white",
        }
    )


def show(
    draw: Callable[[Figure, Mapping[str, Any]], object],
    *,
    labels: Mapping[str, Mapping[str, Any]],
    size: tuple[float, float] = (6.4, 4.2),
) -> None:
    """Draw once per language, `draw(fig, labels[lang])`, and display one SVG for each.

    size: inches. `draw` also finds the language under "lang", for `number`. The numbers on axes are typeset for the
    language. The same drawing gives the same bytes.
    """
    for lang, words in labels.items():
        fig = Figure(figsize=size, layout="constrained")
        draw(fig, {"lang": lang, **words})
        for axis in (axis for ax in fig.axes for axis in (ax.xaxis, ax.yaxis)):
            _localize(axis, lang)
        buffer = io.StringIO()
        with mpl.rc_context({"svg.hashsalt": "guidon"}):
            fig.savefig(buffer, format="svg", metadata={"Date": None, "Creator": None})
        _display("image/svg+xml", _compact(buffer.getvalue()), lang)


def table(
    frame: "pd.DataFrame",
    *,
    columns: Mapping[str, Mapping[str, str]],
    caption: Mapping[str, str],
    decimals: int = 3,
) -> None:
    """Display a frame as one HTML table per language.

    columns: {"fr": {column: heading}, ...}, only these are shown, in this order; caption: {"fr": text, ...};
    decimals: of floats.
    """
    for lang, headings in columns.items():
        rows = frame[list(headings)].itertuples(index=False, name=None)
        cells = ["".join(_cell(value, lang, decimals) for value in row) for row in rows]
        display_table(lang, headings.values(), cells, caption[lang])


def display_table(lang: str, headings: Iterable[str], rows: Iterable[str], caption: str) -> None:
    """Display one language's table. rows: markup of each row's cells, already escaped."""
    head = "".join(f'<th scope="col">{html.escape(heading)}</th>' for heading in headings)
    body = "".join(f"<tr>{cells}</tr>" for cells in rows)
    title = f"<caption>{html.escape(caption)}</caption>"
    _display("text/html", f"<table>{title}<thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>", lang)


def number(value: float, lang: str, decimals: int = 0, percent: bool = False) -> str:
    """A number as the language writes it, for text inside a figure: 1 234,5 or 1,234.5; 12 % or 12%."""
    text = f"{100 * value if percent else value:z.{decimals}f}".replace("-", MINUS) + "%" * percent
    return typeset(text, lang)


def typeset(text: str, lang: str, grouped: bool = True) -> str:
    """Text whose plain numbers (1234.5) are typeset for the language; `grouped` separates thousands."""
    comma, point = (THIN, ",") if lang == "fr" else (",", ".")

    def one(match: re.Match[str]) -> str:
        whole = f"{int(match[1]):,}".replace(",", comma) if grouped else match[1]
        return whole + (point + match[2] if match[2] else "")

    return re.sub(r"(?<=\d)%", f"{NBSP}%" if lang == "fr" else "%", _NUMBER.sub(one, text))


class Localized(Formatter):
    """Another formatter's tick labels, typeset for a language."""

    def __init__(self, plain: Formatter, lang: str) -> None:
        self.plain, self.lang = plain, lang

    def __call__(self, x: float, pos: int | None = None) -> str:
        return typeset(self.plain(x, pos), self.lang)

    def format_ticks(self, values: list[float]) -> list[str]:
        """Labels of all ticks. Thousands are separated from 10,000 on, so that years stay whole."""
        labels = self.plain.format_ticks(values)
        grouped = any(re.search(r"\d{5}", label) for label in labels)
        return [label if "$" in label else typeset(label, self.lang, grouped) for label in labels]

    def get_offset(self) -> str:
        """What the plain formatter took out of the labels."""
        return self.plain.get_offset()

    def set_locs(self, locs: Any) -> None:
        """Pass on where the ticks are."""
        self.plain.set_locs(locs)


def _localize(axis: Axis, lang: str) -> None:
    """Typeset an axis's numbers; labels that the author wrote or formats are left as they are."""
    plain = axis.get_major_formatter()
    if type(plain) in (ScalarFormatter, PercentFormatter):
        localized = Localized(plain, lang)
        localized.axis = axis
        axis.major.formatter = localized  # set_major_formatter would undo the ticks' sharing between axes


def _compact(svg: str) -> str:
    """The same drawing in fewer bytes: figures are kept with results, and pages load them."""
    svg = re.sub(r"<metadata>.*?</metadata>", "", svg, flags=re.DOTALL)
    svg = re.sub(r"[ \n]+", " ", re.sub(r">[ \n]+<", "><", svg))
    svg = re.sub(
        r' id="(?:text|line2d|matplotlib\.axis|[xy]tick|patch|axes|legend|figure|\w*Collection)_?\d*"', "", svg
    )
    return re.sub(r"(?<!scale\()(?<![\d.])(\d+\.\d\d)\d+", r"\1", svg)  # a hundredth of a point is enough


def _cell(value: object, lang: str, decimals: int) -> str:
    import numbers

    if isinstance(value, bool) or not isinstance(value, numbers.Real):
        return f"<td>{html.escape(str(value))}</td>"
    text = number(float(value), lang, 0 if isinstance(value, numbers.Integral) else decimals)
    return f'<td style="text-align:right">{text}</td>'


def _display(kind: str, content: str, lang: str) -> None:
    from IPython.display import display

    display({kind: content}, metadata={"guidon": {"lang": lang}}, raw=True)
