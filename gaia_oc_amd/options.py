"""The options of the main path: name, type, default, unit, help and bound of each stand in one line."""

import re
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any, ClassVar, Literal

from gaia_oc_amd.arguments import Bounds, settle
from gaia_oc_amd.column_names import SOURCES


def option(
    default: Any,
    help: str,
    *,
    above: float | None = None,
    at_least: float | None = None,
    below: float | None = None,
    at_most: float | None = None,
    finite: bool = True,
) -> Any:
    """One option of an `Options` class.

    Parameters
    ----------
    default : any
        Its default; None stands for "not given".
    help : str
        What it is, with its unit, as ``--help`` shows it.
    above, at_least, below, at_most : float, optional
        Bounds of a number.
    finite : bool
        Whether infinity is refused.

    Returns
    -------
    dataclasses.Field
        For the body of a class.
    """
    bounds = Bounds(above, at_least, below, at_most, finite)
    return field(default=default, metadata={"help": help, "bounds": bounds})


def positional(help: str, *, several: bool = False) -> Any:
    """An argument that is given without a name; None if it is left out, or of several an empty tuple."""
    return field(
        default=() if several else None, metadata={"help": help, "positional": "*" if several else "?"}
    )


def part(options: Any, *names: str) -> Any:
    """Options of one kind as a part of all options that a script takes.

    Parameters
    ----------
    options : dataclass
        The defaults.
    *names : str
        Those that the script offers; by default all.

    Returns
    -------
    dataclasses.Field
        For the body of a class.
    """
    return field(default=options, metadata={"names": names or tuple(f.name for f in fields(options))})


def require(condition: bool, options: Any, name: str, bound: str) -> None:
    """Refuse an option whose value is out of its bound, in a line that names all three.

    Raises
    ------
    ValueError
        If the condition does not hold.
    """
    if not condition:
        raise ValueError(f"{name} is {getattr(options, name)}, but must be {bound}.")


@dataclass(frozen=True)
class Options:
    """Base of the option classes: holds each value against the type and the bound in its own line.

    Attributes
    ----------
    title : str
        What ``--help`` calls the options of a class.

    Raises
    ------
    TypeError
        If a value is of another type; one text for several, NumPy's numbers and paths as text are taken.
    ValueError
        If a value is out of its bound, or none of the choices.
    """

    title: ClassVar[str] = ""

    def __post_init__(self) -> None:
        settle(self)
        for each in fields(self):
            value = getattr(self, each.name)
            if isinstance(value, int | float) and not isinstance(value, bool):
                require(value in each.metadata["bounds"], self, each.name, str(each.metadata["bounds"]))


_ADDRESS = re.compile(r"((tcp|tls|ws|wss|ucx)://)?([^\s:/\[\]]+|\[[0-9a-fA-F:.%\w]+\]):[0-9]{1,5}/?")
_SCHEDULERS = (
    "the address of a Dask scheduler, tcp://host:8786, or the file that it wrote, scheduler.json "
    "(docs/many_clusters.md says how to start one)"
)


def _is_scheduler(text: str) -> bool:
    """Whether a text looks like an address of a Dask scheduler, or names its file."""
    return bool(_ADDRESS.fullmatch(text)) or text.endswith(".json") or Path(text).is_file()


_URL = re.compile(r"\b(?:https?|ftps?|s3a?|gs|gcs|abfss?|azure?|hf):(?P<rest>.*)", re.IGNORECASE | re.DOTALL)


def _refuse_secrets(source: str) -> None:
    """Refuse a URL with a login or a signature in it without repeating it: it would stand in logs and cone.json."""
    url = _URL.search(source)
    if url and (re.search(r"[@?#]", url["rest"]) or not url["rest"].isprintable()):
        raise ValueError(
            "a URL in cone_source has a user name, password, query or control character in it: give the bare "
            "address; a login for the Gaia archive belongs in the file of create_gaia_credentials_file.py."
        )


