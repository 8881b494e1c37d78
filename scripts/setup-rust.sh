#!/bin/sh
# Sees to it that cargo is there, new enough, with a linker. Safe to run twice.
set -eu
cd "$(dirname "$0")/.."
. scripts/common.sh

if [ "$(uname -s)" = Darwin ]; then
    # /usr/bin/cc is there even without the tools behind it.
    xcode-select -p >/dev/null 2>&1 ||
        fail "no C compiler (the linker comes with it); run: xcode-select --install"
elif ! has cc; then
    has apt-get || fail "no C compiler (the linker comes with it); install gcc or clang"
    apt_install gcc libc6-dev
fi

if ! has cargo; then
    if has brew; then
        say "cargo is missing: brew install rustup"
        brew install rustup </dev/null
    elif has curl; then
        say "cargo is missing: installing Rust with rustup's own script (https://rustup.rs)"
        curl --proto '=https' --tlsv1.2 -sSf https://sh.rustup.rs |
            sh -s -- -y --profile minimal --no-modify-path
    else
        fail "cargo is missing, and curl too; install Rust from https://rustup.rs"
    fi
    has rustup || fail "rustup was installed but is not found; open a new shell and try again"
    cargo --version >/dev/null 2>&1 || rustup default stable
fi

wanted=$(sed -n 's/^rust-version = "\([0-9]*\)\.\([0-9]*\).*"/\1 \2/p' Cargo.toml)
there=$(cargo --version | sed 's/^cargo \([0-9]*\)\.\([0-9]*\).*/\1 \2/')
number() { echo $(($1 * 1000 + $2)); }
# shellcheck disable=SC2086 # two words each
if [ "$(number $there)" -lt "$(number $wanted)" ]; then
    has rustup || fail "$(cargo --version) is too old, $wanted is needed; install https://rustup.rs"
    say "$(cargo --version) is too old: rustup update stable"
    rustup update stable </dev/null
fi
say "Rust: $(cargo --version)"
