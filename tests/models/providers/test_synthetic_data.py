"""Rows that the embedded model makes up: constrained by their schema, scored by their probability."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from runtime.conformance.stacks import run_config, serving

pytestmark = pytest.mark.smollm2

ENGINE = {
    "provider_id": "llama",
    "provider_type": "inline::meta-reference",
    "config": {"model": "SmolLM2-135M-Instruct", "device": "cpu", "dtype": "quantized", "threads": 1},
}
# Bounded, so that a model which knows no end comes to one.
ANIMAL = {
    "type": "object",
    "properties": {
        "name": {"type": "string", "minLength": 2, "maxLength": 12},
        "legs": {"type": "integer", "minimum": 0, "maximum": 8},
        "lives": {"enum": ["in water", "on land"]},
    },
    "required": ["name", "legs", "lives"],
    "additionalProperties": False,
}
SEEDS = [{"name": "horse", "legs": 4, "lives": "on land"}, {"name": "shark", "legs": 0, "lives": "in water"}]


def is_animal(row: Any) -> bool:
    return (
        list(row) == ["name", "legs", "lives"]
        and 2 <= len(row["name"]) <= 12
        and 0 <= row["legs"] <= 8
        and row["lives"] in ("in water", "on land")
    )


async def test_rows_fit_their_schema_differ_and_are_the_same_for_a_seed(tmp_path: Path) -> None:
    asked = {
        "row_schema": ANIMAL, "seed_rows": SEEDS, "num_samples": 3, "max_attempts": 24, "max_tokens": 60, "seed": 1,
        "temperature": 1.5, "filtering_function": "top_k", "top_k": 2,
    }  # fmt: skip
    one_by_one = {"provider_id": "maker", "provider_type": "inline::builtin", "config": {"max_concurrent_requests": 1}}
    config = run_config(providers={"inference": [ENGINE], "synthetic_data_generation": [one_by_one]})
    async with serving(config, tmp_path) as served:
        made = [await served.client.post("/v1/synthetic-data-generation/generate", asked) for _ in range(2)]
    assert [answer.status for answer in made] == [200, 200], made[0].body
    rows, statistics = made[0].json()["synthetic_data"], made[0].json()["statistics"]
    assert len(rows) == 2 and all(map(is_animal, rows))
    assert len({row["name"].casefold() for row in rows}) == 2 and not any(row in SEEDS for row in rows)
    assert (statistics["num_wrong"], statistics["num_failed"], statistics["ended"]) == (0, 0, "enough")
    assert statistics["scored_by"] == "logprob" and all(score < 0 for score in statistics["scores"])
    assert made[1].json()["synthetic_data"] == rows
