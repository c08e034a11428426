"""A small simulation, and stars to be measured."""

import numpy as np
import pandas as pd

from gaia_oc_amd.cone import radius_on_sky
from gaia_oc_amd.simulation.options import SimulationOptions

SMALL = SimulationOptions(cone_radius=16, field_density=3000, n_members=200)


def cone_radius_of(options):
    return radius_on_sky(options.cone_radius, options.dist)


def cone_area(options):
    """Solid angle of the cone [deg^2]."""
    return 2 * np.pi * (1 - np.cos(np.radians(cone_radius_of(options)))) * np.degrees(1) ** 2


def make_stars(size, g, rng):
    colour = rng.uniform(0.5, 2.5, size)
    return pd.DataFrame(
        {
            "ra": rng.uniform(0, 360, size),
            "dec": np.degrees(np.arcsin(rng.uniform(-1, 1, size))),
            "parallax": 1.0,
            "pmra": -2.0,
            "pmdec": 3.0,
            "g": g,
            "bp": g + 0.4 * colour,
            "rp": g - 0.6 * colour,
        }
    )
