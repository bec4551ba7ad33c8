import pytest

from lib.lab.normalize import code_digest, digest, normalize

PLAIN = 'def f(x):\n    return x + 1\n\nTEXT = "a # b"\n'


@pytest.mark.parametrize(
    "same",
    [
        'def f(x):\n    """Add one."""\n    return x + 1\n\nTEXT = "a # b"\n',
        'def f(x):  # adds\n\n    return (x + 1)\n\n\nTEXT = "a # b"  # a text\n',
        '"""A module."""\n' + PLAIN,
        "#| label: fig-x\n" + PLAIN,
    ],
)
def test_comments_docstrings_and_layout_do_not_count(same):
    assert normalize(same) == normalize(PLAIN)


@pytest.mark.parametrize(
    ("old", "new"), [("+ 1", "+ 2"), ("a # b", "a # c"), ("x + 1", "1 + x"), ("f(x)", "f(x, y=0)")]
)
def test_anything_else_counts(old, new):
    assert normalize(PLAIN.replace(old, new)) != normalize(PLAIN)


def test_a_text_that_is_not_a_docstring_counts():
    assert normalize('x = 1\n"text"') != normalize("x = 1")


def test_parts_of_a_digest_are_told_apart():
    assert digest("ab", "c") != digest("a", "bc")


def test_code_digest_reads_functions_and_methods():
    assert code_digest(normalize) == code_digest(normalize) != code_digest(digest)
