"""How long it takes to the first token: of a short prompt, of a long one, and of the same long one asked again.

Wall times, since that is what somebody waits for: each figure is the least of a few requests, which is what a quiet
core needs. Over HTTP until a client has the first text; in process until the engine has the token.
"""

from __future__ import annotations

from collections.abc import Callable

from scripts.bench import measure
from scripts.bench.engine import budgets
from scripts.bench.engine.in_process.child import Child
from scripts.bench.engine.prefilling import WORDS
from scripts.bench.engine.prompts import Messages, Prompts
from scripts.bench.engine.report import Report
from scripts.bench.engine.served import Served
from scripts.bench.engine.speed import Subject, everybody, rounds_of
from scripts.bench.engine.subjects import IK, LLAMA_CPP, OUR_SERVER, Absent, Subjects

_REQUESTS = 5


def run(subjects: Subjects, report: Report, rounds: int) -> None:
    compared = everybody(subjects, with_transformers=False)
    without_cache: dict[str, Subject] = {**compared, IK: Absent("keeps nothing of earlier prompts")}
    for name, wait, some, budget in (
        ("short prompt", _short, compared, budgets.FIRST_TOKEN),
        ("long prompt", _long, compared, None),
        ("same long prompt again", _again, without_cache, budgets.FIRST_TOKEN_AGAIN),
    ):
        measure.say(f"time to first token, {name}")
        found = rounds_of(_bound(wait, subjects.prompts), some, rounds)
        report.figures(f"time to first token, {name}, ms", found)
        if budget is not None:
            report.ratio(budget, found[LLAMA_CPP], found[OUR_SERVER])


def _bound(wait: Callable[[Served | Child, Prompts], float], prompts: Prompts) -> Callable[[Served | Child], float]:
    return lambda subject: wait(subject, prompts)


def _short(subject: Served | Child, prompts: Prompts) -> float:
    return min(_wait_ms(subject, prompts, prompts.short()) for _ in range(_REQUESTS))


def _long(subject: Served | Child, prompts: Prompts) -> float:
    return min(_wait_ms(subject, prompts, prompts.long(WORDS)) for _ in range(_REQUESTS))


def _again(subject: Served | Child, prompts: Prompts) -> float:
    prompt = prompts.long(WORDS)
    _wait_ms(subject, prompts, prompt)
    return min(_wait_ms(subject, prompts, prompt) for _ in range(_REQUESTS))


def _wait_ms(subject: Served | Child, prompts: Prompts, chat: Messages) -> float:
    if isinstance(subject, Served):
        return 1000 * subject.answer(chat, 1).first_s
    return float(1000 * subject.ask("generate", prompts=prompts.ids([chat]), answer=1)["s"])
