"""What a request of the inference API may hold, before any provider has seen it."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError

from runtime.apis.inference import CompletionRequest, EmbeddingsRequest

REQUESTS = [(CompletionRequest, "prompt"), (EmbeddingsRequest, "input")]


@pytest.mark.parametrize(("model", "field"), REQUESTS, ids=["completion", "embeddings"])
@pytest.mark.parametrize("one", ["text", [1, 2]])
def test_one_request_has_so_many_texts(model: Any, field: str, one: Any) -> None:
    assert len(getattr(model(model="m", **{field: [one] * 2048}), field)) == 2048
    with pytest.raises(ValidationError) as caught:
        model(model="m", **{field: [one] * 2049})
    assert {(error["loc"][0], error["msg"]) for error in caught.value.errors()} == {
        (field, "2049 texts, and at most 2048 in one request")
    }


@pytest.mark.parametrize(("model", "field"), REQUESTS, ids=["completion", "embeddings"])
@pytest.mark.parametrize("given", ["", [], [7] * 100_000])
def test_the_length_of_one_text_is_its_model_s_matter(model: Any, field: str, given: Any) -> None:
    assert getattr(model(model="m", **{field: given}), field) == given
