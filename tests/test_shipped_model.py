"""The model that the repository ships: it finds a planted cluster, and rejects its stars when they are moved."""

import tempfile
import warnings
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from planted_cones import simulated_sets

from gaia_oc_amd.catalogues.tables import read_input_tables
from gaia_oc_amd.classifier import Classifier
from gaia_oc_amd.cluster import Cluster
from gaia_oc_amd.cone import calibrate
from gaia_oc_amd.features import add_features
from gaia_oc_amd.isochrones import nearest_age
from gaia_oc_amd.membership import judge_candidates, judge_sets, membership_probabilities
from gaia_oc_amd.options import ConeOptions, SamplingOptions, TablePaths
from gaia_oc_amd.set_building import build_sets, divide_cone
from gaia_oc_amd.simulation.options import SimulationOptions
from gaia_oc_amd.simulation.schematic_isochrones import schematic_isochrones
from gaia_oc_amd.simulation.simulate import simulate_cluster
from gaia_oc_amd.source_sets import save_sets

MODEL = Path(__file__).resolve().parents[1] / "deep_sets_model"


@pytest.fixture(scope="module")
def scene():
    """Sets of a simulated cluster, and which of its candidates are members."""
    options = SimulationOptions(dist=1500.0, field_density=3000.0, cone_radius=20.0, n_members=300)
    sets, true_ids = simulated_sets(options, 77)
    return sets, sets.candidates["source_id"].isin(true_ids).to_numpy()


@pytest.fixture(scope="module")
def bright(scene):
    """Bright true members among the candidates."""
    sets, is_member = scene
    return sets.candidates[is_member & (sets.candidates["phot_g_mean_mag"] < 17).to_numpy()]


def judged(sets, stars):
    stars = add_features(stars, sets.cluster, sets.limits, sets.isochrone, sets.colour)
    rng = np.random.default_rng(3)
    return membership_probabilities(stars, sets, Classifier.load(MODEL), rng=rng)


def accepted(sets, stars):
    return (judged(sets, stars) >= 0.5).mean()


def test_planted_members_are_found(scene, bright):
    assert len(bright) > 20
    assert accepted(scene[0], bright) > 0.9


def test_faint_members_are_found_at_little_contamination(scene):
    sets, is_member = scene
    p, g = judged(sets, sets.candidates), sets.candidates["phot_g_mean_mag"].to_numpy()
    faint = g > 19
    assert (p[is_member & faint] >= 0.5).mean() > 0.4
    assert is_member[p >= 0.5].mean() > 0.8


def test_sum_of_probabilities_is_the_number_of_members(scene):
    sets, is_member = scene
    # the scene lies on schematic isochrones, which the model was not trained on
    p, bright = judged(sets, sets.candidates), (sets.candidates["phot_g_mean_mag"] < 18).to_numpy()
    assert p[bright].sum() == pytest.approx(is_member[bright].sum(), rel=0.15)
    assert p.sum() == pytest.approx(is_member.sum(), rel=0.4)


DOUBT = "the field may hide this cluster"


def test_a_cluster_in_a_crowded_field_is_doubted(tmp_path):
    """A hundred stars in front of a crowd that moves alike: neither number nor list can be trusted, and it is said."""
    options = SimulationOptions(
        ra=270.0,
        dec=-25.0,
        dist=2500.0,
        pmra=0.0,
        pmdec=-1.5,
        field_density=100_000.0,
        cone_radius=20.0,
        n_members=100,
    )
    sets, true_ids = simulated_sets(options, 3)
    save_sets(sets, tmp_path)
    with pytest.warns(UserWarning, match=DOUBT):
        judged = judge_candidates(sets.cluster.name, tmp_path, Classifier.load(MODEL), seed=1)
    found = judged.candidates.query("PMemb >= 0.5")
    assert (~found["source_id"].isin(true_ids)).mean() > 0.1  # it has reason to


def test_a_cluster_in_a_sparse_field_is_not_doubted(scene, tmp_path):
    save_sets(scene[0], tmp_path)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        judge_candidates(scene[0].cluster.name, tmp_path, Classifier.load(MODEL), seed=1)
    assert not [warning for warning in caught if DOUBT in str(warning.message)]


