"""Features of light curves whose properties are known, and beside the tables that their authors published."""

import numpy as np
import pandas as pd
import pytest
from astropy.io import fits
from astropy.table import Table

from gaia_oc_amd.light_curves.features import (
    FEATURES,
    binned,
    features,
    features_of,
    half_sectors,
    with_noise,
)

TIME = np.arange(0, 26, 1 / 48)
ERROR = np.full(len(TIME), 1e-3)


def noise(seed=1):
    return 1 + np.random.default_rng(seed).normal(size=len(TIME)) * ERROR


def test_white_noise_looks_like_white_noise():
    values = features(TIME, noise(), ERROR)
    assert tuple(values) == FEATURES
    assert values["log_std"] == pytest.approx(-3, abs=0.03)
    assert values["log_mad"] == pytest.approx(np.log10(0.6745e-3), abs=0.03)
    assert values["log_sigma_g"] == pytest.approx(-3, abs=0.03)
    assert values["log_excess"] == pytest.approx(0, abs=0.03)
    assert 10 ** values["log_von_neumann"] == pytest.approx(2, abs=0.15)
    assert abs(values["stetson_j"]) < 0.1
    assert values["log_false_alarm"] > -3
    assert values["entropy"] > 0.85
    assert values["power_1_05"] == pytest.approx(1 / 11, abs=0.05)  # 1 to 2 of 11 cycles a day


def test_a_period_is_found():
    flux = noise() + 0.01 * np.sin(2 * np.pi * TIME / 2.5)
    values = features(TIME, flux, ERROR)
    assert 10 ** values["log_frequency"] == pytest.approx(0.4, abs=0.01)
    assert values["max_power"] > 0.95
    assert values["n_peaks"] == 1
    assert values["log_false_alarm"] < -100
    assert values["power_4_1"] > 0.8
    assert values["log_high_over_low"] < -1
    assert values["autocorrelation_lag"] % 2.5 == pytest.approx(0, abs=0.05)
    assert values["autocorrelation"] > 0.9
    assert values["stetson_j"] > 5
    assert values["entropy"] < 0.5


def test_unit_and_order_of_light_curves_do_not_matter():
    rows = pd.DataFrame({"time": TIME, "flux": noise(), "flux_err": ERROR})
    one = rows.assign(cluster="A", galaxy="MW", sector="1")
    brighter = one.assign(flux=1e4 * one["flux"], flux_err=1e4 * one["flux_err"], cluster="B")
    table = features_of(pd.concat([one, brighter]))
    assert table["cluster"].tolist() == ["A", "B"]
    np.testing.assert_allclose(
        table.loc[0, list(FEATURES)].astype(float), table.loc[1, list(FEATURES)].astype(float)
    )
    assert table.loc[1, "log_flux"] - table.loc[0, "log_flux"] == pytest.approx(4)


def test_a_constant_light_curve_has_no_features():
    values = features(TIME, np.ones(len(TIME)), ERROR)
    assert all(np.isnan(value) for value in values.values())


def test_a_flare_is_skewed():
    flux = noise()
    flux[500:505] += 0.03
    assert features(TIME, flux, ERROR)["skewness"] > 3


def test_bins_hold_weighted_means():
    curve = pd.DataFrame({"time": [0.0, 0.001, 0.5], "flux": [10.0, 20.0, 7.0], "flux_err": [1.0, 2.0, 1.0]})
    points = binned(curve, 30.0)
    assert points["flux"].tolist() == pytest.approx([(10 + 20 / 4) / 1.25, 7.0])
    assert points["flux_err"].tolist() == pytest.approx([1 / np.sqrt(1.25), 1.0])
    assert points["time"].tolist() == pytest.approx([0.001 * 0.25 / 1.25, 0.5])


def test_shorter_exposures_look_like_longer_ones_once_they_are_binned():
    fine = np.arange(0, 26, 1 / 432)  # 200 seconds
    rng = np.random.default_rng(5)
    curve = pd.DataFrame({"time": fine, "flux": 1 + rng.normal(size=len(fine)) * 3e-3, "flux_err": 3e-3})
    points = binned(curve, 30.0)
    values = features(*(points[name].to_numpy() for name in ("time", "flux", "flux_err")))
    assert values["log_std"] == pytest.approx(-3, abs=0.05)
    assert values["log_excess"] == pytest.approx(0, abs=0.05)


def test_halves_and_noise():
    curves = pd.DataFrame({"time": TIME, "flux": noise(), "flux_err": ERROR}).assign(
        cluster="A", galaxy="MW", sector="1"
    )
    first, second = half_sectors(curves)
    assert len(first) + len(second) == len(curves)
    assert first["time"].max() < second["time"].min()
    noisy = with_noise(curves, np.random.default_rng(2))
    assert np.std(noisy["flux"] - curves["flux"]) == pytest.approx(1e-3, rel=0.1)
    assert noisy["flux_err"].iloc[0] == pytest.approx(np.sqrt(2) * 1e-3)


def test_the_published_features_of_the_same_light_curves(shared):
    """Where the definitions agree: std, MAD, sigma_G; frequency and power of the highest peak nearly."""
    folder = shared / "light_curves"
    table = Table.read(folder / "stats" / "Stats_Table_For_all_Clusters_all_sectors_w_entropy.fits")
    published = table[[name for name in table.colnames if table[name].ndim == 1]].to_pandas()
    published["name"] = [
        (name.decode() if isinstance(name, bytes) else name).strip() for name in published["name"]
    ]
    compared = 0
    for path in sorted((folder / "fits").glob("*.fits"))[:6]:
        with fits.open(path) as content:
            rows = published[published["name"] == content[0].header["NAME"].strip()].reset_index()
            for number, row in rows.iterrows():
                table = content[number + 1].data
                time, flux, error = (np.array(table[name], float) for name in ("time", "flux", "flux_err"))
                values = features(time, flux / np.median(flux), error / np.median(flux))
                if row["std"] != pytest.approx(10 ** values["log_std"], rel=1e-4):
                    continue  # a few light curves were cut otherwise
                compared += 1
                assert row["MAD"] == pytest.approx(10 ** values["log_mad"], rel=1e-3)
                assert row["sigmaG"] == pytest.approx(10 ** values["log_sigma_g"], rel=1e-3)
                assert row["max_power"] == pytest.approx(values["max_power"], abs=0.05)
                if values["max_power"] > 0.2:  # of lower peaks another may be the highest
                    assert row["freq_at_max_power"] == pytest.approx(10 ** values["log_frequency"], abs=0.015)
                third = values["skewness"] * 10 ** (3 * values["log_std"]) * np.median(flux) ** 3
                assert row["skewness"] == pytest.approx(third, rel=1e-3)
                ratio = 1 / (10 ** values["log_von_neumann"] * (len(flux) - 1))
                assert row["von_neumann_ratio"] == pytest.approx(ratio, rel=1e-3)
    assert compared >= 6
