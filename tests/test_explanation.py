"""Every star gets its reason: the first that applies, with the number and the limit."""

import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from toy_field import toy_field

from gaia_oc_amd.classifier import Classifier
from gaia_oc_amd.cluster import Cluster
from gaia_oc_amd.cone import ConeRegion, calibrate
from gaia_oc_amd.explanation import TERMS, explain
from gaia_oc_amd.isochrones import nearest_age
from gaia_oc_amd.members import find_members
from gaia_oc_amd.options import SamplingOptions
from gaia_oc_amd.set_building import divide_cone

MODEL = Path(__file__).resolve().parents[1] / "deep_sets_model"


@pytest.fixture(scope="module")
def model():
    return Classifier.load(MODEL)


@pytest.fixture(scope="module")
def sets():
    """A toy field with eight stars that differ from a member in one thing each."""
    field = toy_field(3, n_field=1500)
    twin = field.sources[field.sources["source_id"] == field.members["source_id"].iloc[0]].iloc[0]
    odd = pd.DataFrame([twin] * 6).assign(source_id=np.arange(1, 7) + 4_000_000_000_000_000_000)
    odd = odd.reset_index(drop=True)
    odd["ra"] += np.arange(1, 7) * 0.002
    odd.loc[0, "pmra"] += 3.0  # fails in motion
    odd.loc[1, "parallax"] += 0.6  # fails in parallax
    odd.loc[2, ["phot_rp_mean_mag", "g_rp"]] += [-0.7, 0.7]  # fails beside the isochrone
    odd.loc[3, ["phot_rp_mean_mag", "g_rp"]] = np.nan  # has no colour
    odd.loc[4, "pmra"] = -3.0 + 0.30  # a candidate, off in motion
    odd.loc[5, ["ra", "dec", "pmra"]] = [twin["ra"] + 0.001, twin["dec"], -3.0]
    sources = calibrate(pd.concat([field.sources, odd], ignore_index=True).astype(field.sources.dtypes))
    cluster = Cluster(**field.parameters.iloc[0].to_dict())
    members = find_members("Toy_1", sources, field.members)
    return divide_cone(sources, cluster, members, nearest_age(field.isochrones, 8.5))


def odd(number):
    return 4_000_000_000_000_000_000 + number


def reasons(stars, sets, model, **options):
    return explain(stars, sets, model, **options).set_index("star")


def test_the_first_reason_is_given_with_number_and_limit(sets, model):
    table = reasons([odd(1), odd(2), odd(3), odd(4)], sets, model)
    assert list(table["verdict"]) == ["non-member"] * 4
    motion, parallax, isochrone, colour = table["reason"]
    for text, start in ((motion, "proper motion"), (parallax, "parallax")):
        off, limit = re.search(r"off: \+?([\d.]+) mas\S* \(limit ([\d.]+)\)", text).groups()
        assert text.startswith(start)
        assert float(off) > float(limit) > 0
    assert "sigma from the isochrone: +0." in isochrone
    assert colour == "no colour (G-RP)"


def test_the_limit_is_the_one_of_the_selection(sets, model):
    """Eq. 3 for an offset in right ascension alone."""
    star = sets.non_members[sets.non_members["source_id"] == odd(1)].iloc[0]
    text = reasons([odd(1)], sets, model)["reason"].iloc[0]
    unsure = abs(sets.cluster.motion_error_at(np.array([star["ra"]]), np.array([star["dec"]]))[0, 0])
    limit = 3 * (star["pmra_error"] + unsure) + sets.limits.pm
    assert float(re.search(r"limit ([\d.]+)", text)[1]) == pytest.approx(limit, abs=0.02)


def test_members_are_members_and_stars_keep_their_order(sets, model):
    ids = sets.members["source_id"].tolist()[:5]
    field = sets.non_members["source_id"].iloc[0]
    table = explain([ids[0], field, ids[1]], sets, model)
    assert table["star"].tolist() == [str(ids[0]), str(field), str(ids[1])]
    assert table["source_id"].tolist() == [ids[0], field, ids[1]]
    assert table["verdict"].tolist() == ["member", "non-member", "member"]
    assert table["reason"].iloc[0].startswith("training member with p = ")
    assert (table["PMemb"].iloc[[0, 2]] > 0.5).all()


def test_a_low_probability_names_what_lowers_it(sets, model):
    probability = explain([odd(5)], sets, model)["PMemb"].iloc[0]
    table = reasons([odd(5), odd(6)], sets, model, prob_threshold=max(probability * 1.01, 0.01))
    star = table.loc[str(odd(5))]
    assert star["verdict"] == "candidate"
    assert "sigma in motion (odds" in star["reason"]
    denser = re.search(r"the field is ([\d.,]+) times denser there", star["reason"])
    assert bool(denser) == (star["field_density"] > 2)
    assert star[list(TERMS)].astype(float).idxmin() == "odds_motion"
    assert star["odds_motion"] < -1
    assert star["odds_motion"] < table.loc[str(odd(6)), "odds_motion"] - 1


def test_what_is_evaluated_keeps_its_probability(sets, model):
    known = replace(sets, candidates=sets.candidates.assign(PMemb=0.123))
    star = sets.candidates.loc[sets.candidates["rejected_by"] == "", "source_id"].iloc[0]
    row = explain([star], known, model).iloc[0]
    assert row["PMemb"] == 0.123
    assert "p = 0.12" in row["reason"]


