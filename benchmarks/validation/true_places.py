"""Whether the stated completeness is off because the places of members are not known.

Takes evaluated simulated clusters (completeness.py evaluates them). Artificial members give the share that is recovered
at each magnitude and radius; it is averaged over the radii of artificial members, as is stated, and over those of the
true members. Prints, as Markdown, the root mean square of estimate - truth both ways, in points, and how the offset
goes with the median radius of the artificial members over that of the true ones.

example: python benchmarks/validation/true_places.py data/validation.txt --data_dir data
"""

from functools import partial
from itertools import pairwise

import numpy as np
import pandas as pd
from completeness import EDGES, LABELS, read_arguments, share_with_error, true_members
from scipy.spatial import cKDTree

from gaia_oc_amd.catalogues.names import cluster_rng, read_cluster_names
from gaia_oc_amd.classifier import Classifier
from gaia_oc_amd.isochrones import read_isochrones
from gaia_oc_amd.membership import membership_probabilities
from gaia_oc_amd.options import ISOCHRONES
from gaia_oc_amd.posterior import Calibration
from gaia_oc_amd.validation.options import ValidationOptions
from gaia_oc_amd.validation.validate import measure_selection

NEIGHBOURS, SCALE = 30, 0.3  # artificial members, in mag and in the logarithm of radius / pc + 0.3
DRAWS = 2000
COLUMNS = ["label", "stated", "at_true_radii", "true", "error", "radius"]


def where(g, radius):
    """Places among which neighbours are looked for, shape (n, 2)."""
    return np.column_stack([g, np.log(np.asarray(radius, float) + SCALE)]) / SCALE


def compared(name, arguments, isochrones, classifier):
    """Stated completeness, that at the true radii, the truth and its error, ratio of the median radii, by bins of G."""
    judge = partial(membership_probabilities, classifier=classifier)
    options = ValidationOptions(n_artificial=arguments.n_artificial, n_controls=0, magnitude_edges=EDGES)
    scatter = Calibration.from_dict(classifier.hyper_parameters.get("calibration")).scatter
    result = measure_selection(
        *(name, arguments.data_dir, isochrones, judge),
        options=options,
        ratio_scatter=scatter,
        seed=arguments.seed,
    )
    stars = result.injected[result.injected[["phot_g_mean_mag", "f_r"]].notna().all(axis=1)]
    recovered = (stars["PMemb"] >= result.prob_threshold).to_numpy(float)
    tree = cKDTree(where(stars["phot_g_mean_mag"], stars["f_r"]))
    members, rng = true_members(name, arguments.data_dir), cluster_rng(arguments.seed, name)
    rows = []
    for label, (low, high) in zip(LABELS, pairwise(EDGES), strict=False):
        inside = stars["like_cluster"] & stars["phot_g_mean_mag"].between(low, high, "left")
        true = members[members["g_true"].between(low, high, "left")]
        radii = true["f_r"].dropna()
        if not inside.any() or not len(radii):
            continue
        drawn = stars[inside].sample(DRAWS, replace=True, weights="weight", random_state=rng)
        nearest = tree.query(where(drawn["phot_g_mean_mag"], rng.choice(radii, DRAWS)), k=NEIGHBOURS)[1]
        stated = np.average(recovered[inside.to_numpy()], weights=stars.loc[inside, "weight"])
        ratio = np.log(drawn["f_r"].median() / radii.median())
        rows.append((label, stated, recovered[nearest].mean(), *share_with_error(true["found"]), ratio))
    return pd.DataFrame(rows, columns=COLUMNS)


def main():
    arguments = read_arguments(__doc__)
    isochrones = read_isochrones(arguments.isochrone_path or arguments.data_dir / ISOCHRONES)
    classifier = Classifier.load(arguments.model_dir)
    names = read_cluster_names(arguments.clusters)
    table = pd.concat([compared(name, arguments, isochrones, classifier) for name in names])
    print("| | cones | as stated | at the true radii | of the truth itself | correlation with ln radius |")
    print("| --- |" + " --- |" * 5)
    for label, rows in table.groupby("label", sort=False):
        offset = rows["stated"] - rows["true"]
        squares = offset, rows["at_true_radii"] - rows["true"], rows["error"]
        cells = " | ".join(f"{100 * np.sqrt(np.mean(np.square(values))):.1f}" for values in squares)
        print(f"| {label} | {len(rows)} | {cells} | {np.corrcoef(offset, rows['radius'])[0, 1]:+.2f} |")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
