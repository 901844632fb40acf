"""Any request that OpenAI's schema allows, at any vendor: it leaves in a form that the vendor documents, or is refused
by name. Nothing that the vendor passes over is sent without a word.

No vendor is called: the requests end where they would leave this machine.
"""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import Awaitable, Callable, Iterator
from functools import cache
from typing import Any
from urllib.parse import urlsplit

import pytest
from hypothesis import Phase, assume, given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from runtime.apis.inference.protocol import ChatCompletionRequest, CompletionRequest, EmbeddingsRequest, RerankRequest
from runtime.conformance.contexts import provider_context
from runtime.conformance.upstream import Habits
from runtime.context import RequestContext, serving
from runtime.discovery import load
from runtime.errors import RequestError
from runtime.http.client import HttpClient
from runtime.http.timeouts import Timeouts
from runtime.http.transport import Exchange, Outgoing
from runtime.providers.inference._openai_compatible.rules import WITHOUT_EFFECT
from runtime.providers.inference._openai_compatible.spec import OpenAICompatible
from runtime.spec import Spec
from tests.conformance.inference.subject import providers
from tests.conformance.inference.vendor import vendor_of

EXAMPLES = 160
"""Of each kind of request."""
VENDORS = [spec for spec in providers() if isinstance(spec.facts, OpenAICompatible)]


class Left(Exception):
    """A request that would leave this machine."""

    def __init__(self, request: Outgoing) -> None:
        self.request = request


class Ends:
    """A transport that goes nowhere."""

    async def send(self, request: Outgoing, timeouts: Timeouts) -> Exchange:
        raise Left(request)

    async def close(self) -> None:
        pass


