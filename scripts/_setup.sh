# Sourced by the scripts beside it: sets up .venv with the command line, from nothing but Python >= 3.11 and pip. Leaves
# the path of the tree in `tree`, and the folder that one is in as it is: relative paths are the caller's.
set -eu
tree=$(dirname "$(dirname "$(readlink -f "$0")")")

is_new_enough() {
    "$1" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null
}

find_python() {
    for candidate in ${PYTHON:+"$PYTHON"} python3 python python3.14 python3.13 python3.12 python3.11; do
        if is_new_enough "$candidate"; then
            echo "$candidate"
            return
        fi
        if [ "$candidate" = "${PYTHON:-}" ]; then
            echo "error: \`PYTHON\` is \`$PYTHON\`, which is no Python >= 3.11 that can be started" >&2
            echo "hint: name another one, or unset it" >&2
            exit 1
        fi
    done
    echo "error: no Python >= 3.11 was found" >&2
    echo "hint: install one, or name it: PYTHON=/path/to/python $0" >&2
    exit 1
}

# The stamp holds what the environment was made from, and where: nothing changed, nothing done.
stamp="$(cksum <"$tree/pyproject.toml") $tree"
if [ ! -x "$tree/.venv/bin/python" ] || [ "$(cat "$tree/.venv/.set-up" 2>/dev/null)" != "$stamp" ]; then
    place=$tree/
    [ "$tree" != "$(pwd -P)" ] || place=
    case " $* " in
        *" -q "* | *" --quiet "* | *" --json "*) ;;
        *) echo "setting up the command line in ${place}.venv" >&2 ;; # before Python has started, which takes a while
    esac
    python=$(find_python)
    "$python" "$tree/scripts/_set_up.py" "$stamp" "$@"
fi
