#!/usr/bin/env bash
# Makes a model as the shipped one was made, and the tables of its card, from nothing: it fetches the real fields and the
# lists (fetch_real_fields.py), simulates, builds sets, labels, trains, calibrates and measures.
#
#   benchmarks/training/train_shipped_model.sh            all of it, into data/: hours, and some 10 GB
#   TINY=1 benchmarks/training/train_shipped_model.sh     every step with next to nothing, into data/tiny/: minutes
#
# What is there is not fetched, simulated or built again: after an interruption the same command goes on (a kind of
# simulated clusters that was not finished begins again). Variables:
#   DATA    where everything lies; MODEL the folder of the model, deep_sets_model in DATA unless it is named
#   FETCH   options of fetch_real_fields.py, another mirror of VizieR, say
#   REAL    a folder with real fields and lists that are there already (the developers' is ../shared/data/real), or "none":
#           simulated clusters alone, on schematic isochrones
#   WIDE NARROW MORE NEAR CROWDED SQUARE SMALL    numbers of the simulated clusters of each kind; INDEPENDENT: names of
#           those to measure
#   REAL_TRAINING REAL_TEST          real clusters, names or files with names
#   THIN    by what the number of field stars is divided; EPOCHS, VALIDATION (share of the clusters), WORKERS, PYTHON
#
# Simulated clusters lie on PARSEC isochrones of three metallicities (their sets are built with those of a fourth or fifth,
# as a catalogue's isochrones are never quite right), in wide cones, in narrower ones with more of their field, within
# 300 pc and in front of the bulge, where few would be drawn, and in square frames of two sizes. Par_147 to Par_169 are left
# for choices that must not be made on what was trained on. The fifth isochrones end at log age 8.4, so that old clusters
# of MORE have no sets; those of the other kinds have.
set -euo pipefail
cd "$(dirname "$0")/../.."
if [ -n "${TINY:-}" ]; then
  DATA=${DATA:-data/tiny} WIDE=${WIDE:-1} NARROW=${NARROW:-41} MORE=${MORE:-111} NEAR=${NEAR:-1}
  CROWDED=${CROWDED:-1} SQUARE=${SQUARE:-1} SMALL=${SMALL:-1}
  THIN=${THIN:-10} EPOCHS=${EPOCHS:-2} VALIDATION=${VALIDATION:-0.4} INDEPENDENT=${INDEPENDENT:-Ind_05}
  REAL_TRAINING=${REAL_TRAINING:-NGC_2509 Berkeley_54}
  REAL_TEST=${REAL_TEST:-NGC_2355 NGC_1798 NGC_609 NGC_2204 Berkeley_32}
fi
if [ -z "${PYTHON:-}" ]; then if [ -x .venv/bin/python ]; then PYTHON=.venv/bin/python; else PYTHON=python3; fi; fi
DATA=${DATA:-data} WORKERS=${WORKERS:-2} THIN=${THIN:-1} EPOCHS=${EPOCHS:-8} VALIDATION=${VALIDATION:-0.2}
MODEL=${MODEL:-$DATA/deep_sets_model}
WIDE=${WIDE:-$(seq 1 30)} NARROW=${NARROW:-$(seq 41 110; seq 170 225)} MORE=${MORE:-$(seq 111 145)}
NEAR=${NEAR:-$(seq 1 14)} CROWDED=${CROWDED:-$(seq 1 16)}
SQUARE=${SQUARE:-$(seq 1 14; seq 16 40)} SMALL=${SMALL:-$(seq 1 10; seq 12 22; seq 24 25)}  # three have no field star
INDEPENDENT=${INDEPENDENT:-$(printf 'Ind_%02d ' {1..16})}
REAL_TRAINING=${REAL_TRAINING:-benchmarks/training/training_clusters.txt}
REAL_TEST=${REAL_TEST:-benchmarks/training/test_clusters.txt}
export OMP_NUM_THREADS=1  # sums in a fixed order
mkdir -p "$DATA"
if [ -z "${REAL:-}" ]; then
  REAL=$DATA/real
  "$PYTHON" benchmarks/training/fetch_real_fields.py $REAL_TRAINING $REAL_TEST --real "$REAL" ${FETCH:-}
fi
three=$REAL/isochrones/parsec_colibri_z0.010_0.015_0.020.dat fourth=$REAL/isochrones/parsec_z0.0205.dat
fifth=$REAL/isochrones/parsec_colibri_z0.0152.dat other=$REAL/isochrones/parsec_z0.0105.dat
published=${PUBLISHED:-$REAL/../original_models/DS10_v01}  # the published model, if it is there

# names WORD...: the words, and in place of a file the names in it
names() {
  local word
  for word; do if [ -f "$word" ]; then grep -v '^#' "$word"; else echo "$word"; fi; done
}

# missing FOLDER: of the names that it reads, those that were not simulated there; the table is written after the last one
missing() {
  local name table=$1/cluster_parameters.csv
  while read -r name; do if ! grep -qs "^$name," "$table"; then echo "$name"; fi; done
}