def test_positions_mean_the_nearest_source(sets, model):
    member = sets.members.iloc[2]
    table = explain(
        pd.DataFrame(
            {"ra": [member["ra"], member["ra"]], "dec": [member["dec"] + 0.5 / 3600, member["dec"]]}
        ),
        sets,
        model,
    )
    assert table["source_id"].tolist() == [member["source_id"]] * 2
    nobody = explain(pd.DataFrame({"ra": [member["ra"]], "dec": [member["dec"] + 0.01]}), sets, model)
    assert nobody["verdict"].tolist() == ["not in the cone"]
    assert nobody["source_id"].isna().all()


def test_an_identifier_decides_and_a_place_only_where_that_is_allowed(sets, model):
    """A star that is not in the cone does not become its neighbour; a changed identifier is found by its place."""
    member = sets.members.iloc[2]
    near = pd.DataFrame(
        {"source_id": [99, 98], "ra": member["ra"], "dec": member["dec"] + np.array([0.7, 0.01]) / 3600}
    )
    table = explain(near, sets, model)
    assert table["verdict"].tolist() == ["not in the cone"] * 2
    assert (
        f"; {member['source_id']}, 0.70 arcsec from its place, is another source" in table["reason"].iloc[0]
    )
    table = explain(near, sets, model, by_position=True)
    assert table["verdict"].tolist() == ["not in the cone", "member"]
    assert (
        table["reason"].iloc[1].startswith(f"by its place {member['source_id']}: training member with p = ")
    )


def test_absent_stars_are_placed(sets, model):
    cluster = sets.cluster
    region = ConeRegion(
        cluster.ra, cluster.dec, 20.0, cluster.pmra, cluster.pmdec, 4.0, cluster.parallax, 0.5
    )
    away = pd.DataFrame(
        {
            "source_id": pd.array([11, 12, 13, 14, 15], dtype="Int64"),
            "ra": [cluster.ra] * 5,
            "dec": cluster.dec + np.array([25.0, 15.0, 0.011, 0.012, 0.013]),
            "pmra": cluster.pmra + np.array([0, 0, 9.0, 0, 0]),
            "pmdec": cluster.pmdec,
            "parallax": cluster.parallax + np.array([0, 0, 0, 2.0, 0]),
        }
    )
    texts = explain(away, sets, model, region=region)["reason"].tolist()
    assert texts[0].startswith("beyond the cone: 25.00 deg from the centre (the cone's radius is 20.00)")
    assert texts[1].startswith("beyond the field whose stars there are: 15.00 deg")
    assert texts[2].startswith("cut by the cone: proper motion 9.00 mas/yr off (the cone ends at 4.00)")
    assert texts[3].startswith("cut by the cone: parallax +2.000 mas off")
    assert texts[4].startswith("Gaia has no such source in the cone")
    (unmeasured,) = explain(away.tail(1).drop(columns="parallax"), sets, model, region=region)["reason"]
    assert unmeasured.startswith(
        "cut by the cone (proper motion within 4.00 mas/yr, parallax within 0.500 mas)"
    )
    listed = replace(sets, comparison_outside=away.assign(f_r=1.0, PMemb=1.0))
    assert (
        explain([13, 14], listed, model, region=region)["reason"].tolist() == texts[2:4]
    )  # as the list measured


def test_an_identifier_tells_where_its_star_is(sets, model):
    from gaia_oc_amd.astrometry import HEALPIX_SHIFT, nested_pixels

    cluster = sets.cluster
    place = nested_pixels(np.array([cluster.ra]), np.array([cluster.dec + 30.0]))[0]
    texts = explain([int(place) << HEALPIX_SHIFT, 7 << 60], sets, model)["reason"].tolist()
    assert re.match(r"beyond the cone: (29|30)\.\d\d deg from the centre", texts[0])
    assert texts[1] == "no identifier of Gaia, and no position"


def test_no_stars_give_an_empty_table_and_a_table_without_places_is_refused(sets, model):
    assert list(explain([], sets, model)) == list(explain([odd(1)], sets, model))
    with pytest.raises(ValueError, match="neither source_id nor ra and dec, only name"):
        explain(pd.DataFrame({"name": ["x"]}), sets, model)


def test_a_network_that_votes_is_explained_by_its_logits(sets, tmp_path):
    from gaia_oc_amd.options import TrainingOptions
    from gaia_oc_amd.source_sets import save_sets
    from gaia_oc_amd.training import train_deep_sets_model

    save_sets(sets, tmp_path)
    options = TrainingOptions(n_epochs=20, hidden_size=16, validation_fraction=0, lr=5e-3)
    voting = train_deep_sets_model(["Toy_1"], tmp_path, tmp_path / "model", options=options)
    table = reasons(
        [odd(1), odd(6), *sets.members["source_id"][:3]], sets, voting, sampling=SamplingOptions(n_samples=20)
    )
    assert table["odds_share"].isna().all()
    assert table.loc[str(odd(1)), "odds_motion"] < -1
    assert np.isfinite(table[list(TERMS)].to_numpy(float)).all()
