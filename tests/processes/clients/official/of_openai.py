"""OpenAI's Python client, and those with its shape: llama-stack-client and ogx-client.

`python of_openai.py PACKAGE`
"""

from __future__ import annotations

import importlib
import json
import sys
import time
from tempfile import mkdtemp
from typing import Any

from animals import QUESTION, WILD, AnimalStore
from driver import PERSON, PERSON_SCHEMA, SAY, TEXTS, USE_TOOLS, Scenario, failure, serve
from openai_shape import OpenAIShape
from person import Person
from responses_shape import RESPONSES_TOOLS, ResponsesShape, text_of, usage_of

PACKAGE = sys.argv[1]
_CLASSES = {"openai": "OpenAI", "llama-stack-client": "LlamaStackClient", "ogx-client": "OgxClient"}
LIBRARY = "library:"
_made: dict[str, Any] = {}


def client(url: str) -> Any:
    if url not in _made:
        _made[url] = made(url)
    return _made[url]


def made(url: str, **settings: Any) -> Any:
    """A client. url: or `library:` and a run config. settings: more of its own."""
    if url.startswith(LIBRARY):
        return as_library(url.removeprefix(LIBRARY), **settings)
    module = importlib.import_module(PACKAGE.replace("-", "_"))
    make = getattr(module, _CLASSES[PACKAGE])
    if hasattr(module, "Configuration"):  # ogx-client from 1.2 on is generated from another tool's templates
        return make(url, **settings)
    settings |= {"max_retries": 0, "timeout": 120}
    if PACKAGE == "openai":
        return make(base_url=f"{url}/v1", api_key="none", **settings)
    return make(base_url=url, **settings)


def as_library(config: str, **settings: Any) -> Any:
    """A client over a stack in this process; its state is nobody else's."""
    from runtime.client import LlamaStackAsLibraryClient

    own = {"state_dir": mkdtemp(), **settings}
    if PACKAGE != "openai":
        return LlamaStackAsLibraryClient(config, max_retries=0, timeout=120, **own)
    http_client = LlamaStackAsLibraryClient(config, **own).http_client()
    return importlib.import_module("openai").OpenAI(
        base_url="http://localhost/v1", api_key="none", max_retries=0, timeout=120, http_client=http_client
    )


def create(url: str, **fields: Any) -> Any:
    return client(url).chat.completions.create(**fields)


def models(url: str) -> Any:
    listed = client(url).models.list()
    return [getattr(model, "id", None) or model.identifier for model in getattr(listed, "data", listed)]


def structured(url: str, model: str) -> Any:
    told = _SHAPE.structured(url, model)
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


def files(url: str) -> Any:
    """A file that is kept, found, read and removed; in parts too, where the client can do that."""
    at = client(url).files
    content = b"a line\n" * 1000
    made = at.create(file=("notes.txt", content), purpose="assistants")
    listed = at.list()
    found = [each.id for each in getattr(listed, "data", listed)]
    told = {
        "made": [made.filename, made.purpose, made.bytes, made.id.startswith("file-")],
        "is_found": made.id in found and at.retrieve(made.id).filename == made.filename,
        "is_whole": _bytes_of(at.content(made.id)) == content,
        "deleted": at.delete(made.id).deleted,
        "not_found": failure(lambda: at.retrieve(made.id)),
    }
    if PACKAGE == "openai":
        uploads = client(url).uploads
        facts = {"bytes": len(content), "mime_type": "text/plain", "purpose": "user_data", "part_size": 2000}
        whole = uploads.upload_file_chunked(file=content, filename="parts.txt", **facts).file
        told["is_whole_in_parts"] = _bytes_of(at.content(whole.id)) == content
        at.delete(whole.id)
    return told


