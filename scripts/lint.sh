#!/bin/sh
# Formatting, clippy natively, clippy for the browser, and what may reach the browser.
set -eu
cd "$(dirname "$0")/.."
. scripts/common.sh
target=wasm32-unknown-unknown

say "formatting"
cargo fmt --all --check

say "clippy, every target and feature"
cargo clippy --workspace --release --all-targets -- -D warnings

say "the library as the browser gets it"
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
for_browser -p lnsp --lib --no-default-features

say "the page and its worker"
for_browser -p lnsp-app --bins

say "no native crate in the browser's tree"
tree=$(cargo tree -p lnsp --target $target --no-default-features -e normal --prefix none)
direct=$(cargo tree -p lnsp --target $target --no-default-features -e normal --prefix none --depth 1)
native='anyhow|arrow-array|clap|comfy-table|ctrlc|hf-hub|indicatif|mio|parquet|plotters|pollster|rayon|tokio|zstd-sys'
if printf '%s\n' "$tree" | grep -E "^($native) "; then
    fail "these crates must not reach the browser: make them optional (feature cli) in Cargo.toml"
fi
# safetensors brings tempfile along for a function of its own that nobody calls.
if printf '%s\n' "$direct" | grep -E '^tempfile '; then
    fail "tempfile must not reach the browser: make it optional (feature cli) in Cargo.toml"
fi
