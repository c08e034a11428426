"""Progress bars and the words of a run: as much as was asked for, and only where somebody looks."""

import io
import logging
import time

import pytest

from gaia_oc_amd import parallel
from gaia_oc_amd.batch.outcomes import Outcome
from gaia_oc_amd.batch.run import finish, next_step, summary_table
from gaia_oc_amd.command_line import add_run_options, make_parser, parse
from gaia_oc_amd.options import RunOptions
from gaia_oc_amd.parallel import progress_bar


class Terminal(io.StringIO):
    """A stream that says that it is one."""

    def isatty(self):
        return True


@pytest.fixture
def level():
    """The level of the package's log, put back after the test with its handlers."""
    package = logging.getLogger("gaia_oc_amd")
    before, handlers = package.level, list(package.handlers)
    yield package.setLevel
    package.setLevel(before)
    package.handlers[:] = handlers


def shown(stream, **keywords):
    with progress_bar(total=4, file=stream, mininterval=0, **keywords) as bar:
        for _ in range(4):
            bar.update()
    return stream.getvalue()


def test_a_bar_is_shown_on_a_terminal_and_knows_its_end(level):
    level(logging.INFO)
    assert "4/4" in shown(Terminal(), unit="cluster")


def test_no_bar_in_a_file_nor_when_quiet_nor_when_hidden(level):
    level(logging.INFO)
    assert shown(io.StringIO()) == ""
    assert shown(Terminal(), hidden=True) == ""
    level(logging.ERROR)
    assert shown(Terminal()) == ""


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [([], "info"), (["--quiet"], "error"), (["--verbose"], "debug"), (["--log_level", "warning"], "warning")],
)
def test_quiet_and_verbose_are_levels(arguments, expected, level):
    parser = make_parser("Does nothing.")
    add_run_options(parser)
    _, options = parse(parser, arguments, RunOptions)
    assert options.log_level == expected
    assert logging.getLogger("gaia_oc_amd").level == getattr(logging, expected.upper())
    assert logging.getLogger("fontTools").getEffectiveLevel() == logging.WARNING


def test_warnings_are_counted_at_the_end_if_there_are_any():
    calm = Outcome("a", 1.0, {"members": 5}, messages=((logging.INFO, "fine"),))
    doubtful = Outcome("b", 1.0, {"members": 6}, messages=((logging.WARNING, "x"), (logging.WARNING, "y")))
    assert "warnings" not in summary_table([calm])
    table = [line.split() for line in summary_table([calm, doubtful]).splitlines()]
    column = table[0].index("warnings")
    assert [row[column] for row in table[1:]] == ["0", "2"]


def test_one_thing_shows_the_time_that_it_takes(level, monkeypatch):
    level(logging.INFO)
    monkeypatch.setattr(parallel, "_TICK", 0.01)
    stream = Terminal()
    with parallel.clock("NGC_2509", file=stream, mininterval=0) as bar:
        shown_first = stream.getvalue()
        while stream.getvalue() == shown_first:
            time.sleep(0.01)
        bar.update()
    assert "NGC_2509: 0" in stream.getvalue()
    silent = io.StringIO()
    with parallel.clock("NGC_2509", file=silent):
        time.sleep(0.05)
    assert silent.getvalue() == ""


@pytest.mark.parametrize(
    ("installed", "options"), [("bokeh jinja2", "--report --no-save_plots"), ("jinja2", "--no-save_plots")]
)
def test_what_to_do_next_needs_no_library_that_is_absent(monkeypatch, installed, options):
    done, words = Outcome("a", 1.0, {"n": 1}), ("--report", "--no-save_plots")
    monkeypatch.setattr("gaia_oc_amd.batch.run.find_spec", lambda name: name in installed.split() or None)
    assert next_step("x.py", [done], ["a"], RunOptions(), *words) == [f"next: python x.py a {options}"]


def test_what_to_do_next_can_be_copied(tmp_path, capsys):
    done, failed = Outcome("a", 1.0, {"n": 1}), Outcome("b", 1.0, error="b: no")
    run = RunOptions(data_dir=tmp_path / "my data")
    step = next_step("evaluate_clusters.py", [done, failed], ["a", "b c"], run, "--report")
    assert step == [f"next: python evaluate_clusters.py a 'b c' --report --data_dir '{tmp_path}/my data'"]
    assert next_step("evaluate_clusters.py", [failed], ["b"], run) == []
    assert next_step("x.py", [done], ["a"], RunOptions()) == ["next: python x.py a"]
    assert finish([done, failed], "above", closing=step) == 1
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "above"
    assert lines[-1] == step[0]
