"""Public names of the package, each once; lazy_loader reads this file at run time."""

__version__: str

# a cluster's stars
from .archive.results import query_archive as query_archive
from .candidates import select_candidates as select_candidates
from .candidates import selection_limits as selection_limits
from .catalogues.tables import read_input_tables as read_input_tables

# the network
from .classifier import Classifier as Classifier

# the pieces of the method
from .cluster import Cluster as Cluster
from .cone import calibrate as calibrate
from .features import add_features as add_features
from .files.tables import read_table as read_table

# members where no list has any
from .first_members.field import find_target as find_target
from .first_members.results import search_members as search_members
from .first_members.search import find_first_members as find_first_members
from .isochrone_fit.fit import fit_isochrone as fit_isochrone
from .isochrones import nearest_age as nearest_age
from .isochrones import place_isochrone as place_isochrone
from .isochrones import read_isochrones as read_isochrones
from .members import find_members as find_members
from .membership import evaluate_cluster as evaluate_cluster
from .membership import membership_probabilities as membership_probabilities
from .posterior import ConeJudge as ConeJudge
from .query import cone_query as cone_query
from .set_building import build_sets as build_sets
from .set_building import divide_cone as divide_cone
from .set_building import prepare_stars as prepare_stars

# a cluster whose members are known
from .simulation.simulate import simulate_cluster as simulate_cluster
from .source_sets import load_sets as load_sets
from .source_sets import save_sets as save_sets
from .training import train_deep_sets_model as train_deep_sets_model
from .truth import score_against_truth as score_against_truth
from .validation.injection import inject_members as inject_members

# how complete, how pure
from .validation.validate import validate_cluster as validate_cluster
