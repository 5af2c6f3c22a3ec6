#!/usr/bin/env bash
# Make .venv from requirements.lock and scripts/torch.lock; does nothing when it is up to date. Called by `make setup`.
#
#   PYTHON=/path/to/python3.12   the interpreter to use: Python 3.11, 3.12 or 3.13. Default: the first of these on PATH.
#                                Another version than that of .venv makes .venv again.
#   TORCH_INDEX=URL              where torch comes from, e.g. https://download.pytorch.org/whl/cu126 for CUDA 12.6;
#                                `none` for pip's configured indexes only. Remembered. Default: the CPU builds.
set -euo pipefail
cd "$(dirname "$0")/.."

cpu_index=https://download.pytorch.org/whl/cpu
lock=requirements.lock
torch_lock=scripts/torch.lock
submission=distill/submission/requirements.txt
python=.venv/bin/python

fail() {
    echo "setup: $*" >&2
    exit 1
}

# The version of an interpreter such as 3.12; nothing of one that is missing or that requirements.lock does not cover.
version() {
    "$1" -c 'import sys; v = sys.version_info; (3, 11) <= v[:2] <= (3, 13) and print("%d.%d" % v[:2])' 2>/dev/null || true
}

find_python() {
    local candidate candidates=(python3.11 python3.12 python3.13 python3 python)
    if [ -n "${PYTHON:-}" ]; then candidates=("$PYTHON"); fi
    for candidate in "${candidates[@]}"; do
        if [ -n "$(version "$candidate")" ]; then
            echo "$candidate"
            return
        fi
    done
    fail "${PYTHON:-python3.11} is missing or not Python 3.11, 3.12 or 3.13;" \
        "run 'apt-get install python3.11-venv', or name one: make setup PYTHON=/path/to/python3.12"
}

# An environment is made again where PYTHON names another version, and where the folder was copied or moved, because its
# scripts keep the old place.
venv_is_sound() {
    local found
    found=$(version "$python")
    [ -n "$found" ] && grep -qsF "$PWD/.venv" .venv/pyvenv.cfg &&
        { [ -z "${PYTHON:-}" ] || [ "$found" = "$(version "$PYTHON")" ]; }
}

answers() {
    "$python" - "$1" 2>/dev/null <<'PROBE'
import sys, urllib.request
urllib.request.urlopen(sys.argv[1] + "/torch/", timeout=5)
PROBE
}

choose_index() {
    if [ -n "${TORCH_INDEX:-}" ]; then
        echo "$TORCH_INDEX"
    elif [ -f .venv/.torch-index ]; then
        cat .venv/.torch-index
    elif answers "$cpu_index"; then
        echo "$cpu_index"
    else
        echo none
    fi
}

stamp() {
    local inputs=("$lock" "$torch_lock" pyproject.toml scripts/setup.sh)
    if [ -f "$submission" ]; then inputs+=("$submission"); fi
    echo ".venv/.installed-$( (cat "${inputs[@]}" && echo "$index") | sha256sum | cut -c 1-16)"
}

pip() { "$python" -m pip --disable-pip-version-check --no-input "$@"; }

# The lock without hashes, with which pip would ask for the hash of every package.
pins() { sed -n 's/ *\\$//; /^[A-Za-z0-9]/p' "$lock"; }

make_venv() {
    local base
    # The environment that a link leads to would be emptied.
    if [ -L .venv ]; then fail ".venv is a link to $(readlink .venv), which is not made here; remove the link"; fi
    base=$(find_python)
    echo "setup: making .venv with $("$base" --version)"
    if ! "$base" -m venv --clear .venv; then
        rm -rf .venv # half an environment would look whole next time
        fail "cannot make .venv; run 'apt-get install python3.11-venv' and try again"
    fi
}

install() {
    echo "setup: installing the packages of $lock (about 2 GB, some minutes); torch from ${index/none/the configured indexes}"
    # Another build of the same version counts as installed, so a change of index needs torch gone first.
    if [ -f .venv/.torch-index ] && [ "$(cat .venv/.torch-index)" != "$index" ]; then
        pip uninstall -qq -y torch torchvision
    fi
    local extra=()
    if [ "$index" != none ]; then extra=(--extra-index-url "$index"); fi
    # torch comes first, with the libraries of its build; what else it needs is then set to the versions of the lock.
    pip install -qq -r "$torch_lock" -c <(pins) ${extra[@]+"${extra[@]}"}
    pip install -qq --no-deps --require-hashes -r "$lock"
    # mediapipe asks for the OpenCV that needs libGL; both write the same files, so the headless one goes last.
    if grep -qs 'headless = False' .venv/lib/python3*/site-packages/cv2/version.py; then
        pip install -qq --no-deps --force-reinstall "$(pins | grep '^opencv-python-headless==')"
    fi
    pip install -qq --no-deps --no-build-isolation -e .
    echo "$index" >.venv/.torch-index
}

# What the dry run of a submission installs into its own fresh environment, without a network: for Python 3.11, the last
# that has wheels of tflite-runtime, whatever the version of .venv. pip compares the conditions of pins with the latter.
collect_wheels() {
    [ -f "$submission" ] || return 0
    rm -rf .wheels .wheels.part
    pip download -qq --only-binary=:all: --python-version 3.11 -d .wheels.part -r "$submission" \
        -c <(pins | sed "/>= '3/d; s/ *;.*//")
    mv .wheels.part .wheels
}

# Converters and an old runtime, each in an environment of its own; where one cannot be made, its tests are skipped.
make_environments() {
    local name
    for name in modern classic tflite211; do
        "$python" -m distill.environments "$name" >/dev/null || echo "setup: going on without '$name'" >&2
    done
}

venv_is_sound || make_venv
index=$(choose_index)
done_stamp=$(stamp)
if [ -f "$done_stamp" ] && { [ -d .wheels ] || [ ! -f "$submission" ]; }; then
    exit 0
fi
started=$SECONDS
rm -f .venv/.installed-*
install
collect_wheels
make_environments
touch "$done_stamp"
echo "setup: ready after $((SECONDS - started)) s"
