import io
import json
import re
import tarfile

import pytest

from lib.lab import archives, corpus, paths, sources

MARKUP = r"</?[A-Za-z][^>]*>|&#|&(?:amp|nbsp|eacute|lt|gt|quot|apos|rsquo);"
BROKEN = "Ã©|Ã¨|Ã |â€|\ufffd"  # letters lost before us


def parsed(parse, content):
    text = content if isinstance(content, str) else json.dumps(content)
    return list(parse(io.BytesIO(text.encode())))


@pytest.mark.parametrize(
    ("marked", "expected"),
    [
        ("<p>Un  salarié</p><p>à l'essai</p>", "Un salarié à l'essai"),
        ("L. 1221<sup>er</sup>, l<b>oi</b>", "L. 1221er, loi"),
        ("a&nbsp;: &eacute;t&eacute; &lt; 3 &amp; 4", "a\xa0: été < 3 & 4"),
        ("un<br/>deux\r\n\ttrois", "un deux trois"),
        ('<a href="#" title="x">ici</a>, là', "ici, là"),
        ("moins de 3 < 4 et 5 > 2", "moins de 3 < 4 et 5 > 2"),
        ("l’œuvre « Noël »", "l’œuvre « Noël »"),
        ("", ""),
    ],
)
def test_plain_text_has_no_markup_and_keeps_its_letters(marked, expected):
    assert corpus.plain(marked) == expected


def test_articles_come_in_order_with_the_titles_above_them():
    def article(number):
        said = {
            "cid": f"c{number}",
            "id": f"i{number}",
            "num": f" L{number} ",
            "etat": "VIGUEUR",
            "texte": "<p>Été.</p>",
        }
        return {"type": "article", "data": said}

    deep = {"type": "section", "data": {"title": "Titre\nI"}, "children": [article(2)]}
    part = {"type": "section", "data": {"title": "Partie <b>A</b>"}, "children": [article(1), deep, article(3)]}
    rows = parsed(corpus._articles, {"type": "code", "data": {"title": "Code"}, "children": [part]})
    assert [row["number"] for row in rows] == ["L1", "L2", "L3"]
    assert [row["section_path"] for row in rows] == ["Partie A", "Partie A > Titre I", "Partie A"]
    assert rows[0] == {
        "cid": "c1", "id": "i1", "number": "L1", "state": "VIGUEUR", "section_path": "Partie A", "text": "Été.",
    }  # fmt: skip


def test_a_section_cites_each_article_of_the_code_once():
    articles = [{"cid": "b"}, {"cid": "a"}, {"cid": "b"}]
    cited = {corpus.CODE: {"articles": articles}, "another code": {"articles": [{"cid": "z"}]}}
    section = {"anchor": "x", "title": "Une &amp; deux", "text": "Fin.Début du textePuis", "references": cited}
    sheet = {"pubId": "7", "title": "Essai", "url": "u", "sections": [section, section | {"references": {}}]}
    first, second = parsed(corpus._sections, [sheet])
    assert first == {
        "sheet_id": "7", "sheet_title": "Essai", "sheet_url": "u", "section_id": "7#x", "section_title": "Une & deux",
        "text": "Fin. Début du texte Puis", "cited": ["b", "a"],
    }  # fmt: skip
    assert second["cited"] == []


def node(name, *children):
    made = [{"type": "text", "text": child} if isinstance(child, str) else child for child in children]
    return {"type": "element", "name": name, "children": made}


def test_a_practical_sheet_keeps_its_paragraphs_and_leaves_asides_out():
    inside = node("Paragraphe", "Un ", node("LienInterne", "lien"), " \nici", node("ServiceEnLigne", "formulaire"), ".")
    parts = [
        node("dc:title", "Congé"), node("dc:date", "modified 2020-04-01"), node("Theme", node("Titre", "Travail")),
        node("Texte", node("Titre", "Durée"), inside), node("Introduction", node("Texte", "Avant.")),
        node("ListeSituations", node("Situation", node("Titre", "Cas 1"), "après")), node("VoirAussi", "ailleurs"),
    ]  # fmt: skip
    sheet = {"id": "F1", "children": [{"type": "instruction"}, node("Publication", *parts)]}
    assert parsed(corpus._sheets, sheet) == [
        {
            "sheet_id": "F1", "title": "Congé", "theme": "Travail", "subtheme": "", "date": "2020-04-01",
            "text": "Avant.\nDurée\nUn lien ici.\nCas 1\naprès",
        }
    ]  # fmt: skip


