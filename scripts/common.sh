# Sourced by the other scripts: where tools are found, and how things are said and installed.
# POSIX sh as far as it goes; also runs in bash 3.2.

# rustup and cargo where their installers put them, for a shell that has not read its profile.
# target/tools: versions that only this project wants (scripts/setup-web.sh).
PATH="$PWD/target/tools/bin:$PATH:$HOME/.cargo/bin:/opt/homebrew/opt/rustup/bin:/usr/local/opt/rustup/bin"
export PATH

# say WORDS... : one line about what happens next.
say() { printf '==> %s\n' "$*" >&2; }

# fail WORDS... : says what is wrong and what to do, and ends.
fail() { printf 'error: %s\n' "$*" >&2; exit 1; }

# has COMMAND : whether it is there.
has() { command -v "$1" >/dev/null 2>&1; }

# apt_install PACKAGE... : those that are missing, asking nothing.
apt_install() {
    missing=
    for package in "$@"; do
        if ! dpkg-query -W -f '${Status}' "$package" 2>/dev/null | grep -q 'ok installed'; then
            missing="$missing $package"
        fi
    done
    [ -n "$missing" ] || return 0
    as_root=
    if [ "$(id -u)" != 0 ]; then
        has sudo || fail "these packages are missing and there is no sudo; install as root:$missing"
        as_root=sudo
    fi
    say "installing with apt:$missing"
    # Package lists may be stale or absent: fetch them only now that something is to be installed.
    $as_root env DEBIAN_FRONTEND=noninteractive apt-get update -q </dev/null >/dev/null ||
        say "apt-get update failed; trying with the lists at hand"
    # shellcheck disable=SC2086 # a list of words on purpose
    $as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y -q --no-install-recommends \
        $missing </dev/null >/dev/null
}
