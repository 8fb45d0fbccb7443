#!/usr/bin/env bash
# Installs this checkout, editable, into .venv: `scripts/install.sh EXTRAS`, for example `server,worker`.
#
# PyTorch comes first and alone, because where it comes from depends on the machine: a CUDA build (gigabytes) only where
# there is an NVIDIA driver, else the CPU build that constraints/cpu.txt names, from this machine's own pip configuration
# if that offers it, else from PyTorch's index. It never changes what is installed outside .venv.
set -euo pipefail
cd "$(dirname "$0")/.."

readonly VENV=.venv
readonly CPU_INDEX=https://download.pytorch.org/whl/cpu
readonly LOG=$VENV/install.log

fail() {
    printf '%s\n' "$@" >&2
    exit 1
}

# The versions that megatron-core 0.16 is published for.
is_supported() {
    "$1" -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 13))' 2>/dev/null
}

find_python() {
    local candidate
    for candidate in ${PYTHON:-python3 python3.12 python3.13 python3.11}; do
        if is_supported "$candidate"; then
            echo "$candidate"
            return
        fi
    done
    fail "Tunedeck needs Python 3.11, 3.12 or 3.13; ${PYTHON:-python3} says: $("${PYTHON:-python3}" --version 2>&1 || true)" \
        "Install one (Debian 12, Ubuntu 24.04: apt install python3 python3-venv) or name one: make PYTHON=/path/to/python3.12 …"
}

make_venv() {
    local python=$1 version
    version=$("$python" -c 'import sys; print("%d.%d" % sys.version_info[:2])')
    "$python" -c 'import ensurepip, venv' 2>/dev/null ||
        fail "Python $version lacks venv. On Debian or Ubuntu: apt install python$version-venv"
    echo "Creating $VENV with Python $version"
    "$python" -m venv --clear "$VENV"
}

has_nvidia_driver() {
    [ -e /proc/driver/nvidia ] || { command -v nvidia-smi >/dev/null && nvidia-smi >/dev/null 2>&1; }
}

# What pip says goes into the log: where something fails, all of it is shown.
pip_install() {
    "$VENV/bin/python" -m pip install --quiet --disable-pip-version-check "$@" >>"$LOG" 2>&1
}

install_cpu_torch() {
    local torch
    torch=$(grep '^torch==' constraints/cpu.txt)
    echo "Installing $torch (no NVIDIA driver found)"
    pip_install "$torch" && return
    pip_install "$torch" --extra-index-url "$CPU_INDEX" && return
    cat "$LOG" >&2
    fail "$torch could not be installed. Tried: this machine's pip configuration, then $CPU_INDEX." \
        "Give pip an index that has it (pip config set global.extra-index-url …), or go online, and run make again."
}

main() {
    local extras=$1 python
    # A virtual environment without a working pip is the rest of an interrupted run.
    if ! { [ -x "$VENV/bin/python" ] && is_supported "$VENV/bin/python" && "$VENV/bin/python" -m pip --version >/dev/null 2>&1; }; then
        python=$(find_python)
        make_venv "$python"
    fi
    : >"$LOG"
    # PyTorch publishes CPU builds under a name of their own ("+cpu") for Linux only; elsewhere the plain one is it.
    local constraints=()
    if [ "$(uname -s)" = Linux ] && ! has_nvidia_driver; then
        install_cpu_torch
        constraints=(-c constraints/cpu.txt)
    fi
    echo "Installing Tunedeck [$extras]"
    pip_install -e ".[$extras]" ${constraints[@]+"${constraints[@]}"} && return
    cat "$LOG" >&2
    fail "pip could not install Tunedeck; what it said is above."
}

main "$@"
