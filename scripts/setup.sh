#!/usr/bin/env bash
# Set up for use and development: the libraries that Qt needs (Debian and Ubuntu), a virtual environment in
# .venv, and the package in it with all tools. With --cpu PyTorch is the small one without CUDA.
set -euo pipefail
case "$*" in
    "" | --cpu) ;;
    *)
        echo "usage: bash scripts/setup.sh [--cpu]" >&2
        exit 2
        ;;
esac
cd "$(dirname "$0")/.."

# xauth is for xvfb-run; libglib2.0-bin brings GLib for PyQt6, whose own package has another name in newer releases
libraries=(
    xvfb xauth libegl1 libgl1 libgl1-mesa-dri libglib2.0-bin libdbus-1-3 libfontconfig1 libxkbcommon-x11-0 libxcb-cursor0
    libxcb-icccm4 libxcb-image0 libxcb-keysyms1 libxcb-randr0 libxcb-render-util0 libxcb-shape0 libxcb-xfixes0
    libxcb-xinerama0
)

if command -v apt-get >/dev/null; then
    command -v python3 >/dev/null || libraries+=(python3)
    python3 -c "import ensurepip" 2>/dev/null || libraries+=(python3-venv)
    if ! dpkg -s "${libraries[@]}" >/dev/null 2>&1; then
        as_root=()
        [ "$(id -u)" -eq 0 ] || as_root=(sudo)
        "${as_root[@]}" apt-get update
        "${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends "${libraries[@]}"
    fi
fi

python3 -c "import sys; sys.exit(sys.version_info < (3, 11))" || {
    echo "Python 3.11 or newer is needed, this is $(python3 --version)" >&2
    exit 1
}
needed=12
[ "$*" = --cpu ] && needed=4
free=$(df -Pk . | awk 'NR == 2 { print int($4 / 1048576) }')
if [ "$free" -lt "$needed" ]; then
    echo "only $free GB are free here; downloads and installation may take up to $needed GB" >&2
fi
python3 -m venv .venv
# older versions of pip know no dependency groups
.venv/bin/python -m pip install --upgrade "pip>=25.1"
if [ "$*" = --cpu ]; then
    .venv/bin/python -m pip install torch torchvision --index-url https://download.pytorch.org/whl/cpu
fi
.venv/bin/python -m pip install --editable . --group dev
