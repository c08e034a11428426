"""Cones cut from large Parquet files: what the whole read gives, from a small part of the file."""

from contextlib import nullcontext
from itertools import pairwise

import numpy as np
import pandas as pd
import pyarrow.dataset as ds
import pytest

from gaia_oc_amd.archive.parquet import ParquetFiles, row_filter, rows_to_read
from gaia_oc_amd.astrometry import (
    HEALPIX_SHIFT,
    angular_separation,
    identifier_ranges,
    nested_pixels,
    source_ids,
)
from gaia_oc_amd.columns import ARCHIVE_COLUMNS, REQUIRED_COLUMNS
from gaia_oc_amd.cone import ConeRegion, cut_to_region, in_order
from gaia_oc_amd.exceptions import ClusterError, ConeUnavailableError
from gaia_oc_amd.files.tables import read_table
from gaia_oc_amd.query import stars_in_cone
from gaia_oc_amd.source_checks import check_sources

PLACES = [(120.0, -20.0), (0.05, 40.0), (359.97, -3.0), (77.0, 89.6), (10.0, -90.0)]


def cone(ra, dec, radius=2.0):
    return ConeRegion(ra, dec, radius, pmra=-3, pmdec=2, pm_radius=3.0, parallax=1.0, parallax_width=0.5)


def stars(n, rng, centre=(0.0, 0.0), spread=180.0):
    """Stars within `spread` of a centre, sorted by identifiers like Gaia's."""
    ra, dec = _around(centre, spread, n, rng)
    table = pd.DataFrame({"source_id": source_ids(ra, dec, rng=rng), "ra": ra, "dec": dec})
    table = table.assign(
        pmra=rng.normal(-3, 2, n), pmdec=rng.normal(2, 2, n), parallax=rng.normal(1.0, 0.5, n)
    )
    values = {name: rng.uniform(0.1, 0.9, n) for name in REQUIRED_COLUMNS if name not in table}
    return table.assign(**values, phot_bp_n_obs=30).sort_values("source_id", ignore_index=True)


def _around(centre, spread, n, rng):
    """Directions evenly over a cap, from the axes of its centre."""
    ra, dec = np.radians(centre)
    axis = np.array([np.cos(dec) * np.cos(ra), np.cos(dec) * np.sin(ra), np.sin(dec)])
    east = np.array([-np.sin(ra), np.cos(ra), 0.0])
    z, turn = rng.uniform(np.cos(np.radians(spread)), 1, n), rng.uniform(0, 2 * np.pi, n)
    side = np.sqrt(1 - z**2)
    points = (
        z[:, None] * axis
        + (side * np.cos(turn))[:, None] * east
        + (side * np.sin(turn))[:, None] * np.cross(axis, east)
    )
    return np.degrees(np.arctan2(points[:, 1], points[:, 0])) % 360, np.degrees(
        np.arcsin(points[:, 2].clip(-1, 1))
    )


def whole_read(path, region):
    return in_order(cut_to_region(check_sources(read_table(path), str(path)), region))


@pytest.fixture(scope="module")
def million(tmp_path_factory):
    """A million rows, sorted as Gaia's own files are, in row groups of 10,000; dense at the tested places."""
    rng = np.random.default_rng(5)
    parts = [stars(980_000, rng), *(stars(4_000, rng, place, 4.0) for place in PLACES)]
    table = pd.concat(parts).drop_duplicates("source_id").sort_values("source_id", ignore_index=True)
    path = tmp_path_factory.mktemp("million") / "sky.parquet"
    table.to_parquet(path, index=False, row_group_size=10_000)
    return path, table


@pytest.mark.parametrize(("ra", "dec"), PLACES)
def test_a_small_part_of_a_million_rows_is_read_and_nothing_is_missed(million, ra, dec):
    path, table = million
    region = cone(ra, dec)
    found = stars_in_cone(ParquetFiles(path), region)
    expected = in_order(cut_to_region(check_sources(table, "all"), region))
    assert len(found) > 100
    pd.testing.assert_frame_equal(found, expected)
    dataset = ds.dataset(path)
    names = {name: name for name in ARCHIVE_COLUMNS if name in table}
    looked_at, total = rows_to_read(dataset, row_filter(dataset, names, region))
    assert total == len(table)
    assert len(found) < looked_at < 0.15 * total


