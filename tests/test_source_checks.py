"""Rows of source tables that cannot be used are left out and counted; what makes a whole table wrong is refused."""

import re
import warnings

import numpy as np
import pandas as pd
import pytest

from gaia_oc_amd.archive.local_tables import LocalTable, cluster_table
from gaia_oc_amd.cone import ConeRegion, no_star_in_cone
from gaia_oc_amd.exceptions import ClusterError
from gaia_oc_amd.files.tables import write_table
from gaia_oc_amd.source_checks import check_sources


def changed(sources, row, **values):
    table = sources.copy()
    for name, value in values.items():
        column = table[name].astype(object)
        column.iloc[row] = value
        table[name] = column
    return table


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"source_id": ""}, "1 of 460 rows lack a source_id and are left out"),
        ({"source_id": -5}, "1 of 460 rows lack a source_id and are left out"),
        ({"parallax_error": 0.0}, "1 of 460 rows have an astrometric error of 0 or less, or a correlation"),
        ({"pmra_pmdec_corr": 99.99}, "1 of 460 rows have .* a correlation outside -1..1, and are left out"),
        ({"pmra_error": -1.0}, "1 of 460 rows have an astrometric error of 0 or less"),
        ({"phot_g_mean_mag": "faint"}, r"1 values of phot_g_mean_mag are no number .*'faint' is the first"),
        ({"parallax": "inf"}, "fill values, which count as missing: 1 of parallax"),
        ({"pmdec": ""}, "1 of 460 rows lack astrometry or G and are left out"),
    ],
)
def test_a_bad_row_costs_itself_alone(toy, tmp_path, values, message):
    changed(toy.sources, 7, **values).to_csv(tmp_path / "s.csv", index=False)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        stars = check_sources(LocalTable(tmp_path / "s.csv").whole(), "s.csv")
    assert {warning.category for warning in caught} == {UserWarning}
    assert any(re.search(message, str(warning.message)) for warning in caught)
    assert all("\n" not in str(warning.message) for warning in caught)
    assert stars["source_id"].tolist() == toy.sources["source_id"].drop(index=7).tolist()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda t: t.assign(parallax_error=0.0), "parallax_error = 0, outside .* an error must be positive"),
        (
            lambda t: t.assign(phot_g_mean_mag="faint"),
            r"a phot_g_mean_mag that is no number .*--columns phot_g_mean",
        ),
        (lambda t: t.assign(source_id=-t["source_id"]), "s has 460 of 460 source_id that are 0 or less"),
        (
            lambda t: t.assign(pmra=t["pmra"] / 1000, pmra_error=t["pmra_error"] / 1000),
            "median pmra_error of .*, outside 0.001..20 mas/yr: is it in mas/yr",
        ),
        (
            lambda t: t.assign(parallax_error=1000 * t["parallax_error"]),
            "median parallax_error .*: is it in mas?",
        ),
        (lambda t: pd.concat([t, t.iloc[:3].assign(pmra=0.5)]), "3 repeated source_id .* remove the copies"),
    ],
)
def test_what_most_rows_have_is_refused(toy, change, message):
    with pytest.raises(ClusterError, match=message) as caught:
        check_sources(change(toy.sources), "s")
    assert "\n" not in str(caught.value)


def test_rows_that_stand_twice_are_kept_once(toy):
    with pytest.warns(UserWarning, match="s has 3 rows more than once, with equal values: one is kept"):
        stars = check_sources(pd.concat([toy.sources, toy.sources.iloc[:3]], ignore_index=True), "s")
    assert stars["source_id"].tolist() == toy.sources["source_id"].tolist()


def test_right_ascensions_of_both_halves_and_names_of_a_join(toy, tmp_path):
    turned = toy.sources.assign(ra=toy.sources["ra"] - 180)
    np.testing.assert_allclose(check_sources(turned, "s")["ra"], toy.sources["ra"] + 180)
    joined = toy.sources.rename(columns={name: f"{name}_1" for name in toy.sources}).assign(
        ra_2=1.0, dec_2=2.0
    )
    joined.to_csv(tmp_path / "s.csv", index=False)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        stars = check_sources(LocalTable(tmp_path / "s.csv").whole(), "s")
    np.testing.assert_array_equal(stars["dec"], toy.sources["dec"])


