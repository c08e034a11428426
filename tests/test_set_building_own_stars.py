"""One's own table of stars: prepared, it is what the sets hold."""

import numpy as np
import pandas as pd
import pytest
from toy_field import toy_field

from gaia_oc_amd import add_features, divide_cone, find_members, nearest_age, prepare_stars
from gaia_oc_amd.candidates import select_candidates, selection_limits
from gaia_oc_amd.cluster import Cluster
from gaia_oc_amd.cone import calibrate
from gaia_oc_amd.exceptions import ClusterError, TooFewMembersError
from gaia_oc_amd.options import SelectionOptions


@pytest.fixture(scope="module")
def field():
    toy = toy_field()
    cluster = Cluster(**toy.parameters.iloc[0].to_dict())
    members = find_members("Toy_1", toy.sources, toy.members)
    return toy.sources, divide_cone(
        calibrate(toy.sources), cluster, members, nearest_age(toy.isochrones, 8.5)
    )


def test_prepared_stars_are_those_of_the_sets(field):
    sources, sets = field
    prepared = prepare_stars(sources, sets).set_index("source_id")
    built = pd.concat([sets.members, sets.candidates, sets.non_members]).set_index("source_id")
    assert len(built) == len(prepared)
    for name in ("parallax", "g_rp_error", "f_r", "f_pm", "f_plx", "f_c", "f_g", "f_pm_sigma", "f_c_sigma"):
        assert np.allclose(prepared[name], built[name][prepared.index], equal_nan=True), name


def test_order_and_index_are_the_tables_own(field):
    sources, sets = field
    table = sources.sample(frac=0.3, random_state=3)
    prepared = prepare_stars(table, sets)
    assert prepared.index.equals(table.index)
    assert (prepared["source_id"] == table["source_id"]).all()
    assert "f_r" not in table


def test_a_star_without_parallax_is_left_out_and_changes_nothing_for_the_others(field):
    sources, sets = field
    spoilt = sources.assign(parallax=sources["parallax"].where(sources.index != 4))
    with pytest.warns(UserWarning, match="1 of 460 rows"):
        prepared = prepare_stars(spoilt, sets)
    pd.testing.assert_frame_equal(prepared, prepare_stars(sources, sets).drop(index=4))


def test_copies_and_rows_without_an_identifier_are_left_out(field):
    sources, sets = field
    spoilt = pd.concat([sources, sources.iloc[:2]]).set_axis(range(100, 562))
    spoilt = spoilt.astype({"source_id": "str"})
    spoilt.loc[[103, 105], "source_id"] = np.nan
    with pytest.warns(UserWarning, match=r"2 of 462 rows lack a source_id|has 2 rows more than once"):
        prepared = prepare_stars(spoilt, sets)
    expected = prepare_stars(sources, sets).set_axis(range(100, 560)).drop(index=[103, 105])
    pd.testing.assert_frame_equal(prepared, expected)


def test_what_cannot_be_is_refused(field):
    sources, sets = field
    with pytest.raises(ClusterError, match="lacks the column"):
        prepare_stars(sources.drop(columns="pmra"), sets)
    with pytest.raises(ValueError, match="skip prepare_stars"):
        prepare_stars(sets.candidates, sets)


NO_TABLES = {
    "no table": (lambda t: t["ra"], TypeError, "is a Series, but must be a pandas DataFrame"),
    "a path": (lambda t: "stars.csv", TypeError, "is 'stars.csv', but must be a pandas DataFrame"),
    "no motion": (lambda t: t.drop(columns="pmra"), ValueError, r"lack the column\(s\) pmra: take"),
    "words": (lambda t: t.assign(pmra=t["pmra"].astype(str)), TypeError, "have pmra as str, .* hold numbers"),
}


@pytest.mark.parametrize("kind", NO_TABLES)
def test_what_is_no_table_of_sources_is_refused_in_words(field, kind):
    change, error, message = NO_TABLES[kind]
    sources, sets = field
    wrong, points = change(calibrate(sources)), nearest_age(toy_field().isochrones, 8.5)
    for does in (
        lambda: divide_cone(wrong, sets.cluster, sets.members.set_index("source_id")["PMemb"], points),
        lambda: add_features(wrong, sets.cluster, sets.limits, sets.isochrone),
        lambda: select_candidates(wrong, sets.cluster, sets.limits, sets.isochrone),
        lambda: selection_limits(sets.cluster, wrong, sets.isochrone, SelectionOptions()),
    ):
        with pytest.raises(error, match=message):
            does()


def test_identifiers_that_lost_digits_are_refused(field):
    """Compared as floating-point numbers they are those of other stars."""
    (sources, sets), listed = field, toy_field().members
    rounded, points = sources.astype({"source_id": float}), nearest_age(toy_field().isochrones, 8.5)
    members = find_members("Toy_1", sources, listed)
    for does in (
        lambda: divide_cone(calibrate(rounded), sets.cluster, members, points),
        lambda: find_members("Toy_1", rounded, listed),
        lambda: find_members("Toy_1", sources, listed.astype({"source_id": float})),
        lambda: find_members("Toy_1", sources.set_index("source_id"), listed),
    ):
        with pytest.raises((TypeError, ValueError), match="source_id"):
            does()


def test_no_members_give_no_limits(field):
    _, sets = field
    with pytest.raises(TooFewMembersError, match="Toy_1 has no member"):
        selection_limits(sets.cluster, sets.members.iloc[:0], sets.isochrone, SelectionOptions())
