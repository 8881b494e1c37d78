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
for file in "$TRUNK_STAGING_DIR"/*.wasm; do
    [ -e "$file" ] || continue
    "$wasm_opt" -O3 --all-features --strip-debug --strip-producers -o "$file.small" "$file"
    mv "$file.small" "$file"
done
