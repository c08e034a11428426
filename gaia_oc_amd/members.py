"""Listed stars found again in the cone, and the training members among them."""

import logging
from dataclasses import replace

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from gaia_oc_amd.arguments import checked
from gaia_oc_amd.astrometry import angular_separation, unit_vectors
from gaia_oc_amd.catalogues.checks import NOISE
from gaia_oc_amd.catalogues.names import NameIndex, normalise_name
from gaia_oc_amd.columns import DR3_EPOCH, FROM_ARCHIVE
from gaia_oc_amd.exceptions import TooFewMembersError
from gaia_oc_amd.files.tables import require_columns
from gaia_oc_amd.options import MemberOptions

logger = logging.getLogger(__name__)

MATCH_RADIUS = 0.5
"""Largest separation of a position match [arcsec]."""
MATCH_MAGNITUDE = 0.5
"""Largest difference in G of a position match [mag]."""
_NEIGHBOURS = 4
MATCHED = ("source_id", "ra", "dec", "pmra", "pmdec", "phot_g_mean_mag")
"""What a match by position needs to know of a source."""
EPOCHS = (2015.5, 2016.0, 2000.0)
"""Epochs that positions of a list may have: those of DR2, DR3 and of coordinates called J2000 [yr]."""
_MOST = 0.95
"""Share of the stars that a right epoch matches."""
_LONGEST = 25.0
"""Years over which a star may have moved between two lists."""
ANOTHER_STAR = 3.0
"""Separation from which a source is not the listed star, whatever its identifier [arcsec]."""


def listed_members(member_list: pd.DataFrame, name: str) -> pd.DataFrame:
    """Rows of one cluster, whatever its spelling or alias (see `catalogues.names.NameIndex`).

    Parameters
    ----------
    member_list : DataFrame
        Columns cluster, source_id, PMemb and, for matching by position, ra, dec [deg].
    name : str
        Cluster name.

    Returns
    -------
    DataFrame
        The cluster's rows, possibly none.

    Raises
    ------
    UnknownClusterError
        If the name is an alias that fits several clusters of the list.
    """
    names = member_list["cluster"].unique()
    listed = normalise_name(NameIndex(names, table="the member list").get(name) or "")
    spellings = [other for other in names if normalise_name(other) == listed]
    return member_list[member_list["cluster"].isin(spellings)].reset_index(drop=True)


def match_to_cone(listed: pd.DataFrame, sources: pd.DataFrame) -> pd.Series:
    """Membership probability of the listed stars that are in the cone.

    Matching is by ``source_id`` first. Lists from Gaia DR2 carry a few percent of identifiers that changed
    in DR3, and some that are another star's: where the list has positions, stars that are not at their identifier's
    place are matched by position, within 0.5 arcsec and, where it has magnitudes, 0.5 mag in G. Positions are moved
    from the epoch of the list to that of DR3 by the stars' proper motions: the epoch of the column ref_epoch, or that
    of 2015.5 (DR2), 2016.0 (DR3) and 2000.0 (J2000) with which most stars are found.

    Parameters
    ----------
    listed : DataFrame
        Rows of one cluster.
    sources : DataFrame
        Cone sources with unique source_id.

    Returns
    -------
    Series
        PMemb by the DR3 source_id, of the matched stars only; the highest of a star that is listed more than once.
    """
    found = matched_rows(listed, sources)
    probability = pd.Series(listed.loc[found.index, "PMemb"].to_numpy(), index=found.to_numpy())
    return probability.groupby(level=0, sort=False).max()


def matched_rows(listed: pd.DataFrame, sources: pd.DataFrame) -> pd.Series:
    """Which cone source each listed star is, matched as `match_to_cone` says.

    Parameters
    ----------
    listed : DataFrame
        Rows of one cluster, with a unique index.
    sources : DataFrame
        Cone sources with unique source_id.

    Returns
    -------
    Series of int
        source_id in DR3 by the row of `listed`; stars that are not in the cone are left out.
    """
    known = listed["source_id"].isin(sources["source_id"])
    if {"ra", "dec"} <= set(listed.columns):
        known &= ~_elsewhere(listed, sources).to_numpy()
    by_id, rest = listed.loc[known, "source_id"], listed[~known]
    if len(rest) and {"ra", "dec"} <= set(listed.columns):
        free = ~sources["source_id"].isin(by_id)
        by_position = _match_by_position(rest, sources.loc[free])
        if len(by_position):
            logger.debug("%d members matched by position", len(by_position))
            return pd.concat([by_id, by_position])
    return by_id


