"""From the start of a process to its first token, when it has been started before, and what it holds after some work.

The time is that of the wall clock, since loading also waits for the disk; CPU seconds are shown beside it.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager

from scripts.bench import measure
from scripts.bench.engine import budgets
from scripts.bench.engine.in_process.child import Child
from scripts.bench.engine.prefilling import WORDS
from scripts.bench.engine.report import Report
from scripts.bench.engine.served import Served
from scripts.bench.engine.settings import STREAMS
from scripts.bench.engine.subjects import IK, LLAMA_CPP, OUR_ENGINE, OUR_SERVER, Absent, Subjects
from scripts.bench.servers import Server

_ANSWER = 16
_Start = Callable[[], AbstractContextManager[Server | Child]]


def run(subjects: Subjects, report: Report, rounds: int) -> None:
    measure.say("start to first token")
    starts: dict[str, _Start | Absent] = {
        OUR_SERVER: lambda: subjects.start_our_server("state-of-starts"),
        LLAMA_CPP: subjects.llama_cpp if isinstance(subjects.llama_cpp, Absent) else subjects.start_llama_cpp,
        OUR_ENGINE: subjects.start_our_engine,
        IK: subjects.ik if isinstance(subjects.ik, Absent) else subjects.start_ik,
    }
    walls: dict[str, list[float]] = {name: [] for name in starts}

    def bound(name: str, start: _Start) -> Callable[[], float]:
        def once() -> float:
            with start() as started:
                _first_token(started, subjects)
                walls[name].append(time.perf_counter() - started.born)
                return measure.tree_cpu_s(started.pid)

        return once

    present = {name: bound(name, start) for name, start in starts.items() if not isinstance(start, Absent)}
    for name, once in present.items():
        once()  # compiles, and reads the disk
        walls[name].clear()
    cpus = measure.interleaved(present, rounds=rounds)
    absent = {name: start for name, start in starts.items() if isinstance(start, Absent)}
    wall = {name: absent.get(name) or walls[name] for name in starts}
    report.figures("second start to first token, s", wall, 2)
    report.figures("second start to first token, CPU s", {name: absent.get(name) or cpus[name] for name in starts}, 2)
    report.ratio(budgets.START, wall[LLAMA_CPP], wall[OUR_SERVER])
    _memory(subjects, report, starts)


def _memory(subjects: Subjects, report: Report, starts: Mapping[str, _Start | Absent]) -> None:
    """Of a fresh process tree after a long prompt and as many streams as it takes at once."""
    found: dict[str, list[float] | Absent] = {}
    for name, start in starts.items():
        if isinstance(start, Absent):
            found[name] = start
            continue
        with start() as started:
            _first_token(started, subjects)
            chats = [subjects.prompts.long(WORDS), *(subjects.prompts.short() for _ in range(STREAMS))]
            for some in (chats[:1], chats[1:]):
                if isinstance(started, Server):
                    Served(started).generate(some, _ANSWER)
                else:
                    started.ask("generate", prompts=subjects.prompts.ids(some), answer=_ANSWER)
            found[name] = [measure.tree_memory(started.pid).rss_mb]
    report.figures("memory after some work, RSS MB", found, 0)
    report.ratio(budgets.MEMORY, found[LLAMA_CPP], found[OUR_SERVER])


def _first_token(started: Server | Child, subjects: Subjects) -> None:
    chat = subjects.prompts.short()
    if isinstance(started, Server):
        started.wait_for("/v1/health")
        Served(started).answer(chat, 1)
    else:
        started.ask("generate", prompts=subjects.prompts.ids([chat]), answer=1)
