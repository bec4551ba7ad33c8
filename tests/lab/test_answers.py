"""Answers kept in a file: what is asked, what is not, and what the file says."""

import gzip

import pytest

from lib.lab import answers


@pytest.fixture
def shouting():
    """A way to open models that shout what they are told, and the prompts that they saw."""
    seen = []

    def open_model(name):
        return lambda prompts: [seen.append((name, one)) or one.upper() for one in prompts]

    open_model.seen = seen
    return open_model


def test_only_what_is_missing_is_asked(shouting):
    kept = {}
    assert answers.ask(kept, "small", ["un", "deux", "un"], shouting) == 2
    assert answers.ask(kept, "small", ["deux", "trois"], shouting) == 1
    assert shouting.seen == [("small", "un"), ("small", "deux"), ("small", "trois")]
    assert answers.look_up(kept, "small", ["trois", "un"]) == ["TROIS", "UN"]


def test_models_do_not_answer_for_each_other(shouting):
    kept = {}
    answers.ask(kept, "small", ["un"], shouting)
    assert answers.ask(kept, "large", ["un"], shouting) == 1
    with pytest.raises(KeyError):
        answers.look_up(kept, "large", ["deux"])


def test_what_is_complete_opens_no_model(shouting):
    kept = {}
    answers.ask(kept, "small", ["un"], shouting)

    def closed(name):
        raise AssertionError(name)

    assert answers.ask(kept, "small", ["un"], closed) == 0


def test_a_file_gives_back_what_was_kept_and_the_same_bytes(tmp_path, shouting):
    kept, path = {}, tmp_path / "kept.jsonl.gz"
    for name in ("small", "other"):
        answers.ask(kept, name, ["un", "l'été"], shouting)
    answers.write(kept, path)
    first = path.read_bytes()
    assert answers.read(path) == kept
    backwards = {
        name: {**kept[name], "answers": dict(reversed(kept[name]["answers"].items()))} for name in reversed(kept)
    }
    answers.write(backwards, path)
    assert path.read_bytes() == first
    assert kept["small"]["seconds"] == 0
    assert set(kept["small"]["made_by"]) == set(answers.MADE_BY)


def test_no_file_is_no_answer(tmp_path):
    assert answers.read(tmp_path / "none.gz") == {}


@pytest.mark.parametrize(
    "content", [b"text", gzip.compress(b"{", mtime=0), gzip.compress(b"{}", mtime=0), gzip.compress(b"[1]", mtime=0)]
)
def test_another_file_is_said(tmp_path, content):
    path = tmp_path / "other.gz"
    path.write_bytes(content)
    with pytest.raises(ValueError, match="does not hold answers"):
        answers.read(path)


def test_draws_are_kept_in_order_and_completed(tmp_path):
    seen = []

    def open_model(name):
        def model(prompts):
            seen.append(list(prompts))
            return [f"{prompt} {prompts[:at].count(prompt)}" for at, prompt in enumerate(prompts)]

        return model

    kept = {}
    assert answers.ask_draws(kept, "loud", ["a", "b", "a"], 2, open_model) == 4
    assert seen == [["a", "a", "b", "b"]]
    assert answers.look_up(kept, "loud", ["b", "a"]) == [["b 0", "b 1"], ["a 0", "a 1"]]
    assert answers.ask_draws(kept, "loud", ["b"], 1, open_model) == 0  # fewer than are kept
    assert answers.ask_draws(kept, "loud", ["a", "c"], 3, open_model) == 6
    assert answers.look_up(kept, "loud", ["a", "b"]) == [["a 0", "a 1", "a 2"], ["b 0", "b 1"]]
    answers.write(kept, tmp_path / "kept.jsonl.gz")
    assert answers.read(tmp_path / "kept.jsonl.gz") == kept
