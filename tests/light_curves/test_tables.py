"""Light curves from files of every kind, and what is wrong with those that cannot be used."""

import numpy as np
import pandas as pd
import pytest
from astropy.io import fits

from gaia_oc_amd.exceptions import ClusterError
from gaia_oc_amd.light_curves.options import LightCurveOptions
from gaia_oc_amd.light_curves.tables import galaxy_at, read_light_curves

TIME = np.arange(0, 26, 1 / 48)


def curve(seed=1, **more):
    rng = np.random.default_rng(seed)
    table = {"time": TIME, "flux": rng.normal(1000, 1, len(TIME)), "flux_err": 1.0}
    return pd.DataFrame(table | more)


def write_elk(path, *, name="NGC 1", location="120.0,-20.0", age=8.5, sectors=(5, 6)):
    primary = fits.PrimaryHDU()
    primary.header["NAME"], primary.header["LOCATION"] = name, location
    if age is not None:
        primary.header["LOG_AGE"] = age
    units = [primary]
    for number in sectors:
        rows = curve(number)
        columns = [fits.Column(each, "D", array=rows[each].to_numpy()) for each in rows]
        unit = fits.BinTableHDU.from_columns(columns)
        unit.header["SECTOR"] = number
        units.append(unit)
    fits.HDUList(units).writeto(path)


def test_a_file_of_elk(tmp_path):
    path = tmp_path / "cluster.fits"
    write_elk(path)
    read = read_light_curves(path)
    assert read.clusters.to_dict("records") == [{"cluster": "NGC 1", "galaxy": "MW", "log_age": 8.5}]
    assert read.curves["sector"].unique().tolist() == ["5", "6"]
    assert len(read.curves) == 2 * len(TIME)


def test_a_folder_of_files_is_one_table(tmp_path):
    write_elk(tmp_path / "one.fits")
    write_elk(tmp_path / "two.fits", name="KMHK 5", location="80.0,-69.0", age=7.5)
    (tmp_path / "readme.txt").write_text("not a light curve")
    read = read_light_curves(tmp_path)
    assert read.clusters["galaxy"].tolist() == ["MW", "LMC"]


@pytest.mark.parametrize("suffix", [".csv", ".parquet"])
def test_a_table_with_other_spellings(tmp_path, suffix):
    rows = pd.concat([curve(1, Name="A", sector=1), curve(2, Name="B", sector=1)])
    rows = rows.rename(columns={"flux_err": "FLUX_ERROR", "time": "BTJD"})
    path = tmp_path / f"curves{suffix}"
    rows.to_csv(path, index=False) if suffix == ".csv" else rows.to_parquet(path)
    ages = tmp_path / "ages.csv"
    ages.write_text("Name,galaxy,Lit_Clst_Age\nA,SMC,7.5\nB,SMC,8.5\nC,LMC,9\n")
    read = read_light_curves(path, ages=ages)
    assert read.clusters["log_age"].tolist() == [7.5, 8.5]
    assert set(read.curves["galaxy"]) == {"SMC"}


def test_one_cluster_needs_neither_name_nor_sector(tmp_path):
    path = tmp_path / "my_cluster.csv"
    curve().to_csv(path, index=False)
    read = read_light_curves(path, LightCurveOptions(galaxy="SMC"))
    assert read.clusters["cluster"].tolist() == ["my_cluster"]
    assert read.clusters["galaxy"].tolist() == ["SMC"]
    assert np.isnan(read.clusters["log_age"].iloc[0])


def test_points_without_a_flux_are_left_out(tmp_path):
    rows = curve()
    rows.loc[:9, "flux"] = np.nan
    rows.loc[10:14, "flux_err"] = 0.0
    rows.loc[15, "flux"] = -5.0
    path = tmp_path / "a.csv"
    rows.to_csv(path, index=False)
    assert len(read_light_curves(path).curves) == len(TIME) - 16


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("time,flux\n1,2\n", "no column flux_err"),
        ("time,flux,flux_err\n1,bright,1\n2,faint,1\n", "not a number"),
        ("time,flux,flux_err,log_age\n1,2,1,8e8\n", "must be log10 of years"),
        ("time,flux,flux_err\n1,,1\n2,,1\n", "no light curve with at least 200 bins"),
        ("time,flux,flux_err,cluster,log_age\n1,2,1,A,8\n2,2,1,A,9\n", "gives A two ages"),
        ("time,flux,flux_err,cluster,log_age\n1,2,1,A,8\n2,2,1,A,9\n3,2,1,A,\n", "gives A two ages"),
        ("time,flux,flux_err,age,lit_clst_age\n1,2,1,8,8\n", "no light curve with at least 200 bins"),
        (
            "time,flux,flux_err\n1,2,1\n2.9e10,2,1\n",
            r"bad, sector 0, span 2.9e\+10 d, more than 1,000,000 bins",
        ),
    ],
)
def test_what_is_wrong_is_said(tmp_path, content, words):
    path = tmp_path / "bad.csv"
    path.write_text(content)
    with pytest.raises((ValueError, ClusterError), match=words):
        read_light_curves(path)


def test_no_such_file_and_an_empty_folder(tmp_path):
    with pytest.raises(FileNotFoundError, match="does not exist"):
        read_light_curves(tmp_path / "nothing.csv")
    with pytest.raises(FileNotFoundError, match="holds no light curve"):
        read_light_curves(tmp_path)


def test_ages_of_other_clusters_are_refused(tmp_path):
    curve(cluster="A").to_csv(tmp_path / "a.csv", index=False)
    (tmp_path / "ages.csv").write_text("cluster,log_age\nB,8\n")
    with pytest.raises(ValueError, match="names none of the 1 clusters"):
        read_light_curves(tmp_path / "a.csv", ages=tmp_path / "ages.csv")


def test_a_truncated_file_of_elk_is_one_line(tmp_path):
    path = tmp_path / "cut.fits"
    write_elk(path)
    path.write_bytes(path.read_bytes()[:20_000])
    with pytest.raises(ValueError, match="cut.fits cannot be read"):
        read_light_curves(path)


@pytest.mark.parametrize(
    ("place", "galaxy"), [((80.9, -69.8), "LMC"), ((13.2, -72.8), "SMC"), ((120, -20), "MW")]
)
def test_galaxies_by_place(place, galaxy):
    assert galaxy_at(*place) == galaxy
