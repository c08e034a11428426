"""Cones of a core and a halo over an even field, as ratios, places and truth."""

import numpy as np

OUTER = 40.0


def plummer_places(scale, size, rng, stretch=1.0):
    """Places of a Plummer profile, stretched to the east at equal area."""
    share = rng.uniform(size=size)
    radius, angle = scale * np.sqrt(share / (1 - share)), rng.uniform(0, 2 * np.pi, size)
    return np.column_stack([stretch * radius * np.cos(angle), radius * np.sin(angle) / stretch])


def cone(n_core=300, n_halo=100, n_field=20_000, *, seed=1, stretch=1.0, gradient=0.0, contrast=4.0):
    """Log ratios, places and truth of members over a field."""
    rng = np.random.default_rng(seed)
    members = np.vstack(
        [plummer_places(1.5, n_core, rng, stretch), plummer_places(9.0, n_halo, rng, stretch)]
    )
    disc = OUTER * np.sqrt(rng.uniform(size=2 * n_field))[:, None]
    angle = rng.uniform(0, 2 * np.pi, 2 * n_field)
    field = disc * np.column_stack([np.cos(angle), np.sin(angle)])
    kept = rng.uniform(size=len(field)) < (1 + gradient * field[:, 0]) / 2
    members = members[np.hypot(*members.T) < OUTER]
    offsets = np.vstack([members, field[kept]])
    is_member = np.arange(len(offsets)) < len(members)
    measured = rng.normal(np.where(is_member, contrast, 0.0))
    places = np.column_stack([offsets, rng.uniform(12, 20, len(offsets))])
    return contrast * measured - contrast**2 / 2, places, is_member


def deep(places, *, seed=5):
    """Places with magnitudes to G = 20 of which the usual share is fainter than 18."""
    rng = np.random.default_rng(seed)
    faint = rng.uniform(size=len(places)) < 0.51
    return np.column_stack(
        [places[:, :2], np.where(faint, *rng.uniform([[18], [12]], [[20], [18]], (2, len(places))))]
    )
