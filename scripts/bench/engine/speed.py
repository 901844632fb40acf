"""Figures of every subject in interleaved rounds, first of all tokens for each CPU second."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Literal

from scripts.bench import measure
from scripts.bench.engine.in_process.child import Child
from scripts.bench.engine.prompts import Messages, Prompts
from scripts.bench.engine.report import Found
from scripts.bench.engine.served import Served
from scripts.bench.engine.subjects import IK, LLAMA_CPP, OUR_ENGINE, OUR_SERVER, TRANSFORMERS, Absent, Subjects

Subject = Served | Child | Absent


@dataclass(frozen=True, kw_only=True)
class Load:
    """streams: prompts at once. answer: tokens of each answer. words: of a long prompt; 0 for a short one. counts:
    which tokens are the figure; the others' cost is in it.
    """

    streams: int = 1
    answer: int
    words: int = 0
    counts: Literal["prompt", "answer"] = "answer"

    def chats(self, prompts: Prompts) -> list[Messages]:
        return [prompts.long(self.words) if self.words else prompts.short() for _ in range(self.streams)]


def everybody(subjects: Subjects, *, with_transformers: bool) -> dict[str, Subject]:
    return {
        OUR_SERVER: subjects.our_server,
        LLAMA_CPP: subjects.llama_cpp,
        OUR_ENGINE: subjects.our_engine,
        IK: subjects.ik,
        **({name: subjects.transformers(dtype) for dtype, name in TRANSFORMERS.items()} if with_transformers else {}),
    }


def speeds(load: Load, subjects: Mapping[str, Subject], prompts: Prompts, rounds: int) -> Found:
    """Tokens for each CPU second, by subject."""
    return rounds_of(lambda subject: _speed(load, subject, prompts), subjects, rounds)


def rounds_of(figure: Callable[[Served | Child], float], subjects: Mapping[str, Subject], rounds: int) -> Found:
    """A figure of each subject in each round. Each works once beforehand: it compiles, and takes its memory."""
    present = {name: partial(figure, subject) for name, subject in subjects.items() if not isinstance(subject, Absent)}
    for name, once in present.items():
        measure.say(f"{name} warms up")
        once()
    found = measure.interleaved(present, rounds=rounds)
    return {name: subject if isinstance(subject, Absent) else found[name] for name, subject in subjects.items()}


def best(found: Found, names: Sequence[str]) -> Sequence[float] | Absent:
    """The speeds of whichever of some subjects has the highest median."""
    speeds = [values for name in names if not isinstance(values := found[name], Absent)]
    return max(speeds, key=measure.median)


def _speed(load: Load, subject: Served | Child, prompts: Prompts) -> float:
    chats = load.chats(prompts)
    if isinstance(subject, Served):
        answers, cpu_s = subject.generate(chats, load.answer, ignore_eos=True)
        counted = sum(answer.prompt_tokens if load.counts == "prompt" else answer.tokens for answer in answers)
        return counted / cpu_s
    ids = prompts.ids(chats)
    done = subject.ask("generate", prompts=ids, answer=load.answer)
    counted = sum(map(len, ids)) if load.counts == "prompt" else done["tokens"]
    return float(counted / done["cpu_s"])
