import io

from rich.console import Console

from lib.press import console


def test_without_a_terminal_progress_is_plain_lines(capsys, monkeypatch):
    monkeypatch.setenv("CI", "true")
    with console.board() as board:
        bar = board.bar("counting", 3)
        for _ in range(3):
            bar.advance()
        bar.done("counted")
    lines = capsys.readouterr().err.splitlines()
    assert lines[0] == "counting ..."
    assert lines[1].startswith("counting: counted, ")
    assert not any("\x1b" in line for line in lines)


def test_in_a_terminal_bars_move(monkeypatch, capsys):
    monkeypatch.setattr(console, "is_interactive", lambda: True)
    with console.board() as board:
        assert board.progress is not None
        bar = board.bar("counting", 2)
        bar.advance()
        bar.done()
        assert board.progress.tasks[0].finished
        assert "counting: done" in board.progress.tasks[0].description


def test_one_of_many_bars_is_taken_away_when_it_is_done(monkeypatch, capsys):
    monkeypatch.setattr(console, "is_interactive", lambda: True)
    with console.board() as board:
        assert board.progress is not None
        brief, whole = board.bar("one of many", 2, brief=True), board.bar("all", 2)
        brief.done("made")
        whole.done("all made")
        assert [task.description for task in board.progress.tasks] == ["all: all made"]


def test_a_table_moves_under_the_bars_where_somebody_watches(monkeypatch):
    monkeypatch.setattr(console, "is_interactive", lambda: True)
    with console.board() as board:
        board.bar("sweep", 2).advance()
        assert board.is_live
        board.show(["rank", "mean"], [["1", "0.5"]], "1 failed")
        shown = Console(width=80, file=io.StringIO(), record=True)
        shown.print(board.progress.get_renderable())
    text = shown.export_text()
    assert text.index("sweep") < text.index("rank") < text.index("0.5") < text.index("1 failed")
    assert "1/2" in text


def test_where_nobody_watches_a_table_is_nothing(capsys):
    board = console.Board(None)
    board.show(["rank"], [["1"]])
    assert (board.is_live, capsys.readouterr()) == (False, ("", ""))


def test_values_in_tables_are_short():
    assert [console.short(value) for value in (None, 1 / 3, 7, "x" * 30)] == ["-", "0.3333", "7", "x" * 23 + "…"]
