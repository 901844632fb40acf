"""What the command line costs where it starts nothing, next to the least that a Typer program with Rich can cost.

Run: `.venv/bin/python -m scripts.bench.cli_startup [--rounds N] [WORD]`; with a word, only the command lines that have
it. The command line is installed as users have it, in an environment of its own (`environments.py`). Lines and budgets
are those of `cli_budgets.py`; the exit code is 1 where one is missed.

Imports little, and nothing from outside the standard library: see `measure.py` on peak memory.
"""

from __future__ import annotations

import argparse
import os
import shlex
import subprocess
import sys
import tempfile
from functools import partial
from pathlib import Path

from scripts.bench import measure
from scripts.bench.cli_budgets import AGAIN, AMONG_FILES, FILES, LINES, ON_A_TERMINAL, Budget

_BARE = "import typer, rich.console"
_AMONG_FILES = f", {FILES:,} files"


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("word", nargs="?", default="")
    parser.add_argument("--rounds", type=int, default=15)
    options = parser.parse_args()

    # In a process of its own, since installing takes memory that would count as our children's.
    made = subprocess.run(
        [sys.executable, "-m", "scripts.bench.environments", "ours"], check=True, stdout=subprocess.PIPE, text=True
    )
    python = made.stdout.strip()
    llama = str(Path(python).with_name("llama"))
    subjects = {name: subject for name, subject in _subjects().items() if options.word in name}
    with tempfile.TemporaryDirectory(prefix="llama-bench-") as home:
        environment = {"PATH": os.environ.get("PATH", ""), "HOME": home, "LANG": "C.UTF-8"}
        environment |= {name: value for name, value in os.environ.items() if name.startswith(("UV_", "PIP_"))}
        os.chdir(home)
        large = _large_home(Path(home, "large"))
        peaks: dict[str, float] = {}

        def once(name: str) -> float:
            line, on_terminal, _ = subjects.get(name, ("", False, None))
            command = [llama, *shlex.split(line)[1:]] if line else [python, "-c", _BARE]
            place = {"LLAMA_HOME": str(large)} if name.endswith(_AMONG_FILES) else {}
            cost = measure.run_command(command, environment=environment | place, on_terminal=on_terminal, may_fail=True)
            peaks[name] = max(peaks.get(name, 0.0), cost.peak_mb)
            return cost.cpu_s

        for name in (_BARE, *subjects):  # writes the compiled files, reads the disk, builds what is built again
            once(name)
        peaks.clear()
        found = measure.interleaved({name: partial(once, name) for name in (_BARE, *subjects)}, rounds=options.rounds)
    print(
        f"{measure.machine()}; {options.rounds} rounds; smallest peak that can be seen {measure.own_peak_mb():.0f} MB\n"
    )
    bare = found.pop(_BARE)
    rows = [(f"`{_BARE}`", measure.spread(bare, 3), "", "", f"{peaks[_BARE]:.0f}", "", "")]
    is_met = True
    for name, costs in found.items():
        budget = subjects[name][2]
        ratios = measure.ratios(costs, bare)
        is_within = measure.median(ratios) <= budget.times_bare and peaks[name] <= budget.peak_mb
        is_met &= is_within
        rows.append(
            (
                name,
                measure.spread(costs, 3),
                measure.spread(ratios),
                f"{budget.times_bare:.1f}",
                f"{peaks[name]:.0f}",
                f"{budget.peak_mb}",
                "yes" if is_within else "no",
            )
        )
    print(measure.table(("command", "CPU s", "times bare", "budget", "peak MB", "budget", "met"), rows))
    return 0 if is_met else 1


def _subjects() -> dict[str, tuple[str, bool, Budget]]:
    """By name: the command line, whether it is on a terminal, and its budget."""
    found = {f"`{line}`": (line, False, budget) for line, budget in LINES.items()}
    found |= {f"`{line}`, terminal": (line, True, budget) for line, budget in ON_A_TERMINAL.items()}
    found |= {f"`{line}`{_AMONG_FILES}": (line, False, budget) for line, budget in AMONG_FILES.items()}
    return found | {f"`{line}`, again": (line, False, budget) for line, budget in AGAIN.items()}


def _large_home(home: Path) -> Path:
    """A Llama home with a distribution of FILES files, ten to a folder, that have a second name as if in uv's cache."""
    distribution = home / "distributions" / "large"
    for number in range(FILES):
        inside = Path(f"package_{number // 100}", f"part_{number // 10 % 10}", f"file_{number}.py")
        file, cached = distribution / ".venvs" / "0" / inside, home.with_name("cache") / inside
        for path in (file, cached):
            path.parent.mkdir(parents=True, exist_ok=True)
        cached.write_text("x = 1\n")
        file.hardlink_to(cached)
    (distribution / "run.yaml").write_text("version: 2\ndistro_name: large\n")
    return home


if __name__ == "__main__":
    sys.exit(main())
