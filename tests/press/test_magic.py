"""Prose filled in while it is written: in a shell like that of a kernel."""

import pytest
from IPython.core.error import UsageError
from IPython.core.interactiveshell import InteractiveShell

from lib.press import magic
from tests.conftest import accept_by_hand

RECORD = "from lib.lab.results import Results\nresults = Results()\nresults.record('mrr', 0.2184, tol=1e-3)"


@pytest.fixture
def shell(monkeypatch):
    made = InteractiveShell()
    magic.load_ipython_extension(made)
    made.seen = []
    monkeypatch.setattr(magic, "display", lambda shown: made.seen.append(shown.data))
    return made


def shown(shell, line, cell=None):
    """What the magic displays, as Markdown."""
    shell.seen.clear()
    if cell is None:
        shell.run_line_magic("prose", line)
    else:
        shell.run_cell_magic("prose", line, cell)
    return list(shell.seen)


def test_a_text_is_filled_from_what_the_kernel_recorded(shell):
    shell.run_cell(RECORD)
    text = "MRR : {{ mrr | number(2) }}, `{{ mrr }}`."
    assert shown(shell, "fr", text) == ["MRR : 0,22, `{{ mrr }}`."]
    assert shown(shell, "en", text) == ["MRR : 0.22, `{{ mrr }}`."]
    assert shown(shell, "", text) == shown(shell, "fr", text)


def test_what_cannot_be_filled_is_one_sentence(shell):
    shell.run_cell(RECORD)
    with pytest.raises(UsageError, match="this cell, line 2: unknown name mmr; did you mean mrr"):
        shown(shell, "fr", "un\n{{ mmr }}")
    with pytest.raises(UsageError, match="not de"):
        shown(shell, "de", "x")
    with pytest.raises(UsageError, match="does not know its notebook"):
        shown(shell, "fr")


def test_a_whole_notebook_is_shown_with_its_accepted_results_and_what_is_newer(shell, project, monkeypatch):
    accept_by_hand(project)
    monkeypatch.setenv("JPY_SESSION_NAME", str(project.root / "notebooks/data/01_tiny.ipynb"))
    assert shown(shell, "fr") == ["Moyenne : 0,50."]
    assert shown(shell, "en") == ["Mean: 0.50."]
    assert shown(shell, "en", "{{ tiny.mean }}, {{ parameters.seed }}") == ["0.500, 0"]
    shell.run_cell(RECORD.replace("mrr", "mean"))
    shell.user_ns["seed"] = 7
    assert shown(shell, "en") == ["Mean: 0.22."]
    assert shown(shell, "en", "{{ parameters.seed }}") == ["7"]
