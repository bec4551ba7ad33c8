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
