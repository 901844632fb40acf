"""Recordings of llama-stack and ogx as ours: what they took down of calls of an SDK becomes the exchange over HTTP that
the call was.

    {"test_id": "tests/a.py::test_b[...]",
     "request": {"method": "POST", "url": "http://host/v1/v1/chat/completions", "endpoint": "/v1/chat/completions",
                 "body": {...}, "model": "..."},
     "response": {"body": {"__type__": "openai...", "__data__": {...}} or [...], "is_streaming": false},
     "id_normalization_mapping": {}}

`url` is the client's address and `endpoint`, both with a `/v1`; the method of a list of models is told wrong. A request
that was taken down below an SDK has `url` and `payload` instead, a call of a tool `provider`, `tool_name` and `kwargs`.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple
from urllib.parse import urlsplit

import msgspec

from runtime.http.transport import EVENT_STREAM, server_of
from runtime.recording.documents import Recording, problem_of
from runtime.recording.streams import as_events
from runtime.sse import Json

_decode = msgspec.json.Decoder().decode
_PREFIXES = ("/v1/openai/v1/", "/v1/")
_NULL_ON_THE_WIRE = ("finish_reason", "logprobs", "content")
"""Members that servers send although they are null; an SDK adds all others that it knows."""
_OF_THE_SDK = ("extra_body", "extra_query", "extra_headers", "timeout")
_OF_OLLAMA = ("/api/generate", "/api/chat", "/api/embeddings", "/api/ps", "/api/pull")
_TAGS = "/api/tags"
_STATUS = re.compile(r"(?:Error code: |HTTP )(\d{3})\b(?: - )?")
_SEARCHED_RESULTS = 3
"""How many results a search asks for, unless somebody says otherwise; those of llama-stack and ogx said nothing."""
_JSON = {"content-type": "application/json"}
_EVENTS = {"content-type": EVENT_STREAM}
Named = Callable[[str, str, str], str | None]
"""The id of a provider, by its server, a test and a model."""


class NotImported(Exception):
    """A file that becomes no recording: says why."""


class Imported(NamedTuple):
    """models: whether it is a list of models, of which several are one."""

    recording: Recording
    models: bool = False


def imported(data: bytes, *, named: Named) -> Imported:
    """The recording in a file of llama-stack or ogx. Raises NotImported."""
    try:
        value = _decode(data)
    except (ValueError, RecursionError) as error:
        raise NotImported("it is not JSON") from error
    mapping = value.get("id_normalization_mapping") if isinstance(value, dict) else None
    if isinstance(mapping, dict) and mapping:
        value = _renamed(value, {name: normal for normal, name in mapping.items() if isinstance(name, str) and name})
    request, response = (value.get(name) if isinstance(value, dict) else None for name in ("request", "response"))
    if not isinstance(request, dict) or not isinstance(response, dict) or "body" not in response:
        raise NotImported("it is no recording of llama-stack or ogx")
    test = value.get("test_id") or request.get("test_id") or ""
    try:
        made = _of(request, response, test if isinstance(test, str) else "", named)
    except (LookupError, TypeError, ValueError, AttributeError) as error:
        raise NotImported(f"it is damaged ({type(error).__name__}: {error})") from error
    if problem := problem_of(made.recording.request, made.recording.answer):
        raise NotImported(f"it is damaged ({problem})")
    return made


def united(lists: list[Recording]) -> Recording:
    """One list of models of several, as they are answered together there."""
    entries = {one["id"]: one for each in lists for one in each.answer["json"]["data"]}
    data = [entries[name] for name in sorted(entries)]
    first = lists[0]
    return Recording(
        provider=first.provider,
        request=first.request,
        answer=first.answer | {"json": {"object": "list", "data": data}},
    )


def _renamed(value: Any, names: Mapping[str, str]) -> Any:
    """A value in whose texts ids have other names."""
    if isinstance(value, str):
        for name, other in names.items():
            value = value.replace(name, other)
        return value
    if isinstance(value, list):
        return [_renamed(one, names) for one in value]
    return {key: _renamed(one, names) for key, one in value.items()} if isinstance(value, dict) else value


def _of(request: Json, response: Json, test: str, named: Named) -> Imported:
    if "tool_name" in request:
        return Imported(_search(request, response, test))
    url, endpoint = request["url"], str(request.get("endpoint") or "")
    if url.startswith("vertexai://"):
        raise NotImported("it was taken above Google's SDK, and does not say what was asked of which address")
    if endpoint in _OF_OLLAMA:
        raise NotImported(f"`{endpoint}` is a path of Ollama's own, which no provider here asks")
    server, path = _place(url, endpoint)
    body = request.get("payload", request.get("body")) or {}
    is_models = endpoint == _TAGS or path.endswith("/models")
    model = str(body.get("model") or request.get("model") or "")
    provider = named(server, test, model)
    if provider is None:
        raise NotImported(f"nothing says whose address `{server or url}` is: name its provider")
    asked: Json = {"method": "GET" if is_models else str(request.get("method", "POST"))}
    asked |= {"server": server, "path": "/v1/models" if endpoint == _TAGS else path}
    if not is_models:
        asked |= {"headers": _JSON, "json": _body(body)}
        if query := body.get("extra_query"):
            asked["query"] = [[name, str(value)] for name, value in query.items()]
    answer = _models(response["body"]) if is_models else _answer(response, endpoint or path)
    scope = "" if is_models else test
    return Imported(
        Recording(provider=f"inference/{provider}", request=asked, answer=answer, scope=scope), models=is_models
    )


def _place(url: str, endpoint: str) -> tuple[str, str]:
    """The server and the path that were asked."""
    if "://" not in url:  # of Databricks: the host was left out
        server, whole = "", "/" + url.partition("/")[2]
    else:
        server, whole = server_of(url), urlsplit(url).path
    prefix = next((one for one in _PREFIXES if endpoint.startswith(one)), None)
    if prefix is None or not whole.endswith(endpoint):
        return server, whole
    return server, f"{whole.removesuffix(endpoint).rstrip('/')}/{endpoint.removeprefix(prefix)}"


def _body(body: Json) -> Json:
    """What an SDK has sent of what it was called with."""
    sent = {name: value for name, value in body.items() if value is not None and name not in _OF_THE_SDK}
    return sent | (body.get("extra_body") or {})


def _answer(response: Json, path: str) -> Json:
    body, is_stream = response["body"], bool(response.get("is_streaming"))
    events: list[Json] = []
    if is_stream:
        events = _lines(body) if body and isinstance(body[0], str) else [_event(_plain(one)) for one in body]
    if response.get("is_exception"):
        status, error = _exception(response)
        if not is_stream:
            return {"status": status, "headers": _JSON, "json": error}
        return {"status": 200, "headers": _EVENTS, "events": [*events, {"data": error}]}
    if not is_stream:
        if not isinstance(body, dict | list):
            raise NotImported("it has no answer")
        return {"status": response.get("status", 200), "headers": _JSON, "json": _plain(body)}
    if path.endswith("/completions"):
        events.append({"data": "[DONE]"})
    return {"status": 200, "headers": _EVENTS, "events": events}


def _lines(lines: list[str]) -> list[Json]:
    return as_events("\n".join(lines).encode())


def _event(data: Any) -> Json:
    """Events of a response have names, which are their types."""
    kind = data.get("type") if isinstance(data, dict) else None
    return {"event": kind, "data": data} if isinstance(kind, str) else {"data": data}


def _exception(response: Json) -> tuple[int, Json]:
    """The status and the error that an SDK has made an exception of."""
    facts = response.get("exception_data") or {}
    message = str(facts.get("message") or response.get("exception_message") or "")
    said = _STATUS.match(message)
    status = facts.get("status_code") if facts.get("category") == "provider_sdk" else int(said[1]) if said else None
    if not isinstance(status, int):
        raise NotImported("it is an exception that no server has answered")
    body = facts.get("body")
    if not isinstance(body, dict):
        body = {"message": _STATUS.sub("", message, count=1)}
    return status, body if "error" in body else {"error": body}


def _models(body: Any) -> Json:
    """A list of models as `GET /v1/models` answers; what Ollama lists in a form of its own, as it does there too."""
    entries = _plain(body)
    if isinstance(entries, dict):
        entries = [
            {"id": one.get("model") or one["name"], "object": "model", "created": 0, "owned_by": "library"}
            for one in entries["models"]
        ]
    if not isinstance(entries, list) or not all(isinstance(one["id"], str) for one in entries):
        raise ValueError("its models are no list of models")
    return {"status": 200, "headers": _JSON, "json": {"object": "list", "data": entries}}


def _search(request: Json, response: Json, test: str) -> Recording:
    """A search at Tavily: its results are as Tavily has sent them, and only what was asked is asked otherwise here."""
    if request.get("provider") != "tavily":
        raise NotImported(f"it is a call of `{request.get('provider')}`, and does not say what was asked of a server")
    result = _plain(response["body"])
    content = result.get("content") if isinstance(result, dict) else None
    if isinstance(content, list):
        content = "".join(part.get("text", "") for part in content)
    try:
        found = _decode(content or "")
    except ValueError as error:
        raise NotImported("the results of its search are not as Tavily sends them") from error
    query = request["kwargs"]["query"]
    results = found.get("top_k", found.get("results"))
    if not isinstance(results, list):
        raise NotImported("the results of its search are not as Tavily sends them")
    asked: Json = {"method": "POST", "path": "/search", "headers": _JSON}
    asked["json"] = {"query": query, "max_results": _SEARCHED_RESULTS}
    answer = {"status": 200, "headers": _JSON, "json": {"query": found.get("query", query), "results": results}}
    return Recording(provider="tool_runtime/tavily-search", request=asked, answer=answer, scope=test)


def _plain(value: Any) -> Any:
    """A value without the names of types, and without what a type has added."""
    if isinstance(value, list):
        return [_plain(one) for one in value]
    if not isinstance(value, dict):
        return value
    if "__type__" in value and "__data__" in value:
        return _without_nulls(value["__data__"])
    return {name: _plain(inner) for name, inner in value.items()}


def _without_nulls(value: Any) -> Any:
    if isinstance(value, list):
        return [_without_nulls(one) for one in value]
    if not isinstance(value, dict):
        return value
    return {
        name: _without_nulls(inner) for name, inner in value.items() if inner is not None or name in _NULL_ON_THE_WIRE
    }
