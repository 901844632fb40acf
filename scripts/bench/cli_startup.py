"""What the command line costs to start, next to the least that a Typer program with Rich can cost.

Run: `.venv/bin/python -m scripts.bench.cli_startup [--rounds N]`. The command line is installed as users have it, in an
environment of its own (`environments.py`). Budgets: `llama --help` in a pipe and the listings at most 1.5 times
`import typer, rich.console` and 40 MB; `--help` on a terminal at most 2.5 times.

Imports little, and nothing from outside the standard library: see `measure.py` on peak memory.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
from functools import partial
from pathlib import Path

from scripts.bench import measure

_BARE = "import typer, rich.console"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=15)
    options = parser.parse_args()

    # In a process of its own, since installing takes memory that would count as our children's.
    made = subprocess.run(
        [sys.executable, "-m", "scripts.bench.environments", "ours"], check=True, stdout=subprocess.PIPE, text=True
    )
    python = made.stdout.strip()
    llama = str(Path(python).with_name("llama"))
    commands = {
        "`import typer, rich.console`": ([python, "-c", _BARE], False),
        "`llama --help`, pipe": ([llama, "--help"], False),
        "`llama stack --help`, pipe": ([llama, "stack", "--help"], False),
        "`llama stack list-providers --json`": ([llama, "stack", "list-providers", "--json"], False),
        "`llama stack list-apis`": ([llama, "stack", "list-apis"], False),
        "`llama stack list-apis --json`": ([llama, "stack", "list-apis", "--json"], False),
        "`llama --help`, terminal": ([llama, "--help"], True),
        "`python -c pass`": ([python, "-c", "pass"], False),
    }
    home = tempfile.gettempdir()  # nothing is written there by help and listings
    environment = {"PATH": os.environ.get("PATH", ""), "HOME": home, "LANG": "C.UTF-8"}
    peaks: dict[str, float] = {}

    def once(name: str) -> float:
        command, on_terminal = commands[name]
        cost = measure.run_command(command, environment=environment, on_terminal=on_terminal)
        peaks[name] = max(peaks.get(name, 0.0), cost.peak_mb)
        return cost.cpu_s

    for name in commands:  # writes the compiled files, reads the disk
        once(name)
    found = measure.interleaved({name: partial(once, name) for name in commands}, rounds=options.rounds)
    bare = found["`import typer, rich.console`"]
    print(
        f"{measure.machine()}; {options.rounds} rounds; smallest peak that can be seen {measure.own_peak_mb():.0f} MB\n"
    )
    rows = [
        (name, measure.spread(costs, 3), measure.spread(measure.ratios(costs, bare)), f"{peaks[name]:.0f}")
        for name, costs in found.items()
    ]
    print(measure.table(("command", "CPU s", "times bare", "peak MB"), rows))


if __name__ == "__main__":
    main()
