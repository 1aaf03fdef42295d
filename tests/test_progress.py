"""Progress on standard error: a bar on a terminal, plain lines elsewhere."""

import logging
import sys
from types import SimpleNamespace

import pytest

from bioclip_probe import progress


@pytest.fixture
def clock(monkeypatch):
    """A clock that goes on by a step whenever it is read."""

    def start(step: float) -> None:
        times = iter(step * k for k in range(1000))
        monkeypatch.setattr(progress.time, "perf_counter", lambda: next(times))

    return start


def test_the_last_line_says_how_much_was_done(capsys):
    with progress.progress_bar("embedding", 2, 10, unit="picture") as advance:
        advance()
        advance(7)
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith("embedding: 10 of 10 pictures, ") and err.count("\n") == 1


def test_lines_come_seldom_with_a_share_and_the_time_that_is_left(capsys, clock):
    clock(20)
    with progress.progress_bar("embedding", 0, 8) as advance:
        for _ in range(8):
            advance()
    lines = capsys.readouterr().err.splitlines()
    assert lines[0] == "embedding: 2 of 8 images, 0.1/s, 25% done, about 2 min left"
    assert lines[-1] == "embedding: 8 of 8 images, 0.0/s" and 2 < len(lines) < 8


def test_a_rate_is_that_of_this_run(capsys, clock):
    clock(2)
    with progress.progress_bar("embedding", 100, 104) as advance:
        advance(4)
    assert capsys.readouterr().err == "embedding: 104 of 104 images, 1.0/s\n"


def test_steps_of_different_sizes_name_the_one_in_progress(capsys, clock):
    clock(20)
    with progress.weighted_bar("measuring", (1, 4), (1.0, 11.0)) as work:
        work.begin("bioclip")
        work.reach(2.5)
        work.finish(5.0)
        work.begin("clip")
        work.finish(4.0)
        work.begin("pixels")
        work.finish(1.0)
    lines = capsys.readouterr().err.splitlines()
    assert lines[0] == "measuring: 32% done, about 2 min left; 1 of 4, now bioclip"
    assert lines[-1].startswith("measuring: 4 of 4, ") and work.n_done == 4


def test_short_work_of_a_library_prints_nothing(capsys):
    with progress.weighted_bar("measuring", (0, 1), (0.0, 1.0), even_short=False) as work:
        work.begin("bioclip")
        work.finish(1.0)
    assert capsys.readouterr() == ("", "")


@pytest.mark.parametrize("done, total, show", [(5, 5, True), (0, 5, False)])
def test_nothing_is_printed_if_it_is_off_or_nothing_is_left(capsys, done, total, show):
    with progress.progress_bar("embedding", done, total, show) as advance:
        advance()
    with progress.weighted_bar("measuring", (done, total), (1.0, 2.0), show) as work:
        work.begin("bioclip")
        work.finish(1.0)
    assert capsys.readouterr() == ("", "")


def test_an_error_passes_and_ends_the_output(capsys):
    with pytest.raises(RuntimeError), progress.progress_bar("embedding", 0, 5) as advance:
        advance()
        raise RuntimeError
    with pytest.raises(RuntimeError), progress.weighted_bar("measuring", (0, 2), (0.0, 2.0)):
        raise RuntimeError
    assert capsys.readouterr().err == ""


def test_a_terminal_gets_a_bar(capsys, monkeypatch):
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
    with progress.progress_bar("embedding", 0, 4, unit="text") as advance:
        advance(3)
        advance()
    err = capsys.readouterr().err
    assert "embedding: 100%" in err and "4/4" in err and "text/s" in err


def test_a_bar_of_different_steps_names_the_one_in_progress(capsys, monkeypatch):
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
    with progress.weighted_bar("measuring", (0, 2), (0.0, 4.0)) as work:
        work.begin("bioclip")
        work.finish(3.0)
        work.begin("clip")
        work.finish(1.0)
    err = capsys.readouterr().err
    assert "measuring: 100%" in err and "1 of 2, now clip" in err and "it/s" not in err


def test_log_messages_do_not_tear_a_bar_apart(capsys, monkeypatch):
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
    log, handler = logging.getLogger("bioclip_probe"), logging.StreamHandler(sys.stderr)
    monkeypatch.setattr(log, "handlers", [handler])
    with progress.progress_bar("embedding", 0, 4) as advance:
        advance()
        log.warning("left out one")
    assert "left out one\n" in capsys.readouterr().err, "a line of its own, after which the bar is drawn again"
    assert log.handlers == [handler]


@pytest.mark.parametrize("there", [True, False])
def test_a_notebook_gets_a_widget_only_where_ipywidgets_is_there(capsys, monkeypatch, there):
    class Widget:
        def __init__(self, **facts):
            print(f"widget of {facts['total']}", file=sys.stderr)

        def __enter__(self):
            return self

        def __exit__(self, *error):
            pass

        def update(self, steps=1):
            pass

    kernel = SimpleNamespace(config={"IPKernelApp": {}})
    monkeypatch.setitem(sys.modules, "IPython", SimpleNamespace(get_ipython=lambda: kernel))
    monkeypatch.setattr(progress, "find_spec", lambda name: "there" if there else None)
    monkeypatch.setattr("tqdm.notebook.tqdm", Widget)
    with progress.progress_bar("embedding", 0, 4) as advance:
        advance(4)
    err = capsys.readouterr().err
    assert err.startswith("widget of 4" if there else "embedding: 4 of 4 images")


@pytest.mark.parametrize(
    "seconds, words", [(3.2, "3 s"), (99, "99 s"), (100, "2 min"), (3000, "50 min"), (7500, "2 h 5 min")]
)
def test_times_are_as_exact_as_an_estimate(seconds, words):
    assert progress._duration(seconds) == words
