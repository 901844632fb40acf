# Sourced by the scripts beside it: sets up .venv with the command line, from nothing but Python >= 3.11 and pip.
set -eu
cd "$(dirname "$0")/.."

find_python() {
    for candidate in "${PYTHON:-}" python3 python python3.14 python3.13 python3.12 python3.11; do
        [ -n "$candidate" ] || continue
        if "$candidate" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then
            echo "$candidate"
            return
        fi
    done
    echo "error: no Python >= 3.11 was found" >&2
    echo "hint: install one, or name it: PYTHON=/path/to/python $0" >&2
    exit 1
}

make_venv() {
    python=$(find_python)
    # Debian's Python comes without ensurepip: then virtualenv, from pip, makes the same.
    if ! "$python" -m venv .venv >/dev/null 2>&1; then
        rm -rf .venv
        "$python" -m pip install -qq --disable-pip-version-check --target .cache/virtualenv virtualenv
        PYTHONPATH=.cache/virtualenv "$python" -m virtualenv --quiet .venv
    fi
}

# The stamp holds what the environment was made from: nothing changed, nothing done.
stamp=$(cksum <pyproject.toml)
if [ ! -x .venv/bin/llama ] || [ "$(cat .venv/.set-up 2>/dev/null)" != "$stamp" ]; then
    [ -x .venv/bin/python ] || make_venv
    count=$(.venv/bin/python -c "import tomllib; print(len(tomllib.load(open('pyproject.toml', 'rb'))['project']['dependencies']))")
    echo "setting up the command line in .venv: $count packages and the few that those need" >&2
    .venv/bin/python -m pip install -qq --disable-pip-version-check --editable .
    echo "$stamp" >.venv/.set-up
fi
