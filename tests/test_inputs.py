"""Inputs that contradict each other are said, with both numbers and the option that mends them."""

import logging
import re
import warnings
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from gaia_oc_amd.cluster import Cluster
from gaia_oc_amd.cone import cone_region
from gaia_oc_amd.exceptions import ClusterError
from gaia_oc_amd.inputs import hold_against_list, warn_of_no_field, why_missing
from gaia_oc_amd.members import match_to_cone
from gaia_oc_amd.options import ConeOptions

CLUSTER = Cluster("Toy_1", 120.0, -20.0, -3.0, 2.0, 0.8, 0.15, 0.15, 0.06, 8.5, 0.3, 1250.0)
REGION = cone_region(CLUSTER, ConeOptions(cone_radius=30))


@pytest.fixture
def stars():
    """A cluster of 120 stars at 1250 pc."""
    rng = np.random.default_rng(2)
    n = 120
    return pd.DataFrame(
        {
            "source_id": 5_000_000_000_000_000_001 + np.arange(n) * 7,
            "ra": 120 + rng.normal(0, 0.1, n),
            "dec": -20 + rng.normal(0, 0.1, n),
            "pmra": rng.normal(-3, 0.15, n),
            "pmdec": rng.normal(2, 0.15, n),
            "parallax": rng.normal(0.8, 0.06, n),
            "phot_g_mean_mag": rng.uniform(10, 18, n),
        }
    )


def hold(stars, cluster=CLUSTER, listed=None, **changes):
    listed = stars.assign(PMemb=1.0) if listed is None else listed
    cluster = replace(cluster, **changes)
    hold_against_list(cluster, REGION, listed, stars, match_to_cone(listed, stars), prob_threshold=0.7)


def test_inputs_that_agree_are_counted_and_nothing_else(stars, caplog):
    listed = stars.assign(PMemb=np.where(np.arange(120) < 100, 0.9, 0.3))
    found = stars.drop(index=[3, 4, 110])
    with warnings.catch_warnings(), caplog.at_level(logging.INFO):
        warnings.simplefilter("error")
        hold_against_list(CLUSTER, REGION, listed, found, match_to_cone(listed, found), prob_threshold=0.7)
    assert "Toy_1: 98 of 100 listed members (p >= 0.7) found in the cone." in caplog.text


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (
            {"pmra_error": 1.5e-4},
            r"pmra_error, .*, is 0\.00015 mas/yr, .* another unit, .* --pmra_error 0\.1\d",
        ),
        ({"parallax_error": 60.0}, r"parallax_error, .*, is 60 mas, .* scatter by 0\.0\d+ mas: another unit"),
        (
            {"ra": 120.4},
            r"mean position, ra 1(19|20)\.\d+, .* is 0\.3\d+ deg away from .* --ra 1(19|20)\.\d+ --dec -(19|20)",
        ),
        ({"dec": 20.0}, r"is 40\.\d+ deg away"),
        (
            {"pmra": -3.0 / np.cos(np.radians(70))},
            r"mean motion, pmra -\d\.\d+, .* without cos\(dec\)\? --pmra -\d",
        ),
        (
            {"parallax": 0.0008},
            r"mean parallax, 0\.\d+ mas, is 0\.\d+ mas away .* another unit\? --parallax 0\.\d",
        ),
        (
            {"dist": 3000.0},
            r"mean parallax is 0\.\d+ \+- 0\.\d+ mas, but dist 3000 pc is a parallax of 0\.333 mas",
        ),
    ],
)
def test_what_contradicts_the_members_is_a_warning(stars, changes, message):
    with pytest.warns(UserWarning, match=rf"Toy_1: .*{message}") as caught:
        hold(stars, **changes)
    assert len(caught) == 1
    assert "\n" not in str(caught[0].message)


def test_standard_deviations_that_no_table_gives_are_no_contradiction(stars):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        hold(stars, pmra_error=np.nan, pmdec_error=np.nan, parallax_error=np.nan)