@dataclass(frozen=True)
class RunOptions(Options):
    """What every script knows: where the data lie, the seed, who does the work, how much is said."""

    title = "Running: every script"

    data_dir: Path = option(Path("data"), "data directory: downloaded tables, and the clusters' results")
    seed: int = option(42, "seed of all random numbers", at_least=0, below=2**63)
    workers: int = option(1, "processes that share the clusters", at_least=1)
    scheduler: str | None = option(None, "address (tcp://host:8786) or file of a Dask scheduler, for workers")
    log_level: Literal["debug", "info", "warning", "error"] = option(
        "info", "how much is reported on the way"
    )

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.scheduler is not None:
            require(_is_scheduler(self.scheduler), self, "scheduler", _SCHEDULERS)
            require(self.workers == 1, self, "workers", "1 with --scheduler, which has workers of its own")

    def where(self) -> dict[str, Any]:
        """Who does the work of a batch, as `batch.run.run_batch` takes it."""
        return {"workers": self.workers, "scheduler": self.scheduler, "data_dir": self.data_dir}


Method = Literal["hdbscan", "gmm", "kmeans", "dec"]
"""Ways to find groups, see docs/first_members.md."""

CatalogueName = Literal["cg18", "cg20", "t22", "hunt23", "hunt24", "dias21", "castro22", "groeningen23"]
"""Catalogues that build_sets can take members and parameters from, see `catalogues.published`."""


Panel = Literal["cmd", "sky", "motion", "parallax"]
"""Panels of the figures that have four."""

CLUSTER_PARAMETERS = "cluster_parameters.csv"
FITTED_PARAMETERS = "fitted_parameters.csv"
ISOCHRONES = "isochrones.dat"
CREDENTIALS = "gaia_credentials"
"""Default names of files in the data directory."""
SHIPPED_MODEL = Path("deep_sets_model")
ACCEPT_CHANGES = (
    "take files that were changed after they were made (sets, cone, model) as they are, and record it"
)


@dataclass(frozen=True)
class TablePaths(Options):
    """Input tables. A path goes before a catalogue; without one the data directory has them under default names.

    Where a catalogue lacks members or parameters (t22, dias21, groeningen23), the members are those of cg18, the
    parameters those of cg20.
    """

    title = "Input: lists, parameters, isochrones"

    catalogue: CatalogueName = option("cg18", "published catalogue whose members and parameters are used")
    comparison_catalogue: CatalogueName | None = option(
        None, "catalogue that your list is compared with (default: t22, if it is there)"
    )
    cluster_path: Path | None = option(None, "table of cluster parameters, in place of the catalogue's")
    members_path: Path | None = option(None, "member list to learn from, in place of the catalogue's")
    comparison_path: Path | None = option(None, "comparison list, in place of the catalogue's")
    members_label: str | None = option(None, "name of the member list in figures and tables")
    comparison_label: str | None = option(None, "name of the comparison list in figures and tables")
    isochrone_path: Path | None = option(
        None, "isochrones of PARSEC, MIST or BaSTI, a file or a folder of files (default: isochrones.dat)"
    )
    isochrone_rotation: float | None = option(
        None,
        "initial rotation of the isochrones, where a file has several (OmegaInit, v/vcrit)",
        at_least=0,
        at_most=1,
    )
    credentials_path: Path | None = option(
        None, "Gaia archive credentials (default: gaia_credentials, if it is there)"
    )
    columns: tuple[str, ...] = option(
        (), "columns that have other names in your tables, ours=theirs: ra=RAJ2000 PMemb=prob"
    )

    def __post_init__(self) -> None:
        super().__post_init__()
        SOURCES.with_given(self.columns)  # refuses what names no column


