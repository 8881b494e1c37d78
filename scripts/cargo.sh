#!/bin/sh
# cargo, found where rustup put it even if the shell's profile has not been read since.
set -eu
cd "$(dirname "$0")/.."
. scripts/common.sh
exec cargo "$@"
