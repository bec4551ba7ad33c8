import pytest

from lib.press import beside
from lib.press.pages import Page


def page(name, series="data", number=None, categories=(), lang="fr", **more):
    path = f"{'' if lang == 'fr' else 'en/'}posts/{name}.html"
    return Page(lang, path, name.title(), "d", "claim", series=series, number=number, categories=[*categories], **more)


EVERY = [
    page("ten", number=10, categories=["a"]), page("two", number=2), page("one", number=1, categories=["a", "b"]),
    page("far", "models", 1, ["a", "b"]), page("near", "models", 2, ["b"]), page("apart", "models", 3, ["c"]),
    page("other", lang="en", number=3, categories=["a"]), Page("fr", "about.html", "About", "d", "page"),
]  # fmt: skip


def named(pages):
    return [one.title for one in pages]


def test_a_series_goes_by_number_and_stays_in_its_language():
    one, two, ten = EVERY[2], EVERY[1], EVERY[0]
    assert (beside.around(one, EVERY).previous, beside.around(one, EVERY).next) == (None, two)
    assert (beside.around(two, EVERY).previous, beside.around(two, EVERY).next) == (one, ten)
    assert beside.around(ten, EVERY).next is None
    assert beside.around(EVERY[6], EVERY) == beside.Around()


def test_related_posts_share_the_most_categories_and_are_not_neighbours():
    assert named(beside.around(EVERY[2], EVERY).related) == ["Far", "Near", "Ten"]
    assert named(beside.around(EVERY[1], EVERY).related) == []
    assert beside.around(EVERY[7], EVERY) == beside.Around()


def test_links_lead_there_and_say_what_they_are():
    markup = beside.markup(EVERY[1], beside.around(EVERY[1], EVERY))
    assert '<a rel="prev" href="../posts/one.html">One</a>' in markup
    assert '<a rel="next" href="../posts/ten.html">Ten</a>' in markup
    assert "Précédent" in markup
    assert beside.markup(EVERY[7], beside.Around()) == ""


def test_a_named_series_of_notes_lists_all_of_them():
    notes = [
        Page("fr", f"posts/{name}.html", name, "d", "note", f"2026-01-0{day}", series=series)
        for day, (name, series) in enumerate([("b", "Mélange"), ("a", "Mélange"), ("c", "notes"), ("d", "Seule")], 1)
    ]
    assert named(beside.around(notes[1], notes).series) == ["b", "a"]
    markup = beside.markup(notes[1], beside.around(notes[1], notes))
    assert 'id="series">Série\u00a0: Mélange</p>' in markup
    assert '<li><a href="../posts/b.html">b</a></li><li>a</li></ol>' in markup
    assert [beside.around(note, notes).series for note in notes[2:]] == [(), ()]


@pytest.mark.parametrize(
    ("alias", "path"),
    [
        ("/old", "old/index.html"), ("/a/b.html", "a/b.html"), ("/../up", None), ("//evil.example", "evil.example"),
        ("/a b", None), ("", None), ("/posts/one.html", "posts/one.html"),
    ],
)  # fmt: skip
def test_an_old_address_leads_here_and_stays_inside(tmp_path, alias, path):
    out = tmp_path / "site"
    (out / "posts").mkdir(parents=True)
    (out / "posts/one.html").write_text("a page")
    beside.redirect(page("new", aliases=[alias]), out, "https://x.example/posts/new.html", "data-x")
    made = {str(one.relative_to(tmp_path)) for one in tmp_path.rglob("*") if one.is_file()} - {"site/posts/one.html"}
    assert (out / "posts/one.html").read_text() == "a page"
    if alias in ("/old", "/a/b.html"):
        assert made == {f"site/{path}"}
        assert "posts/new.html" in (out / path).read_text()
    else:
        assert made == set()