@dataclass(frozen=True)
class GivenCluster(Options):
    """Parameters of the one cluster named, in place of the parameter table's.

    Units are those of `cluster.Cluster`; the errors are the standard deviations of the members.
    """

    title = "Input: one cluster, by hand"

    ra: float | None = option(None, "right ascension [deg]", at_least=0, at_most=360)
    dec: float | None = option(None, "declination [deg]", at_least=-90, at_most=90)
    parallax: float | None = option(None, "parallax [mas]", at_least=-10, at_most=1000)
    pmra: float | None = option(
        None, "proper motion in right ascension, times cos(dec) [mas/yr]", at_least=-20_000, at_most=20_000
    )
    pmdec: float | None = option(
        None, "proper motion in declination [mas/yr]", at_least=-20_000, at_most=20_000
    )
    pmra_error: float | None = option(
        None, "standard deviation of the members in pmra [mas/yr]", at_least=1e-6, at_most=100
    )
    pmdec_error: float | None = option(
        None, "standard deviation of the members in pmdec [mas/yr]", at_least=1e-6, at_most=100
    )
    parallax_error: float | None = option(
        None, "standard deviation of the members in parallax [mas]", at_least=1e-6, at_most=100
    )
    age: float | None = option(None, "age [log10(yr)]", at_least=5, at_most=10.3)
    a0: float | None = option(None, "extinction at 550 nm [mag]", at_least=-0.5, at_most=30)
    dist: float | None = option(None, "distance [pc] (default: 1000 / parallax)", at_least=1, at_most=200_000)
    radial_velocity: float | None = option(
        None,
        "radial velocity [km/s]; for near clusters, whose motions converge",
        at_least=-1000,
        at_most=1000,
    )

    def values(self) -> dict[str, float]:
        """What is given, by name."""
        return {each.name: value for each in fields(self) if (value := getattr(self, each.name)) is not None}


@dataclass(frozen=True)
class ConeOptions(Options):
    """The stars around a cluster: where they come from, and how far from it (Eqs. 1 and 2).

    Of several sources the first that has the cluster's field is taken. From Python one may be a plain string.
    """

    title = "Input: the stars around a cluster"

    cone_source: tuple[str, ...] = option(
        ("gaia",),
        "where the stars come from; several are tried in turn: gaia, ari, gavo, vizier, the URL of a TAP service, "
        "a table, a folder of tables named after the clusters, parquet:FOLDER, hats:FOLDER, hats:URL",
    )
    cone_radius: float = option(50.0, "projected radius of the cone at the cluster's distance [pc]", above=0)
    cone_pm_sigmas: float = option(
        10.0, "limit in proper motion, in standard deviations of the members", above=0, finite=False
    )
    cone_plx_sigmas: float = option(
        10.0, "limit in parallax, in standard deviations of the members", above=0, finite=False
    )
    published_cone: bool = option(
        False, "cut as Eqs. 1 and 2 do, without a star's own errors and the motion's change over the cone"
    )
    cone_format: Literal["parquet", "votable", "csv"] = option("parquet", "format of the kept cone")
    overwrite_cone: bool = option(False, "fetch the cone again, even if it is kept")

    def __post_init__(self) -> None:
        super().__post_init__()
        sources = tuple(source.strip() for source in self.cone_source)
        object.__setattr__(self, "cone_source", sources)
        require(bool(sources) and all(sources), self, "cone_source", "a source, not empty")
        for source in sources:
            _refuse_secrets(source)


@dataclass(frozen=True)
class MemberOptions(Options):
    """Which listed stars are training members."""

    title = "Selection: training members"

    prob_threshold: float = option(
        1.0, "smallest listed probability of a training member", at_least=0, at_most=1
    )
    n_min_members: int = option(15, "smallest number of training members", at_least=2)
    bootstrap_members: bool = option(False, "add likely candidates of an earlier evaluation to them")
    bootstrap_prob: float = option(
        0.96, "smallest probability of a candidate that is added", at_least=0, at_most=1
    )


@dataclass(frozen=True)
class SelectionOptions(Options):
    """How candidates are told from non-members (Eqs. 3 to 12)."""

    title = "Selection: candidates"

    colour: Literal["g_rp", "bp_rp"] = option("g_rp", "colour of the isochrone condition")
    pm_error_weight: float = option(
        3.0, "sigmas of the members' proper motions in the proper motion limit (Eq. 6)", at_least=0
    )
    source_error_weight: float = option(
        3.0, "sigmas of a star's own errors added to each limit (Eqs. 3 to 5)", at_least=0
    )
    r_max_margin: float = option(
        15.0, "added to the radius that encloses the member fraction [pc] (Eq. 10)", at_least=0
    )
    c_margin: float = option(0.1, "added to the colour limit [mag] (Eq. 11)", above=0)
    g_margin: float = option(0.8, "added to the magnitude limit [mag] (Eq. 12)", above=0)
    r_threshold_member_fraction: float = option(
        0.9, "share of the members inside the radius of Eq. 10", at_least=0, at_most=1
    )
    iso_threshold_member_fraction: float = option(
        0.9, "share of the members that must pass the isochrone condition", at_least=0, at_most=1
    )


