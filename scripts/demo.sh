#!/usr/bin/env bash
# The main job on a real model: ONNX Runtime against the built-in engine, compared. Called by `make demo` after setup.sh.
# With no network: the built-in engine on a model made by the repository's own generator.
set -u
cd "$(dirname "$0")/.."
program=build/polygraphy
[ -x .venv/bin/python ] && export VIRTUAL_ENV="$PWD/.venv"
onednn=$(python3 scripts/fetch.py path onednn 2>/dev/null) && export POLYGRAPHY_ONEDNN="$onednn"
show() {
    printf '\n$ %s\n' "$*"
    "$@"
}

if model=$(python3 scripts/fetch.py path ocrcls 2>/dev/null); then
    shapes=(--input-shapes "x:[1,3,48,192]")
else
    echo "demo: no real model could be fetched; using one that the repository generates"
    make --no-print-directory -s -j2 tests >/dev/null || exit 1
    mkdir -p build/demo && build/release/tests/tools/make_models build/demo convnet || exit 1
    model=build/demo/convnet.onnx
    shapes=(--input-shapes "image:[1,3,64,64]")
fi
show $program inspect model "$model" | head -30
runners=(--onnxrt --native)
if ! [ -e .venv/bin/python ] || ! ls .venv/lib/python3*/site-packages/onnxruntime/capi/libonnxruntime.so* >/dev/null 2>&1; then
    echo "demo: ONNX Runtime is not installed (pip install onnxruntime): running the built-in engine against itself"
    runners=(--native --native)
fi
show $program run "$model" "${runners[@]}" "${shapes[@]}" --atol 1e-4 --rtol 1e-4 --iterations 5
