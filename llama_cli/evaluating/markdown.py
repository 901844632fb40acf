"""A report to show to a colleague: Markdown that stands by itself, on a code host or in a mail."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import UTC, datetime
from urllib.parse import quote

from llama_cli.evaluating.comparing import Comparison
from llama_cli.evaluating.figures import cut, number, probability, scores_of, signed
from llama_cli.evaluating.gates import Gate
from llama_cli.evaluating.report import Report, named
from llama_cli.evaluating.run import Run
from llama_cli.terminal import words
from llama_cli.terminal.markdown_table import table

_MOST_WORSE = 10
_MARKS = re.compile(r"([\\`*_\[\]<>~])")
"""What would be more than text in a text of a stranger."""


def markdown(report: Report, *, plot: str | None = None) -> str:
    """The report. plot: the file of the drawing that belongs to it."""
    return "\n\n".join(_parts(report, plot)) + "\n"


def _parts(report: Report, plot: str | None) -> Iterator[str]:
    run = report.run
    yield f"# {_plain(run.name)}: {_plain(run.model or run.id)}"
    yield "\n".join(f"- {fact}" for fact in _facts(report))
    yield "\n".join(f"- {'passed' if gate.passed else '**failed**'}: {_gate(gate)}" for gate in report.gates)
    yield "## Scores"
    has_categories = any(figure.category is not None for figure in report.figures)
    yield table(
        ("function", *(["category"] if has_categories else []), "score", "95 % interval", "cases", "errors"),
        [
            (
                f"`{figure.function}`",
                *([_plain(figure.category) if figure.category else "**all**"] if has_categories else []),
                _plain(figure.score),
                figure.interval,
                str(figure.rows),
                str(figure.errors),
            )
            for figure in report.figures
        ],
    )
    if plot is not None:
        yield f"![Scores by category]({quote(plot)})"
    if report.comparison is not None:
        yield from _beside(report.comparison)
    if report.worst:
        yield "## Worst cases"
        yield table(
            ("case", "score", "asked", "expected", "answered"),
            [(_plain(row.name), _plain(scores_of(row)), _text(row.asked), _text(row.expected), _text(row.answer))
             for row in report.worst],
        )  # fmt: skip
    if run.without_score:
        yield "## Without a score"
        yield table(
            ("case", "asked", "answered", "why"),
            [(_plain(row.name), _text(row.asked), _text(row.answer), _text(row.why_not)) for row in run.without_score],
        )


def _beside(comparison: Comparison) -> Iterator[str]:
    yield f"## Beside {_named(comparison.baseline)}"
    if not comparison.changes:
        yield "No function gives numbers to cases that both have."
        return
    yield table(
        ("function", "baseline", "this run", "difference", "95 % interval", "p", "better", "worse", "verdict"),
        [
            (
                f"`{change.function}`",
                *(number(value) for value in (change.difference.baseline, change.difference.mean)),
                signed(change.difference.difference),
                f"{signed(change.difference.low)} to {signed(change.difference.high)}",
                probability(change.difference.p_value).removeprefix("= "),
                *(str(len(rows)) for rows in (change.better, change.worse)),
                change.verdict,
            )
            for change in comparison.changes
        ],
    )
    for change in comparison.changes:
        if change.worse:
            yield f"Cases that `{change.function}` scores lower than before:"
            yield table(
                ("case", "asked", "answered before", "answered now"),
                [
                    (_plain(row.name), _text(row.asked), _text(before.answer), _text(row.answer))
                    for row, before in change.worse[:_MOST_WORSE]
                ],
            )


def _named(run: Run) -> str:
    return f"`{run.id}`{f' ({_plain(run.model)})' if run.model else ''}"


def _facts(report: Report) -> Iterator[str]:
    run, job = report.run, report.run.job
    yield f"run `{run.id}` of `{run.benchmark}`, {words.counted(len(run.rows), 'case')}"
    if (began := job.get("created_at")) is not None:
        took = f", in {words.duration(job['ended_at'] - began)}" if job.get("ended_at") is not None else ""
        yield f"{datetime.fromtimestamp(began, UTC):%Y-%m-%d %H:%M} UTC{took}"
    if job.get("dataset_version"):
        yield f"cases `{job['dataset_version'][:19]}`"
    if run.agent:
        yield f"asked: {run.agent}"
    if run.system:
        yield f"told before each case: {_text(run.system)}"
    if run.status != "completed":
        yield f"**{run.status}**: {_text(job.get('error') or 'not all cases are answered')}"


def _gate(gate: Gate) -> str:
    return f"{gate.message}{f' ({named(gate.rows)})' if gate.rows else ''}"


def _text(text: str | None) -> str:
    return _plain(cut(text))


def _plain(text: str) -> str:
    """Text that is shown as it is."""
    return _MARKS.sub(r"\\\1", text.replace("&", "&amp;"))
