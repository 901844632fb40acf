"""How near each subject's distributions are to the model's: mean Kullback-Leibler divergence, in nats a token, from
those of the dequantised weights in float32 as transformers computes them, after each token of a fixed text.

Engines prefill and decode in different ways, so each is measured in both: all of the text at once, and token by token.
Of ours the worse one counts, of ik_llama.cpp the better one: seen on a processor with avx512_vnni and without avx_vnni,
what it computes of Q4_1 by 32 tokens or more at once is another distribution altogether, a divergence of 1.4.
"""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np

from scripts.bench import load, measure
from scripts.bench.engine import budgets
from scripts.bench.engine.divergence import TOP, Floats, log_softmax, mean_divergence
from scripts.bench.engine.in_process.child import Child
from scripts.bench.engine.report import Report
from scripts.bench.engine.served import Served
from scripts.bench.engine.subjects import IK, LLAMA_CPP, OUR_ENGINE, Absent, Subjects


def run(subjects: Subjects, report: Report, rounds: int) -> None:
    """Once, whatever `rounds` is: the same is computed each time."""
    text = subjects.prompts.text()
    measure.say(f"nearness, over {len(text)} tokens")
    subjects.transformers("float32").ask("nearness", text=text, folder=str(subjects.folder))
    reference = log_softmax(np.load(subjects.folder / "reference.npy"))
    ours = _in_process(subjects.our_engine, text, subjects.folder, reference)
    assert not isinstance(ours, Absent), "our engine runs wherever the benchmark does"
    ik = _in_process(subjects.ik, text, subjects.folder, reference)
    llama_cpp = _llama_cpp(subjects.llama_cpp, text, reference)
    for way in ("prefill", "decode"):
        theirs = ik if isinstance(ik, Absent) else [ik[way]]
        report.figures(f"KL to float32, by {way}, nats a token", {OUR_ENGINE: [ours[way]], IK: theirs}, 5)
    report.figures("KL to float32, by decode, nats a token", {LLAMA_CPP: llama_cpp}, 5)
    report.ratio(budgets.NEARNESS_LLAMA_CPP, llama_cpp, [max(ours.values())])
    report.ratio(budgets.NEARNESS_IK, ik if isinstance(ik, Absent) else [min(ik.values())], [max(ours.values())])


def _in_process(subject: Child | Absent, text: list[int], folder: Path, reference: Floats) -> dict[str, float] | Absent:
    """By `prefill` and `decode`."""
    if isinstance(subject, Absent):
        return subject
    found = {}
    for way, where in subject.ask("nearness", text=text, folder=str(folder)).items():
        ids, logprobs = (np.load(folder / f"{way}-{what}.npy") for what in ("ids", "logprobs"))
        after = where["first"] - 1
        found[way] = mean_divergence(reference[after : after + len(ids)], ids, logprobs)
    return found


def _llama_cpp(served: Served | Absent, text: list[int], reference: Floats) -> list[float] | Absent:
    """By decoding: all of a prompt but its last token is in the server's cache."""
    if isinstance(served, Absent):
        return served
    places = [_likeliest(served, text[:end]) for end in range(1, len(text))]
    ids, logprobs = (np.array([list(column(place)) for place in places]) for column in (dict.keys, dict.values))
    return [mean_divergence(reference, ids, logprobs)]


def _likeliest(served: Served, prompt: list[int]) -> dict[int, float]:
    """Log-probabilities of the likeliest tokens after a prompt."""
    body = {"prompt": prompt, "n_predict": 1, "temperature": 0, "n_probs": TOP, "cache_prompt": True, "id_slot": 0}
    status, data = served.server.ask("POST", "/completion", body)
    if status != 200:
        raise load.WrongAnswer(f"{status}: {data[:500]!r}")
    [token] = json.loads(data)["completion_probabilities"]
    return {entry["id"]: entry["logprob"] for entry in token["top_logprobs"]}
