"""Models under names of one's own: registered, served, refused twice, removed."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.support.stack_home import Stack

pytestmark = pytest.mark.e2e

NAME = "an-application/hard-coded:name"


@pytest.fixture
def registered(stack: Stack, text_model: str) -> Iterator[str]:
    provider_id, _, own_name = text_model.partition("/")
    stack.post("/v1/models", {"model_id": NAME, "provider_id": provider_id, "provider_model_id": own_name})
    yield NAME
    if NAME in stack.models():
        stack.delete(f"/v1/models/{NAME}")


def test_a_registered_name_is_listed_retrieved_and_answers_with_its_name(
    stack: Stack, registered: str, text_model: str
) -> None:
    assert registered in stack.models()
    found = stack.get(f"/v1/models/{registered}")
    assert (found["id"], found["provider_resource_id"]) == (registered, text_model.partition("/")[2])
    assert stack.chat(registered)["model"] == registered


def test_the_models_own_name_still_serves(stack: Stack, registered: str, text_model: str) -> None:
    assert stack.chat(text_model)["model"] == text_model


def test_registering_the_same_again_changes_nothing(stack: Stack, registered: str, text_model: str) -> None:
    provider_id, _, own_name = text_model.partition("/")
    body = {"model_id": registered, "provider_id": provider_id, "provider_model_id": own_name}
    assert stack.post("/v1/models", body)["id"] == registered
    assert stack.models().count(registered) == 1


def test_a_taken_name_is_a_conflict(stack: Stack, registered: str, embedding_model: str) -> None:
    provider_id, _, own_name = embedding_model.partition("/")
    body = {
        "model_id": registered, "provider_id": provider_id, "provider_model_id": own_name,
        "model_type": "embedding", "metadata": {"embedding_dimension": 384},
    }  # fmt: skip
    error = stack.post("/v1/models", body, status=409)["error"]
    assert error["code"] == "conflict" and "unregister it first" in error["message"]


def test_a_removed_name_is_gone(stack: Stack, registered: str) -> None:
    stack.delete(f"/v1/models/{registered}")
    assert registered not in stack.models()
    assert stack.chat(registered, status=404)["code"] == "model_not_found"
    stack.delete(f"/v1/models/{registered}", status=404)


def test_what_a_provider_lists_cannot_be_removed(stack: Stack, text_model: str) -> None:
    error = stack.delete(f"/v1/models/{text_model}", status=409)["error"]
    assert f"`{text_model}`" in error["message"]


def test_an_unknown_provider_is_refused_with_those_there_are(stack: Stack, text_model: str) -> None:
    body = {"model_id": "x", "provider_id": text_model.partition("/")[0] + "x", "provider_model_id": "x"}
    error = stack.post("/v1/models", body, status=400)["error"]
    assert error["param"] == "provider_id" and f"`{text_model.partition('/')[0]}`" in error["message"]