@dataclass(frozen=True)
class TrainingOptions(Options):
    """The training sets, the network and its optimisation (Sects. 3.2 and 3.3).

    With ``probability`` "votes" the published network is trained, on members and non-members. With "posterior" it
    is ours, on candidates whose truth is known; it has features of its own, and n_pos_duplicates, neg_pos_ratio,
    source_features, cluster_features and weight_imbalance do not apply.
    """

    title = "Training"

    probability: Literal["votes", "posterior"] = option(
        "votes",
        "what the network gives: votes (published; it learns from members and non-members) or posterior (it learns "
        "from clusters with a truth.csv or labels.csv)",
    )
    validation_fraction: float = option(
        0.3, "share of the clusters that is used for validation", at_least=0, below=1
    )
    size_support_set: int = option(10, "number of members in a support set", at_least=1)
    batch_size: int = option(512, "number of examples in a batch", at_least=1)
    n_pos_duplicates: int = option(
        2, "how often each member is shown in an epoch, with different support sets", at_least=1
    )
    neg_pos_ratio: int = option(5, "non-members shown for each member shown", at_least=1)
    source_features: tuple[str, ...] = option(("f_r", "f_pm", "f_plx", "f_c", "f_g"), "features of a source")
    cluster_features: tuple[str, ...] = option(("a0", "age", "parallax"), "features of a cluster")
    hidden_size: int = option(64, "width of the network", at_least=1, at_most=4096)
    dropout: float = option(
        0.5, "share of the last layers' inputs that is dropped in training", at_least=0, below=1
    )
    n_epochs: int = option(200, "largest number of epochs", at_least=1)
    lr: float = option(1.5e-3, "learning rate of Adam", above=0)
    lr_decay: Literal["none", "cosine"] = option("none", "how the learning rate falls over n_epochs")
    l2: float = option(1e-5, "strength of the L2 regularisation", at_least=0)
    weight_imbalance: float = option(1.0, "weight of a member in the loss relative to a non-member", above=0)
    early_stopping_threshold: int = option(20, "epochs without improvement that end the training", at_least=1)

    def __post_init__(self) -> None:
        super().__post_init__()
        require(len(self.source_features) > 0, self, "source_features", "at least one feature")
        for name in ("source_features", "cluster_features"):
            features = getattr(self, name)
            require(len(set(features)) == len(features), self, name, "different features")
            require(
                not {"source_id", "PMemb", "name"} & set(features), self, name, "measurements, not labels"
            )


@dataclass(frozen=True)
class SamplingOptions(Options):
    """How a star's membership probability is found.

    "votes" is the share of noisy samples that the network calls members (Sect. 3.4), "posterior" the calibrated
    probability that a model trained for it gives; None takes what the model was trained for. n_samples and stop_early
    apply to votes alone: with stop_early a star is left after 10 or 20 samples if these leave no doubt.
    """

    title = "Probabilities"

    probability: Literal["posterior", "votes"] | None = option(
        None,
        "posterior (calibrated) or votes (published definition); default: what the model was trained for",
    )
    n_samples: int = option(100, "votes: noisy samples of each candidate", at_least=1)
    size_support_set: int = option(
        10, "number of members in a support set; for a posterior up to twice as many", at_least=1
    )
    stop_early: bool = option(False, "votes: stop after 10 or 20 samples of a star if these leave no doubt")
    device: str = option("cpu", "where the network is computed: cpu, cuda, or cuda:1")
    precision: Literal["float32", "bfloat16"] = option(
        "float32", "precision of the network; bfloat16 is faster on processors and GPUs that have it"
    )