def test_hours_are_the_likely_cause_of_an_empty_cone(toy):
    region = ConeRegion(120.0, -20.0, 1.0, 0.0, 0.0, 5.0, 1.0, 1.0)
    table = toy.sources.assign(ra=toy.sources["ra"] / 15)
    assert "is ra in hours? Multiply it by 15" in str(no_star_in_cone(table, region, "s"))


@pytest.mark.parametrize("kind", ["Int64", "int64[pyarrow]"])
def test_missing_values_of_nullable_integers_count_as_missing(toy, kind):
    table = toy.sources.astype(
        {"source_id": kind, "phot_g_n_obs": kind}
    )  # as of Table.to_pandas() of astropy
    table.loc[7, "source_id"] = table.loc[9, "phot_g_n_obs"] = pd.NA
    with pytest.warns(UserWarning, match="1 of 460 rows lack a source_id and are left out"):
        stars = check_sources(table, "s")
    assert stars["source_id"].tolist() == toy.sources["source_id"].drop(index=7).tolist()
    assert stars["phot_g_n_obs"].isna().sum() == 1


@pytest.mark.parametrize("column", ["ref_epoch", "Epoch"])
@pytest.mark.parametrize("name", ["s.csv", "s.parquet"])
def test_positions_of_another_release_are_warned_of(toy, tmp_path, column, name):
    table, region = toy.sources.assign(**{column: 2015.5}), ConeRegion(120.0, -20.0, 5.0, 0, 0, 99, 0, 99)
    write_table(tmp_path / name, table, name.rpartition(".")[2])
    with pytest.warns(
        UserWarning, match=r"has positions of epoch 2015\.5, .* if it is of DR2, its magnitudes"
    ):
        check_sources(cluster_table(tmp_path / name, "Toy_1").rows(region), "s")


def test_positions_of_epoch_2016_are_those_of_dr3(toy):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        check_sources(toy.sources.assign(ref_epoch=2016.0), "s")


@pytest.mark.parametrize("column", ["ra", "dec"])
def test_a_cluster_joined_to_its_stars_is_no_star(toy, column):
    with pytest.raises(
        ClusterError, match=rf"s has {column} = .* in all of its 460 rows.*--columns {column}="
    ):
        check_sources(toy.sources.assign(**{column: 1.5}), "s")
    few = toy.sources.iloc[:5].assign(**{column: 1.5})
    assert len(check_sources(few, "s")) == 5


@pytest.mark.parametrize("value", [0.0, -1.0])
def test_magnitudes_that_no_star_of_gaia_has_are_missing(toy, value):
    missing = np.arange(len(toy.sources)) % 9 == 0
    table = toy.sources.assign(
        **{name: toy.sources[name].mask(missing, value) for name in ("phot_bp_mean_mag", "phot_rp_mean_mag")}
    )
    with pytest.warns(UserWarning, match="52 of phot_bp_mean_mag"):
        stars = check_sources(table, "s")
    assert stars.loc[missing, ["bp_rp", "g_rp"]].isna().all(axis=None)
    assert stars.loc[~missing, "g_rp"].notna().all()


def test_what_a_table_lacks_can_be_taken_with_it(toy):
    with pytest.raises(ClusterError, match=r"pmra_pmdec_corr: .* or take the table again with them"):
        check_sources(toy.sources.drop(columns="pmra_pmdec_corr"), "s")


def test_bands_that_are_swapped_are_refused(toy):
    names = {"phot_bp_mean_mag": "phot_rp_mean_mag", "phot_rp_mean_mag": "phot_bp_mean_mag"}
    swapped = toy.sources.rename(columns=names).drop(columns=["bp_rp", "g_rp"], errors="ignore")
    with pytest.raises(
        ClusterError, match=r"median BP - RP of -.*phot_bp_mean_mag and phot_rp_mean_mag swapped\?"
    ):
        check_sources(swapped, "s")
    assert len(check_sources(swapped.iloc[:3], "s")) == 3  # faint stars may have any colour
