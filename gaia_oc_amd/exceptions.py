"""Failures that a batch handles, those of one cluster and that of its workers, and their text in one line."""


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
    """Message of an error in one line; the type's name where there is no message.

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
    text = " ".join(str(error).split()) or type(error).__name__
    return text if longest is None or len(text) <= longest else text[: longest - 3] + "..."
