#!/bin/sh
# Formatting, clippy natively, clippy for the browser, and what may reach the browser.
set -eu
cd "$(dirname "$0")/.."
. scripts/common.sh
target=wasm32-unknown-unknown

say "formatting"
cargo fmt --all --check

say "clippy, every target and feature"
# The engine of SQL is linted where it is tested: it takes the longest to compile.
cargo clippy --workspace --exclude lnsp-cluster --release --all-targets -- -D warnings

toolchain=$(sh scripts/setup-wasm.sh)
[ "$toolchain" = system ] || export RUSTUP_TOOLCHAIN="$toolchain"
# A directory of its own: another toolchain would drive the native build out of the cache.
where="${CARGO_TARGET_DIR:-target}/browser"
check=clippy
cargo clippy --version >/dev/null 2>&1 || check=check
# for_browser ARGS... : lints what ARGS select, compiled for the browser.
for_browser() {
    if [ "$check" = clippy ]; then
        cargo clippy "$@" --release --target $target --target-dir "$where" -- -D warnings
    else
        RUSTFLAGS="-D warnings -C target-feature=+simd128" \
            cargo check "$@" --release --target $target --target-dir "$where"
    fi
}
native='anyhow|arrow-array|clap|comfy-table|ctrlc|dirs|hf-hub|indicatif|mio|onig|parquet|plotters|pollster|prost|reqwest|ring|sha2|tokio|ureq|zstd-sys'

# browser FEATURES NATIVE : the library with these features compiles for the browser, and none of
# the crates NATIVE comes with it.
browser() {
    say "the library as the browser gets it${1:+, with $1}"
    for_browser -p lnsp --lib --no-default-features --features "$1"
    tree=$(cargo tree -p lnsp --target $target --no-default-features --features "$1" \
        -e normal --prefix none)
    direct=$(cargo tree -p lnsp --target $target --no-default-features --features "$1" \
        -e normal --prefix none --depth 1)
    if printf '%s\n' "$tree" | grep -E "^($2) "; then
        fail "these crates must not reach the browser: make them optional (feature cli) in Cargo.toml"
    fi
    # safetensors brings tempfile along for a function of its own that nobody calls, and
    # tokenizers rayon, which runs on the one thread there is.
    if printf '%s\n' "$direct" | grep -E '^(rayon|tempfile) '; then
        fail "these crates must not reach the browser: make them optional (feature cli) in Cargo.toml"
    fi
}

browser "" "$native|rayon"
browser text "$native"

say "the page, its worker and its tokenizer"
for_browser -p lnsp-app --bins --all-features
