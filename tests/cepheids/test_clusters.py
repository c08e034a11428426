"""Cepheids in clusters: who is a member by the sets' probabilities, and the law by the clusters' parallaxes."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from cone_tables import with_archive_columns
from toy_field import tables, toy_field

from gaia_oc_amd.cepheids.clusters import calibrate_with_clusters, find_cluster_cepheids
from gaia_oc_amd.cepheids.law import LeavittLaw
from gaia_oc_amd.cepheids.options import ClusterCepheidOptions
from gaia_oc_amd.options import ConeOptions
from gaia_oc_amd.set_building import build_sets
from gaia_oc_amd.source_sets import save_sets


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    """A toy cluster whose candidates were judged: the first ten of them as members."""
    folder = tmp_path_factory.mktemp("data")
    toy = with_archive_columns(toy_field())
    toy.sources.to_csv(folder / "cone.csv", index=False)
    sets = build_sets("Toy_1", tables(toy), folder, cone=ConeOptions(cone_source=str(folder / "cone.csv")))
    chance = np.where(np.arange(len(sets.candidates)) < 10, 0.9, 0.02)
    sets = replace(sets, candidates=sets.candidates.assign(PMemb=chance))
    save_sets(sets, folder)
    return folder, sets


def test_cepheids_are_looked_for_in_the_sets(data):
    folder, sets = data
    member, not_member = sets.candidates["source_id"].iloc[[0, -1]]
    rejected = sets.non_members["source_id"].iloc[0]
    stars = pd.DataFrame({"source_id": [member, not_member, rejected, 12345]})
    found = find_cluster_cepheids(stars, folder).set_index("source_id")
    assert set(found.index) == {member, not_member, rejected}
    assert found["is_member"].loc[[member, not_member, rejected]].tolist() == [True, False, False]
    assert found.loc[rejected, "rejected_by"] == sets.non_members["rejected_by"].iloc[0]
    row = found.loc[member]
    assert row["PMemb"] == 0.9
    assert row["cluster_parallax"] == pytest.approx(sets.members["parallax"].mean(), abs=0.05)
    assert row["cluster_parallax_error"] > 0.011
    strict = find_cluster_cepheids(stars, folder, ClusterCepheidOptions(prob_threshold=0.95))
    assert strict["is_member"].sum() == (member in set(sets.members["source_id"]))


def test_no_cluster_gives_an_empty_table(tmp_path):
    found = find_cluster_cepheids(pd.DataFrame({"source_id": [1, 2]}), tmp_path)
    assert found.empty
    assert "cluster_parallax" in found


def law():
    rng = np.random.default_rng(0)
    values = {"zero_point": -4.95, "slope": -3.3, "scatter": 0.1, "offset": 0.0}
    errors = {"zero_point": 0.1, "slope": 0.02, "scatter": 0.02, "offset": 0.0}
    draws = np.column_stack([-4.95 + 0.1 * rng.standard_normal(500), -3.3 + 0.02 * rng.standard_normal(500)])
    return LeavittLaw("posterior", 0.7, values, errors, draws, 400)


def cepheids(n, rng, nearest=1000, farthest=3000):
    distance = rng.uniform(nearest, farthest, n)
    period = rng.uniform(0.5, 1.3, n)
    absolute = -4.95 - 3.3 * (period - 0.7) + 0.1 * rng.standard_normal(n)
    stars = pd.DataFrame({"source_id": np.arange(1, n + 1), "log_period": period, "wesenheit_error": 0.01})
    stars["wesenheit"] = absolute + 5 * np.log10(distance) - 5
    stars["parallax_error"] = 0.05
    return stars.assign(parallax=1000 / distance + 0.05 * rng.standard_normal(n)), 1000 / distance


def in_clusters(stars, parallax, rng):
    table = pd.DataFrame(
        {"source_id": stars["source_id"], "PMemb": 0.9, "is_member": True, "rejected_by": ""}
    )
    table["cluster"] = [f"NGC_{number}" for number in range(len(stars))]
    table["cluster_parallax_error"] = 0.012
    return table.assign(cluster_parallax=parallax + 0.012 * rng.standard_normal(len(stars)), n_members=100)


def test_cluster_parallaxes_calibrate_better_than_single_ones():
    rng = np.random.default_rng(3)
    stars, parallax = cepheids(15, rng)
    laws = calibrate_with_clusters(stars, in_clusters(stars, parallax, rng), law(), rng)
    ours, single = laws["cluster parallaxes"], laws["their own parallaxes"]
    assert ours.n_stars == 15
    for each in laws.values():
        assert abs(each.values["zero_point"] + 4.95) < 3.5 * each.errors["zero_point"]
    assert ours.errors["zero_point"] < 0.7 * single.errors["zero_point"]


def test_cepheids_of_one_cluster_share_its_error():
    rng = np.random.default_rng(3)
    stars, parallax = cepheids(4, rng, 2000, 2001)
    found = in_clusters(stars, parallax, rng).assign(cluster_parallax_error=0.1)
    alone = calibrate_with_clusters(stars, found, law(), rng)["cluster parallaxes"]
    together = calibrate_with_clusters(stars, found.assign(cluster="NGC_1"), law(), rng)["cluster parallaxes"]
    assert together.errors["zero_point"] > 1.3 * alone.errors["zero_point"]


def test_who_is_no_member_does_not_calibrate():
    rng = np.random.default_rng(3)
    stars, parallax = cepheids(3, rng)
    assert (
        calibrate_with_clusters(stars, in_clusters(stars, parallax, rng).assign(is_member=False), law(), rng)
        == {}
    )