def test_an_answer_by_the_code_comes_before_those_by_agreement():
    generic = {"markdown": "**Oui**, sauf", "references": []}
    agreement = {"idcc": "44", "markdown": "Non", "references": [{"title": "Art. 3"}, {"url": "no title"}]}
    question = {"id": "q", "title": "Peut-on ?", "answers": {"generic": generic, "conventions": [agreement]}}
    same = {"question_id": "q", "question": "Peut-on ?"}
    assert parsed(corpus._answers, [question]) == [
        same | {"idcc": "", "text": "Oui, sauf", "cited": []},
        same | {"idcc": "44", "text": "Non", "cited": ["Art. 3"]},
    ]


def test_a_declaration_is_read_by_article():
    page = (
        '---\nfront matter\n---\n<!doctype html>\n<html data-code="x" data-iso6393="fra" lang="fr" dir="rtl"><head>'
        "<title>French</title></head><body><header><h1>Titre</h1><p>Considérant</p><p> </p><p>que</p></header>"
        '<article data-number="1"><h2>Article</h2><p>Égaux <i>en</i> droits</p></article></body></html>'
    )
    same = {"code": "x", "iso639": "fra", "bcp47": "fr", "direction": "rtl", "name": "French"}
    assert parsed(corpus._declaration, page) == [
        same | {"article": 0, "text": "Considérant\nque"},
        same | {"article": 1, "text": "Égaux en droits"},
    ]


@pytest.fixture
def archive(project, monkeypatch):
    """A source made of three small members; the path of its archive."""
    path = project.root / "tiny.tgz"
    with tarfile.open(path, "w:gz") as opened:
        for name in ("package/1.json", "package/2.json", "package/readme"):
            content = json.dumps({"value": f"é{name[8]}"}).encode()
            header = tarfile.TarInfo(name)
            header.size = len(content)
            opened.addfile(header, io.BytesIO(content))
    monkeypatch.setattr(sources, "path", lambda name: path)
    monkeypatch.setattr(sources, "content_hash", lambda name: f"hash of {name}")
    return path


def test_a_frame_is_parsed_once_and_then_read_from_parquet(archive):
    parsings = []

    def parse(handle):
        parsings.append(json.load(handle))
        yield parsings[-1]

    first = corpus._kept("tiny", parse, "tiny", "package/*.json")
    assert first["value"].tolist() == ["é1", "é2"]
    archive.unlink()
    assert corpus._kept("tiny", parse, "tiny", "package/*.json").equals(first)
    assert len(parsings) == 2
    assert len(list(paths.cache_dir().glob("tiny-*.parquet"))) == 1


def test_an_archive_without_the_members_is_an_error_and_leaves_nothing(archive):
    with pytest.raises(sources.SourceError, match="tiny has nothing that matches"):
        corpus._kept("tiny", lambda handle: iter([{}]), "tiny", "package/*.xml")
    assert not list(paths.cache_dir().glob("tiny-*.parquet"))


COLUMNS = {
    "code_du_travail": "cid id number state section_path text",
    "fact_sheets": "sheet_id sheet_title sheet_url section_id section_title text cited",
    "service_public": "sheet_id title theme subtheme date text",
    "labour_answers": "question_id question idcc text cited",
    "udhr": "code iso639 bcp47 direction name article text",
}
REAL = [  # function, arguments, rows, (column, distinct values), empty texts, texts broken by the source, characters
    ("code_du_travail", (), 11545, ("cid", 11545), 0, 0, 6_879_234),
    ("fact_sheets", (), 2219, ("sheet_id", 269), 1, 1, 5_876_819),
    ("service_public", (), 2980, ("sheet_id", 2980), 52, 0, 16_915_530),
    ("service_public", ("professionnels",), 707, ("sheet_id", 707), 3, 3, 4_389_034),
    ("service_public", ("associations",), 94, ("sheet_id", 94), 0, 0, 445_271),
    ("labour_answers", (), 4817, ("question_id", 41), 3, 0, 2_284_943),
    ("udhr", (), 16308, ("code", 532), 0, 2, 5_292_039),
]


