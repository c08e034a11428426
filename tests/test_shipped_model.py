"""The model that the repository ships: it finds a planted cluster, and rejects its stars when they are moved."""

from pathlib import Path

import numpy as np
import pytest

from gaia_oc_amd.classifier import Classifier
from gaia_oc_amd.cluster import Cluster
from gaia_oc_amd.features import add_features
from gaia_oc_amd.isochrones import nearest_age
from gaia_oc_amd.membership import membership_probabilities
from gaia_oc_amd.options import SamplingOptions
from gaia_oc_amd.schematic_isochrones import schematic_isochrones
from gaia_oc_amd.set_building import calibrate, divide_cone
from gaia_oc_amd.simulation import simulate_cluster
from gaia_oc_amd.simulation_options import SimulationOptions

MODEL = Path(__file__).resolve().parents[1] / "deep_sets_model"


@pytest.fixture(scope="module")
def scene():
    """Sets of a simulated cluster and its true members brighter than G = 17, all among its candidates."""
    options = SimulationOptions(dist=1500.0, field_density=3000.0, cone_radius=20.0, n_members=300)
    isochrones = schematic_isochrones(np.array([8.5]))
    simulated = simulate_cluster(options, isochrones, rng=np.random.default_rng(77))
    listed = simulated.members[simulated.members["PMemb"] == 1].set_index("source_id")["PMemb"]
    row = simulated.parameters.iloc[0].to_dict()
    sets = divide_cone(calibrate(simulated.cone), Cluster(**row), listed, nearest_age(isochrones, row["age"]))
    true_ids = simulated.truth.loc[simulated.truth["is_member"], "source_id"]
    candidates = sets.candidates
    bright = candidates["source_id"].isin(true_ids) & (candidates["phot_g_mean_mag"] < 17)
    return sets, candidates[bright]


def accepted(sets, stars):
    stars = add_features(stars, sets.cluster, sets.limits, sets.isochrone, sets.colour)
    rng, options = np.random.default_rng(3), SamplingOptions(n_samples=20)
    return (
        membership_probabilities(stars, sets, Classifier.load(MODEL), options=options, rng=rng) >= 0.5
    ).mean()


def test_planted_members_are_found(scene):
    sets, members = scene
    assert len(members) > 20
    assert accepted(sets, members) > 0.9


@pytest.mark.parametrize(
    ("column", "limit", "times"),
    [
        ("pmra", "pm", 3),
        ("pmdec", "pm", -3),
        # the published features do not know errors: a bright star is allowed the scatter of a faint one
        ("parallax", "parallax_far", -10),
        ("parallax", "parallax_near", 10),
        ("g_rp", "colour", 5),
        ("phot_g_mean_mag", "g", 4),
    ],
)
def test_the_same_stars_elsewhere_are_rejected(scene, column, limit, times):
    sets, members = scene
    shift = times * getattr(sets.limits, limit)
    assert accepted(sets, members.assign(**{column: members[column] + shift})) < 0.1


def test_the_same_stars_far_from_the_centre_are_rejected(scene):
    sets, members = scene
    assert accepted(sets, members.assign(dec=members["dec"] + np.degrees(45 / sets.cluster.dist))) < 0.1
