#!/bin/sh
# Makes what the page ships: students of three sizes, trained on the bundled vectors, and the
# baselines to compare them with; or the vectors of its example sentences. The same inputs give the
# same files on the same machine.
#
#   scripts/make-students.sh             www/students/
#   scripts/make-students.sh examples    www/examples/examples.safetensors, from the .txt beside it
set -eu
cd "$(dirname "$0")/.."
. scripts/common.sh

lnsp() { sh scripts/cargo.sh run --quiet --release -- "$@"; }

# student NAME WIDTH PRECISION
student() {
    say "a student of S = $2, weights in $3"
    lnsp train --width "$2" --precision "$3" --out "www/students/$1.safetensors" \
        --checkpoint "www/students/$1.checkpoint" --device cpu --quiet
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
    student default-256 256 int8
    student student-512 512 f16
    student student-1024 1024 f16
    say "the baselines"
    lnsp baselines --device cpu --quiet --out www/students/baselines.safetensors \
        --student www/students/default-256.safetensors \
        --student www/students/student-512.safetensors \
        --student www/students/student-1024.safetensors
    ;;
examples) examples ;;
*) fail "unknown: $1; say nothing or examples" ;;
esac
