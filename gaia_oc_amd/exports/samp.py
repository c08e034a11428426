"""Tables sent to TOPCAT, Aladin and whatever else listens to the Simple Application Messaging Protocol (SAMP)."""

import logging
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from xmlrpc.client import Error as XmlRpcError

from gaia_oc_amd._version import __version__
from gaia_oc_amd.exceptions import one_line
from gaia_oc_amd.exports.tables import described_set, read_member_list
from gaia_oc_amd.files.votable import DescribedTable, write_votable
from gaia_oc_amd.member_list import MEMBER_LIST
from gaia_oc_amd.source_sets import load_sets, sets_folder

LOAD = "table.load.votable"
"""What a program says that it understands if it can load tables."""
TIMEOUT = 60
"""Seconds that a program may take to load a table."""

_NO_HUB = "no SAMP hub is running: start TOPCAT, which brings one, and give the same command again."

logger = logging.getLogger(__name__)


class SampError(RuntimeError):
    """Nothing could be sent, or a program did not load it; the message says what to do."""


def send_cluster(name: str, data_dir: Path | str) -> list[str]:
    """Send the training members of a cluster, and its member list, to all programs that load tables.

    Parameters
    ----------
    name : str
        Cluster whose sets were built.
    data_dir : path
        The data directory.

    Returns
    -------
    list of str
        Names of the programs that loaded both tables.

    Raises
    ------
    SampError
        As `send_tables`.
    """
    folder = sets_folder(name, data_dir)
    members = load_sets(folder.name, data_dir, parts=("members",)).members
    tables = {"members": members, MEMBER_LIST: read_member_list(folder)}
    return send_tables([described_set(name, table, folder) for name, table in tables.items()])


def send_tables(tables: list[DescribedTable]) -> list[str]:
    """Send tables to every program at the running hub that says it loads VOTables, and wait until it has them.

    Parameters
    ----------
    tables : list of DescribedTable
        What is sent. The files are temporary, only this user can read them.

    Returns
    -------
    list of str
        Names of the programs that loaded all tables.

    Raises
    ------
    SampError
        If no hub is running, no program there loads tables, or one of them failed.
    """
    with _at_the_hub() as client, tempfile.TemporaryDirectory(prefix="gaia_oc_amd-") as folder:
        receivers = list(client.get_subscribed_clients(LOAD))
        if not receivers:
            raise SampError(
                "no program at the SAMP hub loads tables: start TOPCAT and give the same command again."
            )
        for number, table in enumerate(tables):
            path = Path(folder) / f"{number}.vot"
            write_votable(path, table)
            for receiver in receivers:
                _send(client, receiver, table.name, path)
        return [_name(client, receiver) for receiver in receivers]


@contextmanager
def _at_the_hub() -> Iterator[Any]:
    """A client that speaks but does not listen: it opens no port, and asks nobody but the hub on this computer."""
    from pyvo import samp

    # pyvo finds out its own name by a look at google.com unless it is told not to
    with samp.conf.set_temp("use_internet", False):
        client = samp.SAMPIntegratedClient(
            name="gaia_oc_amd", description=f"Members of open clusters, version {__version__}", callable=False
        )
        try:
            client.connect()
        except (
            samp.SAMPHubError,
            XmlRpcError,
            OSError,
            KeyError,
            ValueError,
        ) as error:  # also of its lock file
            logger.debug("SAMP: %s", error)
            raise SampError(_NO_HUB) from error
        try:
            yield client
        except (samp.SAMPHubError, XmlRpcError, OSError) as error:
            raise SampError(f"the SAMP hub did not do its work: {one_line(error)}") from error
        finally:
            _leave(client)


def _leave(client: Any) -> None:
    """Sign off at the hub; the client's own disconnect() does nothing for one that does not listen (pyvo 1.9.1)."""
    try:
        client.client.unregister()
        client.hub.disconnect()
    except (XmlRpcError, OSError) as error:  # it ended before us
        logger.debug("SAMP: %s", error)


def _send(client: Any, receiver: str, name: str, path: Path) -> None:
    params = {"url": path.as_uri(), "name": name, "table-id": name}
    message = {"samp.mtype": LOAD, "samp.params": params}
    try:
        reply = client.call_and_wait(receiver, message, str(TIMEOUT))
    except XmlRpcError as error:
        raise SampError(
            f"{_name(client, receiver)} did not load {name} within {TIMEOUT} s ({one_line(error)})."
        ) from error
    if reply.get("samp.status") != "samp.ok":
        reason = reply.get("samp.error", {}).get("samp.errortxt", "no reason given")
        raise SampError(f"{_name(client, receiver)} could not load {name}: {reason}")


def _name(client: Any, receiver: str) -> str:
    return str(client.get_metadata(receiver).get("samp.name", receiver))