@pytest.mark.parametrize(("ra", "dec"), PLACES)
@pytest.mark.parametrize(
    "change", ["shuffled", "simulated ids", "single precision", "capitals", "nullable", "text"]
)
def test_whatever_the_file_the_whole_read_gives_the_same(change, ra, dec, tmp_path):
    rng = np.random.default_rng(6)
    table = stars(6_000, rng, (ra, dec), 5.0).sample(frac=1, random_state=1)
    if change == "simulated ids":
        table["source_id"] = 5_000_000_000_000_000_001 + np.arange(len(table))
    if change == "single precision":
        table = table.astype(dict.fromkeys(["pmra", "pmdec", "parallax", "dec"], np.float32))
    if change == "capitals":
        table.columns = table.columns.str.upper()
    if change == "nullable":
        table["parallax"] = table["parallax"].mask(np.arange(len(table)) % 5 == 0)
        table["phot_bp_n_obs"] = table["phot_bp_n_obs"].astype("Int64").mask(np.arange(len(table)) % 7 == 0)
    if change == "text":
        table["pmra"] = table["pmra"].astype(str)
    path = tmp_path / "stars.parquet"
    table.to_parquet(path, index=False, row_group_size=500)
    found = stars_in_cone(ParquetFiles(path), cone(ra, dec))
    assert len(found) > 50
    with pytest.warns(UserWarning, match="lack astrometry") if change == "nullable" else nullcontext():
        pd.testing.assert_frame_equal(found, whole_read(path, cone(ra, dec)))


def test_identifier_ranges_hold_every_star_of_the_cone():
    rng = np.random.default_rng(7)
    for ra, dec in PLACES:
        for radius in (0.01, 0.7, 12.0, 60.0):
            stars_ra, stars_dec = _around((ra, dec), min(1.5 * radius, 90), 20_000, rng)
            inside = angular_separation(stars_ra, stars_dec, ra, dec) <= radius
            identifiers = nested_pixels(stars_ra, stars_dec) << HEALPIX_SHIFT
            ranges = identifier_ranges(ra, dec, radius)
            assert len(ranges) <= 16
            assert all(low < high for low, high in ranges)
            assert all(one[1] <= two[0] for one, two in pairwise(ranges))
            held = np.any([(identifiers >= low) & (identifiers < high) for low, high in ranges], axis=0)
            assert held[inside].all()


def test_stars_that_moved_out_of_their_identifiers_pixel_are_found(tmp_path):
    """Real identifiers are older than the positions: 3 arcmin are more than any star moved."""
    table = stars(4_000, np.random.default_rng(8), (50.0, 10.0), 3.0).assign(
        pmra=-3.0, pmdec=2.0, parallax=1.0
    )
    path = tmp_path / "stars.parquet"
    table.assign(dec=table["dec"] + 0.02).to_parquet(path, index=False)
    for dec in (9.0, 10.0, 11.0):
        region = cone(50.0, dec, 1.0)
        pd.testing.assert_frame_equal(stars_in_cone(ParquetFiles(path), region), whole_read(path, region))


def test_other_files_and_fields_are_one_line(tmp_path):
    region = cone(120, -20)
    path = tmp_path / "stars.parquet"
    with pytest.raises(ConeUnavailableError, match="does not exist"):
        stars_in_cone(ParquetFiles(path), region)
    path.write_bytes(b"PAR1 is how it begins")
    with pytest.raises(ValueError, match="cannot be read as Parquet") as caught:
        stars_in_cone(ParquetFiles(path), region)
    assert "\n" not in str(caught.value)
    field = stars(500, np.random.default_rng(9), (120.0, -20.0), 3.0)
    field.drop(columns=["pmra", "ra"]).to_parquet(path)
    with pytest.raises(ClusterError, match=r"lacks the column\(s\) ra, pmra"):
        stars_in_cone(ParquetFiles(path), region)
    field.to_parquet(path)
    with pytest.raises(ConeUnavailableError, match="is it another field"):
        stars_in_cone(ParquetFiles(path), cone(10, 60))
    field.assign(pmra=90.0).to_parquet(path)
    with pytest.raises(ClusterError, match=r"\d+ sources are near enough .* --cone_pm_sigmas"):
        stars_in_cone(ParquetFiles(path), region)
    field.iloc[:0].to_parquet(path)
    with pytest.raises(ConeUnavailableError, match="holds no usable source"):
        stars_in_cone(ParquetFiles(path), region)
    pd.concat([field, field.assign(ruwe=0.9)]).to_parquet(path)
    with pytest.raises(ClusterError, match="repeated source_id"):
        stars_in_cone(ParquetFiles(path), region)
    content = path.read_bytes()
    path.write_bytes(content[: len(content) // 2] + content[-2000:])
    with pytest.raises(ValueError, match="cannot be read as Parquet"):
        stars_in_cone(ParquetFiles(path), region)
