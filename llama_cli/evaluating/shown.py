"""A run on a terminal, or as rows of a pipe: what it comes to, its worst rows, and which gates it fails."""

from __future__ import annotations

import sys
from collections.abc import Sequence

from llama_cli.evaluating.comparing import Comparison
from llama_cli.evaluating.figures import Figure, cut, number, probability, scores_of, signed
from llama_cli.evaluating.report import Report, named
from llama_cli.evaluating.run import Row
from llama_cli.terminal import console
from llama_cli.terminal.tables import Column, listing

_ALL = "all cases"
_LONGEST = 120
"""Characters of a text, so that a case takes a few lines."""


def show(report: Report) -> None:
    """Data to standard output: the figures, and on a terminal the rows that matter. The gates beside it."""
    if not report.run.rows:
        console.say(f"`{report.run.id}` has no answers")
        return
    _show_figures(report.figures)
    if console.is_terminal(sys.stdout):
        _show_worst(report.worst)
        _show_errors(report.run.without_score)
        if report.comparison is not None:
            console.title(f"Beside {report.comparison.baseline.id}")
            show_changes(report.comparison)
    say_gates(report)


def _show_figures(figures: Sequence[Figure]) -> None:
    has_categories = any(figure.category is not None for figure in figures)
    rows = [
        {
            "function": figure.function,
            "category": figure.category or _ALL,
            "score": figure.score,
            "interval": figure.interval,
            "rows": figure.rows,
            "errors": figure.errors or None,
        }
        for figure in figures
    ]
    columns = [
        Column("function", "Function", groups=has_categories),
        Column("category", "Category"),
        Column("score", "Score"),
        Column("interval", "95 % interval"),
        Column("rows", "Cases"),
        Column("errors", "Errors"),
    ]
    listing(rows, columns, name="function")


def _show_worst(worst: Sequence[Row]) -> None:
    if not worst:
        return
    console.title("Worst cases")
    rows = [
        {
            "name": row.name,
            "score": scores_of(row),
            "asked": cut(row.asked, _LONGEST),
            "expected": cut(row.expected, _LONGEST),
            "answer": cut(row.answer, _LONGEST),
        }
        for row in worst
    ]
    columns = [
        Column("name", "Case"),
        Column("score", "Score"),
        Column("asked", "Asked", gives_way=True),
        Column("expected", "Expected", gives_way=True),
        Column("answer", "Answered", gives_way=True),
    ]
    listing(rows, columns, name="name")


def _show_errors(rows: Sequence[Row]) -> None:
    if not rows:
        return
    console.title("Without a score")
    listing(
        [{"name": row.name, "why": cut(row.why_not)} for row in rows],
        [Column("name", "Case"), Column("why", "Why", gives_way=True)],
        name="name",
    )


def show_changes(comparison: Comparison) -> None:
    """A run beside its baseline, a function a row."""
    rows = [
        {
            "function": change.function,
            "baseline": number(change.difference.baseline),
            "mean": number(change.difference.mean),
            "difference": signed(change.difference.difference),
            "interval": f"{signed(change.difference.low)} to {signed(change.difference.high)}",
            "p_value": probability(change.difference.p_value).removeprefix("= "),
            "better": len(change.better),
            "worse": len(change.worse),
            "verdict": change.verdict,
        }
        for change in comparison.changes
    ]
    columns = [
        Column("function", "Function"),
        Column("baseline", "Baseline"),
        Column("mean", "Run"),
        Column("difference", "Difference"),
        Column("interval", "95 % interval", spare=2),
        Column("p_value", "p"),
        Column("better", "Better", spare=3),
        Column("worse", "Worse", spare=3),
        Column("verdict", "Verdict", spare=1),
    ]
    empty = f"no function gives numbers to cases of `{comparison.run.id}` that `{comparison.baseline.id}` has too"
    listing(rows, columns, name="function", empty=empty)


def say_gates(report: Report) -> None:
    """Which are failed, and by which cases, also with `-q`; which are passed, unless it is but that all is scored."""
    for gate in report.gates:
        if not gate.passed:
            console.warn(f"{gate.message}{f': {named(gate.rows)}' if gate.rows else ''}")
        elif gate.kind != "scores":
            console.say(gate.message)
