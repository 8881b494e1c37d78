#!/bin/sh
# Python environments with the programs that exported students are tested in. Safe to run twice; one
# that is there in the wanted versions is left alone. Prints the interpreter on its last line.
#
#   scripts/setup-elsewhere.sh onnx                    ONNX Runtime: 150 MB
#   scripts/setup-elsewhere.sh sentence-transformers   with PyTorch: on Linux some gigabytes, since
#                                                      its wheel brings CUDA along
#
# LNSP_ONNX_PYTHON and LNSP_SENTENCE_TRANSFORMERS_PYTHON name interpreters that have them already.
set -eu
cd "$(dirname "$0")/.."
. scripts/common.sh

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
venv=tests/elsewhere/.venv/$1
if ! cmp -s "$wanted" "$venv/installed.txt"; then
    has python3 || fail "python3 is missing; install it with its venv module"
    say "making $venv"
    rm -rf "$venv"
    if ! python3 -m venv "$venv" >/dev/null 2>&1; then
        has apt-get || fail "python3 has no venv module; install it"
        apt_install python3-venv
        python3 -m venv "$venv"
    fi
    "$venv/bin/python" -m pip install -q --disable-pip-version-check -r "$wanted" </dev/null >&2
    cp "$wanted" "$venv/installed.txt"
fi
echo "$venv/bin/python"
