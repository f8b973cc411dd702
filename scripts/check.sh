#!/usr/bin/env bash
# Runs every test with what scripts/setup.sh could fetch. Called by `make check`.
set -u
cd "$(dirname "$0")/.."
venv=$(python3 scripts/fetch.py path peer-venv 2>/dev/null) && export PG_PEER_PYTHON="$venv/bin/python"
runtime=$(python3 scripts/fetch.py path onnxruntime 2>/dev/null) && export POLYGRAPHY_ONNXRUNTIME="$runtime"
onednn=$(python3 scripts/fetch.py path onednn 2>/dev/null) && export POLYGRAPHY_ONEDNN="$onednn"
exec python3 tests/run.py --profiles "${PROFILES:-release,asan,tsan}" ${ONLY:+--only "$ONLY"}
