"""Progress on standard error: a bar on a terminal, plain lines elsewhere."""

import sys

import pytest

from bioclip_probe import progress


def test_the_last_line_says_how_much_was_done(capsys):
    with progress.progress_bar("embedding", 2, 10, unit="picture") as advance:
        advance()
        advance(7)
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith("embedding: 10 of 10 pictures, ") and err.count("\n") == 1


def test_lines_come_seldom(capsys, monkeypatch):
    clock = iter(range(0, 1000, 20))
    monkeypatch.setattr(progress.time, "perf_counter", lambda: next(clock))
    with progress.progress_bar("embedding", 0, 8) as advance:
        for _ in range(8):
            advance()
    counts = [line.split()[1] for line in capsys.readouterr().err.splitlines()]
    assert counts[-1] == "8" and 2 < len(counts) < 8


def test_a_rate_is_that_of_this_run(capsys, monkeypatch):
    clock = iter([0.0, 1.0, 2.0, 3.0])
    monkeypatch.setattr(progress.time, "perf_counter", lambda: next(clock))
    with progress.progress_bar("embedding", 100, 104) as advance:
        advance(4)
    assert capsys.readouterr().err == "embedding: 104 of 104 images, 2.0/s\n"


@pytest.mark.parametrize("done, total, show", [(5, 5, True), (0, 5, False)])
def test_nothing_is_printed_if_it_is_off_or_nothing_is_left(capsys, done, total, show):
    with progress.progress_bar("embedding", done, total, show) as advance:
        advance()
    assert capsys.readouterr() == ("", "")


def test_an_error_passes_and_ends_the_output(capsys):
    with pytest.raises(RuntimeError), progress.progress_bar("embedding", 0, 5) as advance:
        advance()
        raise RuntimeError
    assert capsys.readouterr().err == ""


def test_a_terminal_gets_a_bar(capsys, monkeypatch):
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
    with progress.progress_bar("embedding", 0, 4, unit="text") as advance:
        advance(3)
        advance()
    err = capsys.readouterr().err
    assert "embedding: 100%" in err and "4/4" in err and "text/s" in err
