"""Many clusters: one after the other, in several processes, or on a Dask cluster; a failure stops no other."""

import logging
import sys
from collections.abc import Callable, Generator, Iterable
from contextlib import closing
from functools import partial
from importlib.util import find_spec
from pathlib import Path

from gaia_oc_amd.batch.outcomes import Outcome, Work, attempt, shown_name, with_name
from gaia_oc_amd.batch.processes import in_processes
from gaia_oc_amd.exceptions import BatchStoppedError
from gaia_oc_amd.installation import as_called, script_command
from gaia_oc_amd.interruption import obey
from gaia_oc_amd.options import RunOptions
from gaia_oc_amd.parallel import clock, progress_bar

logger = logging.getLogger(__name__)


def run_batch(
    work: Work,
    clusters: list[str],
    *,
    workers: int = 1,
    scheduler: str | None = None,
    data_dir: Path | str | None = None,
    modules: tuple[str, ...] = (),
) -> list[Outcome]:
    """Do the same work for many clusters, and once more for those that a service failed while it served others.

    Parameters
    ----------
    work : callable
        Takes a cluster name, returns a summary for the final table. It must be picklable for more than one
        worker, and depend on nothing but the name.
    clusters : list of str
        Names; one that occurs twice is worked on once.
    workers : int
        Number of processes.
    scheduler : str, optional
        Address or scheduler file of a Dask cluster that does the work, instead of processes.
    data_dir : path, optional
        Folder that the workers of that cluster must share with this machine.
    modules : tuple of str
        What the work imports when it comes to it, which processes shall have before they start.

    Returns
    -------
    list of Outcome
        In the order of the names.

    Raises
    ------
    OSError, ValueError, ImportError
        If the Dask cluster cannot do the work; what is finished when it breaks down is returned.
    """
    names = list(dict.fromkeys(clusters))
    spread = partial(
        _outcomes, work, workers=workers, scheduler=scheduler, data_dir=data_dir, modules=modules
    )
    outcomes = _round(spread, names)
    late = [name for name in names if outcomes[name].may_pass]
    if late and len(late) < len(names):  # else the service may be down for everybody
        logger.info("%d cluster(s) that a service failed are tried once more.", len(late))
        outcomes |= _round(spread, late)
    return [outcomes[name] for name in clusters]


def _round(spread: Callable[[list[str]], Generator[Outcome]], names: list[str]) -> dict[str, Outcome]:
    """Outcome of each name; of what a breakdown has left undone, the breakdown."""
    outcomes: dict[str, Outcome] = {}
    progress = clock(names[0]) if len(names) == 1 else progress_bar(total=len(names), unit="cluster")
    try:
        with progress as bar, closing(spread(names)) as finished:
            for outcome in finished:
                outcomes[outcome.cluster] = outcome
                bar.update()
                _report(outcome)
                obey()
    except BatchStoppedError as stop:
        if not outcomes:
            raise
        logger.error("%s", stop)
        outcomes = {name: Outcome(name, 0.0, error=str(stop)) for name in names} | outcomes
    return outcomes


def _outcomes(
    work: Work,
    names: list[str],
    *,
    workers: int,
    scheduler: str | None,
    data_dir: Path | str | None,
    modules: tuple[str, ...],
) -> Generator[Outcome]:
    if scheduler is not None:
        from gaia_oc_amd.batch.dask import in_dask

        yield from in_dask(work, names, scheduler, data_dir, modules)
    elif min(workers, len(names)) > 1:
        yield from in_processes(work, names, min(workers, len(names)), modules)
    else:
        yield from (attempt(work, name) for name in names)


def _report(outcome: Outcome) -> None:
    for level, text in outcome.messages:
        logger.log(level, "%s", with_name(outcome.cluster, text))
    if outcome.error:
        logger.error("%s", outcome.error)


def summary_table(outcomes: list[Outcome]) -> str:
    """The table that ends a run: a row per cluster, the number of warnings if any, and why those failed that did.

    Parameters
    ----------
    outcomes : list of Outcome
        From `run_batch`.

    Returns
    -------
    str
        Text of several lines; what stopped several clusters is said once.
    """
    columns = list(dict.fromkeys(key for outcome in outcomes for key in outcome.summary))
    warned = any(outcome.n_warnings for outcome in outcomes)
    rows = [["cluster", *columns, *["warnings"] * warned, "seconds"]]
    for outcome in outcomes:
        cells = [str(outcome.summary.get(name, "-")) for name in columns]
        cells += [str(outcome.n_warnings)] * warned
        rows.append([shown_name(outcome.cluster), *cells, f"{outcome.seconds:.1f}"])
    widths = [max(len(row[i]) for row in rows) for i in range(len(rows[0]))]
    lines = [
        "  ".join([row[0].ljust(widths[0]), *(c.rjust(w) for c, w in zip(row[1:], widths[1:], strict=True))])
        for row in rows
    ]
    errors = [outcome.error for outcome in outcomes if outcome.error]
    if errors:
        lines += ["", f"{len(errors)} of {len(outcomes)} failed:"]
        lines += [f"  {error}" for error in dict.fromkeys(errors)]
    return "\n".join(lines)


def finish(outcomes: list[Outcome], *texts: str, closing: Iterable[str] = ()) -> int:
    """Write what ends a run on the screen; returns the exit code.

    Parameters
    ----------
    outcomes : list of Outcome
        Of the clusters, for the table; none for a script that has no table.
    *texts : str
        What stands above the table.
    closing : iterable of str
        What stands below it: what was found, where it is, and what to do next.

    Returns
    -------
    int
        0 only if every cluster succeeded.
    """
    for text in (*texts, *([summary_table(outcomes)] if outcomes else []), *closing):
        sys.stdout.write(f"{as_called(text)}\n")
    return int(any(outcome.error for outcome in outcomes))


def next_step(
    script: str, outcomes: list[Outcome], clusters: list[str], run: RunOptions, *options: str
) -> list[str]:
    """What to do after a stage, as a line that can be copied.

    Parameters
    ----------
    script : str
        Name of the script.
    outcomes : list of Outcome
        What came of the stage.
    clusters : list of str
        Clusters as they were named.
    run : RunOptions
        Gives the data directory.
    *options : str
        Words that follow; ``--report`` is left out where its libraries are not installed.

    Returns
    -------
    list of str
        One line; none if no cluster succeeded.
    """
    if all(outcome.error for outcome in outcomes):
        return []
    can_report = all(find_spec(library) for library in ("bokeh", "jinja2"))
    words = (word for word in options if word != "--report" or can_report)
    return [f"next: {script_command(script, *clusters, *words, data_dir=run.data_dir)}"]