@dataclass(frozen=True)
class FigureOptions(Options):
    """Where figures go, and as what."""

    title = "Plots: where they go"

    save_plots: bool = option(True, "save the plots")
    show_plots: bool = option(False, "show the plots on the screen")
    plot_format: Literal["png", "pdf", "svg"] = option("png", "format of the plots; pdf and svg for papers")
    no_title: bool = option(False, "draw no titles, for figures with a caption")
    single_panel: Panel | None = option(
        None, "draw only this panel of figures with four, as wide as one column of a page"
    )

    def wanted(self) -> bool:
        """Whether there is anything to draw."""
        return self.save_plots or self.show_plots

    def refuse_windows_of(self, run: RunOptions) -> None:
        """Refuse to show plots from other processes than this one."""
        if self.show_plots and run.workers > 1:
            raise ValueError(
                f"--show_plots needs --workers 1, not {run.workers}: processes cannot share a screen."
            )
        if self.show_plots and run.scheduler is not None:
            raise ValueError(
                f"--show_plots is not possible with --scheduler {run.scheduler}: its workers have no screen."
            )


WHOLE_FIGURES = ("save_plots", "show_plots", "plot_format", "no_title")
"""Options of figures that have no panels to choose from."""


@dataclass(frozen=True)
class PlotOptions(Options):
    """Which stars are members, which plots are drawn of them, and whether a report is written."""

    title = "Plots: which, of which stars"

    prob_threshold: float = option(
        0.5, "smallest probability of a member, in every count, figure and comparison", above=0, at_most=1
    )
    candidate_prob_threshold: float = option(
        0.1, "smallest probability of a star in member_list.csv", at_least=0, at_most=1
    )
    new_members_prob_threshold: float | None = option(
        None,
        "smallest probability in the figure of new members (default: prob_threshold)",
        above=0,
        at_most=1,
    )
    colour: Literal["g_rp", "bp_rp", "bp_g"] | None = option(
        None, "colour of the colour-magnitude diagrams (default: that of the selection)"
    )
    use_tidal_radius: bool = option(False, "show only members inside the fitted tidal radius")
    use_comparison_tidal_radius: bool = option(
        False, "show only members inside the tidal radius of the comparison members"
    )
    new_members_plot: bool = option(True, "training members and new members")
    comparison_plot: bool = option(True, "our members and those of the comparison list")
    additional_members_plot: bool = option(True, "our members that the comparison list does not have")
    missed_members_plot: bool = option(True, "members of the comparison list that our list does not have")
    venn_diagram_plot: bool = option(True, "overlap of the two lists")
    membership_matrix_plot: bool = option(True, "our verdict against the comparison list's")
    density_profile_plot: bool = option(True, "surface density with King profile")
    mass_segregation_plot: bool = option(True, "mass segregation ratio")
    report: bool = option(
        False, "write report.html in the cluster's folder, and index.html in the data directory"
    )

    def switched_on(self) -> list[str]:
        """Names of the plots to draw, without the ending ``_plot``."""
        plots = [each.name for each in fields(self) if each.name.endswith("_plot")]
        return [name.removesuffix("_plot") for name in plots if getattr(self, name)]


EXPORT_SUFFIXES = {"votable": ".vot", "fits": ".fits", "ecsv": ".ecsv", "parquet": ".parquet"}
"""Endings of the files of each format, ``members.vot``."""


@dataclass(frozen=True)
class ExportOptions(Options):
    """In which formats the sets are written besides CSV, and whether they are sent to TOPCAT."""

    title = "Output: tables for other programs"

    table_format: tuple[str, ...] = option(
        ("csv",), "formats in which the sets are written: csv (always), votable, fits, ecsv, parquet"
    )
    mrt: bool = option(False, "write member_list.mrt, the machine-readable table of a paper")
    send_to_topcat: bool = option(False, "send the training members and the member list to a running TOPCAT")

    def __post_init__(self) -> None:
        super().__post_init__()
        known = {"csv", *EXPORT_SUFFIXES}
        bound = f"of {', '.join(('csv', *EXPORT_SUFFIXES))}"
        require(len(self.table_format) > 0 and set(self.table_format) <= known, self, "table_format", bound)

    def formats(self) -> list[str]:
        """Formats besides CSV, in a fixed order."""
        return [name for name in EXPORT_SUFFIXES if name in self.table_format]
