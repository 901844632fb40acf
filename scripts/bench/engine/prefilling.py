"""Prefilling a prompt of about 500 tokens that no cache has seen."""

from __future__ import annotations

from scripts.bench import measure
from scripts.bench.engine import budgets
from scripts.bench.engine.report import Report
from scripts.bench.engine.speed import Load, best, everybody, speeds
from scripts.bench.engine.subjects import IK, LLAMA_CPP, OUR_ENGINE, OUR_SERVER, TRANSFORMERS, Subjects

WORDS = 470


def run(subjects: Subjects, report: Report, rounds: int) -> None:
    measure.say("prefill")
    compared = everybody(subjects, with_transformers=True)
    found = speeds(Load(words=WORDS, answer=1, counts="prompt"), compared, subjects.prompts, rounds)
    report.figures("prefill, about 500 tokens, tokens a CPU s", found)
    report.ratio(budgets.PREFILL_LLAMA_CPP, found[OUR_SERVER], found[LLAMA_CPP])
    report.ratio(budgets.PREFILL_IK, found[OUR_ENGINE], found[IK])
    report.ratio(budgets.PREFILL_TRANSFORMERS, found[OUR_ENGINE], best(found, list(TRANSFORMERS.values())))
