"""The options of every stage: the only place where a default stands, and where its bounds are checked."""

import logging
import re
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any, Literal


def require(condition: bool, options: Any, name: str, bound: str) -> None:
    """Refuse an option whose value is out of its bound, in a line that names all three.

    Raises
    ------
    ValueError
        If the condition does not hold.
    """
    if not condition:
        raise ValueError(f"{name} is {getattr(options, name)}, but must be {bound}.")


def _require_each(
    options: Any, names: tuple[str, ...], lower: float, *, strict: bool = False, finite: bool = True
) -> None:
    for name in names:
        value = getattr(options, name)
        bound = f"{'greater than' if strict else 'at least'} {lower:g}"
        require(value > lower if strict else value >= lower, options, name, bound)
        require(finite is False or value < float("inf"), options, name, "finite")


def _require_fraction(options: Any, *names: str) -> None:
    for name in names:
        require(0 <= getattr(options, name) <= 1, options, name, "between 0 and 1")


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
class RunOptions:
    """What every script knows: where the data lie, the seed, who does the work, how much is said."""

    data_dir: Path = Path("data")
    seed: int = 42
    workers: int = 1
    scheduler: str | None = None
    log_level: Literal["debug", "info", "warning", "error"] = "info"

    def __post_init__(self) -> None:
        _require_each(self, ("workers",), 1)
        if self.scheduler is not None:
            require(_is_scheduler(self.scheduler), self, "scheduler", _SCHEDULERS)
            require(self.workers == 1, self, "workers", "1 with --scheduler, which has workers of its own")
        require(0 <= self.seed < 2**63, self, "seed", "between 0 and 2^63 - 1")

    def where(self) -> dict[str, Any]:
        """Who does the work of a batch, as `run_batch` takes it."""
        return {"workers": self.workers, "scheduler": self.scheduler, "data_dir": self.data_dir}


CatalogueName = Literal["cg18", "cg20", "t22", "hunt23", "hunt24", "dias21", "castro22", "groeningen23"]
"""Catalogues that build_sets can take members and parameters from, see `gaia_oc_amd.catalogues.published`."""


@dataclass(frozen=True)
class TablePaths:
    """Tables that build_sets reads; a path goes before a catalogue.

    None stands for the default name in the data directory, or the catalogue's file there.
    """

    catalogue: CatalogueName = "cg18"
    comparison_catalogue: CatalogueName | None = None
    cluster_path: Path | None = None
    members_path: Path | None = None
    comparison_path: Path | None = None
    isochrone_path: Path | None = None
    credentials_path: Path | None = None


@dataclass(frozen=True)
class GivenCluster:
    """Parameters of a cluster given by hand; None stands for what the parameter table has.

    Units are those of `cluster.Cluster`; the errors are the standard deviations of the members.
    """

    ra: float | None = None
    dec: float | None = None
    parallax: float | None = None
    pmra: float | None = None
    pmdec: float | None = None
    pmra_error: float | None = None
    pmdec_error: float | None = None
    parallax_error: float | None = None
    age: float | None = None
    a0: float | None = None
    dist: float | None = None

    def __post_init__(self) -> None:
        bounds = {"ra": (0, 360), "dec": (-90, 90), "age": (5, 10.3), "a0": (-0.5, 30), "dist": (1, 200_000)}
        bounds |= {"parallax": (0.001, 1000), "pmra": (-20_000, 20_000), "pmdec": (-20_000, 20_000)}
        bounds |= {name: (1e-6, 100) for name in ("pmra_error", "pmdec_error", "parallax_error")}
        for name, value in self.values().items():
            lower, upper = bounds[name]
            require(lower <= value <= upper, self, name, f"between {lower:g} and {upper:g}")

    def values(self) -> dict[str, float]:
        """What is given, by name."""
        return {
            field.name: getattr(self, field.name)
            for field in fields(self)
            if getattr(self, field.name) is not None
        }


@dataclass(frozen=True)
class ConeOptions:
    """Where the stars around a cluster come from, and how far from it (Eqs. 1 and 2).

    Of several sources the first that has the cluster's field is taken. From Python one may be a plain string.
    """

    cone_source: tuple[str, ...] = ("gaia",)
    cone_radius: float = 50.0
    cone_pm_sigmas: float = 10.0
    cone_plx_sigmas: float = 10.0
    cone_format: Literal["parquet", "votable", "csv"] = "parquet"
    overwrite_cone: bool = False

    def __post_init__(self) -> None:
        given = (self.cone_source,) if isinstance(self.cone_source, str | Path) else self.cone_source
        sources = tuple(str(source).strip() for source in given)
        object.__setattr__(self, "cone_source", sources)
        require(bool(sources) and all(sources), self, "cone_source", "a source, not empty")
        for source in sources:
            _refuse_secrets(source)
        _require_each(self, ("cone_radius",), 0, strict=True)
        _require_each(self, ("cone_pm_sigmas", "cone_plx_sigmas"), 0, strict=True, finite=False)


@dataclass(frozen=True)
class MemberOptions:
    """Which listed stars are training members."""

    prob_threshold: float = 1.0
    n_min_members: int = 15
    bootstrap_members: bool = False
    bootstrap_prob: float = 0.96

    def __post_init__(self) -> None:
        _require_fraction(self, "prob_threshold", "bootstrap_prob")
        _require_each(self, ("n_min_members",), 2)


