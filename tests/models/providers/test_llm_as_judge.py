"""The embedded model as a judge: whatever it thinks of answers, it says it in the form that it is held to."""

from __future__ import annotations

from pathlib import Path

import pytest

from runtime.conformance.stacks import run_config, serving

pytestmark = pytest.mark.smollm2

MODEL = "SmolLM2-135M-Instruct"
ENGINE = {
    "provider_id": "llama",
    "provider_type": "inline::meta-reference",
    "config": {"model": MODEL, "device": "cpu", "dtype": "quantized", "threads": 1},
}
JUDGE = {
    "provider_id": "llm-as-judge",
    "provider_type": "inline::llm-as-judge",
    "config": {"judge_model": f"llama/{MODEL}", "max_tokens": 160},
}
ROW = {
    "input_query": "What is the capital of France?",
    "generated_answer": "Paris",
    "expected_answer": "Paris",
    "other_answer": "Lyon",
}


async def test_an_embedded_judge_keeps_to_the_form(tmp_path: Path) -> None:
    run = run_config(providers={"inference": [ENGINE], "scoring": [JUDGE]})
    told = {
        "type": "llm_as_judge",
        "judge_model": f"llama/{MODEL}",
        "prompt_template": "How helpful is this answer to `{input_query}`?\n{generated_answer}",
        "score_range": [1, 5],
    }
    functions = {"llm-as-judge::base": told, "llm-as-judge::405b-simpleqa": None, "llm-as-judge::pairwise": None}
    async with serving(run, tmp_path) as served:
        body = {"input_rows": [ROW], "scoring_functions": functions}
        answer = await served.client.post("/v1/scoring/score", body)
    assert answer.status == 200, answer.body
    [base], [simpleqa], [pairwise] = (answer.json()["results"][name]["score_rows"] for name in functions)
    for row, of_the_scale in (
        (base, lambda score: 1 <= score <= 5),
        (simpleqa, lambda score: score in ("correct", "incorrect", "not_attempted")),
        (pairwise, lambda score: score in (0, 0.5, 1)),
    ):
        if row["score"] is None:  # it is a small model, and may write on and on
            assert "is cut off after the 160 tokens" in row["error"] and row["judge_feedback"].startswith("{")
        else:
            assert of_the_scale(row["score"]), row
