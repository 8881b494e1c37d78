#!/bin/sh
# Makes what the page ships: students of three sizes, trained on the bundled vectors, and the
# baselines to compare them with. The same inputs give the same files on the same machine.
#
#   scripts/make-students.sh [FOLDER]    www/students if not given
set -eu
cd "$(dirname "$0")/.."
. scripts/common.sh
folder=${1:-www/students}
mkdir -p "$folder"

lnsp() { sh scripts/cargo.sh run --quiet --release -- "$@"; }

# student NAME WIDTH PRECISION
student() {
    say "a student of S = $2, weights in $3"
    lnsp train --width "$2" --precision "$3" --out "$folder/$1.safetensors" \
        --checkpoint "$folder/$1.checkpoint" --device cpu --quiet
}

student default-256 256 int8
student student-512 512 f16
student student-1024 1024 f16
say "the baselines"
lnsp baselines --device cpu --quiet --out "$folder/baselines.safetensors" \
    --student "$folder/default-256.safetensors" --student "$folder/student-512.safetensors" \
    --student "$folder/student-1024.safetensors"
