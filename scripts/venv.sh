# Sourced by the other scripts: makes .venv beside this folder on first use and keeps it up to date.
# usage: . scripts/venv.sh [EXTRAS]        e.g. '[test]'
set -euo pipefail
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
python=${PYTHON:-}
if [ -z "$python" ]; then
    for candidate in python3 python3.13 python3.12 python3.11; do
        if "$candidate" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then
            python=$candidate
            break
        fi
    done
fi
if [ -z "$python" ]; then
    echo "streamct needs Python 3.11 or newer; none was found. Set PYTHON to its path." >&2
    exit 1
fi
wanted="${1:-} $(cksum "$root/pyproject.toml" "$root/constraints.txt" | cksum)"
if [ "$(cat "$root/.venv/.installed" 2>/dev/null)" != "$wanted" ]; then
    echo "Installing into $root/.venv (2 to 5 minutes and about 6 GB, most of it PyTorch) ..." >&2
    if ! "$python" -m venv "$root/.venv"; then
        echo "Python's venv module is missing. On Debian and Ubuntu: apt-get install python3-venv" >&2
        exit 1
    fi
    "$root/.venv/bin/pip" install --quiet --upgrade pip >&2
    "$root/.venv/bin/pip" install --quiet --constraint "$root/constraints.txt" --editable "$root${1:-}" >&2
    echo "$wanted" >"$root/.venv/.installed"
fi
export PATH="$root/.venv/bin:$PATH"
