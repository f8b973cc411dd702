#!/usr/bin/env bash
# Installs what a task needs and says what it cannot install.
#   scripts/setup.sh build          compiler, make, zlib
#   scripts/setup.sh demo           build, ONNX Runtime into .venv, real models and oneDNN into the cache
#   scripts/setup.sh check          build, pinned models, runtimes and the peer into the cache
set -u
cd "$(dirname "$0")/.."
say() { printf 'setup: %s\n' "$*" >&2; }

install_packages() {
    if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
        say "installing $*"
        { apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "$@"; } \
            >/tmp/polygraphy-setup.log 2>&1 && return 0
        say "apt-get could not install: $* (see /tmp/polygraphy-setup.log)"
    else
        say "missing packages: $*; install them with: sudo apt-get install $*"
    fi
    return 1
}

build_needs() {
    local wanted=()
    command -v gcc >/dev/null || wanted+=(gcc)
    command -v make >/dev/null || wanted+=(make)
    [ -e /usr/include/stdio.h ] || wanted+=(libc6-dev)
    [ -e /usr/include/zlib.h ] || wanted+=(zlib1g-dev)
    [ ${#wanted[@]} -eq 0 ] || install_packages "${wanted[@]}" || exit 1
}

python_needs() {
    local wanted=()
    command -v python3 >/dev/null || wanted+=(python3)
    python3 -c 'import venv, ensurepip' 2>/dev/null || wanted+=(python3-venv)
    python3 -m pip --version >/dev/null 2>&1 || wanted+=(python3-pip)
    [ ${#wanted[@]} -eq 0 ] || install_packages "${wanted[@]}"
}

browser_needs() { # golden images of pages; without it those tests are skipped
    local wanted=()
    command -v chromium >/dev/null || wanted+=(chromium)
    fc-list 2>/dev/null | grep -q 'DejaVu Sans' || wanted+=(fontconfig fonts-dejavu-core)
    [ ${#wanted[@]} -eq 0 ] || install_packages "${wanted[@]}"
}

fetch() { # what, consequence
    python3 scripts/fetch.py "$1" >/dev/null || say "could not fetch $1: $2"
}

demo_runtime() {
    local find_spec='import importlib.util as u, sys; sys.exit(u.find_spec("onnxruntime") is None)'
    [ -x .venv/bin/python ] && .venv/bin/python -c "$find_spec" && return
    say "installing onnxruntime 1.31.1 into .venv"
    python3 -m venv .venv && .venv/bin/python -m pip install -q --disable-pip-version-check onnxruntime==1.31.1 \
        || say "could not install onnxruntime: the demo goes on without it"
}

case "${1:-build}" in
build) build_needs ;;
demo)
    build_needs
    python_needs
    demo_runtime
    fetch models "the demo uses a model that the repository generates"
    fetch runtime "the engine uses its portable kernels"
    ;;
check)
    build_needs
    python_needs
    browser_needs
    for what in models runtime onnx-data peer-venv tensorrt-rtx; do
        fetch $what "the tests that need it are skipped"
    done
    ;;
*)
    say "unknown task '$1'"
    exit 2
    ;;
esac
exit 0
