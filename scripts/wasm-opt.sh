#!/bin/sh
# Run by trunk after a build (Trunk.toml): makes the WebAssembly in the staging folder smaller and
# faster. trunk's own wasm-opt step is switched off, as it would download an older binaryen; a build
# without wasm-opt works too, it is only bigger.
set -eu
cd "$(dirname "$0")/.."
. scripts/common.sh
[ "${TRUNK_PROFILE:-}" = release ] || exit 0

wasm_opt=tests/web/node_modules/.bin/wasm-opt
if [ ! -x "$wasm_opt" ]; then
    has wasm-opt || {
        say "no wasm-opt: the page stays bigger than it need be (scripts/setup-web.sh brings it)"
        exit 0
    }
    wasm_opt=wasm-opt
fi
# What rustc compiles for, and no more: with --all-features the file needs a newer browser.
features="--enable-simd --enable-bulk-memory --enable-bulk-memory-opt \
    --enable-nontrapping-float-to-int --enable-sign-ext --enable-mutable-globals \
    --enable-reference-types --enable-multivalue"
metadce=$(dirname "$(command -v "$wasm_opt")")/wasm-metadce
# shellcheck disable=SC2086 # a list of options on purpose
optimise() {
    if [ -x "$metadce" ] && has node; then
        node scripts/wanted-exports.mjs "$1" >"$1.graph" &&
            "$metadce" $features "$1" -f "$1.graph" -o "$1.small" >/dev/null &&
            mv "$1.small" "$1"
        rm -f "$1.graph"
    fi
    "$wasm_opt" -O3 $features --strip-debug --strip-producers -o "$1.small" "$1" &&
        mv "$1.small" "$1"
}
running=
for file in "$TRUNK_STAGING_DIR"/*.wasm; do
    [ -e "$file" ] || continue
    optimise "$file" &
    running="$running $!"
done
for process in $running; do wait "$process"; done
