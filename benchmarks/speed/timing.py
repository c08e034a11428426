"""Runs of processes and calls: how long they took, how much memory they needed, and how two compare.

Only the standard library is imported, so that the published tool's environment can read this module and a runner
stays small: the peak memory of a child counts the parent's size at the fork.
"""

import contextlib
import json
import math
import os
import platform
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median
from typing import Any

_MIB = 2**20 if sys.platform == "darwin" else 2**10
"""ru_maxrss counts bytes on macOS, KiB elsewhere."""
_LONGEST_MESSAGE = 300


class BenchmarkError(RuntimeError):
    """A benchmark that cannot go on; its message is one line."""


@dataclass(frozen=True)
class Run:
    """What one process took.

    Parameters
    ----------
    seconds, cpu : float
        Wall-clock and processor time from start to end [s].
    peak : float
        Largest resident memory [MiB].
    figures : dict
        What the process answered, if it was one of `answer`.
    error : str
        Last line of what a failed process said; empty for one that succeeded.
    """

    seconds: float
    cpu: float
    peak: float
    figures: dict[str, Any] = field(default_factory=dict)
    error: str = ""


def run_process(command: Sequence[Any], *, cwd: Path | str | None = None, may_fail: bool = False) -> Run:
    """Run a command to its end.

    Parameters
    ----------
    command : sequence
        Program and arguments.
    cwd : path, optional
        Where it runs.
    may_fail : bool
        Whether a failure is a result, too.

    Returns
    -------
    Run

    Raises
    ------
    BenchmarkError
        If the program is not there, or failed and may not.
    """
    with tempfile.TemporaryFile() as output, tempfile.TemporaryFile() as errors:
        start = time.perf_counter()
        try:
            process = subprocess.Popen(
                [str(part) for part in command],
                stdout=output,
                stderr=errors,
                stdin=subprocess.DEVNULL,
                cwd=cwd,
            )
        except OSError as error:
            raise BenchmarkError(f"{command[0]} cannot be started ({error.strerror}).") from error
        try:
            _, status, usage = os.wait4(process.pid, 0)
        except BaseException:
            process.kill()
            raise
        seconds = time.perf_counter() - start
        process.returncode = os.waitstatus_to_exitcode(status)
        said = [_text_of(file) for file in (output, errors)]
    error = "" if process.returncode == 0 else _last_line(said[1]) or f"exit code {process.returncode}"
    if error and not may_fail:
        what = " ".join(Path(str(part)).name for part in command[:4] if not str(part).startswith("-"))
        raise BenchmarkError(f"`{what}` failed: {error}")
    cpu = usage.ru_utime + usage.ru_stime
    return Run(seconds, cpu, usage.ru_maxrss / _MIB, _figures_in(said[0]), error)


def _text_of(file: Any) -> str:
    file.seek(0)
    return file.read().decode(errors="replace")


def _last_line(text: str) -> str:
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    return lines[-1][:_LONGEST_MESSAGE] if lines else ""


def _figures_in(text: str) -> dict[str, Any]:
    """The answer in the last line of an output; nothing if that is no JSON object."""
    try:
        figures = json.loads(_last_line_whole(text))
    except ValueError:
        return {}
    return figures if isinstance(figures, dict) else {}


def _last_line_whole(text: str) -> str:
    return text.rstrip().rsplit("\n", 1)[-1]


def answer(*tasks: Callable[..., dict[str, Any]]) -> None:
    """Do the task that the command line names, and print its figures as JSON; the end of a child's script.

    Parameters
    ----------
    *tasks : callable
        Known by their names. The first argument of the command line is a name, the second a JSON object with
        keywords. What the task itself prints goes to stderr.
    """
    known = {task.__name__: task for task in tasks}
    task, keywords = known[sys.argv[1]], json.loads(sys.argv[2])
    with contextlib.redirect_stdout(sys.stderr):
        figures = task(**keywords)
    sys.stdout.write(json.dumps(figures) + "\n")


def measured(call: Callable[[], Any]) -> tuple[Any, dict[str, float]]:
    """Result of a call, its seconds, and the memory [MiB] by which it raised the process's peak."""
    before, start = peak_memory(), time.perf_counter()
    result = call()
    seconds = time.perf_counter() - start
    return result, {"seconds": seconds, "peak": peak_memory() - before}


def peak_memory() -> float:
    """Largest resident memory of this process so far [MiB]."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / _MIB


def alternate(
    first: Callable[[], Any], second: Callable[[], Any], n_runs: int
) -> tuple[list[Any], list[Any]]:
    """Results of n runs each, in the order first, second, first, second: a machine's moods meet both."""
    results: tuple[list[Any], list[Any]] = ([], [])
    for _ in range(n_runs):
        results[0].append(first())
        results[1].append(second())
    return results


@dataclass(frozen=True)
class Ratio:
    """Median, smallest and largest of the ratios of pairs."""

    median: float
    low: float
    high: float

    @classmethod
    def of(cls, numerators: Sequence[float], denominators: Sequence[float]) -> "Ratio":
        """Ratios of runs that were neighbours in time."""
        ratios = [a / b for a, b in zip(numerators, denominators, strict=True)]
        return cls(median(ratios), min(ratios), max(ratios))

    def __str__(self) -> str:
        return f"{short(self.median)} ({short(self.low)} - {short(self.high)})"


def short(value: float) -> str:
    """A number with three significant digits and no exponent between 0.001 and 100,000."""
    if not math.isfinite(value) or value == 0:
        return f"{value:g}"
    size = math.floor(math.log10(abs(value)))
    return f"{value:.2g}" if size < -3 else f"{value:.{max(2 - size, 0)}f}"


def slope(n: Sequence[float], seconds: Sequence[float]) -> float:
    """Exponent of a power law through points: least squares of log seconds against log n."""
    x, y = [math.log(value) for value in n], [math.log(value) for value in seconds]
    mean_x, mean_y = sum(x) / len(x), sum(y) / len(y)
    spread = sum((a - mean_x) ** 2 for a in x)
    return (
        sum((a - mean_x) * (b - mean_y) for a, b in zip(x, y, strict=True)) / spread if spread else math.nan
    )


def interpolated(n: Sequence[float], seconds: Sequence[float], wanted: float) -> float:
    """Seconds at a size, along straight lines in log-log; the outermost ones go on beyond the points."""
    if len(n) == 1:
        return seconds[0] * wanted / n[0]
    i = sum(value <= wanted for value in n[1:-1])
    exponent = slope(n[i : i + 2], seconds[i : i + 2])
    return seconds[i] * (wanted / n[i]) ** exponent


def markdown_table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Rows of text as a Markdown table."""
    lines = [header, ["---"] * len(header), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def machine() -> str:
    """Processor model and number of cores, in words."""
    return f"{_processor()}, {os.cpu_count()} cores, Python {platform.python_version()}, {platform.system()}"


def load() -> str:
    """How many processes wanted a core in the last minute, in words."""
    return f"load average {os.getloadavg()[0]:.1f} of {os.cpu_count()}"


def _processor() -> str:
    try:
        for line in Path("/proc/cpuinfo").read_text().splitlines():
            if line.startswith("model name"):
                return line.split(":", 1)[1].strip()
    except OSError:
        pass
    return platform.processor() or platform.machine()
