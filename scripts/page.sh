#!/bin/sh
# Builds the page into dist/ with trunk, and serves it.
#
#   scripts/page.sh         set-up, build, sizes
#   scripts/page.sh widget  the same; the widget's npm package is part of the page, in dist/widget/
#   scripts/page.sh serve   the above, then serve dist/ until Ctrl-C
#   scripts/page.sh demo    the above, serving only on a terminal; where the tools cannot be had it
#                           says what is missing and ends well: the native part has been shown
#
# PORT is the first port to try, 8080 if not given.
set -eu
cd "$(dirname "$0")/.."
. scripts/common.sh
mode=${1:-build}
port=${PORT:-8080}

build() {
    sh scripts/setup-web.sh || return 1
    toolchain=$(sh scripts/setup-wasm.sh 2>/dev/null) || return 1
    [ "$toolchain" = system ] || export RUSTUP_TOOLCHAIN="$toolchain"
    say "building the page (trunk build --release)"
    # trunk reads NO_COLOR as true or false and stops at anything else.
    unset NO_COLOR
    # A directory of its own: another toolchain would drive the native build out of the cache.
    CARGO_TARGET_DIR=${CARGO_TARGET_DIR:-$PWD/target}/page \
        trunk build --release --skip-version-check --log warn </dev/null || return 1
    node scripts/widget.mjs && node scripts/size-gate.mjs
}

case $mode in
build) build ;;
widget)
    build
    say "the widget's package is in dist/widget/; 'npm publish' or any server takes it"
    ;;
serve)
    build
    exec node tests/web/support/server.mjs dist "$port"
    ;;
demo)
    if ! build; then
        say "the page was not built, see above; once that is mended, 'make serve' shows it"
        exit 0
    fi
    if [ -t 0 ] && [ -t 1 ] && [ -z "${CI:-}" ]; then
        exec node tests/web/support/server.mjs dist "$port"
    fi
    say "the page is in dist/; 'make serve' shows it at http://127.0.0.1:$port/"
    ;;
*) fail "unknown: $mode; say nothing, widget, serve or demo" ;;
esac
