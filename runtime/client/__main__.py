"""`python -m runtime.client PROGRAM [ARGUMENT]...`: run a program that imports the library client from `llama_stack` or
`ogx`, unchanged.
"""

from __future__ import annotations

import runpy
import sys
from pathlib import Path

from runtime.client.names import install
from runtime.errors import Conflict
from runtime.stdio import print_error

_EXIT_USAGE, _EXIT_CONFLICT = 2, 5


def main() -> None:
    if len(sys.argv) < 2:
        print_error("usage: python -m runtime.client PROGRAM [ARGUMENT]...")
        sys.exit(_EXIT_USAGE)
    program = sys.argv[1]
    if not Path(program).exists():
        print_error(f"error: `{program}` is not there")
        sys.exit(_EXIT_USAGE)
    try:
        install()
    except Conflict as error:
        print_error(f"error: {error.words}")
        sys.exit(_EXIT_CONFLICT)
    del sys.argv[0]
    sys.path[0] = str(Path(program).resolve().parent)  # as if Python itself had been given the program
    runpy.run_path(program, run_name="__main__")


if __name__ == "__main__":
    main()
