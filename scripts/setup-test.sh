#!/bin/sh
# What the tests need beyond Rust. Safe to run twice.
#
# On Debian and Ubuntu two software Vulkan devices, so that the GPU kernels run without a GPU:
# Mesa's lavapipe and, from Chromium, SwiftShader. On a Mac nothing: Metal is there.
set -eu
cd "$(dirname "$0")/.."
sh scripts/setup-rust.sh
. scripts/common.sh

case "$(uname -s)" in
Darwin) say "GPU tests: Metal" ;;
*)
    if has apt-get; then
        apt_install libvulkan1 mesa-vulkan-drivers
        # Ubuntu's package of that name only points to a snap, without the driver.
        if ! ls /usr/lib/chromium/vk_swiftshader_icd.json >/dev/null 2>&1; then
            apt_install chromium || say "no chromium, so no SwiftShader: lavapipe alone will do"
        fi
    else
        say "no apt-get: the GPU tests run on the Vulkan drivers that are installed"
    fi
    ;;
esac

if has rustup; then
    for part in rustfmt clippy; do
        if ! rustup component list --installed 2>/dev/null | grep -q "^$part"; then
            say "rustup component add $part"
            rustup component add "$part" </dev/null
        fi
    done
fi
sh scripts/setup-wasm.sh >/dev/null
