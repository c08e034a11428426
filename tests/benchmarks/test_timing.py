"""The runners of the benchmarks: processes, ratios of pairs, exponents, tables."""

import math
import sys
from pathlib import Path

import pytest
from growth_plot import plot_growth
from growth_report import Curve, report
from published_tool_env import published_python
from published_tool_table import Row
from published_tool_table import report as comparison
from timing import BenchmarkError, Ratio, alternate, interpolated, measured, run_process, short, slope

BENCHMARKS = Path(__file__).resolve().parents[2] / "benchmarks/speed"

CHILD = f"""
import sys
sys.path.insert(0, {str(BENCHMARKS)!r})
from timing import answer

def grow(mebibytes):
    print("this is no answer")
    return {{"size": len(bytearray(mebibytes * 2**20))}}

def fail():
    raise ValueError("broken on purpose")

answer(grow, fail)
"""

SMALL_RUNNER = """
import json, sys
sys.path.insert(0, sys.argv[1])
from timing import run_process
runs = [run_process([sys.executable, "-I", sys.argv[2], "grow", json.dumps({"mebibytes": n})]) for n in (1, 101)]
print(json.dumps({"peaks": [run.peak for run in runs], "size": runs[1].figures["size"]}))
"""


@pytest.fixture
def child(tmp_path):
    path = tmp_path / "child.py"
    path.write_text(CHILD)
    return lambda task, keywords, **options: run_process(
        [sys.executable, "-I", path, task, keywords], **options
    )


def test_a_child_answers_in_its_last_line(child):
    run = child("grow", '{"mebibytes": 1}')
    assert run.figures == {"size": 2**20}
    assert 0 < run.cpu < 10
    assert run.seconds > 0


def test_memory_of_a_child_counts_if_its_runner_is_small(tmp_path):
    path = tmp_path / "child.py"
    path.write_text(CHILD)
    found = run_process([sys.executable, "-I", "-c", SMALL_RUNNER, BENCHMARKS, path]).figures
    assert found["size"] == 101 * 2**20
    assert 80 < found["peaks"][1] - found["peaks"][0] < 120


def test_a_child_that_fails_is_one_line(child):
    with pytest.raises(BenchmarkError, match=r"child.py fail` failed: ValueError: broken on purpose$"):
        child("fail", "{}")
    assert child("fail", "{}", may_fail=True).error == "ValueError: broken on purpose"


def test_a_program_that_is_not_there():
    with pytest.raises(BenchmarkError, match="cannot be started"):
        run_process(["/nowhere/python"])


def test_output_that_is_no_answer_gives_no_figures():
    for text in ("", "nothing", "[1, 2]", "{"):
        assert run_process([sys.executable, "-I", "-c", f"print({text!r})"]).figures == {}


def test_alternate_takes_turns():
    order = []
    first, second = alternate(lambda: order.append("a") or 1, lambda: order.append("b") or 2, 3)
    assert order == ["a", "b"] * 3
    assert (first, second) == ([1, 1, 1], [2, 2, 2])


def test_ratios_are_those_of_neighbours():
    ratio = Ratio.of((10.0, 40.0, 90.0), (10.0, 10.0, 30.0))  # the ratio of the medians would be 4
    assert (ratio.median, ratio.low, ratio.high) == (3.0, 1.0, 4.0)
    assert str(ratio) == "3.00 (1.00 - 4.00)"
    with pytest.raises(ValueError, match="shorter"):
        Ratio.of((1.0, 2.0), (1.0,))


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0.0123, "0.0123"),
        (1.0, "1.00"),
        (71.96, "72.0"),
        (1234.5, "1234"),
        (0, "0"),
        (math.nan, "nan"),
        (2.5e-6, "2.5e-06"),
    ],
)
def test_numbers_have_three_digits(value, text):
    assert short(value) == text


def test_slope_of_a_power_law():
    n = (10, 100, 1000)
    assert slope(n, [3 * value**1.5 for value in n]) == pytest.approx(1.5)
    assert math.isnan(slope((10,), (1.0,)))


def test_interpolation_follows_a_power_law_and_goes_beyond_it():
    n = (10, 100, 1000)
    seconds = [2 * value**0.5 for value in n]
    for wanted in (1, 10, 50, 100, 500, 1000, 5000):
        assert interpolated(n, seconds, wanted) == pytest.approx(2 * wanted**0.5)
    assert interpolated((10,), (3.0,), 20) == 6.0


def test_measured_gives_result_time_and_memory():
    result, figures = measured(lambda: 7)
    assert result == 7
    assert 0 <= figures["seconds"] < 1
    assert figures["peak"] >= 0


def test_comparison_table():
    rows = [
        Row("call", "s", (6.0, 9.0), (2.0, 3.0), "remark"),
        Row("limit", "s", (1.0, 2.0), (3.0, 6.0), inverse=True),
        Row("ours alone", "s", (), (1.0,)),
    ]
    lines = comparison(rows, "About.").splitlines()
    assert lines[0] == "About."
    assert lines[4] == "| call | s | 7.50 | 2.50 | 3.00 (3.00 - 3.00) | remark |"
    assert "ours / limit 3.00 (3.00 - 3.00)" in lines[5]
    assert lines[6] == "| ours alone | s | - | 1.00 | - |  |"
    assert len({line.count("|") for line in lines[2:]}) == 1


def growth_curves():
    n = (1000, 10_000, 100_000)
    votes = Curve("votes", "votes, 100 samples", "candidates", n, (1.0, 10.0, 100.0), (1.0, 2.0, 3.0))
    build = Curve("build", "building sets", "sources", n, (1.0, 1.0, 1.0), (0.0, 0.0, 5.0))
    return votes, build


def test_growth_report_projects_a_catalogue():
    text = report(growth_curves(), ["A line."], "A machine.", speed_up=2.0)
    assert "| votes, 100 samples | 10,000 candidates | 10.0 | 2.00 | 1.00 |" in text
    assert "votes, 100 samples: time grows as the 1.00 power" in text
    assert "11.7 h with one worker, 5.8 h with two" in text  # 2000 x (20 s + 1 s)
    assert "EXTRAPOLATED" not in text
    assert "not measured" not in text


def test_growth_report_says_what_it_lacks():
    votes = Curve("votes", "votes", "candidates", (10, 100), (1.0, 10.0), (1.0, 1.0))
    text = report([votes], [], "A machine.", speed_up=None)
    assert "EXTRAPOLATED" in text
    assert "building the sets was not measured" in text


def test_growth_figure(tmp_path):
    plot_growth(growth_curves(), tmp_path / "growth.png")
    assert (tmp_path / "growth.png").stat().st_size > 10_000


def test_an_environment_that_cannot_be_made_is_one_line(tmp_path, capsys):
    (tmp_path / "file").write_text("")
    with pytest.raises(BenchmarkError, match="cannot be installed into") as error:
        published_python(tmp_path / "file" / "env")
    assert "\n" not in str(error.value)
