import math
import re

import matplotlib as mpl
import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lib.lab import paths, plots

LABELS = {"fr": {"x": "temps (s)"}, "en": {"x": "time (s)"}}


@pytest.fixture
def shown(monkeypatch):
    """What is displayed: (data, metadata) of each."""
    found = []

    def display(data, metadata, raw):
        assert raw
        found.append((data, metadata))

    monkeypatch.setattr("IPython.display.display", display)
    return found


def draw(fig, words):
    ax = fig.subplots()
    ax.plot([0, 0.5, 1], [0, 12_000.5, 30_000])
    ax.set_xlabel(words["x"])


def texts(shown, drawing, **options):
    """The texts of each language's figure, with text kept as text."""
    with mpl.rc_context({"svg.fonttype": "none"}):
        plots.show(drawing, labels=LABELS, **options)
    svgs = [data["image/svg+xml"] for data, _ in shown]
    return [re.findall(r"<text [^>]*>([^<]*)</text>", svg) for svg in svgs]


def test_a_figure_is_displayed_once_a_language(shown):
    seen = []
    plots.show(lambda fig, words: seen.append((words["lang"], words["x"])), labels=LABELS)
    assert seen == [("fr", "temps (s)"), ("en", "time (s)")]
    assert [metadata for _, metadata in shown] == [{"guidon": {"lang": "fr"}}, {"guidon": {"lang": "en"}}]
    for data, _ in shown:
        assert list(data) == ["image/svg+xml"]
        assert "<svg" in data["image/svg+xml"]


def test_the_numbers_on_axes_are_typeset_in_the_language(shown):
    fr, en = texts(shown, draw)
    assert {"temps (s)", "0,2", "10\u202f000"} <= set(fr)
    assert {"time (s)", "0.2", "10,000"} <= set(en)
    assert not any("." in text for text in fr)


def test_years_stay_whole_and_written_labels_stay_as_they_are(shown):
    def years(fig, words):
        left, right = fig.subplots(1, 2)
        left.set_xlim(2018, 2022)
        left.set_xticks([2018, 2020, 2022])
        right.set_xticks([0, 1], ["v1.5", "v20000.5"])
        right.yaxis.set_major_formatter(lambda value, _: f"{value:.1f} s")

    fr, en = texts(shown, years)
    for found in (fr, en):
        assert {"2018", "2020", "2022", "v1.5", "v20000.5", "0.0 s"} <= set(found)


def test_percentages_and_shared_axes_are_typeset_too(shown):
    def shared(fig, words):
        axes = fig.subplots(1, 2, sharey=True)
        axes[0].yaxis.set_major_formatter(mpl.ticker.PercentFormatter(1, decimals=1))
        axes[0].set_yticks([0, 0.125])

    fr, en = texts(shown, shared)
    assert (fr.count("12,5\u00a0%"), en.count("12.5%")) == (1, 1)


def test_the_same_drawing_gives_the_same_bytes_and_tells_no_date_or_place(shown, tmp_path, monkeypatch):
    plots.show(draw, labels=LABELS)
    monkeypatch.chdir(tmp_path)
    plots.show(draw, labels=LABELS)
    assert shown[:2] == shown[2:]
    for data, _ in shown:
        svg = data["image/svg+xml"]
        assert not re.search(r"dc:date|dc:creator|Matplotlib|20\d\d-\d\d", svg)
        assert not re.search(r"file:|\.py|site-packages", svg)
        assert str(paths.root()) not in svg


def test_the_size_is_in_inches(shown):
    plots.show(draw, labels={"en": LABELS["en"]}, size=(5, 3))
    assert 'width="360pt" height="216pt"' in shown[0][0]["image/svg+xml"]


def test_the_style_has_a_marker_for_each_colour():
    with mpl.rc_context():
        plots.use_style()
        assert mpl.rcParams["axes.prop_cycle"].by_key()["color"] == list(plots.PALETTE)
    assert len(set(plots.PALETTE)) == len(set(plots.MARKERS)) == len(plots.PALETTE) == len(plots.MARKERS)


@pytest.mark.parametrize(
    ("value", "options", "fr", "en"),
    [
        (1234.5, {"decimals": 1}, "1\u202f234,5", "1,234.5"),
        (1234567, {}, "1\u202f234\u202f567", "1,234,567"),
        (-0.25, {"decimals": 2}, "\u22120,25", "\u22120.25"),
        (-0.04, {"decimals": 1}, "0,0", "0.0"),
        (0.125, {"decimals": 1, "percent": True}, "12,5\u00a0%", "12.5%"),
        (12, {"percent": True}, "1\u202f200\u00a0%", "1,200%"),
        (math.nan, {}, "nan", "nan"),
        (-math.inf, {"decimals": 2}, "\u2212inf", "\u2212inf"),
    ],
)
def test_numbers_are_written_as_the_language_does(value, options, fr, en):
    assert plots.number(value, "fr", **options) == fr
    assert plots.number(value, "en", **options) == en


