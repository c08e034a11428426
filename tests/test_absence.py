"""Stars that are none of a cone's sources: each limit that one may lie beyond."""

import numpy as np
import pandas as pd

from gaia_oc_amd.absence import BEYOND, why_absent
from gaia_oc_amd.astrometry import HEALPIX_SHIFT, nested_pixels
from gaia_oc_amd.cone import ConeRegion, cut_to_region

REGION = ConeRegion(120.0, -20.0, 1.0, -3.0, 2.0, 1.5, 0.9, 0.3)
LIMITLESS = ConeRegion(120.0, -20.0, 1.0, -3.0, 2.0, np.inf, 0.9, np.inf)


def random_stars(n, seed=1):
    rng = np.random.default_rng(seed)
    return pd.DataFrame(
        {
            "source_id": np.arange(n) + 10,
            "ra": 120 + rng.uniform(-2, 2, n),
            "dec": -20 + rng.uniform(-2, 2, n),
            "pmra": rng.normal(-3, 1.5, n),
            "pmdec": rng.normal(2, 1.5, n),
            "parallax": rng.normal(0.9, 0.3, n),
        }
    )


def test_what_the_cone_keeps_lies_within_and_nothing_else_does():
    stars = random_stars(2000)
    kept = cut_to_region(stars, REGION)["source_id"]
    ring = np.radians(np.arange(0, 360, 5))  # sources at the cone's edge
    edge = pd.DataFrame(
        {"ra": 120 + 1.2 * np.cos(ring) / np.cos(np.radians(20)), "dec": -20 + 1.2 * np.sin(ring)}
    )
    beyond = why_absent(stars, REGION, edge)[BEYOND]
    assert set(stars["source_id"][beyond == "within"]) == set(kept)
    assert set(beyond) == {"radius", "proper_motion", "parallax", "within"}


def test_a_table_may_end_before_the_cone():
    stars = random_stars(2000)
    sources = stars[(stars["ra"] - 120).abs().lt(0.3) & (stars["dec"] + 20).abs().lt(0.3)]
    absent = why_absent(stars, LIMITLESS, sources)
    far = absent["apart"].between(0.5, 1.0)
    assert (absent[BEYOND][far] == "field").all()
    assert (absent[BEYOND][absent["apart"] > 1] == "radius").all()
    assert (absent[BEYOND][sources.index] == "within").all()


def test_what_is_not_measured_may_be_cut_unless_there_is_no_limit():
    stars = pd.DataFrame({"source_id": [1], "ra": [120.0], "dec": [-20.0]})
    sources = random_stars(50)
    assert why_absent(stars, REGION, sources)[BEYOND].tolist() == ["unmeasured"]
    assert why_absent(stars, LIMITLESS, sources)[BEYOND].tolist() == ["within"]
    fast = stars.assign(pmra=9.0, pmdec=2.0)
    assert why_absent(fast, REGION, sources)[BEYOND].tolist() == ["proper_motion"]


def test_an_identifier_tells_the_place_where_none_is_given():
    place = int(nested_pixels(np.array([120.0]), np.array([15.0]))[0]) << HEALPIX_SHIFT
    stars = pd.DataFrame({"source_id": pd.array([place, pd.NA], dtype="Int64")})
    absent = why_absent(stars, REGION, random_stars(50))
    assert absent[BEYOND].tolist() == ["radius", "unplaced"]
    assert abs(absent["apart"].iloc[0] - 35) < 0.1
