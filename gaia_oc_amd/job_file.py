"""A file that remembers a submitted job, so that an interrupted query picks it up instead of starting anew."""

import hashlib
import json
import logging
from dataclasses import asdict, dataclass
from pathlib import Path

from gaia_oc_amd.files.data_directory import read_json, write_text

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class SubmittedJob:
    """A job at a service.

    Parameters
    ----------
    service : str
        TAP base URL.
    digest : str
        Of the query, see `query_digest`.
    url : str
        Of the job. Who knows it may read the result, so the file is readable by its owner only.
    """

    service: str
    digest: str
    url: str


def query_digest(query: str) -> str:
    """Hexadecimal SHA-256 of a query, whatever its spacing.

    Parameters
    ----------
    query : str
        ADQL.

    Returns
    -------
    str
    """
    return hashlib.sha256(" ".join(query.split()).encode()).hexdigest()


def remember_job(path: Path | None, job: SubmittedJob) -> None:
    """Write the file of a job, as a whole or not at all, readable by its owner only; without a path do nothing."""
    if path is not None:
        write_text(path, json.dumps(asdict(job), indent=2) + "\n", mode=0o600)


def remembered_job(path: Path | None) -> SubmittedJob | None:
    """Job of a file.

    Parameters
    ----------
    path : path or None
        The file.

    Returns
    -------
    SubmittedJob or None
        None if there is no such file, or it is damaged: then the query is merely asked again.
    """
    if path is None or not path.is_file():
        return None
    try:
        content = read_json(path)
        return SubmittedJob(**{name: str(content[name]) for name in ("service", "digest", "url")})
    except (ValueError, KeyError) as error:
        logger.info("%s is damaged (%s): its job is not picked up.", path, type(error).__name__)
        return None


def forget_job(path: Path | None) -> None:
    """Remove the file of a job, if there is one."""
    if path is not None:
        path.unlink(missing_ok=True)