def test_training_member_is_judged_like_a_star_that_nobody_listed(scene):
    sets = scene[0]
    listed = judge_sets(sets, Classifier.load(MODEL), rng=np.random.default_rng(3))
    p = listed.candidates["PMemb"]
    # stars far out, if they were listed, would leave the cone no field beyond its members
    doubtful = sets.candidates[p.between(0.02, 0.98)].nsmallest(12, "f_r").index
    assert len(doubtful) == 12
    joined = pd.concat([sets.members, sets.candidates.loc[doubtful]], ignore_index=True)
    learnt = replace(sets, members=joined, candidates=sets.candidates.drop(doubtful))
    found = judge_sets(learnt, Classifier.load(MODEL), rng=np.random.default_rng(3)).judged_members["PMemb"][
        -12:
    ]
    difference = found.to_numpy() - p[doubtful].to_numpy()
    # the others of these stars vouch for each, so that all gain a little
    assert np.abs(difference).max() < 0.3
    assert np.abs(np.median(difference)) < 0.1


def test_votes_lose_the_faint_members(scene):
    sets, is_member = scene
    faint = sets.candidates[is_member & (sets.candidates["phot_g_mean_mag"] > 19.5).to_numpy()]
    options = SamplingOptions(probability="votes", n_samples=20)
    votes = membership_probabilities(
        faint, sets, Classifier.load(MODEL), options=options, rng=np.random.default_rng(3)
    )
    assert (votes >= 0.5).sum() < (judged(sets, faint) >= 0.5).sum()


@pytest.mark.parametrize(
    ("column", "limit", "times"),
    [
        ("pmra", "pm", 3),
        ("pmdec", "pm", -3),
        ("parallax", "parallax_far", -6),
        ("parallax", "parallax_near", 6),
        ("g_rp", "colour", 5),
        ("phot_g_mean_mag", "g", 4),
    ],
)
def test_the_same_stars_elsewhere_are_rejected(scene, bright, column, limit, times):
    sets = scene[0]
    shift = times * getattr(sets.limits, limit)
    # a few dwarfs made that red lie where giants of the cluster would
    assert accepted(sets, bright.assign(**{column: bright[column] + shift})) < 0.25


def test_the_same_stars_far_from_the_centre_are_rejected(scene, bright):
    sets = scene[0]
    moved = bright.assign(dec=bright["dec"] + np.degrees(45 / sets.cluster.dist))
    assert accepted(sets, moved) < 0.15  # a halo may have a few


def test_cone_without_members_has_nearly_none(scene):
    """The list's stars are taken for a cluster; away from them there is nothing to be found."""
    sets, is_member = scene
    empty = replace(sets, candidates=sets.candidates[~is_member].reset_index(drop=True))
    assert judged(empty, empty.candidates).sum() < 0.1 * is_member.sum()


def test_planted_halo_is_found():
    """Of two clusters that differ in their halo alone, the one with the halo has more members far out."""
    isochrones, far = schematic_isochrones(np.arange(8.0, 9.01, 0.1).round(1)), []
    for halo in (0.0, 0.5):
        options = SimulationOptions(
            dist=1500.0, field_density=3000.0, cone_radius=30.0, n_members=500, halo_fraction=halo
        )
        simulated = simulate_cluster(options, isochrones, rng=np.random.default_rng(9))
        listed = simulated.members[simulated.members["PMemb"] == 1].set_index("source_id")["PMemb"]
        row = simulated.parameters.iloc[0].to_dict()
        cone = simulated.cone[simulated.cone["phot_g_mean_mag"] > 6]
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # a few stars have no zero point
            cone = calibrate(cone)
        sets = divide_cone(cone, Cluster(**row), listed, nearest_age(isochrones, row["age"]))
        p = membership_probabilities(
            sets.candidates, sets, Classifier.load(MODEL), rng=np.random.default_rng(3)
        )
        far.append(p[sets.candidates["f_r"] > 12].sum())
    assert far[1] > far[0] + 20


def test_real_members_are_found_in_a_field_never_trained_on(shared):
    tables = read_input_tables(
        "nowhere",
        TablePaths(
            cluster_path=shared / "real" / "cluster_parameters.csv",
            members_path=shared / "real" / "cg18_members.csv.gz",
            comparison_path=shared / "real" / "t22_members.csv.gz",
            isochrone_path=shared / "real" / "isochrones" / "parsec_z0.0205.dat",
        ),
    )
    assert "NGC_2506" not in Classifier.load(MODEL).hyper_parameters["training_clusters"]
    source = ConeOptions(cone_source=str(shared / "real" / "cones"))
    with tempfile.TemporaryDirectory() as folder, warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the field is smaller than the cone
        sets = build_sets("NGC_2506", tables, folder, cone=source)
    assert accepted(sets, sets.members) > 0.95