def batched(url: str, model: str, texts: list[str]) -> Any:
    """A batch of chats, followed to its end, read and found; and one that has ended and is to be cancelled."""
    at = client(url)
    asked = [
        {"custom_id": text, "method": "POST", "url": "/v1/chat/completions", "body": {"model": model, "messages": [
            {"role": "user", "content": text}]}}
        for text in texts
    ]  # fmt: skip
    content = "\n".join(json.dumps(one) for one in [*asked, {"custom_id": "malformed"}]).encode()
    file = at.files.create(file=("in.jsonl", content), purpose="batch")
    made = at.batches.create(input_file_id=file.id, endpoint="/v1/chat/completions", completion_window="24h")
    batch = made
    until = time.monotonic() + 60
    while batch.status not in ("completed", "failed") and time.monotonic() < until:
        time.sleep(0.05)
        batch = at.batches.retrieve(made.id)
    output, errors = (
        [json.loads(line) for line in _bytes_of(at.files.content(file_id)).splitlines()]
        for file_id in (batch.output_file_id, batch.error_file_id)
    )
    for file_id in (file.id, batch.output_file_id, batch.error_file_id):
        at.files.delete(file_id)
    listed = at.batches.list(limit=1)
    return {
        "status": [made.status, batch.status],
        "counts": [batch.request_counts.total, batch.request_counts.completed, batch.request_counts.failed],
        "answered": [[one["custom_id"], one["response"]["body"]["choices"][0]["message"]["role"]] for one in output],
        "failed": [one["custom_id"] for one in errors],
        "told": [[error.line, error.code] for error in batch.errors.data],
        "is_listed": [each.id for each in listed.data] == [made.id],
        "cancelled": failure(lambda: at.batches.cancel(made.id)),
        "not_found": failure(lambda: at.batches.retrieve("batch_none")),
    }


def stores(url: str) -> Any:
    """What a vector store finds, by a filter, and that it is gone afterwards."""
    at = client(url)
    store = AnimalStore(at)
    found = at.vector_stores.search(vector_store_id=store.id, query=QUESTION, filters=WILD)
    told = {
        "hits": [[hit.filename, dict(hit.attributes), hit.content[0].text] for hit in getattr(found, "data", found)],
        "deleted": store.remove(),
    }
    return {**told, "not_found": failure(lambda: at.vector_stores.retrieve(vector_store_id=store.id))}


def moderations(url: str, shield: str, texts: list[str], image: str) -> Any:
    """Which of the texts are flagged and as what, and an image, where the client can send one."""

    def flagged(given: Any) -> list[Any]:
        results = at.create(input=given, model=shield).results
        return [
            [name for name, is_flagged in _plain(result.categories).items() if is_flagged] if result.flagged else None
            for result in results
        ]

    at = client(url).moderations
    whole = at.create(input=texts[0], model=shield)
    [result] = whole.results
    told = {
        "texts": flagged(texts),
        "model": [whole.model, whole.id.startswith("modr-")],
        "score": _plain(result.category_scores)["violence"],
        "types": _plain(result.category_applied_input_types)["violence"],
        "not_found": failure(lambda: at.create(input=texts[0], model=f"{shield}x")),
    }
    if PACKAGE == "openai":
        part = {"type": "image_url", "image_url": {"url": image}}
        told["image"] = flagged([{"type": "text", "text": "Look"}, part])
    return told


def prompts(url: str) -> Any:
    """A prompt with two versions, the first of which is its default again in the end. OpenAI's client has none."""
    at = client(url).prompts
    text = "Say {{ what }}"
    made = at.create(prompt=text, variables=["what"])
    id = made.prompt_id
    changed = at.update(id, prompt="Say nothing", version=1)

    def known(listed: Any) -> list[Any]:
        items = [each for each in getattr(listed, "data", listed) if each.prompt_id == id]
        return [[each.version, each.prompt, each.is_default] for each in items]

    told = {
        "made": [made.version, made.prompt, made.variables, made.is_default],
        "changed": [changed.version, changed.prompt, changed.variables, changed.is_default],
        "conflict": failure(lambda: at.update(id, prompt="Say both", version=1)),
        "undeclared": failure(lambda: at.create(prompt=text)),
        "default": at.set_default_version(id, version=1).is_default,
        "read": [at.retrieve(id).prompt, at.retrieve(id, version=2).prompt],
        "listed": known(at.list()),
        "versions": known(at.versions.list(id)),
    }
    at.delete(id)
    return {**told, "not_found": failure(lambda: at.retrieve(id))}