def _elsewhere(listed: pd.DataFrame, sources: pd.DataFrame) -> pd.Series:
    """Listed stars whose identifier is that of a source at another place: it is of another release.

    Where that holds for most, the list's positions are doubted instead.
    """
    place = sources.drop_duplicates("source_id").set_index("source_id").reindex(listed["source_id"])
    apart = angular_separation(
        listed["ra"].to_numpy(float),
        listed["dec"].to_numpy(float),
        place["ra"].to_numpy(float),
        place["dec"].to_numpy(float),
    )
    motion = np.zeros(len(listed))
    if {"pmra", "pmdec"} <= set(place.columns):
        motion = np.nan_to_num(np.hypot(*place[["pmra", "pmdec"]].to_numpy(float).T)) * _LONGEST / 1000
    far = pd.Series(apart * 3600 > ANOTHER_STAR + motion, index=listed.index)
    n_known = int(np.isfinite(apart).sum())
    return far & (far.sum() <= n_known / 2)


def _match_by_position(listed: pd.DataFrame, sources: pd.DataFrame) -> pd.Series:
    """The nearest source that agrees in position and brightness, by the row of the listed star.

    A source that is the nearest of several stars is that of the nearest one.
    """
    listed = listed[np.isfinite(listed["ra"]) & np.isfinite(listed["dec"])]
    if sources.empty or listed.empty:
        return pd.Series(dtype=np.int64)
    if "ref_epoch" in listed and np.isfinite(listed["ref_epoch"]).all():
        return _match_at(listed, sources, DR3_EPOCH - listed["ref_epoch"].to_numpy(float))
    best = pd.Series(dtype=np.int64)
    for epoch in EPOCHS:
        matched = _match_at(listed, sources, np.full(len(listed), DR3_EPOCH - epoch))
        if len(matched) > len(best):
            if epoch != EPOCHS[0]:
                logger.info("The list's positions are of epoch %.1f: %d stars match.", epoch, len(matched))
            best = matched
        if len(best) >= _MOST * len(listed):
            break
    return best


def _match_at(listed: pd.DataFrame, sources: pd.DataFrame, years: NDArray[np.float64]) -> pd.Series:
    """As `_match_by_position`, of positions that are so many years older than DR3's."""
    from scipy.spatial import cKDTree  # here: its import takes a third of a second

    ra, dec = listed["ra"].to_numpy(float), listed["dec"].to_numpy(float)
    source_ra, source_dec = sources["ra"].to_numpy(float), sources["dec"].to_numpy(float)
    if {"pmra", "pmdec"} <= set(listed.columns):
        motion = listed[["pmra", "pmdec"]].fillna(0).to_numpy(float) * years[:, None] / 3.6e6
        ra, dec = ra + motion[:, 0] / np.cos(np.radians(dec)), dec + motion[:, 1]
    elif {"pmra", "pmdec"} <= set(sources.columns) and len(set(years)) == 1:
        motion = sources[["pmra", "pmdec"]].fillna(0).to_numpy(float) * years[0] / 3.6e6
        source_ra = source_ra - motion[:, 0] / np.cos(np.radians(source_dec))
        source_dec = source_dec - motion[:, 1]
    near_enough = _near_in_declination(source_dec, dec)
    sources = sources[near_enough]
    tree = cKDTree(unit_vectors(source_ra[near_enough], source_dec[near_enough]))
    radius = np.radians(MATCH_RADIUS / 3600)
    distance, near = tree.query(unit_vectors(ra, dec), k=_NEIGHBOURS, distance_upper_bound=radius)
    g = np.append(sources["phot_g_mean_mag"].to_numpy(), np.nan)  # what has no neighbour gets the last index
    accepted = np.isfinite(distance)
    if "phot_g_mean_mag" in listed:
        difference = listed["phot_g_mean_mag"].to_numpy()[:, None] - g[near]
        accepted &= ~(np.abs(difference) > MATCH_MAGNITUDE)
    row, first = np.flatnonzero(accepted.any(axis=1)), accepted.argmax(axis=1)
    source_id = sources["source_id"].to_numpy()[near[row, first[row]]]
    nearest = np.argsort(distance[row, first[row]], kind="stable")  # of two stars for one source
    kept = np.sort(nearest[~pd.Index(source_id[nearest]).duplicated()])
    return pd.Series(source_id[kept], index=listed.index[row[kept]])


