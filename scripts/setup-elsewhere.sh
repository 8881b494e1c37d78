#!/bin/sh
# Python environments with the programs that exported students are tested in, in the cache of lnsp,
# one for all copies of the project. Safe to run twice; one that is there in the wanted versions is
# left alone. Prints the interpreter on its last line.
#
#   scripts/setup-elsewhere.sh onnx                    ONNX Runtime: 0.2 GB
#   scripts/setup-elsewhere.sh sentence-transformers   with PyTorch: on Linux 6 GB, since its wheel
#                                                      brings CUDA along, else 1 GB
#
# LNSP_ONNX_PYTHON and LNSP_SENTENCE_TRANSFORMERS_PYTHON name interpreters that have them already.
set -eu
cd "$(dirname "$0")/.."
. scripts/common.sh
. scripts/packages.sh

case ${1:-} in
onnx) given=${LNSP_ONNX_PYTHON:-} ;;
sentence-transformers) given=${LNSP_SENTENCE_TRANSFORMERS_PYTHON:-} ;;
*) fail "say onnx or sentence-transformers" ;;
esac
if [ -n "$given" ]; then
    echo "$given"
    exit 0
fi

wanted=tests/elsewhere/$1.txt
venv=$(cache_folder)/python/$1
# One whose own Python has gone is made anew.
if ! cmp -s "$wanted" "$venv/installed.txt" || ! "$venv/bin/python" -c '' 2>/dev/null; then
    has python3 || fail "python3 is missing; install it with its venv module"
    say "installing $1 for Python in $venv"
    rm -rf "$venv"
    if ! python3 -m venv "$venv" >/dev/null 2>&1; then
        has apt-get || fail "python3 has no venv module; install it"
        apt_install python3-venv
        rm -rf "$venv"
        python3 -m venv "$venv"
    fi
    # Without a second copy of gigabytes in pip's own cache.
    "$venv/bin/python" -m pip install -q --no-cache-dir --disable-pip-version-check \
        -r "$wanted" </dev/null >&2
    cp "$wanted" "$venv/installed.txt"
fi
echo "$venv/bin/python"
