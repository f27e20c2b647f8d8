#!/bin/sh
# Everything a fresh machine lacks: uv, .venv with the pinned packages, the Pulumi CLI.
#   tools/setup.sh            what `make demo` needs
#   tools/setup.sh dev        and what `make check` and `make test` need
# Writes to .venv and to the cache folder only. Does nothing, at once, when all is there.
set -eu
cd "$(dirname "$0")/.."
cache="${XDG_CACHE_HOME:-$HOME/.cache}/slipway"
level="${1:-run}"
stamp=".venv/.slipway-$level-$(cat pyproject.toml requirements.lock | cksum | tr ' ' '-')"

python_found() {
    for python in python3.12 python3.13 python3.11 python3; do
        command -v "$python" >/dev/null 2>&1 &&
            "$python" -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 13))' 2>/dev/null && return 0
    done
    echo "No Python 3.11, 3.12 or 3.13 on PATH. Install one, then run this again." >&2
    return 1
}

find_uv() {
    uv="$(command -v uv || true)"
    [ -n "$uv" ] && return
    uv="$cache/uv/bin/uv"
    [ -x "$uv" ] && return
    echo "fetching uv (once per machine)" >&2
    rm -rf "$cache/uv"
    if "$python" -m venv "$cache/uv" 2>/dev/null; then
        "$cache/uv/bin/python" -m pip install --quiet --disable-pip-version-check uv
    else # Debian's python3 without python3-venv
        curl -LsSf https://astral.sh/uv/install.sh | env UV_UNMANAGED_INSTALL="$cache/uv/bin" sh >&2
    fi
}

if [ ! -f "$stamp" ]; then
    python_found
    find_uv
    echo "installing the packages into .venv (torch is large: about 3 GB the first time)" >&2
    [ -x .venv/bin/python ] || "$uv" venv --quiet --python "$python" .venv
    # Compiled once here: without byte code the first import of torch alone takes 8 s instead of 2.
    set -- --quiet --python .venv/bin/python --compile-bytecode -c requirements.lock -e '.[ml,local]'
    [ "$level" = dev ] && set -- "$@" --group dev
    "$uv" pip install "$@"
    UV="$uv" .venv/bin/python -m slipway.pulumi_cli >/dev/null
    .venv/bin/python -m slipway.plugin
    [ "$level" = dev ] && .venv/bin/python tools/actionlint/build.py >/dev/null
    rm -f .venv/.slipway-*
    touch "$stamp" ".venv/.slipway-run-${stamp#.venv/.slipway-"$level"-}" # dev holds all that run needs
fi
