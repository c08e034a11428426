"""Fit the Leavitt law, find the distance of the LMC and the Cepheids in clusters, save and draw them."""

import logging
from dataclasses import asdict
from pathlib import Path

import numpy as np
import pandas as pd

from gaia_oc_amd.cepheids.clusters import calibrate_with_clusters, find_cluster_cepheids
from gaia_oc_amd.cepheids.distance import (
    LITERATURE_MODULUS,
    ApparentLaw,
    Modulus,
    fit_apparent_law,
    lmc_modulus,
    mean_parallax,
)
from gaia_oc_amd.cepheids.law import LeavittLaw, fit_leavitt_law, outlier_probability
from gaia_oc_amd.cepheids.model import NO_PRIOR
from gaia_oc_amd.cepheids.options import LeavittOptions
from gaia_oc_amd.cepheids.plots import corner_figure, law_figure, modulus_figure, sky_figure
from gaia_oc_amd.cepheids.selection import select_cepheids
from gaia_oc_amd.cepheids.tables import period_column, read_cepheids
from gaia_oc_amd.figures import save_and_show
from gaia_oc_amd.files.data_directory import locked, write_json
from gaia_oc_amd.files.provenance import made_by
from gaia_oc_amd.files.tables import write_csv
from gaia_oc_amd.options import CREDENTIALS, RunOptions

logger = logging.getLogger(__name__)

FOLDER = "cepheids"
LAW_FILE = "leavitt_law.json"
STARS_FILE = "cepheids.csv"
CLUSTERS_FILE = "cluster_cepheids.csv"


def fit_law(
    data_dir: Path | str = "data",
    options: LeavittOptions = LeavittOptions(),
    *,
    seed: int = RunOptions.seed,
    command: str = "",
) -> str:
    """Fit, save and draw the law; results go to ``cepheids`` in the data directory.

    Parameters
    ----------
    data_dir : path
        The data directory; Cepheids are looked for in the sets of its clusters.
    options : LeavittOptions
        What fit_leavitt_law.py takes.
    seed : int
        Of everything random.
    command : str
        Shell command that does it.

    Returns
    -------
    str
        Table for the screen.

    Raises
    ------
    ClusterError, OSError, ValueError, ImportError
        If there are no Cepheids, or they follow no law; emcee or corner are not installed.
    """
    rng = np.random.default_rng(seed)
    folder = Path(data_dir) / FOLDER
    folder.mkdir(parents=True, exist_ok=True)
    with locked(folder):
        stars = select_cepheids(
            _read(data_dir, options, rng), period_column(options.cepheids), options.cepheids, options.lmc
        )
        ours, far = (stars[stars["galaxy"] == galaxy] for galaxy in ("Milky Way", "LMC"))
        apparent = fit_apparent_law(far) if len(far) else None
        laws = fit_leavitt_law(
            ours,
            release=options.cepheids.release,
            options=options.law,
            slope_prior=_slope_prior(apparent, options),
            rng=rng,
        )
        chance = outlier_probability(ours, options.cepheids.release, laws["posterior"], options.law)
        stars["outlier_probability"] = pd.Series(chance, ours.index)
        found = find_cluster_cepheids(stars, data_dir, options.cluster)
        all_laws = laws | calibrate_with_clusters(stars, found, laws["posterior"], rng)
        moduli = _moduli(all_laws, apparent, ours, far, options, rng)
        write_csv(folder / STARS_FILE, stars)
        write_csv(folder / CLUSTERS_FILE, found)
        parallax = _lmc_parallax(far, laws["posterior"])
        record = {
            "laws": {method: law.as_dict() for method, law in all_laws.items()},
            "lmc_law": asdict(apparent) if apparent else None,
            "lmc_moduli": {method: modulus.as_dict() for method, modulus in moduli.items()},
            "lmc_parallax": parallax,
            "literature_modulus": LITERATURE_MODULUS,
            "n_stars": stars["galaxy"].value_counts().to_dict(),
            "n_cluster_cepheids": int(found["is_member"].sum()),
            "simulated": options.cepheids.source.lower() == "simulated",
        }
        write_json(folder / LAW_FILE, record | made_by(command, options, "cepheids", "law", "lmc", "cluster"))
        _draw(stars, laws, moduli, folder, options)
    return summary(all_laws, moduli, parallax)