# build FOLDER NAMES_FILE ISOCHRONES: sets and truth of simulated clusters; prints those that have enough members
build() {
  local with=$1/isochrones.dat name
  if [ -f "$3" ]; then with=$3; fi
  "$PYTHON" build_sets.py "$2" --data_dir "$DATA" --cone_source "$1/cones" --no-save_plots --workers "$WORKERS" \
    --members_path "$1/cg18_members.csv" --comparison_path "$1/t22_members.csv" \
    --cluster_path "$1/cluster_parameters.csv" --isochrone_path "$with" >&2 || true  # some have too few members
  while read -r name; do
    if [ -f "$DATA/clusters/$name/cluster.json" ]; then
      cp "$1/clusters/$name/truth.csv" "$DATA/clusters/$name/truth.csv"
      echo "$name"
    fi
  done < "$2"
}

# simulate NAME_FORMAT NUMBERS FOLDER ISOCHRONES COMMAND...: adds the names to the training clusters
simulate() {
  local format=$1 numbers=$2 simulated=$DATA/$3 with=$4
  shift 4
  mkdir -p "$simulated"
  if [ -f "$three" ]; then install -m 644 "$three" "$simulated/isochrones.dat"; fi
  printf "$format\n" $numbers > "$simulated.txt"
  missing "$simulated" < "$simulated.txt" > "$simulated.missing.txt"
  if [ -s "$simulated.missing.txt" ]; then
    "$PYTHON" "$@" "$simulated.missing.txt" --data_dir "$simulated"
  fi
  build "$simulated" "$simulated.txt" "$with" >> "$DATA/training_clusters.txt"
}

vary="simulate_clusters.py --vary --workers $WORKERS" rare=benchmarks/training/rare_cones.py
: > "$DATA/training_clusters.txt"
simulate Par_%03g "$WIDE" wide "$fourth" $vary --seed 2000 --cone_radius 50 --max_field_stars $((50000 / THIN))
simulate Par_%03g "$NARROW" narrow "$fourth" $vary --seed 2000 --cone_radius 32 --max_field_stars $((60000 / THIN))
simulate Par_%03g "$MORE" more "$fifth" $vary --seed 2000 --cone_radius 32 --max_field_stars $((60000 / THIN))
simulate Near_%02g "$NEAR" near "$fourth" $rare near --max_field_stars $((60000 / THIN))
simulate Crowd_%02g "$CROWDED" crowded "$fourth" $rare crowded --max_field_stars $((120000 / THIN))
simulate Sq_%02g "$SQUARE" squares "$fourth" $vary --seed 3000 --square_half_width 8 --g_max 18
simulate Sm_%02g "$SMALL" small "$fifth" $vary --seed 4000 --square_half_width 4 --g_max 18 --cone_radius 30
if [ "$REAL" != none ]; then
  "$PYTHON" build_sets.py $REAL_TRAINING $REAL_TEST --data_dir "$DATA" --cone_source "$REAL/cones" \
    --members_path "$REAL/cg18_members.csv.gz" --comparison_path "$REAL/t22_members.csv.gz" \
    --cluster_path "$REAL/cluster_parameters.csv" --isochrone_path "$fourth" --no-save_plots
  "$PYTHON" benchmarks/training/label_real_fields.py $REAL_TRAINING --real "$REAL" --data_dir "$DATA"
  names $REAL_TRAINING >> "$DATA/training_clusters.txt"
fi

if [ -f "$MODEL/checkpoint" ]; then there=--resume; else there=--overwrite; fi
"$PYTHON" train_deep_sets_model.py "$DATA/training_clusters.txt" --data_dir "$DATA" --model_dir "$MODEL" $there \
  --probability posterior --validation_fraction "$VALIDATION" --dropout 0 --size_support_set 10 --batch_size 512 \
  --lr 2e-3 --lr_decay cosine --n_epochs "$EPOCHS"

# everything that is printed from here on stands in card_tables.md, too
independent=$DATA/independent
mkdir -p "$independent"
printf '%s\n' $INDEPENDENT > "$independent.txt"
if [ -n "$(missing "$independent" < "$independent.txt")" ]; then
  "$PYTHON" benchmarks/membership/independent_cones.py --data_dir "$independent" \
    --names $(missing "$independent" < "$independent.txt") $(if [ -f "$other" ]; then echo --isochrones "$other"; fi)
fi
build "$independent" "$independent.txt" "$three" > "${independent}_built.txt"
models=("$MODEL"); if [ -d "$published" ]; then models+=("$published"); fi
measure() {
  "$PYTHON" benchmarks/membership/measure.py "$@" --mixture --cache_dir "$DATA/verdicts" --model_dirs "${models[@]}"
}
{
  echo "## Independent cones"
  measure "${independent}_built.txt" --data_dir "$DATA" --bound
  if [ "$REAL" != none ]; then
    echo "## Real members moved into real fields"
    "$PYTHON" benchmarks/membership/moved_members.py $REAL_TEST --data_dir "$DATA/moved" --real "$REAL" >&2
    measure "$DATA/moved/moved.txt" --data_dir "$DATA/moved"
    echo "## Real fields"
    "$PYTHON" benchmarks/membership/real_fields.py $REAL_TEST --data_dir "$DATA" --model_dirs "${models[@]}" \
      --members_path "$REAL/cg18_members.csv.gz" --comparison_path "$REAL/t22_members.csv.gz" \
      --almeida_path "$REAL/almeida23_members.parquet"
  fi
} | tee "$DATA/card_tables.md"
