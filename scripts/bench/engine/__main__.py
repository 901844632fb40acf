"""Our engine on one thread of the CPU next to llama.cpp, ik_llama.cpp and transformers, on the same 4-bit weights.

Run: `.venv/bin/python -m scripts.bench.engine [--rows decode,prefill] [--rounds N]`, in the environment of the tests.
Speeds are tokens for each CPU second; every ratio is taken within a round, and its median is held against its budget.
Over HTTP our server is compared with llama.cpp's, whose wheel is compiled for processors with AMX: elsewhere build
`llama-server` from the source archive of `llama-cpp-python` and name it with `--llama-server`. In processes of their
own our engine is compared with ik_llama.cpp, which runs anywhere, and with transformers in whichever dtype is faster.
"""

from __future__ import annotations

import argparse
import signal
import sys
import tempfile
from contextlib import ExitStack
from pathlib import Path

from scripts.bench import measure
from scripts.bench.engine import decoding, first_token, forms, gaps, nearness, prefilling, starting
from scripts.bench.engine.report import Report
from scripts.bench.engine.settings import MODEL
from scripts.bench.engine.subjects import Subjects

ROWS = {
    "decode": decoding.run,
    "prefill": prefilling.run,
    "first-token": first_token.run,
    "start": starting.run,
    "schema": forms.run,
    "nearness": nearness.run,
    "gap": gaps.run,
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", default=",".join(ROWS), help="with commas between; default: %(default)s")
    parser.add_argument("--rounds", type=int, default=3, help="default: %(default)s")
    parser.add_argument("--llama-server", type=Path, help="llama.cpp's program; default: the wheel's")
    options = parser.parse_args()
    chosen = options.rows.split(",")
    if unknown := [name for name in chosen if name not in ROWS]:
        parser.error(f"there is no row `{unknown[0]}`; there are {', '.join(ROWS)}")
    signal.signal(signal.SIGTERM, lambda number, frame: sys.exit(128 + number))  # so that no server is left behind
    caption, report = measure.machine(), Report()
    with tempfile.TemporaryDirectory() as folder, ExitStack() as ends:
        subjects = Subjects(Path(folder), ends, options.llama_server)
        for name in chosen:
            ROWS[name](subjects, report, options.rounds)
        print(f"{caption}; rounds: {options.rounds}; {MODEL}, {subjects.weights.name}\n\n{report}")


if __name__ == "__main__":
    main()