@dataclass(frozen=True)
class SelectionOptions:
    """How candidates are told from non-members (Eqs. 3 to 12)."""

    colour: Literal["g_rp", "bp_rp"] = "g_rp"
    pm_error_weight: float = 3.0
    source_error_weight: float = 3.0
    r_max_margin: float = 15.0
    c_margin: float = 0.1
    g_margin: float = 0.8
    r_threshold_member_fraction: float = 0.9
    iso_threshold_member_fraction: float = 0.9

    def __post_init__(self) -> None:
        _require_fraction(self, "r_threshold_member_fraction", "iso_threshold_member_fraction")
        _require_each(self, ("pm_error_weight", "source_error_weight", "r_max_margin"), 0)
        _require_each(self, ("c_margin", "g_margin"), 0, strict=True)


@dataclass(frozen=True)
class TrainingOptions:
    """The training sets, the network and its optimisation (Sects. 3.2 and 3.3).

    With ``probability`` "votes" the published network is trained, on members and non-members. With "posterior" it
    is ours, on candidates whose truth is known; it has features of its own, and n_pos_duplicates, neg_pos_ratio,
    source_features, cluster_features and weight_imbalance do not apply.
    """

    probability: Literal["votes", "posterior"] = "votes"
    validation_fraction: float = 0.3
    size_support_set: int = 10
    batch_size: int = 512
    n_pos_duplicates: int = 2
    neg_pos_ratio: int = 5
    source_features: tuple[str, ...] = ("f_r", "f_pm", "f_plx", "f_c", "f_g")
    cluster_features: tuple[str, ...] = ("a0", "age", "parallax")
    hidden_size: int = 64
    dropout: float = 0.5
    n_epochs: int = 200
    lr: float = 1.5e-3
    lr_decay: Literal["none", "cosine"] = "none"
    l2: float = 1e-5
    weight_imbalance: float = 1.0
    early_stopping_threshold: int = 20

    def __post_init__(self) -> None:
        require(0 <= self.validation_fraction < 1, self, "validation_fraction", "in [0, 1)")
        positive = ("size_support_set", "batch_size", "n_pos_duplicates", "neg_pos_ratio", "hidden_size")
        _require_each(self, (*positive, "n_epochs", "early_stopping_threshold"), 1)
        _require_each(self, ("lr", "weight_imbalance"), 0, strict=True)
        _require_each(self, ("l2",), 0)
        require(self.hidden_size <= 4096, self, "hidden_size", "at most 4096")
        require(0 <= self.dropout < 1, self, "dropout", "in [0, 1)")
        require(len(self.source_features) > 0, self, "source_features", "at least one feature")
        for name in ("source_features", "cluster_features"):
            features = getattr(self, name)
            require(len(set(features)) == len(features), self, name, "different features")
            require(
                not {"source_id", "PMemb", "name"} & set(features), self, name, "measurements, not labels"
            )


@dataclass(frozen=True)
class SamplingOptions:
    """How a star's membership probability is found.

    "votes" is the share of noisy samples that the network calls members (Sect. 3.4), "posterior" the calibrated
    probability that a model trained for it gives; None takes what the model was trained for. n_samples and stop_early
    apply to votes alone: with stop_early a star is left after 10 or 20 samples if these leave no doubt.
    """

    probability: Literal["posterior", "votes"] | None = None
    n_samples: int = 100
    size_support_set: int = 10
    stop_early: bool = False
    device: str = "cpu"
    precision: Literal["float32", "bfloat16"] = "float32"

    def __post_init__(self) -> None:
        _require_each(self, ("n_samples", "size_support_set"), 1)


@dataclass(frozen=True)
class FigureOptions:
    """Where figures go, and as what."""

    save_plots: bool = True
    show_plots: bool = False
    plot_format: Literal["png", "pdf", "svg"] = "png"

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


@dataclass(frozen=True)
class PlotOptions:
    """Which stars the evaluation plots show, which plots are drawn, and whether a report is written."""

    candidate_prob_threshold: float = 0.1
    new_members_prob_threshold: float = 0.8
    use_tidal_radius: bool = False
    use_comparison_tidal_radius: bool = False
    new_members_plot: bool = True
    comparison_plot: bool = True
    additional_members_plot: bool = True
    missed_members_plot: bool = True
    venn_diagram_plot: bool = True
    membership_matrix_plot: bool = True
    density_profile_plot: bool = True
    mass_segregation_plot: bool = True
    report: bool = False

    def __post_init__(self) -> None:
        _require_fraction(self, "candidate_prob_threshold", "new_members_prob_threshold")

    def switched_on(self) -> list[str]:
        """Names of the plots to draw, without the ending ``_plot``."""
        plots = [field.name for field in fields(self) if field.name.endswith("_plot")]
        return [name.removesuffix("_plot") for name in plots if getattr(self, name)]


logger = logging.getLogger(__name__)

EXPORT_SUFFIXES = {"votable": ".vot", "fits": ".fits", "ecsv": ".ecsv", "parquet": ".parquet"}
"""Endings of the files of each format, ``members.vot``."""


@dataclass(frozen=True)
class ExportOptions:
    """In which formats the sets are written besides CSV, and whether they are sent to TOPCAT."""

    table_format: tuple[str, ...] = ("csv",)
    send_to_topcat: bool = False

    def __post_init__(self) -> None:
        known = {"csv", *EXPORT_SUFFIXES}
        bound = f"of {', '.join(('csv', *EXPORT_SUFFIXES))}"
        require(len(self.table_format) > 0 and set(self.table_format) <= known, self, "table_format", bound)

    def formats(self) -> list[str]:
        """Formats besides CSV, in a fixed order."""
        return [name for name in EXPORT_SUFFIXES if name in self.table_format]
