"""Our sets in the published tool's files, and the stars and limits that both tools are compared with."""

import json
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from drawn_stars import drawn_stars
from published_tool_files import COLUMNS, published_points, write_published_files
from published_tool_limit import fastest, multiplications
from published_tool_ours import chosen, differences

from gaia_oc_amd.cluster import Cluster
from gaia_oc_amd.cone import calibrate
from gaia_oc_amd.deep_sets import DeepSets
from gaia_oc_amd.isochrones import Isochrone
from gaia_oc_amd.set_building import divide_cone


@pytest.fixture
def sets(toy):
    name = toy.parameters["name"][0]
    cluster = Cluster.from_dict(toy.parameters.iloc[0].to_dict() | {"name": name})
    members = toy.members[toy.members["PMemb"] >= 1].set_index("source_id")["PMemb"]
    points = toy.isochrones[toy.isochrones["logAge"] == 8.5]
    sources = calibrate(toy.sources).assign(l=10.0, b=-5.0)
    return divide_cone(sources, cluster, members, points)


def test_files_hold_our_stars_with_the_published_signs(sets, tmp_path):
    lacking = sets.candidates.assign(g_rp=np.where(np.arange(len(sets.candidates)) == 0, np.nan, 0.5))
    write_published_files(replace(sets, candidates=lacking), tmp_path / "Toy")
    tables = {path.stem: pd.read_csv(path, index_col=0) for path in (tmp_path / "Toy").glob("*.csv")}
    assert sorted(tables) == ["candidates", "comparison_members", "non_members", "train_members"]
    assert all(list(table) == list(COLUMNS) for table in tables.values())
    assert len(tables["candidates"]) == len(sets.candidates) - 1  # a star without colour is dropped there
    members = tables["train_members"]
    assert members["source_id"].tolist() == sets.members["source_id"].tolist()
    np.testing.assert_allclose(members["f_c"], -sets.members["f_c"])
    np.testing.assert_allclose(members["f_g"], -sets.members["f_g"])
    np.testing.assert_allclose(members["f_plx"], sets.members["f_plx"])
    assert (tables["candidates"]["PMemb"] == 0).all()


def test_cluster_file_is_plain_json(sets, tmp_path):
    write_published_files(sets, tmp_path / "Toy")
    content = json.loads((tmp_path / "Toy" / "cluster").read_text())
    assert content["delta_plx_plus"] == sets.limits.parallax_far
    assert content["delta_plx_min"] == sets.limits.parallax_near
    assert content["isochrone_colour"] == sets.colour
    colour, g = content["isochrone"]
    assert len(colour) == len(g) > 40
    assert np.isfinite([colour, g]).all()


def test_points_are_near_one_another_but_not_across_a_gap():
    isochrone = Isochrone(np.array([0.0, 0.1, np.nan, 2.0, 2.0]), np.array([10.0, 12.0, np.nan, 15.0, 15.05]))
    colour, g = published_points(isochrone, spacing=0.2)
    steps = np.hypot(8 * np.diff(colour), np.diff(g))
    assert np.sort(steps)[-2] <= 0.2 + 1e-9
    assert steps.max() > 10  # the gap
    on_first = colour < 1
    np.testing.assert_allclose(g[on_first], 10 + 20 * colour[on_first])
    assert set(zip(isochrone.colour[[0, 1, 3, 4]], isochrone.g[[0, 1, 3, 4]], strict=True)) <= set(
        zip(colour, g, strict=True)
    )


@pytest.fixture
def stars(sets):
    return sets.non_members.assign(source_id=lambda table: 1000 * (table["source_id"] % 10**9))


def test_chosen_stars_can_be_judged(stars):
    stars.loc[:9, "parallax"] = np.nan
    table = chosen(stars, 2 * len(stars), "g_rp", rng=np.random.default_rng(1))
    assert len(table) == 2 * len(stars)
    assert table["parallax"].notna().all()
    assert table["source_id"].is_unique


def test_drawn_stars_repeat_only_when_they_must(stars):
    rng = np.random.default_rng(1)
    assert set(drawn_stars(stars, 20, rng=rng)["source_id"]) < set(stars["source_id"])
    whole = drawn_stars(stars, len(stars), rng=rng)
    assert sorted(whole["source_id"]) == sorted(stars["source_id"])
    more = drawn_stars(stars, 2 * len(stars) + 7, rng=rng)
    assert more["source_id"].is_unique
    assert more.groupby("ra").size().between(2, 3).all()


def test_differences_are_those_of_the_same_stars():
    ours = pd.Series([0.0, 0.2, 0.6, 1.0, 0.5], index=[1, 2, 3, 4, 9])
    theirs = pd.Series([1.0, 0.4, 0.2, 0.0], index=[4, 3, 2, 1])
    found = differences(ours, theirs)
    assert found["n"] == 4
    assert found["mean_difference"] == pytest.approx(0.05)
    assert found["above_0.1"] == pytest.approx(0.25)
    assert found["same_verdict"] == pytest.approx(0.75)
    assert found["correlation"] == pytest.approx(np.corrcoef([0, 0.2, 0.6, 1], [0, 0.2, 0.4, 1])[0, 1])
    assert differences(ours * 0, theirs)["correlation"] is None


def test_the_limit_counts_the_products_of_the_network():
    """Every weight once for each row that meets it; the support part of the first layer is common to all."""
    network = DeepSets(8, 5, 64)
    rows = {"phi.0": 0, "Gamma": 10, "Lambda": 1, "ro": 1}
    expected = 8 * 64  # the first layer's part of the star
    for name, parameter in network.named_parameters():
        if parameter.ndim == 2:
            expected += parameter.numel() * next(n for key, n in rows.items() if key in name)
    assert multiplications() == expected


def test_the_limit_is_proportional_to_the_instances():
    found = fastest(200_000, blocks=(32,), most_instances=640)
    assert found["seconds"] > 0
    assert found["gflops"] == pytest.approx(2 * 200_000 * multiplications() / found["seconds"] / 1e9)