def _read(data_dir: Path | str, options: LeavittOptions, rng: np.random.Generator) -> pd.DataFrame:
    credentials = Path(data_dir) / CREDENTIALS
    return read_cepheids(
        options.cepheids,
        credentials_path=credentials if credentials.exists() else None,
        job_file=Path(data_dir) / FOLDER / "cepheids_job.json",
        rng=rng,
    )


def _slope_prior(apparent: ApparentLaw | None, options: LeavittOptions) -> tuple[float, float]:
    if apparent is None or not options.law.slope_from_lmc:
        return NO_PRIOR
    return apparent.slope, apparent.slope_error


def _moduli(
    laws: dict[str, LeavittLaw],
    apparent: ApparentLaw | None,
    ours: pd.DataFrame,
    far: pd.DataFrame,
    options: LeavittOptions,
    rng: np.random.Generator,
) -> dict[str, Modulus]:
    """Modulus by each law; none where no star of the LMC is in the table."""
    if apparent is None:
        logger.warning("No Cepheid of the LMC is in the table: its distance is left out.")
        return {}
    colours = [(part["int_average_bp"] - part["int_average_rp"]).median() for part in (ours, far)]
    difference = float(colours[0] - colours[1])
    return {
        method: lmc_modulus(law, apparent, colour_difference=difference, options=options.lmc, rng=rng)
        for method, law in laws.items()
    }


def _lmc_parallax(far: pd.DataFrame, law: LeavittLaw) -> tuple[float, float] | None:
    return mean_parallax(far, law.values["offset"], law.errors["offset"]) if len(far) else None


def _draw(
    stars: pd.DataFrame,
    laws: dict[str, LeavittLaw],
    moduli: dict[str, Modulus],
    folder: Path,
    options: LeavittOptions,
) -> None:
    if not options.figures.wanted():
        return
    figures = {
        "leavitt_law": law_figure(stars, laws, moduli.get("posterior")),
        "leavitt_corner": corner_figure(laws["posterior"]),
        "cepheid_sky": sky_figure(stars),
    }
    if moduli:
        figures["lmc_modulus"] = modulus_figure(moduli)
    save_and_show(figures, folder, options.figures)


def summary(
    laws: dict[str, LeavittLaw], moduli: dict[str, Modulus], parallax: tuple[float, float] | None
) -> str:
    """Table of the laws side by side, and the distance of the LMC, as text."""
    pivot = laws["posterior"].pivot
    lines = [
        f"M_W = zero point + slope (log P - {pivot:g})",
        f"{'':<22}{'stars':>6}{'zero point':>18}{'slope':>16}{'scatter':>9}{'LMC modulus':>24}",
    ]
    for method, law in laws.items():
        cells = [f"{law.values[name]:.3f} +- {law.errors[name]:.3f}" for name in ("zero_point", "slope")]
        scatter = f"{law.values['scatter']:.2f}" if "scatter" in law.values else ""
        lines.append(
            f"{method:<22}{law.n_stars:>6}{cells[0]:>18}{cells[1]:>16}{scatter:>9}{_words(moduli.get(method)):>24}"
        )
    if parallax:
        value, error = parallax
        far = f", {5 * np.log10(100 / value):.2f} mag" if value > 2 * error else ", too small for a modulus"
        lines.append(f"LMC by its mean parallax: {value:.4f} +- {error:.4f} mas{far}")
        lines.append("LMC by eclipsing binaries: {:.3f} +- {:.3f} mag".format(*LITERATURE_MODULUS))
    return "\n".join(lines)


def _words(modulus: Modulus | None) -> str:
    return f"{modulus.value:.2f} +- {modulus.error:.2f} +- {modulus.systematic:.2f}" if modulus else ""
