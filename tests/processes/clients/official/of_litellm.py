"""litellm as a client of an OpenAI-compatible server."""

from __future__ import annotations

import json
from types import SimpleNamespace
from typing import Any

import litellm
from driver import OPENAI_TOOLS, PERSON, SAY, TEXTS, USE_TOOLS, Scenario, serve
from litellm.responses.utils import ResponsesAPIRequestUtils
from openai_shape import OpenAIShape, calls_of
from person import Person
from responses_shape import ResponsesShape, text_of


def create(url: str, *, model: str, **fields: Any) -> Any:
    return litellm.completion(model=f"openai/{model}", **_at(url), **fields)


def models(url: str) -> Any:
    return litellm.get_valid_models(check_provider_endpoint=True, custom_llm_provider="openai", api_base=f"{url}/v1",
                                    api_key="none")  # fmt: skip


def streamed_tools(url: str, model: str) -> Any:
    """Put together by litellm itself."""
    chunks = list(_SHAPE.ask(url, model, USE_TOOLS, tools=OPENAI_TOOLS, stream=True))
    return calls_of(litellm.stream_chunk_builder(chunks).choices[0].message)


def structured(url: str, model: str) -> Any:
    by_model = _SHAPE.ask(url, model, PERSON, response_format=Person).choices[0].message.content
    return {**_SHAPE.structured(url, model), "model": json.loads(by_model)}


def completion(url: str, model: str, **fields: Any) -> Any:
    given = {"model": f"text-completion-openai/{model}", "prompt": SAY, "max_tokens": 6, **_at(url), **fields}
    parts = litellm.text_completion(**given, stream=True)
    whole = litellm.text_completion(**given).choices[0].text
    return {"whole": whole, "streamed": "".join(choice.text or "" for chunk in parts for choice in chunk.choices)}


def embeddings(url: str, model: str) -> Any:
    told = {}
    for form in ("default", "float"):
        given = {} if form == "default" else {"encoding_format": form}
        data = litellm.embedding(model=f"openai/{model}", input=TEXTS, **_at(url), **given).data
        told[form] = [each["embedding"] for each in data]
    return told


def rerank(url: str, model: str) -> Any:
    """Asked as a server of vLLM is: litellm's class for OpenAI-compatible servers has no rerank."""
    at = {"api_base": f"{url}/v1", "api_key": "none"}
    answer = litellm.rerank(model=f"hosted_vllm/{model}", query="a cat", documents=TEXTS, **at)
    return [[row["index"], row["relevance_score"]] for row in answer.results]


def responses(url: str) -> Any:
    """litellm's functions as the resource of OpenAI's client, whose names they do not have."""
    at = {"custom_llm_provider": "openai", **_at(url)}

    def create(*, model: str, **fields: Any) -> Any:
        # It asks for a stream only where it knows that the model has them.
        litellm.register_model({model: {"litellm_provider": "openai", "mode": "responses"}})
        answer = litellm.responses(model=f"openai/{model}", **_at(url), **fields)
        previous = fields.get("previous_response_id")
        if previous and getattr(answer, "previous_response_id", None) == _server_s(previous):
            answer.previous_response_id = previous
        return answer

    def listed(response_id: str) -> Any:
        return [SimpleNamespace(**item) for item in litellm.list_input_items(response_id, **at)["data"]]

    return SimpleNamespace(
        create=create,
        retrieve=lambda response_id: litellm.get_responses(response_id, **at),
        delete=lambda response_id: litellm.delete_responses(response_id, **at),
        input_items=SimpleNamespace(list=listed),
    )


def _server_s(response_id: str) -> str:
    """The id that a server gave a response. litellm puts it into another one, and leaves it as it is where a response
    names the one before.
    """
    known: str = ResponsesAPIRequestUtils.decode_previous_response_id_to_original_previous_response_id(response_id)
    return known


def response_structured(url: str, model: str) -> Any:
    answer = responses(url).create(model=model, input=PERSON, text_format=Person)
    return {"model": json.loads(text_of(answer))}


def leave(url: str, model: str) -> Any:
    answer = _SHAPE.ask(url, model, SAY, stream=True)
    first = next(answer)
    answer.completion_stream.close()
    return len(first.choices)


def _at(url: str) -> dict[str, Any]:
    return {"api_base": f"{url}/v1", "api_key": "none", "max_retries": 0, "timeout": 120}


_SHAPE = OpenAIShape(create, {"reasoning_effort": "low", "allowed_openai_params": ["reasoning_effort"]})
_OWN = (models, streamed_tools, structured, completion, embeddings, rerank, response_structured, leave)
SCENARIOS: dict[str, Scenario] = {
    **_SHAPE.scenarios(),
    **ResponsesShape(responses).scenarios(),
    **{own.__name__: own for own in _OWN},
}

if __name__ == "__main__":
    serve("litellm", SCENARIOS)
