"""How long a stream waits for its next token while another prompt is prefilled beside it.

In chunk times: the share of such a prompt that the largest chunk beside the stream was, of the time that such a prompt
takes alone. CPU seconds of the engine's process, which a neighbour on the core does not stretch; it has one thread, so
that they pass as the wall clock does.
"""

from __future__ import annotations

from scripts.bench import measure
from scripts.bench.engine import budgets
from scripts.bench.engine.report import Report
from scripts.bench.engine.subjects import OUR_ENGINE, Subjects

_PREFILLED = 2000
"""Tokens: nearly the model's context."""


def run(subjects: Subjects, report: Report, rounds: int) -> None:
    measure.say("longest gap in a stream")
    longest: list[dict[str, float]] = []
    chunks_s: list[float] = []
    for turn in range(rounds + 1):
        done = subjects.our_engine.ask("gap", short=_ids(subjects, 0), long=_ids(subjects), other=_ids(subjects))
        if turn:  # the first time it compiles
            longest.append(done["longest"])
            chunks_s.append(done["alone"]["cpu_s"] * done["longest"]["tokens"] / _PREFILLED)
    for what, name, scale in (
        ("tokens of a chunk beside a stream", "tokens", 1),
        ("longest gap, ms", "s", 1000),
        ("longest gap, CPU ms", "cpu_s", 1000),
    ):
        report.figures(what, {OUR_ENGINE: [scale * gap[name] for gap in longest]}, 0)
    report.ratio(budgets.GAP, [gap["cpu_s"] for gap in longest], chunks_s)


def _ids(subjects: Subjects, tokens: int = _PREFILLED) -> list[int]:
    [ids] = subjects.prompts.ids([subjects.prompts.long(tokens) if tokens else subjects.prompts.short()])
    return ids[:tokens] if tokens else ids
