#!/bin/sh
# What the page needs: node with npm, the tools that turn Rust into a page, and for the tests a
# browser. Safe to run twice; what is there in the right version is left alone.
#
#   scripts/setup-web.sh         what building needs: the wasm target, node, wasm-opt, wasm-bindgen,
#                                trunk
#   scripts/setup-web.sh test    the above, and a Chromium for tests/web
#
# trunk goes where cargo installs; wasm-bindgen too, unless another version is there already: then
# the one that Cargo.lock asks for goes to target/tools, which scripts/common.sh puts first.
set -eu
cd "$(dirname "$0")/.."
. scripts/common.sh
trunk_version=0.21.14

# at_least VERSION WANTED : whether a dotted version is as new (three numbers).
at_least() {
    printf '%s %s\n' "$1" "$2" | awk '{
        split($1, a, "."); split($2, b, ".")
        for (i = 1; i <= 3; i++) if (a[i] + 0 != b[i] + 0) exit !(a[i] + 0 > b[i] + 0)
    }'
}

# compile CRATE VERSION ROOT ARGS... : with cargo, optimised for the time of compiling. These tools
# run for a second or two; at full optimisation they take four times as long to build.
compile() {
    crate=$1 version=$2 root=$3
    shift 3
    say "compiling $crate $version (a few minutes)"
    (
        unset CARGO_TARGET_DIR RUSTFLAGS RUSTUP_TOOLCHAIN
        export CARGO_PROFILE_RELEASE_OPT_LEVEL=1 CARGO_PROFILE_RELEASE_LTO=off
        export CARGO_PROFILE_RELEASE_CODEGEN_UNITS=16 CARGO_PROFILE_RELEASE_DEBUG=0
        cargo install --quiet --force "$crate" --version "=$version" --root "$root" "$@" </dev/null
    )
}

# fetch ADDRESS NAME FOLDER : the program NAME out of a .tar.gz into FOLDER; false if the address is
# out of reach.
fetch() {
    has curl || return 1
    unpacked=$(mktemp -d "${TMPDIR:-/tmp}/lnsp-tool.XXXXXX")
    found=
    if curl -sSfL --connect-timeout 10 --max-time 300 -o "$unpacked/archive" "$1" 2>/dev/null &&
        tar -xzf "$unpacked/archive" -C "$unpacked" 2>/dev/null; then
        found=$(find "$unpacked" -type f -name "$2" | head -n 1)
    fi
    if [ -n "$found" ]; then
        mkdir -p "$3"
        chmod +x "$found"
        # Run it once: a build for another C library must not be kept.
        if "$found" --version >/dev/null 2>&1; then mv "$found" "$3/"; else found=; fi
    fi
    rm -rf "$unpacked"
    [ -n "$found" ]
}

# platform MUSL_OR_GNU : the name of this machine in the archives of Rust programs.
platform() {
    case "$(uname -s)-$(uname -m)" in
    Darwin-arm64) echo aarch64-apple-darwin ;;
    Darwin-x86_64) echo x86_64-apple-darwin ;;
    Linux-x86_64) echo "x86_64-unknown-linux-$1" ;;
    Linux-aarch64) echo "aarch64-unknown-linux-$2" ;;
    *) echo unknown ;;
    esac
}

node_setup() {
    if ! has node || ! has npm; then
        if has brew; then
            say "node is missing: brew install node"
            brew install node </dev/null
        elif has apt-get; then
            apt_install nodejs npm
        fi
    fi
    has node || fail "node is missing; install Node 20 or later from https://nodejs.org"
    has npm || fail "npm is missing; it comes with Node from https://nodejs.org"
    version=$(node --version | sed 's/^v//')
    at_least "$version" 20.10.0 ||
        fail "Node $version is too old, 20.10 is needed; install it from https://nodejs.org"
    say "node $version"
}

# npm ci, once for each state of the lock file.
packages_setup() {
    mark=tests/web/node_modules/.installed
    if ! cmp -s tests/web/package-lock.json "$mark"; then
        say "npm ci in tests/web (wasm-opt, Playwright, axe)"
        (cd tests/web && npm ci --no-audit --no-fund --ignore-scripts --loglevel=error </dev/null >&2)
        cp tests/web/package-lock.json "$mark"
    fi
}

wasm_bindgen_setup() {
    wanted=$(awk '/^name = "wasm-bindgen"$/ { getline; gsub(/[^0-9.]/, ""); print; exit }' Cargo.lock)
    [ -n "$wanted" ] || fail "Cargo.lock names no wasm-bindgen"
    there=
    has wasm-bindgen && there=$(wasm-bindgen --version 2>/dev/null | sed 's/^[^ ]* //')
    if [ "$there" = "$wanted" ]; then
        say "wasm-bindgen $wanted"
        return 0
    fi
    root=${CARGO_HOME:-$HOME/.cargo}
    [ -z "$there" ] || root=target/tools
    release=https://github.com/wasm-bindgen/wasm-bindgen/releases/download/$wanted
    if fetch "$release/wasm-bindgen-$wanted-$(platform musl gnu).tar.gz" wasm-bindgen "$root/bin"; then
        say "wasm-bindgen $wanted, from its release"
    else
        # Not --locked: its lock file may name versions that an index some days behind lacks.
        compile wasm-bindgen-cli "$wanted" "$root"
    fi
}

trunk_setup() {
    there=
    has trunk && there=$(trunk --version 2>/dev/null | sed 's/^[^ ]* //')
    if [ -n "$there" ] && at_least "$there" "$trunk_version"; then
        say "trunk $there"
        return 0
    fi
    root=${CARGO_HOME:-$HOME/.cargo}
    release=https://github.com/trunk-rs/trunk/releases/download/v$trunk_version
    if fetch "$release/trunk-$(platform gnu gnu).tar.gz" trunk "$root/bin"; then
        say "trunk $trunk_version, from its release"
    else
        compile trunk "$trunk_version" "$root" --locked
    fi
}

chromium_setup() {
    if found=$(node tests/web/support/chromium.mjs 2>/dev/null); then
        say "Chromium: $found"
        return 0
    fi
    if [ "$(uname -s)" != Darwin ] && has apt-get; then apt_install chromium || true; fi
    node tests/web/support/chromium.mjs >/dev/null 2>&1 || {
        say "no Chromium or Chrome found: Playwright fetches one"
        (cd tests/web && node node_modules/playwright-core/cli.js install chromium </dev/null >&2) ||
            fail "no Chromium; install Chrome or Chromium, or name one in LNSP_CHROMIUM"
    }
    say "Chromium: $(node tests/web/support/chromium.mjs)"
}

sh scripts/setup-rust.sh
sh scripts/setup-wasm.sh >/dev/null
node_setup
packages_setup
wasm_bindgen_setup
trunk_setup
if [ "${1:-}" = test ]; then chromium_setup; fi
