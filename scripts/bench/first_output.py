"""How long a person looks at nothing: from the start of a command to the first that it shows on a terminal.

Run: `.venv/bin/python -m scripts.bench.first_output [--rounds N] [WORD]`; with a word, only the command lines that have
it. Home and servers are whatever LLAMA_HOME has, so that a server can be running; nothing is changed in it. The exit
code is 1 where the median CPU until then is over the budget: that is the time which a quiet core needs, while the wall
clock tells of the neighbours too.
"""

from __future__ import annotations

import argparse
import os
import pty
import shlex
import signal
import subprocess
import sys
import time
from contextlib import suppress
from functools import partial
from pathlib import Path

from scripts.bench import measure

BUDGET_S = 0.1
_LINES = (
    *("llama chat", "llama chat hello", "llama complete hello", "llama embed hello", "llama models", "llama connect"),
    *("llama api GET /v1/models", "llama api --list", "llama doctor", "llama doctor starter"),
    *("llama model list", "llama model download org/name --dry-run", "llama model verify SmolLM2-135M-Instruct"),
    *("llama stack build starter --dry-run", "llama stack run starter --dry-run", "llama stack list-deps starter"),
    *("llama stack show starter", "llama stack show-provider remote::ollama", "llama stack validate starter"),
    *("llama stack env starter", "llama stack init mine --dry-run", "llama stack diff starter remote"),
    *("llama stack list", "llama stack ps", "llama stack status", "llama stack wait starter", "llama stack df"),
    *("llama stack logs", "llama stack prune --dry-run", "llama stack remove starter --dry-run"),
)
_BARE = "python -c 'print()'"


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("word", nargs="?", default="")
    parser.add_argument("--rounds", type=int, default=5)
    options = parser.parse_args()
    lines = (_BARE, *(line for line in _LINES if options.word in line))
    walls: dict[str, list[float]] = {line: [] for line in lines}

    def once(line: str) -> float:
        wall_s, cpu_s = _first_output(line)
        walls[line].append(wall_s)
        return cpu_s

    for line in lines:
        once(line)  # writes the compiled files, reads the disk
    for taken in walls.values():
        taken.clear()
    found = measure.interleaved({line: partial(once, line) for line in lines}, rounds=options.rounds)
    print(f"{measure.machine()}; {options.rounds} rounds\n")
    rows = [(f"`{line}`", measure.spread(cpu, 3), measure.spread(walls[line], 3)) for line, cpu in found.items()]
    print(measure.table(("command", "CPU s", "wall s"), rows))
    return 0 if all(measure.median(cpu) <= BUDGET_S for cpu in found.values()) else 1


def _first_output(line: str) -> tuple[float, float]:
    """Seconds until the first byte, and of CPU until then; then it is ended. Raises OSError where none comes."""
    program, *arguments = shlex.split(line)
    environment = {name: value for name, value in os.environ.items() if name not in ("CI", "PYTHONDONTWRITEBYTECODE")}
    ours, theirs = pty.openpty()
    began = time.perf_counter()
    process = subprocess.Popen(
        [str(Path(sys.executable).with_name(program)), *arguments],
        env=environment | {"TERM": "xterm-256color"},
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
        start_new_session=True,
    )
    os.close(theirs)
    try:
        os.read(ours, 1)
        return time.perf_counter() - began, measure.threads_cpu_s(process.pid)
    finally:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        os.close(ours)


if __name__ == "__main__":
    sys.exit(main())