@given(st.floats(), st.integers(0, 6), st.booleans())
def test_any_number_can_be_written(value, decimals, percent):
    fr, en = (plots.number(value, lang, decimals, percent) for lang in ("fr", "en"))
    plain = f"{100 * value if percent else value:z.{decimals}f}" + "%" * percent
    assert en.replace(",", "").replace("\u2212", "-") == plain
    if "n" in plain:  # nan or inf
        return
    end = r"\u00a0%" if percent else ""
    assert re.fullmatch(rf"−?\d{{1,3}}(\u202f\d{{3}})*(,\d{{{decimals}}})?{end}", fr)
    assert fr.translate({0x202F: ",", 0xA0: None, ord(","): "."}) == en


@given(st.text(), st.sampled_from(["fr", "en"]), st.booleans())
def test_any_text_can_be_typeset(text, lang, grouped):
    found = plots.typeset(text, lang, grouped)
    assert (found == text) or re.search(r"\d", text)


@given(st.integers(0, 10**12), st.integers(0, 999), st.sampled_from([" s", "%", " à 3 €", "", " (n)"]))
def test_text_around_a_number_is_kept(whole, thousandths, after):
    plain = f"x = {whole}.{thousandths:03d}{after}"
    en, fr = plots.typeset(plain, "en"), plots.typeset(plain, "fr")
    assert en == f"x = {whole:,}.{thousandths:03d}{after}"
    assert fr == f"x = {whole:,}".replace(",", "\u202f") + f",{thousandths:03d}" + after.replace("%", "\u00a0%")
    assert plots.typeset(plain, "fr", grouped=False).startswith(f"x = {whole},{thousandths:03d}")


FRAME = pd.DataFrame(
    {"name": ["<b> & co", "b"], "n": [11545, -2], "score": [0.12345, math.nan], "good": [True, False], "rest": [1, 2]}
)


def test_a_table_is_escaped_and_its_numbers_are_typeset_and_aligned(shown):
    headings = {"score": "MRR <10>", "name": "Nom", "n": "Articles", "good": "Bon"}
    columns = {"fr": headings, "en": {"score": "MRR", "name": "Name"}}
    plots.table(FRAME, columns=columns, caption={"fr": "Un & deux", "en": "One"}, decimals=2)
    (fr, metadata_fr), (en, metadata_en) = shown
    assert (metadata_fr, metadata_en) == ({"guidon": {"lang": "fr"}}, {"guidon": {"lang": "en"}})
    markup = fr["text/html"]
    assert "<caption>Un &amp; deux</caption>" in markup
    assert re.findall(r'<th scope="col">(.*?)</th>', markup) == ["MRR &lt;10&gt;", "Nom", "Articles", "Bon"]
    right = ' style="text-align:right"'
    cells = re.findall(r"<td(.*?)>(.*?)</td>", markup)
    assert cells[:4] == [(right, "0,12"), ("", "&lt;b&gt; &amp; co"), (right, "11\u202f545"), ("", "True")]
    assert cells[4:] == [(right, "nan"), ("", "b"), (right, "\u22122"), ("", "False")]
    assert re.findall(r"<td.*?>(.*?)</td>", en["text/html"]) == ["0.12", "&lt;b&gt; &amp; co", "nan", "b"]


def test_a_tables_numpy_numbers_are_numbers_too(shown):
    frame = pd.DataFrame({"a": np.array([1.5], dtype=np.float32), "b": np.array([1500], dtype=np.int16)})
    plots.table(frame, columns={"fr": {"a": "a", "b": "b"}}, caption={"fr": ""}, decimals=1)
    assert re.findall(r"<td.*?>(.*?)</td>", shown[0][0]["text/html"]) == ["1,5", "1\u202f500"]


def test_a_compact_drawing_is_the_same_picture_in_fewer_bytes(monkeypatch, shown):
    import io

    import resvg_py
    from PIL import Image

    plain = []
    monkeypatch.setattr(plots, "_compact", lambda svg: plain.append(svg) or svg)
    plots.show(draw, labels=LABELS)
    monkeypatch.undo()
    assert len(plain) == 2
    for svg in plain:
        small = plots._compact(svg)
        assert len(small) < 0.9 * len(svg)
        both = [bytes(resvg_py.svg_to_bytes(svg_string=one, dpi=96)) for one in (svg, small)]
        before, after = (np.asarray(Image.open(io.BytesIO(png)).convert("L"), dtype=int) for png in both)
        assert before.shape == after.shape
        assert abs(before - after).mean() < 0.2  # of 255 grey levels
        assert abs(before - 255).mean() > 1  # not an empty page
