"""Failures that a batch handles, those of one cluster and that of its workers, and their text in one line."""

import os

from gaia_oc_amd.installation import as_called


class ClusterError(Exception):
    """A cluster cannot be processed; the message says why and what would help, in one line."""


class UnknownClusterError(ClusterError):
    """No table of cluster parameters knows the name."""


class TooFewMembersError(ClusterError):
    """The cluster has fewer usable members than the method needs."""


class ArchiveUnavailableError(ClusterError):
    """The service that was asked for stars or tables did not answer, or answered with an error."""


class ArchiveBusyError(ArchiveUnavailableError):
    """The service did not answer, or answered wrongly, in a way that may pass."""


class BatchStoppedError(OSError):
    """A batch cannot go on; what it has finished is kept."""


class ConeUnavailableError(ClusterError):
    """A source of stars lacks the cluster's field or cannot be read here; another source may have it."""


class NoClusterError(ClusterError):
    """A field has no group of stars that stands out as a cluster."""


class TooFewStarsError(ClusterError):
    """A field has too few usable stars to look for groups."""


class UsageError(ValueError):
    """The options of a command contradict each other, or the names that it was given: exit code 2."""


def one_line(error: object, longest: int | None = None) -> str:
    """Message of an error in one line, scripts named as the user calls them; its type where there is no message.

    Parameters
    ----------
    error : exception or str
        The error.
    longest : int, optional
        A longer line is cut, and ends in three dots: messages of other programs have any length.

    Returns
    -------
    str
    """
    text = as_called(" ".join(str(error).split())) or type(error).__name__
    if text.startswith("Key backend:"):  # Matplotlib's, which names neither the variable nor a remedy
        backend = os.environ.get("MPLBACKEND")
        text = f"MPLBACKEND is {backend!r}, which Matplotlib does not know: unset it, or set it to agg."
    return text if longest is None or len(text) <= longest else text[: longest - 3] + "..."


def missing_library(purpose: str, error: ImportError, *requirements: str) -> str:
    """Message about a library that one purpose needs and nothing else.

    Parameters
    ----------
    purpose : str
        What needs it, ``--report``.
    error : ImportError
        What Python said.
    *requirements : str
        What pip takes, ``bokeh>=3.8``, as an extra in pyproject.toml has it.

    Returns
    -------
    str
        With the command that installs it.
    """
    wanted = " ".join(f'"{requirement}"' for requirement in requirements)
    return f"{purpose} needs a library that is not installed ({error}): pip install {wanted}"
