"""Members beside their isochrone: found stage by stage where they are planted there, and only there."""

import json
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from plot_sets import example_sets

from gaia_oc_amd.files.data_directory import json_text, read_json
from gaia_oc_amd.isochrone_stages import FAR, as_records, poor_stages, stage_offsets
from gaia_oc_amd.isochrones import Isochrone, place_isochrone
from gaia_oc_amd.simulation.schematic_isochrones import schematic_isochrones
from gaia_oc_amd.source_sets import save_sets

AGES = (8.0, 8.7, 9.2, 9.6)
CURVES = {age: place_isochrone(schematic_isochrones([age]), 1500.0, 0.5) for age in AGES}
FAINTEST = 18.0


def planted(age, *, n=500, seed=0, colour=0.0, g=0.0, only=None, binaries=0.3):
    """Sets whose members are spread along the isochrone by mass, shifted, with errors and unresolved binaries.

    With `only`, the least label of the stars that are shifted.
    """
    rng = np.random.default_rng(seed)
    curve = CURVES[age]
    known = np.isfinite(curve.mass)
    bright = curve.mass[known][np.argmax(curve.g[known] < FAINTEST)]
    mass = np.sort(
        bright * (1 - rng.uniform(0, 1 - (curve.mass[known].max() / bright) ** -1.35, n)) ** (-1 / 1.35)
    )
    values = {
        name: np.interp(mass, curve.mass[known], getattr(curve, name)[known]) for name in ("g", "colour")
    }
    label = np.interp(mass, curve.mass[known], curve.label[known])
    shifted = label >= (only or 0)
    brighter = np.where(rng.uniform(size=n) < binaries, rng.uniform(0, 0.75, n), 0)
    stars = pd.DataFrame(
        {
            "phot_g_mean_mag": values["g"] + g * shifted - brighter,
            "g_rp": values["colour"] + colour * shifted + rng.normal(0, 0.01, n),
            "PMemb": 1.0,
        }
    )
    return replace(example_sets(), isochrone=curve, members=stars)


@pytest.mark.parametrize("age", AGES)
@pytest.mark.parametrize("seed", range(5))
def test_members_on_their_isochrone_are_not_beside_it(age, seed):
    offsets = stage_offsets(planted(age, seed=seed))
    assert {"main sequence"} <= {each.stage for each in offsets}
    assert poor_stages(offsets) == []


@pytest.mark.parametrize("shift", [-0.12, 0.12])
@pytest.mark.parametrize("age", AGES)
def test_a_shift_of_all_is_found_on_the_main_sequence(age, shift):
    offsets = [each for each in stage_offsets(planted(age, colour=shift)) if each.stage == "main sequence"]
    for each in offsets:
        assert abs(each.colour - shift) < 0.02
        assert each.is_far
        assert ("redder" if shift > 0 else "bluer") in str(each)


@pytest.mark.parametrize("shift", [-0.1, 0.1])
def test_giants_alone_beside_their_branch_are_found(shift):
    offsets = stage_offsets(planted(9.2, n=3000, colour=shift, only=3))
    assert {each.stage for each in poor_stages(offsets)} <= {"giants", "red clump"}
    giants = next(each for each in offsets if each.stage == "giants")
    assert giants.is_far
    assert giants.colour == pytest.approx(shift, abs=4 * giants.colour_error)


def test_a_wrong_distance_shows_in_magnitudes():
    offsets = stage_offsets(planted(9.2, n=3000, g=0.5, binaries=0.0))
    inclined = [each for each in offsets if np.isfinite(each.g)]
    assert {"main sequence", "red clump"} <= {each.stage for each in inclined}
    for each in inclined:
        assert each.g == pytest.approx(0.5, abs=3 * each.g_error + 0.05)


def test_small_offsets_and_uncertain_ones_are_no_warning():
    assert poor_stages(stage_offsets(planted(8.7, colour=0.8 * FAR, binaries=0.0))) == []
    far = [each for each in stage_offsets(planted(8.7, colour=0.1)) if each.is_far]
    assert not any(replace(each, colour_error=0.05, g=np.nan).is_far for each in far)


def test_few_members_say_nothing():
    assert stage_offsets(planted(9.2, n=8)) == []
    nobody = planted(9.2)
    assert stage_offsets(replace(nobody, members=nobody.members[:0])) == []


def test_candidates_that_a_user_brings_do_not_count():
    sets = planted(9.2)
    brought = replace(sets, candidates=sets.candidates.drop(columns=["rejected_by", "PMemb_list"]))
    nobody = replace(sets, candidates=sets.candidates[:0])
    # by repr: a dataclass with NaN differs from itself from Python 3.13 on
    assert repr(stage_offsets(brought)) == repr(stage_offsets(nobody))


def test_an_isochrone_without_stages_says_nothing():
    curve = CURVES[9.2]
    assert stage_offsets(replace(planted(9.2), isochrone=Isochrone(curve.colour, curve.g))) == []
    assert example_sets().stage_offsets == []


def test_the_order_of_the_stars_does_not_matter_much():
    sets = planted(9.2)
    turned = replace(sets, members=sets.members[::-1].reset_index(drop=True))
    for one, two in zip(stage_offsets(sets), stage_offsets(turned), strict=True):
        assert (one.stage, one.n_stars, one.colour) == (
            two.stage,
            two.n_stars,
            pytest.approx(two.colour, abs=1e-9),
        )


def test_the_file_of_a_cluster_holds_the_offsets(tmp_path):
    sets = planted(9.2, colour=0.1)
    stars = sets.members
    sets = replace(example_sets(), isochrone=sets.isochrone)
    sets = replace(sets, members=sets.members.assign(**stars[:150]).assign(PMemb=1.0))
    records = read_json(save_sets(sets, tmp_path) / "cluster.json")["isochrone_stages"]
    assert records == json.loads(json_text(as_records(sets.stage_offsets)))
    assert any(record["is_far"] for record in records)
