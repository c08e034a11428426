"""A stage for many clusters: the same work, each cluster on its own."""

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any, Protocol

from gaia_oc_amd.batch import run_batch
from gaia_oc_amd.batch.outcomes import Outcome
from gaia_oc_amd.catalogues.names import read_cluster_names
from gaia_oc_amd.exceptions import UsageError
from gaia_oc_amd.files.data_directory import CLUSTER_FILE
from gaia_oc_amd.installation import script_command
from gaia_oc_amd.model_files import ModelFiles
from gaia_oc_amd.options import FigureOptions, RunOptions

ALL = "all"
"""Stands for every cluster whose sets were built."""


class DrawnOptions(Protocol):
    """Options of a script that draws."""

    @property
    def figures(self) -> FigureOptions:
        """Where they go, and as what."""
        ...


class JudgingOptions(Protocol):
    """Options of a script that needs a network."""

    @property
    def model_dir(self) -> Path:
        """The model folder."""
        ...

    @property
    def accept_changes(self) -> bool:
        """Whether files that were changed by hand count as they are."""
        ...


def read_model(options: JudgingOptions) -> ModelFiles:
    """The model folder that a stage judges with.

    Parameters
    ----------
    options : Options
        With model_dir and accept_changes.

    Returns
    -------
    ModelFiles
        Not a network yet. One of files that this program did not write is made all the same, to see whether it is one.

    Raises
    ------
    OSError, ValueError
        As of ``Classifier.load``.
    """
    model = ModelFiles.read(options.model_dir, accept_changes=options.accept_changes)
    if not model.are_as_written():
        from gaia_oc_amd.classifier import Classifier

        Classifier.of(model)
    return model


def for_clusters(
    stage: Callable[..., dict[str, Any]],
    clusters: list[str],
    options: DrawnOptions,
    run: RunOptions,
    *,
    command: str = "",
    modules: tuple[str, ...] = (),
    **shared: Any,
) -> list[Outcome]:
    """Do a stage for many clusters.

    Parameters
    ----------
    stage : callable
        ``stage(name, data_dir, options, seed=, command=, **shared)`` does it for one cluster.
    clusters : list of str
        Names, files with one name a line, or ``all`` for every cluster that is built.
    options : Options
        What the script takes.
    run : RunOptions
        Where, with which seed, by how many workers.
    command : str
        Shell command that does it, with ``{}`` for the cluster, for provenance.json.
    modules : tuple of str
        What the stage imports when it comes to it, which workers shall have before they start.
    **shared : any
        What is read once for all clusters: tables, the model.

    Returns
    -------
    list of Outcome
        What came of each, in the order of the names.

    Raises
    ------
    ValueError
        If figures are to be shown by other processes than this one.
    """
    options.figures.refuse_windows_of(run)
    work = partial(stage, data_dir=run.data_dir, options=options, seed=run.seed, command=command, **shared)
    return run_batch(work, named_clusters(clusters, run.data_dir), **run.where(), modules=modules)


def named_clusters(clusters: list[str], data_dir: Path | str) -> list[str]:
    """Clusters that are named: as `catalogues.names.read_cluster_names` reads them, or all that are built.

    Parameters
    ----------
    clusters : list of str
        Names, files with one name a line, or the word ``all`` alone.
    data_dir : path
        The data directory.

    Returns
    -------
    list of str

    Raises
    ------
    UsageError
        If all are meant, and there are none.
    OSError, ValueError
        If a file of names cannot be read.
    """
    if clusters != [ALL]:
        return read_cluster_names(clusters)
    built = sorted(path.parent.name for path in Path(data_dir).glob(f"clusters/*/{CLUSTER_FILE}"))
    if not built:
        command = script_command("build_sets.py", "NGC_2509", data_dir=data_dir)
        raise UsageError(f"no cluster is built in {data_dir}: run `{command}` first.")
    return built


def refuse_several(clusters: list[str], given: list[str], data_dir: Path | str) -> None:
    """Refuse options that are of one cluster where several are named.

    Parameters
    ----------
    clusters : list of str
        Names, or files with one name a line.
    given : list of str
        Names of such options that were given.
    data_dir : path
        The data directory.

    Raises
    ------
    UsageError
        If there are any, and several clusters.
    """
    n_clusters = len(named_clusters(clusters, data_dir))
    if given and n_clusters > 1:
        raise UsageError(f"--{given[0]} is of one cluster, but {n_clusters} are named.")
