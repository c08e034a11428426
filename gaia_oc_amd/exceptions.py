"""The failures of one cluster that a batch reports while it goes on with the others."""


class ClusterError(Exception):
    """A cluster cannot be processed; the message says why and what would help, in one line."""


class UnknownClusterError(ClusterError):
    """No table of cluster parameters knows the name."""


class TooFewMembersError(ClusterError):
    """The cluster has fewer usable members than the method needs."""


class ArchiveUnavailableError(ClusterError):
    """The service that was asked for stars or tables did not answer, or answered with an error."""
