"""The options of the published tool: which of ours each one is, and what to use instead of the others.

The names are those of its scripts in all their versions and of its last release, 0.2.1. Options that have the same
name and meaning here are not repeated. Its values ``True`` and ``False`` are understood after every switch.
"""

RENAMED = {
    "bootstrap_probability": "bootstrap_prob",
    "can_c_margin": "c_margin",
    "can_colour": "colour",
    "can_g_margin": "g_margin",
    "can_pm_error_weight": "pm_error_weight",
    "can_r_max_margin": "r_max_margin",
    "can_source_error_weight": "source_error_weight",
    "cluster_parameters_path": "cluster_path",
    "cone_file_format": "cone_format",
    "confusion_matrix_plot": "membership_matrix_plot",
    "model_save_dir": "model_dir",
    "save_dir": "data_dir",
    "save_plot": "save_plots",
    "show": "show_plots",
    "training_features": "source_features",
}
"""Options of the same meaning under another name: they are taken, and the new name is said once."""

_LABEL = "give it to build_sets.py, which calls the lists by it; figures and tables follow"
_ALWAYS = "the sets are always saved, with the cluster in cluster.json; leave it out"
_COLUMN = "columns are found under their usual names, others are named by --columns, as in --columns "

ANSWERS = {
    "can_bp_rp_delta": "the limit in colour follows from the members; --c_margin is added to it, --colour chooses it",
    "can_g_delta": "the limit in G follows from the members; --g_margin is added to it",
    "can_max_r": "the largest radius follows from the members; --r_max_margin is added to it",
    "clusters_dir": "give the folder above it as --data_dir; the clusters are in its folder clusters/",
    "compare_train_members": "where the comparison list lacks the cluster, the member list is compared with; "
    "--comparison_path names another list",
    "comparison_cluster_column": f"{_COLUMN}cluster=Cluster",
    "comparison_id_column": f"{_COLUMN}source_id=GaiaEDR3",
    "comparison_prob_column": f"{_COLUMN}PMemb=Proba",
    "comparison_label": _LABEL,
    "cone_verbose": "--verbose reports everything, the cone search included",
    "hard_size_ss": "--size_support_set says how many members a support set has; leave it out",
    "isochrone_path": "the sets hold the isochrone that they were built with; leave it out",
    "members_cluster_column": f"{_COLUMN}cluster=Cluster",
    "members_id_column": f"{_COLUMN}source_id=Source",
    "members_label": _LABEL,
    "members_prob_column": f"{_COLUMN}PMemb=proba",
    "new_members_label": "figures call our members 'this work'; leave it out",
    "plot_stellar_field": "the figures always show the field; leave it out",
    "prob_threshold": "it belongs to build_sets.py and evaluate_clusters.py; leave it out",
    "save_cluster_params": _ALWAYS,
    "save_source_sets": _ALWAYS,
    "show_boundaries": "the figures always show the limits of the selection; leave it out",
    "show_features": "the figures show no arrows; docs/method.md explains the features",
}
"""What to do instead of options that have no like here, or that another script has."""

LISTS = ("clusters", "cluster_names")
"""Names of the list of clusters, which is given without a name."""
