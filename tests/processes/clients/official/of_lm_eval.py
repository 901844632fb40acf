"""lm-evaluation-harness: rows of ours as a task of its own, asked of a server of ours."""

from __future__ import annotations

import os
from typing import Any

from driver import serve

os.environ |= {"HF_HUB_OFFLINE": "1", "OPENAI_API_KEY": "none"}

import datasets
import lm_eval
from lm_eval.api.task import ConfigurableTask

TASK = "rows"


def evaluated(url: str, model: str, rows: list[dict[str, str]], max_tokens: int) -> Any:
    """What the model has answered to each row's `question`, and whether that is its `answer`."""
    task = ConfigurableTask(
        config={
            "task": TASK,
            "custom_dataset": lambda **_: {"test": datasets.Dataset.from_list(rows)},
            "test_split": "test",
            "output_type": "generate_until",
            "doc_to_text": "{{question}}",
            "doc_to_target": "{{answer}}",
            "generation_kwargs": {"until": ["\n\n\n"], "max_gen_toks": max_tokens, "temperature": 0.0},
            "metric_list": [{"metric": "exact_match", "aggregation": "mean", "higher_is_better": True}],
        }
    )
    asked = {
        "base_url": f"{url}/v1/chat/completions",
        "model": model,
        "tokenized_requests": False,
        "tokenizer_backend": None,
        "max_retries": 1,
    }
    found = lm_eval.simple_evaluate(
        model="local-chat-completions",
        model_args=asked,
        tasks=[task],
        apply_chat_template=True,
        log_samples=True,
        bootstrap_iters=0,
    )
    samples = sorted(found["samples"][TASK], key=lambda sample: sample["doc_id"])
    return {
        "answers": [sample["resps"][0][0] for sample in samples],
        "scores": {"exact": [float(sample["exact_match"]) for sample in samples]},
        "means": {"exact": float(found["results"][TASK]["exact_match,none"])},
    }


if __name__ == "__main__":
    serve("lm-eval", {"evaluated": evaluated})
