"""What lets a run through: every case with a score, means that reach their thresholds, no loss beside a baseline.

Less than the baseline is a loss where chance does not explain it: the p-value is under 0.05. Knows no terminal.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from llama_cli.evaluating.comparing import Change, Comparison
from llama_cli.evaluating.figures import Figure, cut, number, probability
from llama_cli.evaluating.run import Row, Run
from llama_cli.exits import Failure
from llama_cli.terminal import words
from runtime.similar import names_for

_LONGEST = 160
"""Characters of a reason."""


@dataclass(frozen=True, kw_only=True)
class Gate:
    """One of them. kind: `scores`, `threshold` or `baseline`; function: None for all; rows: those that fail it."""

    kind: str
    function: str | None
    passed: bool
    message: str
    rows: Sequence[Row] = ()

    def document(self) -> dict[str, Any]:
        """As `--json` prints it."""
        facts = {"kind": self.kind, "function": self.function, "passed": self.passed, "message": self.message}
        return {**facts, "rows": [row.name for row in self.rows]}


def thresholds(given: Sequence[str], functions: Sequence[str]) -> dict[str, float]:
    """The least mean of each function. given: `NAME=NUMBER` each; the last part of a function's id will do where only
    one ends so. Raises Failure (USAGE).
    """
    found = {}
    for one in given:
        name, _, text = one.rpartition("=")
        least = _number(text)
        if not name or least is None:
            hint = f"as in `--threshold {functions[0]}=0.8`"
            raise Failure.of_option("--threshold", f"`{one}` is not `NAME=NUMBER`", hint=hint)
        fitting = meant(name, functions)
        if len(fitting) != 1:
            what = "several functions end so" if fitting else "it is none of the functions that score here"
            raise Failure.of_option("--threshold", f"`{name}`: {what}", hint=names_for(name, fitting or functions))
        found[fitting[0]] = least
    return found


def meant(name: str, functions: Sequence[str]) -> list[str]:
    """Which of the functions a name means: the one that is called so, else those that end so."""
    if name in functions:
        return [name]
    return [function for function in functions if function.rpartition("::")[2] == name]


def gates(
    run: Run,
    figures: Sequence[Figure],
    least: Mapping[str, float],
    comparison: Comparison | None,
    *,
    strict: bool,
) -> list[Gate]:
    """All of them. least: the threshold of each function; comparison: with the baseline; strict: any loss counts."""
    means = {figure.function: figure.mean for figure in figures if figure.category is None}
    without = run.without_score
    counted = f"{len(without)} of {words.counted(len(run.rows), 'case')}"
    message = "every case is answered and scored"
    if without:
        message = f'{counted} could not be answered or scored, the first because "{cut(without[0].why_not, _LONGEST)}"'
    found = [Gate(kind="scores", function=None, passed=not without, message=message, rows=without)]
    found += [_threshold(run, name, means[name], value) for name, value in least.items()]
    if comparison is not None and not comparison.changes:
        what = f"nothing is compared with the baseline `{comparison.baseline.id}`"
        message = f"{what}: no function gives numbers to cases that both have"
        return [*found, Gate(kind="baseline", function=None, passed=not strict, message=message)]
    return found + [_baseline(change, strict=strict) for change in (comparison.changes if comparison else ())]


def _number(text: str) -> float | None:
    try:
        value = float(text)
    except ValueError:
        return None
    return value if math.isfinite(value) else None


def _threshold(run: Run, name: str, mean: float | None, least: float) -> Gate:
    if mean is None:
        message = f"`{name}` gives no numbers, so {number(least)} is not reached"
        return Gate(kind="threshold", function=name, passed=False, message=message)
    passed = mean >= least
    message = f"`{name}` is {number(mean)}, {'at least' if passed else 'below'} {number(least)}"
    values = [(row.scores[name].value, row) for row in run.rows]
    below = [(value, row) for value, row in values if isinstance(value, float) and value < least]
    rows = [] if passed else [row for _, row in sorted(below, key=lambda pair: pair[0])]
    return Gate(kind="threshold", function=name, passed=passed, message=message, rows=rows)


def _baseline(change: Change, *, strict: bool) -> Gate:
    found = change.difference
    passed = found.difference >= 0 or not (change.is_real or strict)
    message = f"`{change.function}` went from {number(found.baseline)} to {number(found.mean)}"
    chance = ", which chance explains" if found.difference and not change.is_real else ""
    return Gate(
        kind="baseline",
        function=change.function,
        passed=passed,
        message=f"{message} (p {probability(found.p_value)}{chance})",
        rows=[] if passed else [row for row, _ in change.worse],
    )
