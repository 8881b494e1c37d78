#!/bin/sh
# Makes what the page ships: students of three sizes, trained on the bundled vectors, two whose
# latents take a few bits, and the baselines to compare them with; or the vectors of its example
# sentences. The same inputs give the same files on the same machine.
#
#   scripts/make-students.sh             www/students/
#   scripts/make-students.sh coded       of these the two with latents of a few bits
#   scripts/make-students.sh examples    www/examples/examples.safetensors, from the .txt beside it
set -eu
cd "$(dirname "$0")/.."
. scripts/common.sh

lnsp() { sh scripts/cargo.sh run --quiet --release -- "$@"; }

# student NAME WIDTH PRECISION [ARGS]
student() {
    name=$1 width=$2 precision=$3
    shift 3
    say "a student of S = $width, weights in $precision $*"
    lnsp train --width "$width" --precision "$precision" --out "www/students/$name.safetensors" \
        --checkpoint "www/students/$name.checkpoint" --device cpu --quiet "$@"
}

# 96 and 48 bytes a vector; int8 weights lose nothing, and the smaller one needs no wider student.
coded() {
    mkdir -p www/students
    student coded-96 512 int8 --latent 384 --latent-bits 2
    student coded-48 384 int8 --latent 384 --latent-bits 1
}

examples() {
    teacher=$(sh scripts/fetch-teacher.sh | tail -n 1)
    work=$(mktemp -d "${TMPDIR:-/tmp}/lnsp-examples.XXXXXX")
    # Lines that begin with # name topics.
    grep -v '^#' www/examples/examples.txt >"$work/examples.txt"
    lnsp embed --text "$work/examples.txt" --dtype f16 --device cpu --teacher "$teacher" \
        --out www/examples/examples.safetensors --quiet
    rm -rf "$work"
}

case ${1:-students} in
students)
    mkdir -p www/students
    student default-256 256 int8 --epochs 40
    student student-512 512 f16
    student student-1024 1024 f16
    coded
    say "the baselines"
    lnsp baselines --device cpu --quiet --out www/students/baselines.safetensors \
        --student www/students/default-256.safetensors \
        --student www/students/student-512.safetensors \
        --student www/students/student-1024.safetensors
    ;;
coded) coded ;;
examples) examples ;;
*) fail "unknown: $1; say nothing, coded or examples" ;;
esac
