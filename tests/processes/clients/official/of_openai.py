"""OpenAI's Python client, and those with its shape: llama-stack-client and ogx-client.

`python of_openai.py PACKAGE`
"""

from __future__ import annotations

import importlib
import json
import sys
from typing import Any

from driver import OPENAI_TOOLS, PERSON, PERSON_SCHEMA, SAY, TEXTS, USE_TOOLS, failure, serve, use
from person import Person

PACKAGE = sys.argv[1]
_CLASSES = {"openai": "OpenAI", "llama-stack-client": "LlamaStackClient", "ogx-client": "OgxClient"}
_made: dict[str, Any] = {}


def client(url: str) -> Any:
    if url not in _made:
        _made[url] = made(url)
    return _made[url]


def made(url: str, **settings: Any) -> Any:
    """A client. settings: more of its own."""
    module = importlib.import_module(PACKAGE.replace("-", "_"))
    make = getattr(module, _CLASSES[PACKAGE])
    if hasattr(module, "Configuration"):  # ogx-client from 1.2 on is generated from another tool's templates
        return make(url, **settings)
    settings |= {"max_retries": 0, "timeout": 120}
    if PACKAGE == "openai":
        return make(base_url=f"{url}/v1", api_key="none", **settings)
    return make(base_url=url, **settings)


def create(url: str, model: str, messages: str | list[Any], **fields: Any) -> Any:
    if isinstance(messages, str):
        messages = [{"role": "user", "content": messages}]
    return client(url).chat.completions.create(model=model, messages=messages, **fields)


def models(url: str) -> Any:
    listed = client(url).models.list()
    return [getattr(model, "id", None) or model.identifier for model in getattr(listed, "data", listed)]


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
    return create(url, model, SAY, **_effort()).choices[0].message.reasoning_content


def streamed_reasoning(url: str, model: str) -> Any:
    deltas = [choice.delta for chunk in create(url, model, SAY, stream=True, **_effort()) for choice in chunk.choices]
    return "".join(getattr(delta, "reasoning_content", None) or "" for delta in deltas)


def tools(url: str, model: str) -> Any:
    asked = {"role": "user", "content": USE_TOOLS}
    message = create(url, model, [asked], tools=OPENAI_TOOLS, tool_choice="auto").choices[0].message
    calls = [{"name": call.function.name, "arguments": json.loads(call.function.arguments)}
             for call in message.tool_calls]  # fmt: skip
    said = {"role": "assistant", "tool_calls": [_call(call.id, call.function) for call in message.tool_calls]}
    told = [
        {"role": "tool", "tool_call_id": call.id, "content": use(each["name"], each["arguments"])}
        for call, each in zip(message.tool_calls, calls, strict=True)
    ]
    answer = create(url, model, [asked, said, *told], tools=OPENAI_TOOLS)
    return {"calls": calls, "answer": answer.choices[0].message.content}


def streamed_tools(url: str, model: str) -> Any:
    made: dict[int, dict[str, str]] = {}
    for chunk in create(url, model, USE_TOOLS, tools=OPENAI_TOOLS, stream=True):
        for choice in chunk.choices:
            for call in choice.delta.tool_calls or ():
                one = made.setdefault(call.index, {"name": "", "arguments": ""})
                one["name"] += (call.function and call.function.name) or ""
                one["arguments"] += (call.function and call.function.arguments) or ""
    return [{**one, "arguments": json.loads(one["arguments"])} for one in made.values()]


def structured(url: str, model: str) -> Any:
    schema = {"type": "json_schema", "json_schema": {"name": "person", "strict": True, "schema": PERSON_SCHEMA}}
    answer = create(url, model, PERSON, response_format=schema).choices[0].message.content
    told = {"json_schema": json.loads(answer)}
    if PACKAGE == "openai":
        told["parse"] = _parsed(url, model)
    return told


def completion(url: str, model: str, **fields: Any) -> Any:
    make = client(url).completions.create
    whole = make(model=model, prompt=SAY, max_tokens=6, **fields).choices[0].text
    parts = make(model=model, prompt=SAY, max_tokens=6, stream=True, **fields)
    return {"whole": whole, "streamed": "".join(choice.text for chunk in parts for choice in chunk.choices)}


def embeddings(url: str, model: str) -> Any:
    """By default OpenAI's client asks for base64 and unpacks it."""
    told = {}
    for form in ("default", "float", "base64"):
        given = {} if form == "default" else {"encoding_format": form}
        data = client(url).embeddings.create(model=model, input=TEXTS, **given).data
        told[form] = [each.embedding for each in data]
    return told


def rerank(url: str, model: str) -> Any:
    rows = client(url).alpha.inference.rerank(model=model, query="a cat", items=TEXTS)
    return [[row.index, row.relevance_score] for row in getattr(rows, "data", rows)]


def not_found(url: str, model: str) -> Any:
    return failure(lambda: create(url, model, SAY))


def bad_request(url: str, model: str) -> Any:
    return failure(lambda: create(url, model, SAY, frequency_penalty=9))


def leave(url: str, model: str) -> Any:
    """Leaves a stream after its first part."""
    answer = create(url, model, SAY, stream=True)
    first = next(iter(answer))
    (getattr(answer, "close", None) or answer._response.close)()
    return len(first.choices)


def broken(url: str, model: str) -> Any:
    return failure(lambda: list(create(url, model, SAY, stream=True)))


def own_key(url: str, model: str, key: str) -> Any:
    """A key of the caller's own. OpenAI's client has no setting for it."""
    at = made(url, provider_data={"openai_api_key": key})
    return at.chat.completions.create(model=model, messages=[{"role": "user", "content": SAY}]).model


def _usage(usage: Any) -> list[int]:
    """llama-stack-client 0.2 has no model of it."""
    counts = usage if isinstance(usage, dict) else vars(usage)
    return [counts["prompt_tokens"], counts["completion_tokens"], counts["total_tokens"]]


def _effort() -> dict[str, Any]:
    """Not every version of llama-stack-client has a parameter for it."""
    effort = {"reasoning_effort": "low"}
    return {"extra_body": effort} if PACKAGE == "llama-stack-client" else effort


def _call(call_id: str, function: Any) -> dict[str, Any]:
    return {
        "id": call_id,
        "type": "function",
        "function": {"name": function.name, "arguments": function.arguments},
    }


def _parsed(url: str, model: str) -> Any:
    completions = getattr(client(url).chat.completions, "parse", None) or client(url).beta.chat.completions.parse
    message = completions(model=model, messages=[{"role": "user", "content": PERSON}], response_format=Person)
    return message.choices[0].message.parsed.model_dump()


SCENARIOS = (
    models, chat, stream, reasoning, streamed_reasoning, tools, streamed_tools, structured, completion, embeddings,
    rerank, not_found, bad_request, leave, broken, own_key,
)  # fmt: skip

if __name__ == "__main__":
    serve(PACKAGE, {scenario.__name__: scenario for scenario in SCENARIOS})
