"""The user's own table of stars, made ready to be judged in the cone of a cluster."""

import pandas as pd

from gaia_oc_amd.cone import check_sources
from gaia_oc_amd.features import add_features
from gaia_oc_amd.set_building import calibrate
from gaia_oc_amd.source_sets import SourceSets


def prepare_stars(table: pd.DataFrame, sets: SourceSets) -> pd.DataFrame:
    """Calibrate a table of Gaia sources and add the features that `membership_probabilities` reads.

    Parameters
    ----------
    table : DataFrame
        Sources as the Gaia archive gives them, with its column names and units (`columns.REQUIRED_COLUMNS`; those of
        `columns.OPTIONAL_COLUMNS` are used where they are there). Parallaxes must not have been corrected before.
    sets : SourceSets
        The cluster that the stars are compared with, from `load_sets`.

    Returns
    -------
    DataFrame
        The archive's columns in the table's order, with the table's index; parallaxes corrected, errors of magnitude
        and colours and the features of `add_features` added. Sources without astrometry or G are left out, with a
        warning.

    Raises
    ------
    ClusterError
        If columns are missing, identifiers are repeated or no integers, or values cannot be what the column says.
    ValueError
        If the table has features already, as those of the sets do: its parallaxes would be corrected twice.
    """
    if "f_r" in table:
        raise ValueError(
            "the table has a column f_r already: give the archive's table, or skip prepare_stars."
        )
    sources = check_sources(table, "the table of stars")
    rows = pd.Index(table["source_id"].astype("int64")).get_indexer(sources["source_id"])
    prepared = add_features(calibrate(sources), sets.cluster, sets.limits, sets.isochrone, sets.colour)
    return prepared.set_index(table.index[rows])
