# Sourced, after common.sh: packages of PyPI and npm as files, checked by sha256. Runs in bash 3.2
# and in dash. Where pip and npm are there they are used, so that a mirror they are set up for is,
# too; else curl takes the same files from the public registries.

# sha256 FILE : its hash in hex.
sha256() {
    if has sha256sum; then
        sha256sum "$1" | cut -d ' ' -f 1
    else
        shasum -a 256 "$1" | cut -d ' ' -f 1
    fi
}

# is_whole FILE SHA256 : whether the file is there and has this hash.
is_whole() { [ -f "$1" ] && [ "$(sha256 "$1")" = "$2" ]; }

# download URL FILE : by curl, going on with what an earlier try has left.
download() {
    has curl || fail "install curl, or python3 with pip and npm"
    curl -fL --retry 3 -C - --progress-bar -o "$2.part" "$1" && mv "$2.part" "$2"
}

# pypi_wheel NAME VERSION FILE SHA256 FOLDER : the wheel FILE of a PyPI package, into FOLDER.
pypi_wheel() {
    if is_whole "$5/$3" "$4"; then return 0; fi
    rm -f "$5/$3"
    say "fetching $1 $2 (PyPI)"
    if python3 -m pip --version >/dev/null 2>&1; then
        python3 -m pip download --quiet --disable-pip-version-check --no-deps \
            --only-binary :all: --dest "$5" "$1==$2" </dev/null >&2 || return 1
    else
        url=$(curl -fsSL "https://pypi.org/simple/$1/" | tr '"' '\n' | grep "^http.*/$3" |
            sed 's/#.*//' | head -n 1)
        [ -n "$url" ] || return 1
        download "$url" "$5/$3" || return 1
    fi
    is_whole "$5/$3" "$4" || { say "$3 is damaged or another file than it was"; return 1; }
}

# npm_package NAME VERSION SHA256 FOLDER : the archive NAME-VERSION.tgz of an npm package.
npm_package() {
    if is_whole "$4/$1-$2.tgz" "$3"; then return 0; fi
    rm -f "$4/$1-$2.tgz"
    say "fetching $1 $2 (npm)"
    if has npm; then
        (cd "$4" && npm pack --silent "$1@$2" </dev/null >/dev/null) || return 1
    else
        download "https://registry.npmjs.org/$1/-/$1-$2.tgz" "$4/$1-$2.tgz" || return 1
    fi
    is_whole "$4/$1-$2.tgz" "$3" || { say "$1-$2.tgz is damaged"; return 1; }
}

# cache_folder : where this project keeps what it has fetched, as the program lnsp has it.
cache_folder() {
    if [ -n "${LNSP_CACHE:-}" ]; then
        echo "$LNSP_CACHE"
    elif [ "$(uname -s)" = Darwin ]; then
        echo "$HOME/Library/Caches/lnsp"
    else
        case "${XDG_CACHE_HOME:-}" in
        /*) echo "$XDG_CACHE_HOME/lnsp" ;;
        *) echo "$HOME/.cache/lnsp" ;;
        esac
    fi
}
