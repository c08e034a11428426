#!/usr/bin/env bash
# Makes deep_sets_model/ anew and prints the table of its model card. Needs the developers' ../shared folder.
# Without it, leave out the real fields: the simulated clusters alone train a model, too.
set -euo pipefail
cd "$(dirname "$0")/.."
PYTHON=${PYTHON:-.venv/bin/python}
REAL=../shared/data/real
SIMULATED=data/simulated
export OMP_NUM_THREADS=1  # sums in a fixed order

mkdir -p data
seq -f 'Sim_%02g' 60 > data/simulated_clusters.txt
cat benchmarks/training_clusters.txt data/simulated_clusters.txt > data/training_clusters.txt

"$PYTHON" build_sets.py benchmarks/training_clusters.txt benchmarks/test_clusters.txt --cone_source "$REAL/cones" \
  --members_path "$REAL/cg18_members.csv.gz" --comparison_path "$REAL/t22_members.csv.gz" \
  --cluster_path "$REAL/cluster_parameters.csv" --isochrone_path "$REAL/isochrones/parsec_z0.0205.dat"
"$PYTHON" simulate_clusters.py data/simulated_clusters.txt --data_dir "$SIMULATED" --vary --seed 1000
"$PYTHON" build_sets.py data/simulated_clusters.txt --cone_source "$SIMULATED/cones" --no-save_plots \
  --members_path "$SIMULATED/cg18_members.csv" --comparison_path "$SIMULATED/t22_members.csv" \
  --cluster_path "$SIMULATED/cluster_parameters.csv" --isochrone_path "$SIMULATED/isochrones.dat"
"$PYTHON" train_deep_sets_model.py data/training_clusters.txt --model_dir deep_sets_model --weight_imbalance 15
"$PYTHON" benchmarks/real_fields.py benchmarks/test_clusters.txt \
  --model_dirs deep_sets_model ../shared/data/original_models/DS10_v02
