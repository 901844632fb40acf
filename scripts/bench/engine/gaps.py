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
    found: dict[str, list[float]] = {}
    for turn in range(rounds + 1):  # the first time it compiles
        done = subjects.our_engine.ask("gap", short=_ids(subjects, 0), long=_ids(subjects), other=_ids(subjects))
        if turn:
            for name, value in done.items():
                found.setdefault(name, []).append(value)
    report.figures("tokens of a chunk beside a stream", {OUR_ENGINE: found["chunk_tokens"]}, 0)
    report.figures("longest gap, CPU ms", {OUR_ENGINE: [1000 * value for value in found["gap_cpu_s"]]}, 0)
    report.figures("longest gap, ms", {OUR_ENGINE: [1000 * value for value in found["gap_s"]]}, 0)
    shares = [tokens / _PREFILLED for tokens in found["chunk_tokens"]]
    chunks = [share * alone_s for share, alone_s in zip(shares, found["alone_cpu_s"], strict=True)]
    report.ratio(budgets.GAP, found["gap_cpu_s"], chunks)


def _ids(subjects: Subjects, tokens: int = _PREFILLED) -> list[int]:
    [ids] = subjects.prompts.ids([subjects.prompts.long(tokens) if tokens else subjects.prompts.short()])
    return ids[:tokens] if tokens else ids
