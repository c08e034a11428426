"""Other groups of a field: their table, what catalogues know of them, and that build_sets reads it."""

import numpy as np
import pandas as pd
import pytest
from search_fields import field

from gaia_oc_amd.catalogues.lookup import find_cluster
from gaia_oc_amd.catalogues.tables import InputTables, read_member_list, read_parameter_table
from gaia_oc_amd.exceptions import ClusterError
from gaia_oc_amd.first_members.field import SearchTables, find_target, read_search_tables
from gaia_oc_amd.first_members.options import FieldOptions, FindOptions, SearchOptions
from gaia_oc_amd.first_members.other_groups import describe_others, read_catalogues
from gaia_oc_amd.first_members.search import find_first_members
from gaia_oc_amd.options import ConeOptions, FigureOptions, GivenCluster
from gaia_oc_amd.stages.find_first_members import search_and_save

TWO = ((0.0, 0.0, -3.0, 2.0, 1.0, 80), (0.15, 0.1, 1.0, -1.5, 0.6, 80))
QUICK = SearchOptions(n_runs=3, n_controls=10)
EAST = 120 + 0.15 / np.cos(np.radians(20))
"""Right ascension of the second cluster."""
LISTED = pd.DataFrame(
    {
        "name": ["There_1", "There_2", "Elsewhere_1", "Unknown_1"],
        **{"ra": [EAST, EAST, EAST, EAST], "dec": [-19.9, -19.92, -10.0, -19.9]},
        **{"pmra": [1.0, 4.0, 1.0, np.nan], "pmdec": [-1.5] * 4, "parallax": [0.6, 0.6, 0.6, 0.6]},
    }
)


@pytest.fixture(scope="module")
def found():
    where = {"ra": 120.0, "dec": -20.0, "rng": np.random.default_rng(3)}
    return find_first_members("Toy_1", field(clusters=TWO), QUICK, **where)


def test_another_group_is_described_as_it_is(found):
    table = describe_others("Toy_1", found.others, {})
    assert table["name"].tolist() == ["Toy_1_group_1"]
    row = table.iloc[0]
    np.testing.assert_allclose(row[["pmra", "pmdec", "parallax"]].to_numpy(float), [1, -1.5, 0.6], atol=0.05)
    np.testing.assert_allclose(row[["ra", "dec"]].to_numpy(float), [EAST, -19.9], atol=0.02)
    assert row["radius"] == pytest.approx(
        0.05 * 1.18, rel=0.3
    )  # half of a normal distribution in two dimensions
    assert 50 < row["n_stars"] < 100
    assert row["significance"] > 5
    assert (row["known_as"], row["catalogue"]) == ("", "")


@pytest.mark.parametrize(("kept", "known"), [([0, 1, 2, 3], "There_1"), ([1], ""), ([2], ""), ([3], "")])
def test_it_is_the_listed_cluster_at_its_place_that_moves_as_it_does(found, kept, known):
    row = describe_others("Toy_1", found.others, {"cg20": LISTED.iloc[kept]}).iloc[0]
    assert row["known_as"] == known
    assert row["catalogue"] == ("cg20" if known else "")


def test_of_two_catalogues_the_more_alike_cluster_is_named(found):
    other = LISTED.iloc[[0]].assign(name="Same_1", pmra=1.2)
    for tables in ({"cg20": LISTED, "dias21": other}, {"dias21": other, "cg20": LISTED}):
        assert describe_others("Toy_1", found.others, tables).iloc[0]["known_as"] == "There_1"


@pytest.mark.filterwarnings("ignore:Toy_1. age")  # assumed, for no table has them
def test_files_are_what_build_sets_reads_and_go_when_there_is_no_other_group(tmp_path):
    (tmp_path / "cones").mkdir()
    path = tmp_path / "cones" / "Toy_1.csv"
    field(clusters=TWO).drop(columns="is_member").to_csv(path, index=False)
    target = find_target("Toy_1", None, FieldOptions(120.0, -20.0, 0.25))
    cone = ConeOptions((str(tmp_path / "cones"),), overwrite_cone=True)
    options = FindOptions(cone=cone, search=QUICK, figures=FigureOptions(save_plots=False))
    tables = SearchTables(None, None, None, catalogues={"cg20": LISTED})
    assert search_and_save(target, tmp_path, options, tables=tables, seed=1)["others"] == 1
    folder = tmp_path / "clusters" / "Toy_1"
    assert pd.read_csv(folder / "other_groups.csv")["known_as"].tolist() == ["There_1"]
    rows = read_parameter_table(folder / "other_groups.csv")
    assert rows["name"].tolist() == ["Toy_1_group_1"]
    members = read_member_list(folder / "other_groups_members.csv")
    read = InputTables(rows, "other_groups.csv", members, None, pd.DataFrame(), None)
    with pytest.raises(ClusterError, match="has no age, a0 in the parameter table: give --age --a0"):
        find_cluster("Toy_1_group_1", read)
    cluster = find_cluster("Toy_1_group_1", read, GivenCluster(age=8.2, a0=0.6))
    assert cluster.dist == pytest.approx(1000 / 0.6, rel=0.1)
    assert set(members["cluster"]) == {"Toy_1_group_1"}
    assert 50 < len(members) < 150
    field(clusters=TWO[:1]).drop(columns="is_member").to_csv(path, index=False)
    search_and_save(target, tmp_path, options, tables=tables, seed=1)
    assert not list(folder.glob("other_groups*"))
    assert (folder / "first_members.csv").exists()


def test_catalogues_that_are_there_are_read_and_broken_ones_are_said(tmp_path):
    assert read_catalogues(tmp_path) == {}
    full = LISTED.assign(age=8.0, a0=0.1, dist=1000.0, pmra_error=0.1, pmdec_error=0.1, parallax_error=0.1)
    full.to_csv(tmp_path / "cluster_parameters.csv", index=False)
    tables = read_catalogues(tmp_path)
    assert [list(table["name"]) for table in tables.values()] == [LISTED["name"].tolist()]
    assert list(read_search_tables(tmp_path).catalogues) == list(tables)
    (tmp_path / "cluster_parameters.csv").write_text("nothing\n")
    with pytest.warns(UserWarning, match="other groups are not looked up there"):
        assert read_catalogues(tmp_path) == {}