@pytest.mark.network
@pytest.mark.parametrize(("name", "arguments", "rows", "distinct", "empty", "broken", "letters"), REAL)
def test_the_real_texts_are_whole_and_clean(monkeypatch, name, arguments, rows, distinct, empty, broken, letters):
    frame = getattr(corpus, name)(*arguments)
    assert list(frame.columns) == COLUMNS[name].split()
    assert len(frame) == rows
    assert frame[distinct[0]].nunique() == distinct[1]
    assert not frame.isna().any().any()
    assert (frame["text"] == "").sum() == empty
    assert frame["text"].str.len().sum() == letters
    assert frame["text"].str.contains(BROKEN).sum() == broken
    for column in frame.select_dtypes("string"):
        assert not frame[column].str.contains(MARKUP).any()
        assert (frame[column] == frame[column].str.strip(" \n\t")).all()
    monkeypatch.setattr(archives, "stream", lambda *_: pytest.fail("parsed again"))
    assert getattr(corpus, name)(*arguments).equals(frame)


@pytest.mark.network
def test_the_labour_code_is_as_documented():
    code = corpus.code_du_travail().set_index("number")
    trial = code.loc["L1221-19"]
    assert trial["text"].startswith(
        "Le contrat de travail à durée indéterminée peut comporter une période d'essai dont"
    )
    assert trial["section_path"].split(" > ")[::5] == ["Partie législative", "Section 4 : Période d'essai."]
    assert code["state"].value_counts().to_dict() == {
        "VIGUEUR": 11455, "ABROGE_DIFF": 88, "VIGUEUR_DIFF": 1, "MODIFIE": 1,
    }  # fmt: skip
    assert code.index.duplicated().sum() == 3
    assert code["section_path"].str.startswith("Partie ").all()
    assert code["section_path"].str.count(" > ").between(1, 8).all()
    assert code["text"].str.contains("[éèêàç]").mean() > 0.99
    assert code.index.str.fullmatch(r"[LRD]\*{0,2}\d[\d-]*( [AB])?|Annexe( .+)?").all()
    assert code["cid"].str.fullmatch(r"LEGIARTI\d{12}").all()


@pytest.mark.network
def test_fact_sheets_cite_articles_of_the_code():
    sheets = corpus.fact_sheets()
    cited = sheets["cited"].explode().dropna()
    assert set(cited) <= set(corpus.code_du_travail()["cid"])
    assert len(cited) == 12814
    assert (sheets["cited"].map(len) > 0).sum() == 740
    assert all(len(set(row)) == len(row) for row in sheets["cited"])
    assert sheets["section_id"].is_unique
    assert (sheets["section_id"].str.partition("#")[0] == sheets["sheet_id"]).all()


@pytest.mark.network
def test_the_other_sources_are_as_documented():
    sheets = corpus.service_public()
    assert (sheets["theme"] == "").sum() == 17
    assert sheets["date"].str.fullmatch(r"20\d\d-\d\d-\d\d").all()
    assert (sheets["date"].min(), sheets["date"].max()) == ("2017-09-21", "2020-11-12")
    answers = corpus.labour_answers()
    assert (answers["idcc"] == "").sum() == 41
    assert answers["idcc"].nunique() == 127
    declaration = corpus.udhr()
    assert set(declaration["direction"]) == {"ltr", "rtl"}
    assert set(declaration["article"]) == set(range(31))
    french = declaration[declaration["code"] == "fra"]
    assert french["article"].tolist() == list(range(31))
    assert french["text"].iloc[1].startswith("Tous les êtres humains naissent libres et égaux en dignité et en droits.")
    assert all(re.fullmatch("[a-z]{3}", code) for code in declaration["iso639"])
