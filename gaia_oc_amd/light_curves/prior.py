"""The age that a light curve gave a cluster, as the prior of an isochrone fit."""

from pathlib import Path

import pandas as pd

from gaia_oc_amd.catalogues.names import canonical_name
from gaia_oc_amd.exceptions import ClusterError
from gaia_oc_amd.files.tables import read_table

FOLDER = "light_curves"
AGES_FILE = "light_curve_ages.csv"


def light_curve_prior(name: str, data_dir: Path | str) -> tuple[float, float]:
    """Age of a cluster from its light curve and its width, as the prior of an isochrone fit.

    Parameters
    ----------
    name : str
        The cluster, in any spelling.
    data_dir : path
        The data directory, with what estimate_light_curve_age.py wrote.

    Returns
    -------
    age, error : float
        log10 of the age [yr], and the scatter of clusters that were not learned from [dex].

    Raises
    ------
    FileNotFoundError, ValueError
        If there are no ages, or the table is damaged.
    ClusterError
        If the cluster is not among them, or light curves of its galaxy's clusters tell no ages.
    """
    path = Path(data_dir) / FOLDER / AGES_FILE
    if not path.exists():
        raise FileNotFoundError(
            f"{path} does not exist: make it with estimate_light_curve_age.py --curves ... --predict ... ."
        )
    table, wanted = read_table(path), canonical_name(name)
    needed = ("cluster", "galaxy", "light_curve_age", "light_curve_age_error", "skill_lower")
    numbers = [name for name in needed[2:] if name in table and pd.api.types.is_numeric_dtype(table[name])]
    if not set(needed) <= set(table) or len(numbers) < 3:
        raise ValueError(f"{path} is no table of estimate_light_curve_age.py: make it again.")
    rows = table[[canonical_name(str(each)) == wanted for each in table["cluster"]]]
    if rows.empty:
        raise ClusterError(f"{path} has no age of {name}: give its light curve with --predict.")
    row = rows.iloc[0]
    if not row["skill_lower"] > 0:
        raise ClusterError(
            f"light curves of {row['galaxy']} clusters tell no ages (lower end of their skill: "
            f"{100 * row['skill_lower']:.0f} %), so {name} gets no prior of them: leave out --light_curve_age."
        )
    age, error = float(row["light_curve_age"]), float(row["light_curve_age_error"])
    if not (5 <= age <= 10.3 and 0 < error <= 5):
        raise ValueError(f"{path} gives {name} the age {age:g} +- {error:g}, which is none: make it again.")
    return age, error
