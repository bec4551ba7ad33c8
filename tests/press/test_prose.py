import pytest
from hypothesis import given
from hypothesis import strategies as st

from lib.press import prose
from lib.press.prose import Context, ProseError, UnknownName, Where, fill

RECORD = {
    "results": {
        "mrr": {"value": 0.2184, "ci": [0.1931, 0.2444], "unit": None},
        "gain": {"value": -0.0312, "ci": [-0.05, -0.01]},
        "count": {"value": 11545, "unit": "articles"},
        "time": {"value": 83.4, "unit": "s"},
        "part": {"value": 0.5424, "ci": [0.478, 0.6], "unit": "share"},
        "quotient": {"value": 1.4943, "unit": "times"},
        "cost": {"value": 1.7729, "unit": "bits/byte"},
        "rows": {"value": [{"a": 1, "b": 0.5}, {"a": 2, "b": 0.25}]},
        "flag": {"value": True},
    },
    "parameters": {"seed": 3},
    "provenance": {"date": "2026-11-01T10:00:00+00:00"},
    "verdict": {"value": "mixed"},
}
CONTEXT = Context(RECORD, other={"rag": RECORD}.get)


@pytest.mark.parametrize(
    ("text", "fr", "en"),
    [
        ("{{ mrr }}", "0,218", "0.218"),
        ("{{ mrr | number(2) }}", "0,22", "0.22"),
        ("{{ mrr | percent }}", "22\u00a0%", "22%"),
        ("{{ mrr|percent(1) }}", "21,8\u00a0%", "21.8%"),
        ("{{ mrr | ci }}", "de 0,193 à 0,244", "0.193 to 0.244"),
        ("{{ mrr | ci(percent) }}", "de 19,3\u00a0% à 24,4\u00a0%", "19.3% to 24.4%"),
        ("{{ mrr | ci(percent 0) }}", "de 19\u00a0% à 24\u00a0%", "19% to 24%"),
        ("{{ gain | signed(2) }}", "\u22120,03", "\u22120.03"),
        ("{{ count }}", "11\u202f545", "11,545"),
        ("{{ part | signed(percent) }}", "+54\u00a0%", "+54%"),
        ("{{ part | signed(percent, 1) }}", "+54,2\u00a0%", "+54.2%"),
        ("{{ part | unit }}", "54\u00a0%", "54%"),
        ("{{ quotient | unit }}", "1,5\u00a0fois", "1.5\u00a0times"),
        ("{{ cost | unit(2) }}", "1,77\u00a0bits par octet", "1.77\u00a0bits per byte"),
        ("{{ count | unit }}", "11\u202f545\u00a0articles", "11,545\u00a0articles"),
        ("{{ mrr | ratio(2) }}", "0,22\u00a0fois", "0.22\u00a0times"),
        ("{{ time | duration }}", "1\u00a0min 23\u00a0s", "1\u00a0min 23\u00a0s"),
        ("{{ count | money }}", "11\u202f545,00\u00a0€", "€11,545.00"),
        ("{{ provenance.date | date }}", "1er novembre 2026", "1 November 2026"),
        ("{{ parameters.seed }}", "3", "3"),
        ("{{ flag }}", "oui", "yes"),
        ("{{ verdict }}", "tient en partie", "holds in part"),
        ("{{ rag.mrr }}", "0,218", "0.218"),
        ("{{ rag.parameters.seed }}", "3", "3"),
        ("{{ rows | table(a) }}", "| a |\n| --- |\n| 1 |\n| 2 |", "| a |\n| --- |\n| 1 |\n| 2 |"),
    ],
)
def test_values_are_typeset_in_the_language(text, fr, en):
    assert (fill(text, CONTEXT, "fr", Where("f")), fill(text, CONTEXT, "en", Where("f"))) == (fr, en)


@pytest.mark.parametrize(
    "kept",
    [
        "`{{ mrr }}`",
        "```python\n{{ mrr }}\n```",
        "$x_{{ mrr }}$",
        "$$\n{{ mrr }}\n$$",
        "{{< include a.md >}}",
        "<!-- {{ mrr }} -->",
    ],
)
def test_code_mathematics_and_shortcodes_are_left_alone(kept):
    assert fill(f"a {kept} b" if "\n" not in kept else f"a\n\n{kept}\n", CONTEXT, "fr", Where("f")).find(kept) > 0


