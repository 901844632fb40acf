"""How the engine's benchmark judges: on which side of a budget a ratio is, and what a GPU's memory allows."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from scripts.bench.engine.budgets import Budget
from scripts.bench.engine.gpu import NOMINAL, roofline
from scripts.bench.engine.in_process.child import Child, ChildFailed
from scripts.bench.engine.report import Report
from scripts.bench.engine.subjects import Absent

SPEED = Budget(what="speed", must=0.8, goal=1.0)
WAIT = Budget(what="wait", must=1.5, goal=1.2, is_bound=True)


@pytest.mark.parametrize(
    ("budget", "ratio", "verdict"),
    [
        (SPEED, 1.0, "goal"),
        (SPEED, 0.8, "yes"),
        (SPEED, 0.79, "no"),
        (WAIT, 1.2, "goal"),
        (WAIT, 1.5, "yes"),
        (WAIT, 1.51, "no"),
    ],
)
def test_a_median_on_the_limit_holds(budget: Budget, ratio: float, verdict: str) -> None:
    assert budget.verdict([9.0, ratio, 0.1]) == verdict


def test_a_ratio_is_taken_within_each_round() -> None:
    report = Report()
    report.ratio(SPEED, [10.0, 30.0, 5.0], [10.0, 20.0, 10.0])
    assert "| speed | 1.00 (0.50-1.50) | >= 0.8 | >= 1 | goal |" in str(report)


def test_a_subject_that_is_absent_gives_its_reason_and_no_verdict() -> None:
    report = Report()
    report.figures("speed, tokens", {"ours": [1.0], "theirs": Absent("is not installed")})
    report.ratio(SPEED, [1.0], Absent("is not installed"))
    assert "| speed, tokens | theirs | is not installed |" in str(report)
    assert "| speed | is not installed | >= 0.8 | >= 1 |  |" in str(report)


def test_the_roofline_is_that_of_published_figures() -> None:
    """Llama 3.1 8B in bf16 on an H100: 7.5e9 weights are read in a step, 128 KiB of cache a token."""
    weights_bytes, cache_bytes_a_token = 7.5e9 * 2, 2 * 32 * 8 * 128 * 2
    assert roofline(NOMINAL["H100"], weights_bytes, 1) == pytest.approx(223, rel=0.01)
    step_bytes = weights_bytes + 256 * 1000 * cache_bytes_a_token
    assert roofline(NOMINAL["H100"], step_bytes, 256) == pytest.approx(17_700, rel=0.01)


SERVING = """
import os, signal
from scripts.bench.engine.in_process.child import serve

def twice(number):
    os.write(1, b"what a library prints\\n")
    return {"number": 2 * number}

serve({"twice": twice, "die": lambda: os.kill(os.getpid(), signal.SIGILL), "fail": lambda: 1 / 0})
"""


def started(folder: Path) -> Child:
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(
            [sys.executable, "-c", SERVING],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=log,
            env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
        )
    return Child(process=process, log=folder / "log", born=0.0)


def test_a_child_answers_and_what_its_libraries_print_is_in_the_log(tmp_path: Path) -> None:
    child = started(tmp_path)
    with child.process:
        assert [child.ask("twice", number=number) for number in (1, 21)] == [{"number": 2}, {"number": 42}]
    assert child.process.returncode == 0
    assert child.log.read_text() == "what a library prints\n" * 2


@pytest.mark.parametrize(
    ("work", "died", "said"), [("die", True, f"{-signal.SIGILL}"), ("fail", False, "division by zero")]
)
def test_a_child_that_ends_says_how(tmp_path: Path, work: str, died: bool, said: str) -> None:
    child = started(tmp_path)
    with child.process, pytest.raises(ChildFailed, match=said) as raised:
        child.ask(work)
    assert raised.value.died is died


def test_the_benchmark_itself_loads_no_torch() -> None:
    code = "import sys, scripts.bench.engine.__main__, scripts.bench.engine.gpu; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], timeout=60, check=False).returncode == 0