def _plain(values: Any) -> dict[str, Any]:
    """By the names on the wire, as each client gives them."""
    return dict(values) if isinstance(values, dict) else dict(values.to_dict())


def _bytes_of(content: Any) -> bytes:
    """As each client gives it."""
    content = content.read() if hasattr(content, "read") else content
    return content.encode() if isinstance(content, str) else bytes(content)


def leave(url: str, model: str) -> Any:
    """Leaves a stream after its first part."""
    answer = _SHAPE.ask(url, model, SAY, stream=True)
    first = next(iter(answer))
    (getattr(answer, "close", None) or answer._response.close)()
    return len(first.choices)


def own_key(url: str, model: str, key: str) -> Any:
    """A key of the caller's own. OpenAI's client has no setting for it."""
    at = made(url, provider_data={"openai_api_key": key})
    return at.chat.completions.create(model=model, messages=[{"role": "user", "content": SAY}]).model


def response_structured(url: str, model: str) -> Any:
    """By the client's own helpers where it has them; else by the schema."""
    at = client(url).responses
    if PACKAGE != "openai":
        form = {"type": "json_schema", "name": "person", "strict": True, "schema": PERSON_SCHEMA}
        return {"json_schema": json.loads(text_of(at.create(model=model, input=PERSON, text={"format": form})))}
    told = {"parse": at.parse(model=model, input=PERSON, text_format=Person).output_parsed.model_dump()}
    with at.stream(model=model, input=PERSON, text_format=Person) as events:
        for _ in events:
            pass
        told["stream"] = events.get_final_response().output_parsed.model_dump()
    return told


def response_helpers(url: str, model: str) -> Any:
    """The events of the stream helper, which puts text and arguments together by itself."""
    with client(url).responses.stream(model=model, input=USE_TOOLS, tools=RESPONSES_TOOLS) as stream:
        events = list(stream)
        final = stream.get_final_response()
    texts = [event.snapshot for event in events if event.type == "response.output_text.delta"]
    calls = [event.snapshot for event in events if event.type == "response.function_call_arguments.delta"]
    return {
        "types": [event.type for event in events], "text": texts[-1] if texts else "", "arguments": calls[-1:],
        "final": [item.type for item in final.output], "usage": usage_of(final),
    }  # fmt: skip


def _parsed(url: str, model: str) -> Any:
    completions = getattr(client(url).chat.completions, "parse", None) or client(url).beta.chat.completions.parse
    message = completions(model=model, messages=[{"role": "user", "content": PERSON}], response_format=Person)
    return message.choices[0].message.parsed.model_dump()


# Not every version of llama-stack-client has a parameter for it.
_EFFORT: dict[str, Any] = {"reasoning_effort": "low"}
_SHAPE = OpenAIShape(create, {"extra_body": _EFFORT} if PACKAGE == "llama-stack-client" else _EFFORT)
_OWN: tuple[Scenario, ...] = (
    models, structured, completion, embeddings, rerank, files, batched, stores, moderations, prompts, leave, own_key,
    response_structured, response_helpers,
)  # fmt: skip
SCENARIOS: dict[str, Scenario] = {
    **_SHAPE.scenarios(),
    **ResponsesShape(lambda url: client(url).responses).scenarios(),
    **{own.__name__: own for own in _OWN},
}

if __name__ == "__main__":
    serve(PACKAGE, SCENARIOS)