def or_null(values: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    return values | st.none()


WORDS = st.sampled_from(["a", "JSON", "ä", ""])
NAMES = st.sampled_from(["add", "mul"])
SCHEMAS = st.sampled_from([{}, {"type": "object"}, {"type": "object", "properties": {"a": {"type": "string"}}}, None])
FUNCTIONS = st.fixed_dictionaries(
    {"name": NAMES}, optional={"strict": or_null(st.booleans()), "parameters": SCHEMAS, "description": or_null(WORDS)}
)
OF_FUNCTION = FUNCTIONS.map(lambda function: {"type": "function", "function": function})
OF_CUSTOM = NAMES.map(lambda name: {"type": "custom", "custom": {"name": name}})
TOOLS = OF_FUNCTION | OF_CUSTOM | st.sampled_from([{"type": "web_search"}, {"type": "mcp", "mcp": "x"}])
NAMED = NAMES.map(lambda name: {"type": "function", "function": {"name": name}})
CHOICES = (
    st.sampled_from(["none", "auto", "required", "any", {"type": "web_search"}])
    | NAMED
    | NAMES.map(lambda name: {"type": "custom", "custom": {"name": name}})
    | st.builds(
        lambda mode, tools: {"type": "allowed_tools", "allowed_tools": {"mode": mode, "tools": tools}},
        st.sampled_from(["auto", "required"]),
        st.lists(NAMED | st.just({"type": "mcp"}), min_size=1, max_size=2),
    )
)
FORMATS = st.sampled_from(
    [
        {"type": "text"},
        {"type": "json_object"},
        {"type": "json_schema", "json_schema": {"name": "x"}},
        {"type": "json_schema", "json_schema": {"name": "x", "schema": None, "strict": None}},
        {"type": "json_schema", "json_schema": {"name": "x", "schema": {"type": "object"}, "strict": True}},
    ]
)
PARTS = st.sampled_from(
    [
        {"type": "text", "text": "hi"},
        {"type": "refusal", "refusal": "no"},
        {"type": "image_url", "image_url": {"url": "data:image/png;base64,AAAA", "detail": None}},
        {"type": "image_url", "image_url": {"url": "https://example.com/a.png"}},
        {"type": "image_url", "image_url": "https://example.com/a.png"},
        {"type": "input_audio", "input_audio": {"data": "AAAA", "format": "wav"}},
        {"type": "file", "file": {"file_id": "f"}},
        {"type": "video_url", "video_url": 5},
    ]
)
CONTENT = WORDS | st.lists(PARTS, max_size=2) | st.none()
CALLS = st.sampled_from(
    [{"id": "1", "type": "function", "function": {"name": "add", "arguments": "{"}}, {"type": None}, {"type": "custom",
     "id": "2", "custom": {"name": "add", "input": ""}}]
)  # fmt: skip
MESSAGES = st.one_of(
    st.fixed_dictionaries(
        {"role": st.sampled_from(["user", "system", "developer"]), "content": CONTENT},
        optional={"name": or_null(WORDS), "vendor": st.just([1])},
    ),
    st.fixed_dictionaries(
        {"role": st.just("assistant")},
        optional={
            "content": CONTENT, "refusal": or_null(WORDS), "reasoning_content": or_null(WORDS), "name": or_null(WORDS),
            "annotations": st.just([]), "tool_calls": or_null(st.lists(CALLS, max_size=2)), "audio": st.none(),
        },
    ),
    st.fixed_dictionaries({"role": st.just("tool"), "tool_call_id": st.just("1"), "content": CONTENT}),
    st.fixed_dictionaries({"role": st.just("function"), "name": NAMES, "content": CONTENT}),
)  # fmt: skip
SAMPLING: dict[str, st.SearchStrategy[Any]] = {
    "stream": st.booleans(),
    "stream_options": st.sampled_from([{}, {"include_usage": True}]),
    "n": st.integers(1, 3),
    "temperature": st.floats(0, 2),
    "top_p": st.floats(0.1, 1),
    "max_tokens": st.integers(0, 9),
    "stop": st.sampled_from(["x", [], ["x", "y"]]),
    "seed": st.integers(-(2**63), 2**63 - 1),
    "frequency_penalty": st.floats(-2, 2),
    "presence_penalty": st.floats(-2, 2),
    "logit_bias": st.sampled_from([{}, {"5": 1}]),
    "user": WORDS,
}
CHATS: dict[str, st.SearchStrategy[Any]] = SAMPLING | {
    "max_completion_tokens": st.integers(0, 9),
    "logprobs": st.booleans(),
    "top_logprobs": st.integers(0, 3),
    "tools": st.lists(TOOLS, max_size=3),
    "tool_choice": CHOICES,
    "parallel_tool_calls": st.booleans(),
    "functions": st.lists(FUNCTIONS, max_size=2),
    "function_call": st.sampled_from(["none", "auto", {"name": "add"}]),
    "response_format": FORMATS,
    "reasoning_effort": st.sampled_from(["none", "low", "high"]),
    "verbosity": st.just("low"),
    "modalities": st.sampled_from([["text"], ["text", "audio"]]),
    "audio": st.just({"voice": "alloy", "format": "wav"}),
    "prediction": st.just({"type": "content", "content": "x"}),
    "web_search_options": st.just({}),
    "service_tier": st.just("flex"),
    "store": st.booleans(),
    "metadata": st.just({"a": "b"}),
    "prompt_cache_key": WORDS,
    "prompt_cache_retention": st.just("24h"),
    "safety_identifier": WORDS,
    "vendor_thing": st.just({"deep": [None]}),
}
COMPLETIONS: dict[str, st.SearchStrategy[Any]] = SAMPLING | {
    "suffix": WORDS,
    "echo": st.booleans(),
    "logprobs": st.integers(0, 3),
    "best_of": st.integers(1, 3),
}
EMBEDDINGS: dict[str, st.SearchStrategy[Any]] = {
    "encoding_format": st.sampled_from(["float", "base64"]),
    "dimensions": st.integers(1, 9),
    "user": WORDS,
    "input_type": st.just("passage"),
}
RERANKS: dict[str, st.SearchStrategy[Any]] = {
    "top_n": st.integers(1, 3),
    "return_documents": st.booleans(),
    "max_tokens_per_doc": st.integers(1, 9),
}
INPUTS = st.sampled_from(["", "a", ["a"], ["a", "b"], [1], [[1], [2]], [[]]])


def bodies(
    required: dict[str, st.SearchStrategy[Any]], optional: dict[str, st.SearchStrategy[Any]]
) -> st.SearchStrategy[Any]:
    """A few fields at a time, since most vendors refuse a request with all of them for its first field."""

    def with_some(names: list[str]) -> st.SearchStrategy[Any]:
        return st.fixed_dictionaries(required | {name: optional[name] | st.none() for name in names})

    return st.lists(st.sampled_from([*optional]), max_size=4, unique=True).flatmap(with_some)


KINDS: dict[str, tuple[Any, st.SearchStrategy[Any]]] = {
    "chat_completion": (
        ChatCompletionRequest, bodies({"messages": st.lists(MESSAGES, min_size=1, max_size=3)}, CHATS)
    ),
    "completion": (CompletionRequest, bodies({"prompt": INPUTS}, COMPLETIONS)),
    "embeddings": (EmbeddingsRequest, bodies({"input": INPUTS}, EMBEDDINGS)),
    "rerank": (RerankRequest, bodies({"query": WORDS, "documents": st.lists(WORDS, min_size=1)}, RERANKS)),
}  # fmt: skip
USUAL: dict[str, list[Any]] = {
    "n": [1], "best_of": [1], "echo": [False], "logprobs": [False], "top_logprobs": [0], "logit_bias": [{}],
    "frequency_penalty": [0], "presence_penalty": [0], "parallel_tool_calls": [True], "tool_choice": ["none", "auto"],
    "tools": [[]], "functions": [[]], "stop": [[]], "modalities": [["text"]], "response_format": [{"type": "text"}],
}  # fmt: skip
"""Values that ask for what happens without the field."""
DONE_BY_US = {
    "stream",
    "stream_options",
    "encoding_format",
    "prediction",
    "input",
    "query",
    "documents",
    "top_n",
    "return_documents",
}
"""Fields that change nothing at the vendor: we do them, its address or its names for them differ, or in the case of
`prediction` only the time is another.
"""
CLAIMED = {"chat_completion": "chat", "completion": "completions", "embeddings": "embeddings", "rerank": "rerank"}
CASES = [(spec, kind) for spec in VENDORS for kind, claim in CLAIMED.items() if claim in spec.capabilities]


@pytest.mark.parametrize(("spec", "kind"), CASES, ids=[f"{spec.name}-{kind}" for spec, kind in CASES])
def test_any_request_reaches_the_vendor_as_documented_or_is_refused(spec: Spec, kind: str) -> None:
    vendor, model = vendor_of(spec), KINDS[kind][0]
    server = vendor.make()
    habits = server.habits
    with asyncio.Runner() as runner:
        call = getattr(adapter_of(spec, habits), kind)
        for fields, raw in examples(kind):
            request = model.model_validate_json(raw).with_raw(raw)
            if (left := runner.run(sent_by(call, request))) is not None:
                sent, warnings = left
                body, path = json.loads(sent.body), urlsplit(sent.url).path.removeprefix(habits.root)
                unknown = set() if vendor.passes_unknown_fields else {"vendor_thing"}
                if habits.check is not None:
                    habits.check(path, {name: value for name, value in body.items() if name not in unknown})
                body = server.read(path, body)
                assert body.keys().isdisjoint(habits.refused_fields), (raw, body)
                missed = {*(body.keys() & habits.unread_fields), *lost(fields, body)}
                assert not {name for name in missed if not is_fine(name, fields, warnings)}, (raw, body, warnings)


@cache
def examples(kind: str) -> list[tuple[dict[str, Any], bytes]]:
    """The fields of requests that we take, and their bodies: made once, and the same for each vendor."""
    model, strategy = KINDS[kind]
    found = list[tuple[dict[str, Any], bytes]]()

    @settings(max_examples=EXAMPLES, phases=[Phase.generate])
    @given(fields=strategy)
    def keep(fields: dict[str, Any]) -> None:
        raw = json.dumps({"model": "m", **fields}).encode()
        try:
            model.model_validate_json(raw)
        except ValidationError:
            assume(False)
        found.append((fields, raw))

    keep()
    return found


def lost(fields: dict[str, Any], body: dict[str, Any]) -> set[str]:
    """What was given and is not sent, by its own name or by another."""
    sent = [*values_in(body)]
    told = {*body, *(name.removesuffix("_option") for name in body)}  # watsonx has a field for choices in words
    told |= {re.sub("[A-Z]", lambda letter: f"_{letter[0].lower()}", name) for name in body}  # OCI has no underscores
    return {name for name, value in fields.items() if name not in told and value is not None and value not in sent}


def values_in(body: Any) -> Iterator[Any]:
    """The values of an object and of those below it: some vendors have a place of its own for settings."""
    for value in body.values():
        yield value
        if isinstance(value, dict):
            yield from values_in(value)


def is_fine(name: str, fields: dict[str, Any], warnings: str) -> bool:
    """Whether a field that the vendor does not read was said, has no effect, or asks for what happens anyway."""
    calls_nothing = fields.get("tool_choice") == "none" or not fields.get("tools")
    if calls_nothing and name in ("tools", "parallel_tool_calls"):
        return True
    if name == "max_tokens" and fields.get("max_completion_tokens") is not None:
        return True
    return f"`{name}`" in warnings or name in DONE_BY_US | {*WITHOUT_EFFECT} or fields[name] in USUAL.get(name, ())


def adapter_of(spec: Spec, habits: Habits) -> Any:
    settings = {"base_url": f"http://vendor.test{habits.root}", **vendor_of(spec).config}
    config = load(spec.config or "", package=spec.module)(**settings)
    http = HttpClient("acme", transport=Ends())
    return load(spec.adapter, package=spec.module)(
        config, provider_context(spec, http=http, key=vendor_of(spec).token or "sk-x")
    )


async def sent_by(call: Callable[[Any], Awaitable[Any]], request: Any) -> tuple[Any, str] | None:
    """What would be sent, and the warnings; None for a request that is refused by the name of a field."""
    context = RequestContext()
    with serving(context):
        try:
            await call(request)
        except Left as left:
            return left.request, "; ".join(context.warnings)
        except RequestError as error:
            assert error.param and error.status == 400
            return None
    raise AssertionError("nothing was sent")
