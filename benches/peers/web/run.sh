#!/bin/sh
# Builds the page and measures its worker beside onnxruntime-web in one Chromium. Arguments go to
# bench.mjs, such as --rounds 9 --width 512.
set -eu
cd "$(dirname "$0")/../../.."
. scripts/common.sh
sh scripts/setup-web.sh test
sh scripts/page.sh
(cd benches/peers/web && npm ci --ignore-scripts --loglevel=error </dev/null >&2)
exec node benches/peers/web/bench.mjs "$@"
