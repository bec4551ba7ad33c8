"""One style for every figure, and the way to draw one in two languages. Knows nothing of what is drawn."""

import io
from collections.abc import Callable, Mapping
from typing import Any

import matplotlib as mpl
from cycler import cycler
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, ScalarFormatter

PALETTE = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000")  # Okabe and Ito


def use_style() -> None:
    """Set the style of every later figure."""
    mpl.rcParams.update(
        {
            "axes.prop_cycle": cycler(color=PALETTE),
            "axes.spines.top": False,
            "axes.spines.right": False,
            "axes.grid": True,
            "grid.color": "#dddddd",
            "font.size": 11,
            "legend.frameon": False,
            "svg.fonttype": "path",
            "figure.facecolor": "white",
        }
    )


def _localize(fig: Figure, lang: str) -> None:
    if lang != "fr":
        return
    for ax in fig.axes:
        for axis in (ax.xaxis, ax.yaxis):
            formatter = axis.get_major_formatter()
            if type(formatter) is ScalarFormatter:
                axis.set_major_formatter(FuncFormatter(lambda value, place: f"{value:g}".replace(".", ",")))


def show(
    draw: Callable[[Figure, Mapping[str, Any]], object],
    *,
    labels: Mapping[str, Mapping[str, Any]],
    size: tuple[float, float] = (7, 4.2),
) -> None:
    """Draw once per language, `draw(fig, labels[lang])`, and display one SVG for each."""
    from IPython.display import display

    for lang, words in labels.items():
        fig = Figure(figsize=size, layout="constrained")
        draw(fig, words)
        _localize(fig, lang)
        buffer = io.StringIO()
        with mpl.rc_context({"svg.hashsalt": "guidon"}):
            fig.savefig(buffer, format="svg", metadata={"Date": None, "Creator": None})
        display({"image/svg+xml": buffer.getvalue()}, metadata={"guidon": {"lang": lang}}, raw=True)
