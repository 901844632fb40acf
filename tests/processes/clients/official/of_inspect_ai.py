"""Inspect: rows of ours as a task of its own, asked of a server of ours."""

from __future__ import annotations

from tempfile import TemporaryDirectory
from typing import Any

from driver import serve
from inspect_ai import Task, eval
from inspect_ai.dataset import MemoryDataset, Sample
from inspect_ai.log import EvalLog
from inspect_ai.model import GenerateConfig, get_model
from inspect_ai.scorer import includes, match
from inspect_ai.solver import generate

SCORERS = {"exact": match(location="exact", ignore_case=False), "part": includes(ignore_case=False)}


def evaluated(url: str, model: str, rows: list[dict[str, str]], max_tokens: int) -> Any:
    """What the model has answered to each row's `question`, and whether that is, or has in it, its `answer`."""
    asked = get_model(
        f"openai/{model}",
        base_url=f"{url}/v1",
        api_key="none",
        responses_api=False,
        config=GenerateConfig(max_tokens=max_tokens, temperature=0, stop_seqs=["\n\n\n"]),
    )
    samples = [Sample(id=at, input=row["question"], target=row["answer"]) for at, row in enumerate(rows)]
    task = Task(dataset=MemoryDataset(samples), solver=[generate()], scorer=list(SCORERS.values()))
    with TemporaryDirectory() as folder:  # what is in it is read when it is looked at
        [log] = eval(task, model=asked, display="none", log_dir=folder, log_samples=True)
        return _told(log)


def _told(log: EvalLog) -> Any:
    assert log.status == "success" and log.results and log.samples, log.error
    answered = sorted(log.samples, key=lambda sample: sample.id)
    named = dict(zip(SCORERS, log.results.scores, strict=True))
    return {
        "answers": [sample.output.completion for sample in answered],
        "scores": {
            name: [float(sample.scores[score.name].value == "C") for sample in answered]
            for name, score in named.items()
        },
        "means": {name: score.metrics["accuracy"].value for name, score in named.items()},
    }


if __name__ == "__main__":
    serve("inspect-ai", {"evaluated": evaluated})
