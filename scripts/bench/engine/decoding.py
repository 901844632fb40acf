"""Decoding, 1, 8 and 16 streams at once, and what the server takes of it."""

from __future__ import annotations

from scripts.bench import measure
from scripts.bench.engine import budgets
from scripts.bench.engine.report import Report
from scripts.bench.engine.speed import Load, best, everybody, speeds
from scripts.bench.engine.subjects import IK, LLAMA_CPP, OUR_ENGINE, OUR_GUESSING, OUR_SERVER, TRANSFORMERS, Subjects

_ANSWER = {1: 128, 8: 64, 16: 64}
"""Streams -> tokens of each answer: enough that the short prompt's cost is a few percent."""


def run(subjects: Subjects, report: Report, rounds: int) -> None:
    for streams, answer in _ANSWER.items():
        measure.say(f"decode, streams: {streams}")
        compared = {**everybody(subjects, with_transformers=streams != 8), OUR_GUESSING: subjects.our_guessing}
        found = speeds(Load(streams=streams, answer=answer), compared, subjects.prompts, rounds)
        report.figures(f"decode, streams: {streams}, tokens a CPU s", found)
        if streams == 1:
            report.ratio(budgets.DECODE_LLAMA_CPP, found[OUR_SERVER], found[LLAMA_CPP])
            report.ratio(budgets.DECODE_IK, found[OUR_ENGINE], found[IK])
            report.ratio(budgets.DECODE_TRANSFORMERS, found[OUR_ENGINE], best(found, list(TRANSFORMERS.values())))
        elif streams == 8:
            report.ratio(budgets.DECODE_8_LLAMA_CPP, found[OUR_SERVER], found[LLAMA_CPP])
        else:
            report.ratio(budgets.DECODE_16_LLAMA_CPP, found[OUR_SERVER], found[LLAMA_CPP])
            report.ratio(budgets.DECODE_16_TRANSFORMERS, found[OUR_ENGINE], best(found, list(TRANSFORMERS.values())))
            report.ratio(budgets.SERVER, found[OUR_SERVER], found[OUR_ENGINE])
