"""How long a client waits for the first text: of a short prompt, and of a long one that was asked before.

Wall times, since that is what somebody waits for: each figure is the least of a few requests, which is what a quiet
core needs.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from scripts.bench import measure
from scripts.bench.engine import budgets
from scripts.bench.engine.prefilling import WORDS
from scripts.bench.engine.prompts import Prompts
from scripts.bench.engine.report import Found, Report
from scripts.bench.engine.served import Served
from scripts.bench.engine.subjects import LLAMA_CPP, OUR_SERVER, Absent, Subjects

_REQUESTS = 5


def run(subjects: Subjects, report: Report, rounds: int) -> None:
    measure.say("time to first token")
    servers = {OUR_SERVER: subjects.our_server, LLAMA_CPP: subjects.llama_cpp}
    waits = {
        "short prompt": (_short, budgets.FIRST_TOKEN),
        "long prompt": (_long, None),
        "same long prompt again": (_again, budgets.FIRST_TOKEN_AGAIN),
    }
    for name, (wait, budget) in waits.items():
        found = _interleaved(servers, wait, subjects.prompts, rounds)
        report.figures(f"time to first token, {name}, ms", found)
        if budget is not None:
            report.ratio(budget, found[LLAMA_CPP], found[OUR_SERVER])


def _interleaved(
    servers: Mapping[str, Served | Absent], wait: Callable[[Served, Prompts], float], prompts: Prompts, rounds: int
) -> Found:
    def bound(served: Served) -> Callable[[], float]:
        return lambda: wait(served, prompts)

    present = {name: bound(served) for name, served in servers.items() if not isinstance(served, Absent)}
    for once in present.values():
        once()
    found = measure.interleaved(present, rounds=rounds)
    absent = {name: served for name, served in servers.items() if isinstance(served, Absent)}
    return {name: absent[name] if name in absent else found[name] for name in servers}


def _short(served: Served, prompts: Prompts) -> float:
    return 1000 * min(served.answer(prompts.short(), 1).first_s for _ in range(_REQUESTS))


def _long(served: Served, prompts: Prompts) -> float:
    return 1000 * min(served.answer(prompts.long(WORDS), 1).first_s for _ in range(_REQUESTS))


def _again(served: Served, prompts: Prompts) -> float:
    prompt = prompts.long(WORDS)
    served.answer(prompt, 1)
    return 1000 * min(served.answer(prompt, 1).first_s for _ in range(_REQUESTS))