def _near_in_declination(dec: NDArray[np.float64], wanted: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Whether each declination is in the strip of a wanted one, twice the match radius wide, or beside it."""
    width = 2 * MATCH_RADIUS / 3600
    strips = np.floor(wanted / width)
    return np.isin(np.floor(dec / width), np.concatenate([strips - 1, strips, strips + 1]))


def training_member_ids(
    probability: pd.Series, name: str, *, n_listed: int, prob_threshold: float, n_min_members: int
) -> pd.Index:
    """Identifiers of the members that are sure enough to learn from.

    Parameters
    ----------
    probability : Series
        PMemb by source_id of the usable members in the cone.
    name : str
        Cluster name, for messages.
    n_listed : int
        Number of stars that the list gives for the cluster, in the cone or not.
    prob_threshold : float
        Smallest PMemb of a training member.
    n_min_members : int
        Smallest number of training members.

    Returns
    -------
    Index
        source_id of the training members.

    Raises
    ------
    TooFewMembersError
        If there are fewer than `n_min_members`.
    """
    refuse_unlisted(name, n_listed)
    if probability.empty:
        raise TooFewMembersError(
            f"{name}: none of its {n_listed} listed members is in the cone: do the list, the parameter table and "
            "the cone belong to the same cluster? Try a larger --cone_pm_sigmas or --cone_plx_sigmas."
        )
    sure = probability.index[probability >= prob_threshold - 1e-9]
    if len(sure) < n_min_members:
        raise TooFewMembersError(
            f"{name} has {len(sure)} members with PMemb >= {prob_threshold:g} in the cone "
            f"({n_listed} listed, {len(probability)} in the cone), at least {n_min_members} are needed: "
            f"{_enough(probability, n_min_members)}."
        )
    return sure


def _enough(probability: pd.Series, n_min_members: int) -> str:
    """What gives a cluster enough members: a lower threshold, if there is one."""
    if len(probability) < max(n_min_members, 1):
        return "lower --n_min_members, or look for others with --find_first_members"
    threshold = np.floor(np.sort(probability)[-n_min_members] * 100 + 1e-6) / 100
    n_sure = int((probability >= threshold - 1e-9).sum())
    return f"--prob_threshold {threshold:g} would give {n_sure}"


def refuse_unlisted(name: str, n_listed: int) -> None:
    """Refuse a cluster that has no listed members to learn from.

    Parameters
    ----------
    name : str
        Cluster name.
    n_listed : int
        Number of stars that the list gives for it.

    Raises
    ------
    TooFewMembersError
        If there are none.
    """
    if n_listed == 0:
        raise TooFewMembersError(
            f"{name} is not in the member list: members are needed to learn from, give a list that has some with "
            "--members_path or --catalogue, or find the first ones with build_sets.py --find_first_members."
        )


@checked
def find_members(
    name: str,
    sources: pd.DataFrame,
    member_list: pd.DataFrame,
    options: MemberOptions | None = None,
    *,
    bootstrapped: pd.Series | None = None,
    matched: pd.Series | None = None,
) -> pd.Series:
    """Training members of a cluster among the sources of its cone.

    Parameters
    ----------
    name : str
        Cluster name.
    sources : DataFrame
        Cone sources.
    member_list : DataFrame
        Published list with cluster, source_id, PMemb and perhaps positions; one without cluster is of this one.
    options : MemberOptions, optional
        Threshold and smallest number.
    bootstrapped : Series, optional
        PMemb by source_id of members found earlier, who join the listed ones.
    matched : Series, optional
        From `match_to_cone`, if that was done before.

    Returns
    -------
    Series
        PMemb by source_id.

    Raises
    ------
    TooFewMembersError
        If fewer than the smallest number are in the cone.
    TypeError, ValueError
        If sources or list are no tables with identifiers as whole numbers, or PMemb is above 1.
    """
    options = options or MemberOptions()
    require_columns(sources, ("source_id", "ra", "dec"), "sources", FROM_ARCHIVE)
    require_columns(
        member_list, ("source_id", "PMemb"), "listed members", "take `read_input_tables(...).members`"
    )
    if (largest := member_list["PMemb"].max()) > 1 + NOISE:
        raise ValueError(
            f"listed members have PMemb up to {largest:g}, outside 0..1: divide percentages by 100."
        )
    member_list = member_list[member_list["PMemb"].notna()]
    listed = (
        listed_members(member_list, name) if "cluster" in member_list else member_list.reset_index(drop=True)
    )
    probability = match_to_cone(listed, sources) if matched is None else matched
    if bootstrapped is not None:
        found = bootstrapped[bootstrapped.index.isin(sources["source_id"])]
        joined = pd.concat([probability[probability >= options.prob_threshold - 1e-9], found])
        probability = joined[~joined.index.duplicated()]
        options = replace(options, prob_threshold=min(options.prob_threshold, options.bootstrap_prob))
    ids = training_member_ids(
        probability,
        name,
        n_listed=len(listed),
        prob_threshold=options.prob_threshold,
        n_min_members=options.n_min_members,
    )
    return probability[ids]
