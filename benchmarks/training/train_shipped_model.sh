#!/usr/bin/env bash
# Makes deep_sets_model/ anew and prints the tables of its model card; everything lies in data/.
#
# Simulated clusters on PARSEC isochrones of three metallicities (their sets are built with those of a fourth, as a
# catalogue's isochrones are never quite right), on schematic isochrones, and 26 labelled real fields. Without the
# developers' ../shared folder all simulated clusters lie on schematic isochrones, and there are no real fields.
set -euo pipefail
cd "$(dirname "$0")/../.."
PYTHON=${PYTHON:-.venv/bin/python}
REAL=../shared/data/real
PARSEC=${PARSEC:-$(seq 1 10) $(seq 21 30) $(seq 41 50) $(seq 61 70)} SCHEMATIC=${SCHEMATIC:-$(seq 1 10)}
TEST=${TEST:-$(seq 1 20)}  # more clusters make a better model: PARSEC="$(seq 1 200)" benchmarks/training/train_shipped_model.sh
export OMP_NUM_THREADS=1  # sums in a fixed order

# simulate NAME_FORMAT NUMBERS SEED FOLDER [ISOCHRONES_OF_THE_MEMBERS ISOCHRONES_OF_THE_SETS]
simulate() {
  local simulated=data/$4 with=data/$4/isochrones.dat
  mkdir -p "$simulated"
  if [ $# -gt 4 ] && [ -d "$REAL" ]; then cp "$5" "$simulated/isochrones.dat"; chmod u+w "$simulated/isochrones.dat"; with=$6; fi
  printf "$1\n" $2 > "data/$4.txt"
  "$PYTHON" simulate_clusters.py "data/$4.txt" --data_dir "$simulated" --vary --seed "$3" --workers 2
  "$PYTHON" build_sets.py "data/$4.txt" --cone_source "$simulated/cones" --no-save_plots --workers 2 \
    --members_path "$simulated/cg18_members.csv" --comparison_path "$simulated/t22_members.csv" \
    --cluster_path "$simulated/cluster_parameters.csv" --isochrone_path "$with" || true  # some have too few members
  while read -r name; do
    if [ -f "data/clusters/$name/cluster.json" ]; then
      cp "$simulated/clusters/$name/truth.csv" "data/clusters/$name/truth.csv"
      echo "$name"
    fi
  done < "data/$4.txt" > "data/$4_built.txt"
}

mkdir -p data
three=$REAL/isochrones/parsec_colibri_z0.010_0.015_0.020.dat fourth=$REAL/isochrones/parsec_z0.0205.dat
simulate Par_%03g "$PARSEC" 2000 on_parsec "$three" "$fourth"
simulate Sch_%03g "$SCHEMATIC" 3000 on_schematic
simulate Test_%02g "$TEST" 9000 test "$three" "$fourth"
cat data/on_parsec_built.txt data/on_schematic_built.txt > data/training_clusters.txt
if [ -d "$REAL" ]; then
  "$PYTHON" build_sets.py benchmarks/training/training_clusters.txt benchmarks/training/test_clusters.txt --cone_source "$REAL/cones" \
    --members_path "$REAL/cg18_members.csv.gz" --comparison_path "$REAL/t22_members.csv.gz" \
    --cluster_path "$REAL/cluster_parameters.csv" --isochrone_path "$fourth" --no-save_plots
  "$PYTHON" benchmarks/training/label_real_fields.py benchmarks/training/training_clusters.txt
  cat benchmarks/training/training_clusters.txt >> data/training_clusters.txt
fi

"$PYTHON" train_deep_sets_model.py data/training_clusters.txt --model_dir deep_sets_model --overwrite --probability posterior \
  --validation_fraction 0.2 --dropout 0 --size_support_set 5 --batch_size 512 --lr 2e-3 --lr_decay cosine \
  --n_epochs 20

published=../shared/data/original_models/DS10_v02
models=(deep_sets_model); if [ -d "$published" ]; then models+=("$published"); fi
"$PYTHON" benchmarks/membership/methods.py data/test_built.txt --data_dir data --model_dirs "${models[@]}" --n_samples 20
if [ -d "$REAL" ]; then
  "$PYTHON" benchmarks/membership/real_fields.py benchmarks/training/test_clusters.txt --model_dirs "${models[@]}"
fi
