"""A cone cut from an all-sky catalogue in the HATS format, on disk or at a URL, by LSDB."""

import warnings
from typing import Any

import pandas as pd

from gaia_oc_amd.columns import ARCHIVE_COLUMNS
from gaia_oc_amd.cone import (
    ConeRegion,
    check_sources,
    cut_to_region,
    in_order,
    refuse_empty,
    refuse_missing_columns,
)
from gaia_oc_amd.exceptions import ConeUnavailableError
from gaia_oc_amd.files.tables import canonical, from_arrow

_MARGIN = 1.0
"""Added to the radius that LSDB cuts at [arcsec]; the exact cut is ours."""
_QUIET = {"progress_bar": False}


def hats_cone(path: str, region: ConeRegion) -> pd.DataFrame:
    """Stars of a cone in a HATS catalogue.

    Parameters
    ----------
    path : str
        Folder or URL of a catalogue or a collection, with the archive's column names in any case.
    region : ConeRegion
        Where to cut.

    Returns
    -------
    DataFrame
        Checked sources inside the region, sorted by source_id.

    Raises
    ------
    ConeUnavailableError
        If LSDB is not installed, the catalogue cannot be opened or read, lacks columns, or does not cover the cone.
    ClusterError
        If its data in the cone are wrong.
    """
    origin = f"hats:{path}"
    try:
        import dask
        import lsdb
    except ImportError as error:
        raise ConeUnavailableError(
            f"{origin} needs LSDB: pip install 'gaia_oc_amd[hats]', or 'lsdb>=0.11'."
        ) from error
    cone = lsdb.ConeSearch(region.ra, region.dec, region.radius * 3600 + _MARGIN)
    try:
        # threads of this process, for a worker of a batch must not wait for the other workers
        with dask.config.set(scheduler="threads"), warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of other people's dtypes and worker counts
            names = _archive_names(lsdb.open_catalog(path, columns="all").columns)
            refuse_missing_columns(names, origin, ConeUnavailableError)
            catalog = lsdb.open_catalog(path, columns=list(names.values()), search_filter=cone)
            limits = _near_in_motion(names, region)
            rows = (catalog.query(limits) if limits else catalog).compute(**_QUIET)
            around = rows if len(rows) else catalog[[names["ra"], names["dec"]]].compute(**_QUIET)
    except ConeUnavailableError:
        raise
    except Exception as error:  # of fsspec, aiohttp, hats, dask and pyarrow, which have no common ancestor
        reason = " ".join(str(error).split())[:200] or type(error).__name__
        raise ConeUnavailableError(
            f"{origin} cannot be read ({reason}): check the path, and that it is a HATS catalogue that covers the cone."
        ) from error
    uncut = check_sources(_plain(rows[list(names.values())], origin), origin)
    sources = cut_to_region(uncut, region)
    refuse_empty(sources, uncut if len(uncut) else _plain(around, origin), region, origin)
    return in_order(sources)


def _plain(rows: pd.DataFrame, origin: str) -> pd.DataFrame:
    """Rows with NumPy's types in place of Arrow's, and the archive's names."""
    import pyarrow as pa

    return canonical(from_arrow(pa.Table.from_pandas(pd.DataFrame(rows), preserve_index=False)), origin)


def _archive_names(columns: Any) -> dict[str, str]:
    """The catalogue's name of each archive column that it has."""
    theirs = {str(name).lower(): str(name) for name in columns} | {str(name): str(name) for name in columns}
    return {name: theirs[name] for name in ARCHIVE_COLUMNS if name in theirs}


def _near_in_motion(names: dict[str, str], region: ConeRegion) -> str:
    """Condition on proper motion and parallax, a little wider than the cone's; empty if it has none."""
    conditions = []
    for name, (centre, width) in region.motion_intervals.items():
        width += 1e-6 * max(1.0, abs(centre), width)
        conditions.append(f"`{names[name]}` >= {centre - width!r} and `{names[name]}` <= {centre + width!r}")
    return " and ".join(conditions)
