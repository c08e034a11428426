"""The options of the Leavitt law."""

from dataclasses import dataclass
from typing import Literal

from gaia_oc_amd.options import WHOLE_FIGURES, FigureOptions, Options, option, part


@dataclass(frozen=True)
class CepheidOptions(Options):
    """Which Cepheids are used.

    The coefficient of the Wesenheit magnitude is that of Ripepi et al. (2019, A&A 625, A14), which the pipeline of DR3
    takes, too (documentation of Gaia DR3, section 10.5.3). Stars brighter than G 6 saturate in both releases. At G 13
    Gaia's windows change, and with them parallax errors and zero points; fainter stars of the disc that are called
    Cepheids are mostly others. Classical Cepheids are young stars of the disc: stars far from the plane that are
    called so are mostly of other types.
    """

    title = "Cepheids"

    source: str = option(
        "gaia", "where the Cepheids are: gaia, the URL of a TAP service, a table, or simulated"
    )
    release: Literal["dr3", "dr2"] = option("dr3", "Gaia data release of the table or the query")
    cepheid_type: Literal["DCEP", "T2CEP", "ACEP"] = option("DCEP", "classical, type II or anomalous")
    mode: Literal["FUNDAMENTAL", "FIRST_OVERTONE"] = option(
        "FUNDAMENTAL", "mode of pulsation; type II has none"
    )
    wesenheit: float = option(1.90, "R of W = G - R (BP - RP)", at_least=0, at_most=10)
    n_min_epochs: int = option(12, "fewest epochs in G", at_least=1)
    max_magnitude_error: float = option(0.1, "largest error of a mean magnitude [mag]", above=0)
    max_ruwe: float = option(1.4, "largest RUWE, where the table has it", above=0, finite=False)
    bright_limit: float = option(6.0, "brighter stars are left out [mag]")
    faint_limit: float = option(13.0, "fainter stars do not calibrate [mag]", finite=False)
    max_latitude: float = option(
        20.0, "largest galactic latitude of a star that calibrates [deg]", above=0, at_most=90
    )


@dataclass(frozen=True)
class LawOptions(Options):
    """How the law is fitted.

    The priors of the parallax zero point are independent of Cepheids and of the Large Magellanic Cloud: -0.05 +-
    0.01 mas for bright stars of DR2 (-0.0528 +- 0.0024 +- 0.0086 from asteroseismology, Zinn et al. 2019, ApJ 878, 136;
    -0.031 +- 0.011 from eclipsing binaries, Graczyk et al. 2019, ApJ 872, 85; -0.054 +- 0.006 from stars with radial
    velocities, Schoenrich et al. 2019, MNRAS 487, 3568; all in their abstracts), and 0 +- 0.015 mas for what is left
    after the correction of Lindegren et al. (2021) in DR3, an assumption: globular clusters fainter than G 13 leave
    0.010 +- 0.003 mas (Vasiliev & Baumgardt 2021, MNRAS 505, 5978). Unless `fit_offset`, the Cepheids do not change it
    and its error is added to theirs: what they say of it comes from the farthest, where others are mixed with them.
    """

    title = "Fit of the law"

    pivot: float = option(
        0.7, "log10 of the period [d] that the law's zero point belongs to", at_least=-1, at_most=3
    )
    offset_prior: float | None = option(
        None,
        "parallax zero point that is expected [mas] (default: -0.05 for dr2, 0 for dr3)",
        at_least=-1,
        at_most=1,
    )
    offset_prior_error: float | None = option(
        None, "its standard error [mas] (default: 0.01 for dr2, 0.015 for dr3)", above=0, at_most=1
    )
    offset_slope_prior_error: float = option(
        0.005, "standard error of its change with G, expected to be 0 [mas/mag]", above=0, at_most=1
    )
    fit_offset: bool = option(False, "fit the parallax zero point to the Cepheids, too")
    slope_from_lmc: bool = option(
        True, "use the slope of the LMC's Cepheids as a prior of the slope in parallax space"
    )
    n_walkers: int = option(42, "walkers of emcee", at_least=30)
    n_steps: int = option(3000, "steps of each, after n_burn_in", at_least=100)
    n_burn_in: int = option(500, "first steps, which are left out", at_least=0)


@dataclass(frozen=True)
class LmcOptions(Options):
    """The Large Magellanic Cloud and what its distance depends on.

    Its Cepheids have [Fe/H] = -0.409 +- 0.003 with a systematic error of 0.1 dex (Romaniello et al. 2022, A&A 658,
    A29). Those of the Milky Way that calibrate are taken to have +0.04 dex, an assumption; 0.1 dex are 0.03 mag.
    Cepheids poorer in metals are fainter: -0.3 +- 0.1 mag/dex lies between -0.22 in Ks (Breuval et al. 2021, ApJ 913,
    38) and -0.384 +- 0.051 in Gaia's Wesenheit magnitude (Breuval et al. 2022, ApJ 939, 89).
    """

    title = "Large Magellanic Cloud"

    lmc_radius: float = option(
        5.0, "radius on the sky around RA 80.89, Dec -69.76 [deg]", above=0, at_most=15
    )
    lmc_motion: float = option(
        1.0,
        "largest difference from its proper motion, where the table has motions [mas/yr]",
        above=0,
        finite=False,
    )
    lmc_parallax_sigmas: float = option(
        5.0, "largest difference from its parallax, in standard errors", above=0, finite=False
    )
    metallicity_effect: float = option(
        -0.3, "change of the luminosity with metallicity [mag/dex]", at_least=-2, at_most=2
    )
    metallicity_effect_error: float = option(0.1, "its standard error [mag/dex]", at_least=0, at_most=2)
    lmc_metallicity: float = option(
        -0.45,
        "metallicity of its Cepheids less that of the stars that calibrate [dex]",
        at_least=-2,
        at_most=2,
    )


@dataclass(frozen=True)
class ClusterCepheidOptions(Options):
    """Cepheids that are members of clusters."""

    title = "Cepheids in clusters"

    prob_threshold: float = option(0.5, "smallest PMemb of a member", above=0, at_most=1)
    cluster_systematic: float = option(
        0.011,
        "systematic error of a cluster's mean parallax [mas]",
        at_least=0,
        at_most=1,
    )


@dataclass(frozen=True)
class LeavittOptions(Options):
    """Of fit_leavitt_law.py."""

    cepheids: CepheidOptions = part(CepheidOptions())
    law: LawOptions = part(LawOptions())
    lmc: LmcOptions = part(LmcOptions())
    cluster: ClusterCepheidOptions = part(ClusterCepheidOptions())
    figures: FigureOptions = part(FigureOptions(), *WHOLE_FIGURES)
