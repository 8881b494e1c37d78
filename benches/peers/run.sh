#!/bin/sh
# Measures our CPU device beside PyTorch and ONNX Runtime: makes a Python environment (first time:
# a few gigabytes on Linux), builds ours, runs all of them in turn, prints medians and ratios.
# Arguments go to peers.py, such as --rounds 9 --width 512. LNSP_PEERS_PYTHON names an interpreter
# that has the packages already.
#
# run.sh teacher ARGUMENTS measures the teacher instead, see teacher.py; its weights are those in
# LNSP_TEACHER_DIR, or what scripts/fetch-teacher.sh fetches.
#
# run.sh codes ARGUMENTS measures the codes of students beside those of faiss instead, see codes.py;
# its packages are small, and no others are installed for it.
set -eu
cd "$(dirname "$0")/../.."
sh scripts/setup-rust.sh
. scripts/common.sh

if [ "${1:-}" = codes ]; then
    venv=benches/peers/.venv-codes
    requirements=benches/peers/requirements-codes.txt
    packages=faiss
else
    venv=benches/peers/.venv
    requirements=benches/peers/requirements.txt
    packages="PyTorch and ONNX Runtime"
fi
python=${LNSP_PEERS_PYTHON:-}
if [ -z "$python" ]; then
    python=$venv/bin/python
    if ! cmp -s "$requirements" "$venv/installed.txt"; then
        has python3 || fail "python3 is missing; install it with its venv module"
        say "making $venv with $packages"
        python3 -m venv "$venv" || fail "no venv module; on Debian: apt-get install python3-venv"
        "$python" -m pip install -q -r "$requirements"
        cp "$requirements" "$venv/installed.txt"
    fi
fi

say "building ours"
if [ "${1:-}" = teacher ]; then
    shift
    cargo build --release --quiet --example embed_tokens
    folder=${LNSP_TEACHER_DIR:-$(sh scripts/fetch-teacher.sh | tail -n 1)}
    exec "$python" benches/peers/teacher.py --model "$folder/model.safetensors" \
        --example "${CARGO_TARGET_DIR:-target}/release/examples/embed_tokens" \
        --reference data/teacher_reference.safetensors "$@"
fi
cargo build --release --quiet
if [ "${1:-}" = codes ]; then
    shift
    PYTHONPATH=benches/peers "$python" -m unittest -q codes_test
    exec "$python" benches/peers/codes.py --lnsp "${CARGO_TARGET_DIR:-target}/release/lnsp" "$@"
fi
exec "$python" benches/peers/peers.py --lnsp "${CARGO_TARGET_DIR:-target}/release/lnsp" "$@"
