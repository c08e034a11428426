#!/usr/bin/env bash
# Makes deep_sets_model/ anew and prints the tables of its model card; everything lies in data/.
#
# Simulated clusters on PARSEC isochrones of three metallicities (their sets are built with those of a fourth or fifth,
# as a catalogue's isochrones are never quite right), in wide cones, in narrower ones with more of their field, and in
# square frames of two sizes; and 26 labelled real fields. Without the developers' ../shared folder all simulated clusters
# lie on schematic isochrones, and there are no real fields. Fewer, for a try: WIDE=1 NARROW=41 MORE=111 SQUARE=1 SMALL=1.
set -euo pipefail
cd "$(dirname "$0")/../.."
PYTHON=${PYTHON:-.venv/bin/python}
REAL=${REAL:-../shared/data/real} WORKERS=${WORKERS:-2}
WIDE=${WIDE:-$(seq 1 30)} NARROW=${NARROW:-$(seq 41 110)} MORE=${MORE:-$(seq 111 145)}
SQUARE=${SQUARE:-$(seq 1 14; seq 16 40)} SMALL=${SMALL:-$(seq 1 10; seq 12 22; seq 24 25)}  # three have no field star
export OMP_NUM_THREADS=1  # sums in a fixed order
three=$REAL/isochrones/parsec_colibri_z0.010_0.015_0.020.dat fourth=$REAL/isochrones/parsec_z0.0205.dat
fifth=$REAL/isochrones/parsec_colibri_z0.0152.dat other=$REAL/isochrones/parsec_z0.0105.dat

# build FOLDER NAMES_FILE ISOCHRONES: sets and truth of simulated clusters; prints those that have enough members
build() {
  local with=$1/isochrones.dat
  if [ -f "$3" ]; then with=$3; fi
  "$PYTHON" build_sets.py "$2" --cone_source "$1/cones" --no-save_plots --workers "$WORKERS" \
    --members_path "$1/cg18_members.csv" --comparison_path "$1/t22_members.csv" \
    --cluster_path "$1/cluster_parameters.csv" --isochrone_path "$with" >&2 || true  # some have too few members
  while read -r name; do
    if [ -f "data/clusters/$name/cluster.json" ]; then
      cp "$1/clusters/$name/truth.csv" "data/clusters/$name/truth.csv"
      echo "$name"
    fi
  done < "$2"
}

# simulate NAME_FORMAT NUMBERS SEED FOLDER ISOCHRONES OPTIONS...: adds the names to the training clusters
simulate() {
  local format=$1 numbers=$2 seed=$3 simulated=data/$4 with=$5
  shift 5
  mkdir -p "$simulated"
  if [ -f "$three" ]; then install -m 644 "$three" "$simulated/isochrones.dat"; fi
  printf "$format\n" $numbers > "$simulated.txt"
  "$PYTHON" simulate_clusters.py "$simulated.txt" --data_dir "$simulated" --vary --seed "$seed" \
    --workers "$WORKERS" "$@"
  build "$simulated" "$simulated.txt" "$with" >> data/training_clusters.txt
}

mkdir -p data
: > data/training_clusters.txt
simulate Par_%03g "$WIDE" 2000 wide "$fourth" --cone_radius 50 --max_field_stars 50000
simulate Par_%03g "$NARROW" 2000 narrow "$fourth" --cone_radius 32 --max_field_stars 60000
simulate Par_%03g "$MORE" 2000 more "$fifth" --cone_radius 32 --max_field_stars 60000
simulate Sq_%02g "$SQUARE" 3000 squares "$fourth" --square_half_width 8 --g_max 18
simulate Sm_%02g "$SMALL" 4000 small "$fifth" --square_half_width 4 --g_max 18 --cone_radius 30
if [ -d "$REAL" ]; then
  "$PYTHON" build_sets.py benchmarks/training/training_clusters.txt benchmarks/training/test_clusters.txt \
    --cone_source "$REAL/cones" --members_path "$REAL/cg18_members.csv.gz" \
    --comparison_path "$REAL/t22_members.csv.gz" --cluster_path "$REAL/cluster_parameters.csv" \
    --isochrone_path "$fourth" --no-save_plots
  "$PYTHON" benchmarks/training/label_real_fields.py --real "$REAL" benchmarks/training/training_clusters.txt
  grep -v '^#' benchmarks/training/training_clusters.txt >> data/training_clusters.txt
fi

"$PYTHON" train_deep_sets_model.py data/training_clusters.txt --model_dir deep_sets_model --overwrite --probability posterior \
  --validation_fraction 0.2 --dropout 0 --size_support_set 10 --batch_size 512 --lr 2e-3 --lr_decay cosine \
  --n_epochs 8

"$PYTHON" benchmarks/membership/independent_cones.py --data_dir data/independent \
  $(if [ -f "$other" ]; then echo --isochrones "$other"; fi)
ls data/independent/clusters > data/independent.txt
build data/independent data/independent.txt "$three" > data/independent_built.txt
published=$REAL/../original_models/DS10_v01
models=(deep_sets_model); if [ -d "$published" ]; then models+=("$published"); fi
"$PYTHON" benchmarks/membership/measure.py data/independent_built.txt --data_dir data --mixture --bound --model_dirs "${models[@]}"
if [ -d "$REAL" ]; then
  "$PYTHON" benchmarks/membership/moved_members.py benchmarks/training/test_clusters.txt --data_dir data/moved --real "$REAL"
  "$PYTHON" benchmarks/membership/measure.py data/moved/moved.txt --data_dir data/moved --mixture --model_dirs "${models[@]}"
  "$PYTHON" benchmarks/membership/real_fields.py benchmarks/training/test_clusters.txt --model_dirs "${models[@]}"
fi