@pytest.mark.parametrize("dist", [50_000.0, 12.5])
def test_a_distance_that_makes_features_meaningless_is_an_error(stars, dist):
    with pytest.raises(
        ClusterError, match=rf"but dist {dist:g} pc is a parallax of .* is dist in pc\? Give --dist 12\d\d"
    ):
        hold(stars, dist=dist)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda t: t.drop(columns=["ra", "dec"]), r"no positions, .*another release"),
        (lambda t: t.assign(ra=t["ra"] + 5), r"120 lie outside its radius \(another centre\?"),
        (lambda t: t.assign(pmra=t["pmra"] + 9), r"120 outside its proper motions \(--pmra"),
        (lambda t: t.assign(parallax=t["parallax"] + 9), r"120 outside its parallaxes \(--parallax"),
        (lambda t: t, r"120 have no star at their place"),
    ],
)
def test_why_members_are_missing_is_said(stars, change, message):
    assert re.fullmatch(rf".*{message}.*\.", why_missing(change(stars), stars.iloc[:0], REGION))


def test_few_members_found_is_a_warning(stars):
    listed = stars.assign(PMemb=1.0, ra=stars["ra"] + 0.01, source_id=-np.arange(120))
    with pytest.warns(
        UserWarning, match=r"120 of 120 listed members \(p >= 0\.7\) are not in the cone: 120 have no star"
    ):
        hold(stars, listed=listed)


def test_a_star_that_was_found_under_another_identifier_is_not_missing(stars):
    listed = stars.assign(PMemb=1.0, source_id=stars["source_id"] + np.where(np.arange(120) < 30, 1, 0))
    found = stars[:50]
    with pytest.warns(UserWarning, match=r"70 of 120 listed members .* are not in the cone: 70 have no star"):
        hold_against_list(CLUSTER, REGION, listed, found, match_to_cone(listed, found), prob_threshold=0.7)


@pytest.mark.parametrize("has_motion", [True, False])
@pytest.mark.parametrize("epoch", [2000.0, 2015.5, 2016.0, 1991.25])
def test_positions_of_another_epoch_are_moved_by_the_stars_motions(stars, epoch, has_motion):
    fast = stars.assign(pmra=stars["pmra"] - 80, pmdec=stars["pmdec"] + 60, phot_g_mean_mag=15.0)
    moved = (epoch - 2016.0) / 3.6e6
    listed = fast.assign(
        source_id=-np.arange(1, 121),
        PMemb=0.5,
        ra=fast["ra"] + fast["pmra"] * moved / np.cos(np.radians(fast["dec"])),
        dec=fast["dec"] + fast["pmdec"] * moved,
    )
    if epoch == 1991.25:
        listed["ref_epoch"] = epoch
    if not has_motion:
        listed = listed.drop(columns=["pmra", "pmdec"])
    assert set(match_to_cone(listed, fast).index) == set(fast["source_id"])


def test_an_identifier_of_another_star_is_not_believed(stars):
    """As identifiers of another release that are given to other stars."""
    listed = stars.assign(PMemb=np.linspace(0.1, 1, 120))
    swapped = listed.copy()
    swapped.loc[[0, 1], "source_id"] = listed.loc[[1, 0], "source_id"].to_numpy()
    matched = match_to_cone(swapped, stars)
    assert matched[stars["source_id"][0]] == pytest.approx(0.1)
    assert matched[stars["source_id"][1]] == listed["PMemb"][1]
    assert len(matched) == 120
    wrong = listed.assign(
        ra=listed["ra"] + 1
    )  # of a list whose positions are wrong, the identifiers are believed
    assert len(match_to_cone(wrong, stars)) == 120


def test_a_table_cut_to_members_is_a_warning(stars):
    matched = pd.Series(1.0, stars["source_id"])
    with pytest.warns(
        UserWarning, match=r"Toy_1: only 1 of the 120 stars of the cone are not listed: was the"
    ):
        warn_of_no_field(CLUSTER, stars, matched.iloc[:-1])
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        warn_of_no_field(CLUSTER, stars, matched.iloc[:-5])
        warn_of_no_field(CLUSTER, stars, matched.where(np.arange(120) < 80, 0.0))
        warn_of_no_field(CLUSTER, stars.iloc[:15], matched.iloc[:15])
