"""Datasets, scores and evaluations, as each version of llama-stack's own client asks for them."""

from __future__ import annotations

import time
from contextlib import suppress
from typing import Any

from driver import failure
from of_openai import client

LIMIT_S = 60.0
EQUALITY, PART = "basic::equality", "basic::subset_of"


def evaluations(url: str, model: str, rows: list[dict[str, str]], name: str) -> Any:
    """Rows become a dataset, which becomes a benchmark, which a model is asked."""
    at = client(url)
    datasets, benchmarks, evals = _of(at, "datasets"), _of(at, "benchmarks"), _of(at, "eval")
    made = datasets.register(
        dataset_id=name, purpose="eval/question-answer", source={"type": "rows", "rows": rows[:-1]}, metadata={"a": 1}
    )
    _append(at, datasets, name, rows[-1:])
    page = datasets.iterrows(name, start_index=0, limit=1)
    told: dict[str, Any] = {
        "dataset": [made.identifier, made.purpose, made.metadata],
        "datasets": [each.identifier for each in datasets.list()],
        "read": datasets.retrieve(name).identifier,
        "page": [page.data, page.has_more],
        "rows": datasets.iterrows(name).data,
    }
    told |= _scores(at, name)
    benchmarks.register(benchmark_id=name, dataset_id=name, scoring_functions=[EQUALITY, PART], metadata={"b": 2})
    told["benchmark"] = [benchmarks.retrieve(name).scoring_functions, [each.identifier for each in benchmarks.list()]]
    candidate = {"type": "model", "model": model, "sampling_params": {"strategy": {"type": "greedy"}, "max_tokens": 16}}
    asked = {"eval_candidate": candidate, "scoring_params": {}}
    job = evals.run_eval(name, benchmark_config=asked)
    told["job"] = _ended(evals, job.job_id, name)
    result = evals.jobs.retrieve(job.job_id, benchmark_id=name)
    told["result"] = _result(result)
    at_once = evals.evaluate_rows(name, benchmark_config=asked, input_rows=rows[:1], scoring_functions=[EQUALITY])
    told["at_once"] = _result(at_once)
    told["unknown"] = failure(lambda: evals.jobs.status("job_unknown", benchmark_id=name))
    told["ended"] = failure(lambda: evals.jobs.cancel(job.job_id, benchmark_id=name))
    other = f"{name}-other"
    datasets.register(dataset_id=other, purpose="eval/question-answer", source={"type": "rows", "rows": rows})
    datasets.unregister(other)
    told["not_found"] = failure(lambda: datasets.retrieve(other))
    return {**told, "job_id": job.job_id}


def evaluated_before(url: str, name: str, job_id: str) -> Any:
    """What is there of it after a restart."""
    at = client(url)
    evals = _of(at, "eval")
    return {
        "rows": _of(at, "datasets").iterrows(name).data,
        "functions": [each.identifier for each in at.scoring_functions.list()],
        "benchmarks": [each.identifier for each in _of(at, "benchmarks").list()],
        "job": evals.jobs.status(job_id, benchmark_id=name).status,
        "result": _result(evals.jobs.retrieve(job_id, benchmark_id=name)),
    }


def _scores(at: Any, dataset_id: str) -> dict[str, Any]:
    params = {"type": "basic", "aggregation_functions": ["accuracy"]}
    at.scoring_functions.register(
        scoring_fn_id="mine",
        description="Mine",
        return_type={"type": "number"},
        provider_scoring_fn_id="equality",
        provider_id="basic",
        params=params,
    )
    unknown = {"basic::equal": None}
    rows = [{"generated_answer": answer, "expected_answer": "Paris"} for answer in ("Paris", "Rome")]
    scored = at.scoring.score(input_rows=rows, scoring_functions={"mine": None, EQUALITY: params})
    of_dataset = at.scoring.score_batch(
        dataset_id=_answered(at, dataset_id, rows), save_results_dataset=False, scoring_functions={EQUALITY: params}
    )
    return {
        "function": [at.scoring_functions.retrieve("mine").description, at.scoring_functions.retrieve(EQUALITY).type],
        "functions": [each.identifier for each in at.scoring_functions.list()],
        "scored": {name: [row["score"] for row in result.score_rows] for name, result in scored.results.items()},
        "accuracy": scored.results[EQUALITY].aggregated_results["accuracy"]["accuracy"],
        "of_dataset": of_dataset.results[EQUALITY].aggregated_results["accuracy"]["accuracy"],
        "unknown_function": failure(lambda: at.scoring.score(input_rows=rows, scoring_functions=unknown)),
    }


def _answered(at: Any, name: str, rows: list[dict[str, str]]) -> str:
    source = {"type": "rows", "rows": rows}
    made = _of(at, "datasets").register(dataset_id=f"{name}-answered", purpose="eval/question-answer", source=source)
    return str(made.identifier)


def _of(at: Any, name: str) -> Any:
    """Where this version has them: older ones at the top, newer ones below `beta` or `alpha`."""
    for place in (at, getattr(at, "beta", None), getattr(at, "alpha", None)):
        with suppress(AttributeError):
            return getattr(place, name)
    raise AttributeError(name)


def _append(at: Any, datasets: Any, name: str, rows: list[dict[str, str]]) -> None:
    if hasattr(datasets, "appendrows"):
        datasets.appendrows(name, rows=rows)
    else:  # 0.2 has no call for it, and its server has the path
        at.post(f"/v1/datasetio/append-rows/{name}", body={"rows": rows}, cast_to=object)


def _ended(evals: Any, job_id: str, benchmark_id: str) -> str:
    limit = time.monotonic() + LIMIT_S
    while (status := evals.jobs.status(job_id, benchmark_id=benchmark_id).status) in ("scheduled", "in_progress"):
        assert time.monotonic() < limit, status
        time.sleep(0.05)
    return str(status)


def _result(found: Any) -> Any:
    return {
        "answers": [each["generated_answer"] for each in found.generations],
        "scores": {name: [row["score"] for row in result.score_rows] for name, result in found.scores.items()},
    }
