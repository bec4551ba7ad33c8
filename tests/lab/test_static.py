import numpy as np
import pandas as pd
import pytest
import torch
from transformers import BertConfig, BertModel, BertTokenizerFast

from lib.lab import models, retrieval, static, themes

PIECES = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "le", "conge", "##s", "pay", "##e", "sal", "##arie", ",", "[unused0]"]


@pytest.fixture
def teacher(tmp_path):
    """Folder of a tiny random BERT and its tokenizer, as sentence-transformers lays them out."""
    folder = tmp_path / "teacher"
    folder.mkdir()
    (folder / "vocab.txt").write_text("\n".join(PIECES), encoding="utf-8")
    BertTokenizerFast(str(folder / "vocab.txt"), do_lower_case=True).save_pretrained(folder)
    torch.manual_seed(0)
    shape = {"num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": 16}
    BertModel(BertConfig(vocab_size=len(PIECES), hidden_size=8, **shape)).eval().save_pretrained(folder)
    return folder


@pytest.fixture
def students(teacher, tmp_path):
    from model2vec import StaticModel

    static._distill(tmp_path / "students", ["salarié", "congés", "le"], teacher)
    return {name: StaticModel.from_pretrained(tmp_path / "students" / name) for name in ("own", "law")}


def alone(folder, ids):
    """Mean of what the teacher says of one sequence, computed by itself."""
    model = BertModel.from_pretrained(folder).eval()
    with torch.inference_mode():
        return model(torch.tensor([ids])).last_hidden_state[0].mean(dim=0).numpy()


def test_a_students_vector_is_what_the_teacher_says_of_the_token_alone(students, teacher):
    own = students["own"]
    assert list(own.tokens) == PIECES[:2] + PIECES[4:12]
    for token, vector in zip(own.tokens, own.embedding, strict=True):
        expected = alone(teacher, [2, PIECES.index(token), 3])
        np.testing.assert_allclose(vector, expected, atol=1e-5, err_msg=token)


def test_words_are_added_once_each_with_what_the_teacher_says_of_their_pieces(students, teacher):
    own, law = students["own"], students["law"]
    assert list(law.tokens) == [*own.tokens, "salarie", "conges"]
    np.testing.assert_array_equal(law.embedding[: len(own.tokens)], own.embedding)
    pieces = {"salarie": ["sal", "##arie"], "conges": ["conge", "##s"]}
    for place, word in enumerate(pieces, len(own.tokens)):
        expected = alone(teacher, [2, *(PIECES.index(piece) for piece in pieces[word]), 3])
        np.testing.assert_allclose(law.embedding[place], expected, atol=1e-5, err_msg=word)


def test_added_words_are_read_whole(students):
    said = [students["law"].tokens[place] for place in students["law"].tokenize(["Le SALARIÉ, congés payé"])[0]]
    assert said == ["le", "salarie", ",", "conges", "pay", "##e"]


def test_words_are_added_as_model2vec_adds_them(students, teacher):
    from model2vec.distill import distill

    options = {"pca_dims": None, "sif_coefficient": None, "quantize_to": "float32"}
    theirs = distill(str(teacher), ["salarie", "conges"], "cpu", **options)
    rows = [theirs.tokens.index(token) for token in students["law"].tokens]
    assert sorted(rows) == list(range(len(theirs.tokens)))
    np.testing.assert_allclose(students["law"].embedding, theirs.embedding[rows], atol=1e-5)


def test_counts_times_vectors_read_as_the_student_does(students, project):
    texts = ["Le congé payé, le salarié", "conges", "le zzz le"]
    for student in students.values():
        counts = static.token_counts(student, texts)
        expected = np.zeros(counts.shape)
        for row, tokens in enumerate(student.tokenize(texts)):
            for token in tokens:
                expected[row, token] += 1
        np.testing.assert_array_equal(counts.toarray(), expected)
        read = counts @ student.embedding
        read /= np.linalg.norm(read, axis=1, keepdims=True)
        np.testing.assert_allclose(read, student.encode(texts), atol=1e-6)
    assert counts[2].sum() == 2  # the unknown word is left out


def test_counts_are_kept_for_each_vocabulary_and_text(students, project, monkeypatch):
    own, law = students["own"], students["law"]
    calls, tokenize = [], type(own).tokenize
    monkeypatch.setattr(type(own), "tokenize", lambda *given: calls.append(given[1]) or tokenize(*given))
    first = static.token_counts(own, ["le congé"])
    assert (static.token_counts(own, ["le congé"]) != first).nnz == 0
    assert calls == [["le congé"]]
    assert static.token_counts(law, ["le congé"]).shape == (1, len(law.tokens))
    assert static.token_counts(own, ["le", "congé"]).shape == (2, len(own.tokens))
    assert len(calls) == 3


def test_words_of_the_code_come_by_frequency(monkeypatch):
    passages = ["Le congé le", "le congé Zoé", *["le congé"] * 4, "zoé abc", *["abc"] * 4]
    monkeypatch.setattr(static.corpus, "code_du_travail", pd.DataFrame)
    monkeypatch.setattr(retrieval, "documents", lambda code: passages)
    assert static.law_words() == ["le", "congé", "abc"]


def test_bodies_and_titles_are_what_sheets_say(monkeypatch):
    monkeypatch.setattr(themes, "sheets", lambda: pd.DataFrame({"text": ["Un titre\nle texte", "Deux\nautre chose"]}))
    asked = []
    monkeypatch.setattr(models, "embed", lambda *given, **options: asked.append((*given, options)))
    assert static.bodies() == ["le texte", "autre chose"]
    static.body_embeddings()
    static.title_embeddings("e5")
    assert asked == [
        ("minilm", ["le texte", "autre chose"], "sheet_bodies", {}),
        ("e5", ["Un titre", "Deux"], "sheet_titles", {"query": True}),
    ]


def test_another_teacher_is_asked_for_the_same_tokens(students, monkeypatch, tmp_path):
    monkeypatch.setattr(static, "derived", lambda *given, **options: tmp_path / "students")
    monkeypatch.setattr(static, "law_words", list)
    monkeypatch.setattr(static.sources, "content_hash", lambda name: name)
    monkeypatch.setattr(models, "embed", lambda name, texts, label: np.array([[len(one)] for one in texts]))
    assert static.students()["own"].embedding.shape == (10, 8)
    found = static.students("e5")
    lengths = [len(token.removeprefix("##")) for token in found["law"].tokens]
    assert found["law"].embedding.ravel().tolist() == lengths
