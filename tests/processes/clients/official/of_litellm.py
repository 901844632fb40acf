"""litellm as a client of an OpenAI-compatible server."""

from __future__ import annotations

import json
from typing import Any

import litellm
from driver import OPENAI_TOOLS, PERSON, PERSON_SCHEMA, SAY, TEXTS, USE_TOOLS, failure, serve, use
from person import Person


def create(url: str, model: str, messages: str | list[Any], **fields: Any) -> Any:
    if isinstance(messages, str):
        messages = [{"role": "user", "content": messages}]
    return litellm.completion(model=f"openai/{model}", messages=messages, **_at(url), **fields)


def models(url: str) -> Any:
    return litellm.get_valid_models(check_provider_endpoint=True, custom_llm_provider="openai", api_base=f"{url}/v1",
                                    api_key="none")  # fmt: skip


def chat(url: str, model: str, **fields: Any) -> Any:
    answer = create(url, model, SAY, **fields)
    [choice] = answer.choices
    return {"text": choice.message.content, "finish": choice.finish_reason, "usage": _usage(answer.usage)}


def stream(url: str, model: str, **fields: Any) -> Any:
    chunks = list(create(url, model, SAY, stream=True, stream_options={"include_usage": True}, **fields))
    choices = [choice for chunk in chunks for choice in chunk.choices]
    parts = [part for choice in choices if (part := choice.delta.content)]
    [finish] = [choice.finish_reason for choice in choices if choice.finish_reason]
    return {"text": "".join(parts), "parts": len(parts), "finish": finish, "usage": _usage(chunks[-1].usage)}


def reasoning(url: str, model: str) -> Any:
    return create(url, model, SAY, **_EFFORT).choices[0].message.reasoning_content


def streamed_reasoning(url: str, model: str) -> Any:
    chunks = create(url, model, SAY, stream=True, **_EFFORT)
    return "".join(getattr(chunk.choices[0].delta, "reasoning_content", None) or "" for chunk in chunks)


def tools(url: str, model: str) -> Any:
    asked = {"role": "user", "content": USE_TOOLS}
    message = create(url, model, [asked], tools=OPENAI_TOOLS, tool_choice="auto").choices[0].message
    calls = _calls(message)
    told = [
        {"role": "tool", "tool_call_id": call.id, "content": use(each["name"], each["arguments"])}
        for call, each in zip(message.tool_calls, calls, strict=True)
    ]
    answer = create(url, model, [asked, message, *told], tools=OPENAI_TOOLS)
    return {"calls": calls, "answer": answer.choices[0].message.content}


def streamed_tools(url: str, model: str) -> Any:
    """Put together by litellm itself."""
    chunks = list(create(url, model, USE_TOOLS, tools=OPENAI_TOOLS, stream=True))
    return _calls(litellm.stream_chunk_builder(chunks).choices[0].message)


def structured(url: str, model: str) -> Any:
    schema = {"type": "json_schema", "json_schema": {"name": "person", "strict": True, "schema": PERSON_SCHEMA}}
    return {
        name: json.loads(create(url, model, PERSON, response_format=form).choices[0].message.content)
        for name, form in (("json_schema", schema), ("model", Person))
    }


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


def not_found(url: str, model: str) -> Any:
    return failure(lambda: create(url, model, SAY))


def bad_request(url: str, model: str) -> Any:
    return failure(lambda: create(url, model, SAY, frequency_penalty=9))


def leave(url: str, model: str) -> Any:
    answer = create(url, model, SAY, stream=True)
    first = next(answer)
    answer.completion_stream.close()
    return len(first.choices)


def broken(url: str, model: str) -> Any:
    return failure(lambda: list(create(url, model, SAY, stream=True)))


def _at(url: str) -> dict[str, Any]:
    return {"api_base": f"{url}/v1", "api_key": "none", "max_retries": 0, "timeout": 120}


_EFFORT = {"reasoning_effort": "low", "allowed_openai_params": ["reasoning_effort"]}


def _usage(usage: Any) -> list[int]:
    return [usage.prompt_tokens, usage.completion_tokens, usage.total_tokens]


def _calls(message: Any) -> list[dict[str, Any]]:
    return [
        {"name": call.function.name, "arguments": json.loads(call.function.arguments)} for call in message.tool_calls
    ]


SCENARIOS = (
    models, chat, stream, reasoning, streamed_reasoning, tools, streamed_tools, structured, completion, embeddings,
    rerank, not_found, bad_request, leave, broken,
)  # fmt: skip

if __name__ == "__main__":
    serve("litellm", {scenario.__name__: scenario for scenario in SCENARIOS})
