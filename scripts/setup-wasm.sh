#!/bin/sh
# Sees to it that Rust compiles for wasm32-unknown-unknown, and prints on its last line the name of
# the toolchain that does. Safe to run twice.
#
# Everywhere: rustup target add. Where rustup cannot download but apt can (Debian), Debian's own
# compiler with a standard library built from its sources, linked as the toolchain "debian".
set -eu
cd "$(dirname "$0")/.."
. scripts/common.sh
target=wasm32-unknown-unknown

works() { # works TOOLCHAIN: whether it has the standard library of the target
    root=$(RUSTUP_TOOLCHAIN=$1 rustc --print sysroot 2>/dev/null) || return 1
    ls "$root/lib/rustlib/$target/lib/"libcore-*.rlib >/dev/null 2>&1
}

has rustup || {
    # Rust without rustup (brew, nix, a distribution): all that can be done is to look.
    root=$(rustc --print sysroot)
    if ls "$root/lib/rustlib/$target/lib/"libcore-*.rlib >/dev/null 2>&1; then
        say "$target: $(rustc --version)"
        echo system
        exit 0
    fi
    fail "the target $target is missing and rustup is not there to add it; see https://rustup.rs"
}

active=$(rustup show active-toolchain | sed 's/ .*//')
if [ "${LNSP_WASM_FROM_DEBIAN:-0}" = 0 ]; then
    if ! works "$active"; then
        say "rustup target add $target"
        rustup target add "$target" </dev/null >&2 || say "rustup could not download it"
    fi
    if works "$active"; then
        say "$target: toolchain $active"
        echo "$active"
        exit 0
    fi
fi

if ! works debian; then
    has apt-get || fail "no $target: run 'rustup target add $target' where there is a network"
    apt_install rustc-web cargo-web rust-web-src rust-web-llvm lld-22
    say "building the standard library for $target from Debian's sources"
    work=$(mktemp -d "${TMPDIR:-/tmp}/wasm-std.XXXXXX")
    trap 'rm -rf "$work"' EXIT
    mkdir "$work/src"
    printf '[package]\nname = "empty"\nversion = "0.0.0"\nedition = "2021"\n' >"$work/Cargo.toml"
    : >"$work/src/lib.rs"
    # Bitcode inside the libraries is what makes link-time optimisation work later.
    (
        cd "$work"
        unset RUSTUP_TOOLCHAIN CARGO_TARGET_DIR
        RUSTFLAGS="-C embed-bitcode=yes" RUSTC_BOOTSTRAP=1 RUSTC=/usr/bin/rustc \
            /usr/bin/cargo build --release --target "$target" \
            -Zbuild-std=std,panic_abort,proc_macro </dev/null >&2
    )
    lib="$(/usr/bin/rustc --print sysroot)/lib/rustlib/$target/lib"
    as_root=
    [ "$(id -u)" = 0 ] || as_root=sudo
    $as_root mkdir -p "$lib"
    for file in "$work/target/$target/release/deps/"*.rlib; do
        case "$file" in
        */libempty-*) ;;
        *) $as_root cp "$file" "$lib/" ;;
        esac
    done
    rustup toolchain link debian /usr
fi
works debian || fail "no standard library for $target after all"
say "$target: toolchain debian (/usr/bin/rustc)"
echo debian
