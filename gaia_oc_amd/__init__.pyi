"""Public names of the package, each once, in the order of the method; lazy_loader reads this file at run time."""

# ruff: isort: skip_file

__version__: str

# the stages, as the scripts do them
from .stages.build import build_cluster as build_cluster
from .stages.evaluate import evaluate_cluster as evaluate_cluster
from .stages.validate import validate_cluster as validate_cluster
from .stages.compare import compare_cluster as compare_cluster
from .stages.fit_isochrone import fit_cluster as fit_cluster
from .stages.find_first_members import search_cluster as search_cluster
from .stages.train import train_model as train_model
from .stages.simulate import simulate_clusters as simulate_clusters

# under the names of the published tool
from .stages.evaluate import evaluate_clusters as evaluate_clusters
from .catalogues.download import download_startup_data as download_startup_data
from .archive.login import create_gaia_credentials_file as create_gaia_credentials_file

# from a name to the sets
from .catalogues.tables import read_input_tables as read_input_tables
from .cluster import Cluster as Cluster
from .query import cone_query as cone_query
from .archive.results import Select as Select
from .archive.results import query_archive as query_archive
from .files.tables import read_table as read_table
from .cone import calibrate as calibrate
from .members import find_members as find_members
from .isochrones import read_isochrones as read_isochrones
from .isochrones import nearest_age as nearest_age
from .isochrones import place_isochrone as place_isochrone
from .candidates import selection_limits as selection_limits
from .candidates import select_candidates as select_candidates
from .features import add_features as add_features
from .set_building import build_sets as build_sets
from .set_building import divide_cone as divide_cone
from .set_building import prepare_stars as prepare_stars
from .source_sets import save_sets as save_sets
from .source_sets import load_sets as load_sets

# the network
from .classifier import Classifier as Classifier
from .training import train_deep_sets_model as train_deep_sets_model
from .posterior import ConeJudge as ConeJudge
from .membership import membership_probabilities as membership_probabilities
from .membership import judge_candidates as judge_candidates
from .membership import judge_sets as judge_sets
from .explanation import explain as explain

# the member list, and another one beside it
from .member_list import member_list as member_list
from .member_list import our_members as our_members
from .comparison import ComparisonCounts as ComparisonCounts
from .comparison import missed_table as missed_table

# the figures
from .figures import candidates_figure as candidates_figure
from .figures import new_members_figure as new_members_figure
from .figures import comparison_figure as comparison_figure
from .figures import additional_members_figure as additional_members_figure
from .figures import missed_members_figure as missed_members_figure
from .figures import training_metrics_figure as training_metrics_figure
from .comparison_figures import venn_diagram_figure as venn_diagram_figure
from .comparison_figures import membership_matrix_figure as membership_matrix_figure
from .radial_figures import density_profile_figure as density_profile_figure
from .radial_figures import mass_segregation_figure as mass_segregation_figure

# members where no list has any
from .first_members.field import find_target as find_target
from .first_members.search import find_first_members as find_first_members
from .first_members.results import search_members as search_members

# age, extinction and distance
from .isochrone_fit.fit import fit_isochrone as fit_isochrone

# how complete, how pure
from .validation.validate import measure_selection as measure_selection
from .validation.injection import inject_members as inject_members

# a cluster whose members are known
from .simulation.simulate import simulate_cluster as simulate_cluster
from .truth import score_against_truth as score_against_truth