def test_a_brace_can_be_meant():
    assert fill(r"\{{ mrr }} is {{ mrr }}", CONTEXT, "en", Where("f")) == "{{ mrr }} is 0.218"


def test_a_price_is_not_mathematics():
    assert fill("5 $ and {{ mrr }} $", CONTEXT, "en", Where("f")) == "5 $ and 0.218 $"


def test_an_unknown_name_is_placed_and_the_nearest_given():
    with pytest.raises(UnknownName, match=r"a\.ipynb, cell 4, line 3: unknown name mmr; did you mean mrr"):
        fill("one\n\ntwo {{ mmr }}", CONTEXT, "fr", Where("a.ipynb", 4))
    with pytest.raises(UnknownName, match=r"absent\.mrr"):
        fill("{{ absent.mrr }}", CONTEXT, "fr", Where("f"))


@pytest.mark.parametrize(
    "text", ["{{ mrr | nope }}", "{{ count | ci }}", "{{ flag | percent }}", "{{ mrr | number(x) }}", "{{ mrr | }}"]
)
def test_a_wrong_filter_is_refused(text):
    with pytest.raises(ProseError):
        fill(text, CONTEXT, "fr", Where("f"))


def test_names_are_listed_with_their_lines():
    assert list(prose.names("{{ a }}\n`{{ no }}`\n{{ b.c | ci }}")) == [("a", 1), ("b.c", 3)]


@given(st.text(alphabet="ab `$\\{}|\n<!->~é", max_size=80))
def test_text_without_names_comes_back_or_is_refused_clearly(text):
    try:
        filled = fill(text, Context(), "fr", Where("f"))
    except ProseError:
        return
    assert filled == text.replace("\\{{", "{{")


@given(st.floats(-1e9, 1e9, allow_nan=False), st.integers(0, 4))
def test_numbers_written_in_english_read_back(value, places):
    text = fill(f"{{{{ x | number({places}) }}}}", Context({"results": {"x": {"value": value}}}), "en", Where("f"))
    assert abs(float(text.replace(",", "").replace("\u2212", "-")) - value) <= 0.5 * 10**-places * 1.000001 + 1e-6


def test_what_no_record_holds_is_told_with_what_is_near():
    own = {"results": {"mrr": {"value": 1}}, "parameters": {}}
    context = Context(own, {"other": {"results": {"hit": {"value": 2}}}}.get)
    for name, said in {
        "mr": "did you mean mrr?", "other.hot": "did you mean other.hit, other.verdict?",
        "none.x": "no result of none is accepted",
        "zzzzzz": "the record has no such name",
    }.items():  # fmt: skip
        with pytest.raises(UnknownName) as caught:
            fill(f"a\n{{{{ {name} }}}}", context, "fr", Where("a.qmd", line=7))
        assert str(caught.value) == f"a.qmd, line 8: unknown name {name}; {said}"


@pytest.mark.parametrize(
    ("ci", "places", "shown"),
    [
        ([0.48, 0.6], "0", "48% to 60%"),
        ([-0.00006, 0.00036], "2", "\u22120.01% to 0.04%"),
        ([0.118, 0.131], "0", "12% to 13%"),
        ([0.5, 0.5], "0", "50% to 50%"),
    ],
)
def test_a_share_is_told_as_finely_as_its_interval_needs(ci, places, shown):
    result = {"value": sum(ci) / 2, "ci": ci, "unit": "share"}
    assert prose.share_places(result) == places
    assert prose.format_result(result, "ci", "en", f"percent, {places}") == shown
    assert prose.share_places({"value": 0.5, "unit": "share"}) == "0"


@pytest.mark.parametrize(
    ("level", "shown"), [(None, "95%"), (0.95, "95%"), (0.975, "97.5%"), (1 - 0.05 / 3, "98.33%"), (0.9875, "98.75%")]
)
def test_an_interval_tells_its_level(level, shown):
    result = {"value": 1, "ci": [0, 2]} | ({"level": level} if level else {})
    assert prose.format_result(result, "level", "en") == shown
    with pytest.raises(ValueError, match="no interval"):
        prose.format_result({"value": 1}, "level", "en")


@pytest.mark.parametrize("value", [-0.0004, -0.0, 0.0])
def test_zero_has_no_minus(value):
    assert fill("{{ x | percent }}", Context({"results": {"x": {"value": value}}}), "fr", Where("f")) == "0\u00a0%"
    assert fill("{{ x | number(2) }}", Context({"results": {"x": {"value": value}}}), "en", Where("f")) == "0.00"
