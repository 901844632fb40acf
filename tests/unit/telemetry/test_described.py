"""What spans tell of the calls of each API: whole tables of attributes, so that nothing else is told either."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from typing import Any

import pytest

from runtime.apis._api import Api
from runtime.apis._chunks import Chunk
from runtime.apis.agents import API as AGENTS
from runtime.apis.agents.agent import AgentCreated, CreateAgentRequest
from runtime.apis.agents.turn import CreateTurnRequest
from runtime.apis.batches import API as BATCHES
from runtime.apis.batches.batch import BatchRequest
from runtime.apis.connectors import API as CONNECTORS
from runtime.apis.connectors.protocol import CallServerToolRequest, ConnectorTools, McpServer, ToolOutcome
from runtime.apis.eval import API as EVAL
from runtime.apis.eval.job import Job, JobRequest
from runtime.apis.file_processors import API as FILE_PROCESSORS
from runtime.apis.file_processors.protocol import ProcessFileRequest, ProcessFileResponse
from runtime.apis.files import API as FILES
from runtime.apis.files.file import File, FileRequest
from runtime.apis.inference import API as INFERENCE
from runtime.apis.inference.protocol import ChatCompletionRequest
from runtime.apis.responses import API as RESPONSES
from runtime.apis.responses.protocol import CreateResponseRequest, GetResponseRequest
from runtime.apis.safety import API as SAFETY
from runtime.apis.safety.assessing import Assessment, AssessRequest
from runtime.apis.scoring import API as SCORING
from runtime.apis.scoring.protocol import ScoredRows, ScoreRowsRequest
from runtime.apis.tool_runtime import API as TOOL_RUNTIME
from runtime.apis.tool_runtime.protocol import InvokeToolRequest, ListToolsRequest, ToolInvocationResult, ToolList
from runtime.apis.vector_io import API as VECTOR_IO
from runtime.apis.vector_io.protocol import Hits, PutVectors, SearchVectors
from runtime.apis.vector_stores import API as VECTOR_STORES
from runtime.apis.vector_stores.native import InsertChunksRequest, QueryChunksRequest
from runtime.apis.vector_stores.older import QueryDocumentsRequest, QueryDocumentsResponse
from runtime.apis.vector_stores.search import SearchVectorStoreRequest
from runtime.errors import NotFound
from runtime.routing.entry import Entry
from runtime.sse import EventStream, Frames, Reply
from runtime.telemetry.calls import TracedCalls
from runtime.telemetry.spans import Span, inside
from runtime.telemetry.tool_calls import called
from tests.unit.telemetry._seen import Seen

SECRET = "a secret of mine"


class Answers:
    """A provider whose every operation gives this back, or raises it."""

    def __init__(self, answer: Any) -> None:
        self._answer = answer

    def __getattr__(self, operation: str) -> Any:
        async def call(request: Any) -> Any:
            if isinstance(self._answer, Exception):
                raise self._answer
            return self._answer

        return call


async def span_of(api: Api, operation: str, request: Any, answer: Any, provider_type: str = "inline::builtin") -> Span:
    """The span of a call. A stream is read to its end."""
    seen = Seen()
    door = TracedCalls(api, "mine", provider_type, is_remote=False).door(Answers(answer))
    with inside(seen.begin()):
        found = await getattr(door, operation)(request)
        if isinstance(found, EventStream):
            async for _ in found:
                pass
    assert SECRET not in str(seen.spans[-1].attributes)
    return seen.spans[-1]


def told(span: Span) -> dict[str, Any]:
    """Its attributes, without those of every call."""
    facts = dict(span.attributes)
    for name in ("api", "provider.id", "provider.type", "operation"):
        del facts[f"llama_stack.{name}"]
    return facts


async def check(
    api: Api, operation: str, request: Any, answer: Any, name: str, expected: dict[str, Any], kind: str = "builtin"
) -> None:
    span = await span_of(api, operation, request, answer, f"inline::{kind}")
    assert (span.name, told(span), span.error) == (name, expected, "")


# Responses and agents

RESPONSE = {
    "id": "resp_1", "object": "response", "status": "completed", "model": "mine/m", "conversation": {"id": "conv_2"},
    "output": [{"type": "message", "content": [{"type": "output_text", "text": SECRET}]}],
    "usage": {
        "input_tokens": 12, "input_tokens_details": {"cached_tokens": 8},
        "output_tokens": 5, "output_tokens_details": {"reasoning_tokens": 2}, "total_tokens": 17,
    },
}  # fmt: skip
OF_AGENT = {"gen_ai.operation.name": "invoke_agent", "gen_ai.provider.name": "builtin"}
USED = {
    "gen_ai.usage.input_tokens": 12,
    "gen_ai.usage.cache_read.input_tokens": 8,
    "gen_ai.usage.output_tokens": 5,
    "gen_ai.usage.reasoning.output_tokens": 2,
}
ASKED = CreateResponseRequest(
    model="mine/m", input=SECRET, instructions=SECRET, temperature=0.5, max_output_tokens=9, conversation="conv_1"
)
OF_REQUEST = {"gen_ai.request.model": "mine/m", "gen_ai.request.temperature": 0.5, "gen_ai.request.max_tokens": 9}


async def test_a_response_tells_conversation_status_and_tokens() -> None:
    expected = {
        **OF_AGENT, **OF_REQUEST, **USED, "gen_ai.conversation.id": "conv_2", "gen_ai.response.id": "resp_1",
        "llama_stack.response.status": "completed",
    }  # fmt: skip
    await check(RESPONSES, "create_response", ASKED, Reply.of(RESPONSE), "invoke_agent", expected)


async def test_a_response_tells_the_kinds_of_its_tools_each_once() -> None:
    function = {"type": "function", "name": SECRET, "parameters": {"type": "object"}}
    kinds = [function, function, {"type": "web_search_preview"}, {"type": "web_search"}]
    asked = CreateResponseRequest(model="mine/m", input="x", tools=kinds)
    span = await span_of(RESPONSES, "create_response", asked, Reply.of(RESPONSE))
    assert span.attributes["llama_stack.response.tool_types"] == ["function", "web_search"]


def events(*made: tuple[str, dict[str, Any]]) -> EventStream:
    async def frames() -> AsyncGenerator[Frames, None]:
        for kind, response in made:
            one = Frames.of({"type": kind, "response": response})
            yield Frames(f"event: {kind}\n".encode() + one.data)

    async def close() -> None:
        pass

    return EventStream(frames(), close)


async def test_a_streamed_response_tells_the_same_from_its_last_event() -> None:
    begun = {**RESPONSE, "status": "in_progress", "usage": None}
    deltas = [("response.output_text.delta", {"id": "x"})] * 9
    request = ASKED.changed(stream=True)
    span = await span_of(
        RESPONSES,
        "create_response",
        request,
        events(("response.created", begun), *deltas, ("response.completed", RESPONSE)),
    )
    facts = told(span)
    assert facts.pop("gen_ai.response.time_to_first_chunk") >= 0
    assert facts == {
        **OF_AGENT, **OF_REQUEST, **USED, "gen_ai.conversation.id": "conv_2", "gen_ai.response.id": "resp_1",
        "llama_stack.response.status": "completed", "gen_ai.request.stream": True,
    }  # fmt: skip


async def test_a_response_that_failed_says_why_in_a_word() -> None:
    failed = {**RESPONSE, "status": "failed", "error": {"code": "rate_limit_exceeded", "message": SECRET}}
    span = await span_of(RESPONSES, "create_response", ASKED, Reply.of(failed))
    assert (span.error, span.message) == ("rate_limit_exceeded", "")


@pytest.mark.parametrize("answer", [Reply(b"nonsense"), Reply(b"[]"), Reply(b'{"usage": 3}')])
async def test_an_answer_that_makes_no_sense_is_passed_on(answer: Reply) -> None:
    span = await span_of(RESPONSES, "create_response", ASKED, answer)
    assert (span.name, span.error) == ("invoke_agent", "")


async def test_what_is_done_with_a_kept_response_names_it() -> None:
    request = GetResponseRequest(response_id="resp_1")
    expected = {"gen_ai.response.id": "resp_1"}
    await check(RESPONSES, "get_response", request, Reply.of({}), "responses.get_response", expected)


TURN = {"agent_id": "agent_1", "session_id": "session_1"}


async def test_a_turn_tells_agent_session_and_turn() -> None:
    request = CreateTurnRequest.model_validate({**TURN, "messages": [{"role": "user", "content": SECRET}]})
    expected = OF_AGENT | {
        "gen_ai.agent.id": "agent_1",
        "gen_ai.conversation.id": "session_1",
        "llama_stack.turn.id": "turn_1",
    }
    await check(AGENTS, "create_turn", request, Reply.of({"turn_id": "turn_1"}), "invoke_agent", expected)

    async def frames() -> AsyncGenerator[Frames, None]:
        yield Frames.of({"event": {"payload": {"event_type": "turn_start", "turn_id": "turn_1"}}})

    async def close() -> None:
        pass

    span = await span_of(AGENTS, "create_turn", request.changed(stream=True), EventStream(frames(), close))
    assert {**expected, "gen_ai.request.stream": True}.items() <= told(span).items()


async def test_an_agent_that_is_made_is_told_by_name_and_model() -> None:
    config = {"model": "m", "instructions": SECRET, "name": "Helper"}
    expected = OF_AGENT | {
        "gen_ai.operation.name": "create_agent",
        "gen_ai.request.model": "m",
        "gen_ai.agent.name": "Helper",
        "gen_ai.agent.id": "agent_1",
    }
    request = CreateAgentRequest.model_validate({"agent_config": config})
    answer = AgentCreated(agent_id="agent_1")
    await check(AGENTS, "create_agent", request, answer, "create_agent Helper", expected)


# Tools

TOOL = {
    "gen_ai.operation.name": "execute_tool",
    "gen_ai.tool.name": "look",
    "gen_ai.tool.type": "extension",
}
CALL = InvokeToolRequest(tool_name="look", kwargs={"query": SECRET})


async def test_a_tool_is_executed_and_its_failure_told() -> None:
    answer = ToolInvocationResult(content=SECRET)
    await check(TOOL_RUNTIME, "invoke_tool", CALL, answer, "execute_tool look", TOOL)
    for failed in (ToolInvocationResult(error_message=SECRET), ToolInvocationResult(error_code=3)):
        span = await span_of(TOOL_RUNTIME, "invoke_tool", CALL, failed)
        assert (span.error, span.message) == ("tool_error", "")
    request, found = ListToolsRequest(), ToolList(data=[])
    await check(TOOL_RUNTIME, "list_tools", request, found, "tool_runtime.list_tools", {"llama_stack.tools": 0})


async def test_a_tool_that_a_model_calls_is_executed_once() -> None:
    seen = Seen()
    door = TracedCalls(TOOL_RUNTIME, "mine", "inline::tools", is_remote=False).door(Answers(ToolInvocationResult()))
    with inside(seen.begin()), called("look", "call_1"):
        await door.invoke_tool(CALL)
    provider, outer = seen.spans
    assert provider.parent_id == outer.id and provider.name == "tool_runtime.invoke_tool"
    assert told(provider) == {"gen_ai.tool.name": "look", "gen_ai.tool.type": "extension"}
    assert (outer.name, outer.attributes) == ("execute_tool look", {**TOOL, "gen_ai.tool.call.id": "call_1"})


async def test_without_a_trace_a_tool_s_call_is_nothing() -> None:
    with called("look", "call_1"):
        pass


async def test_a_server_s_tool_is_told_without_its_address() -> None:
    at = {"url": f"https://example.com/{SECRET}", "authorization": SECRET, "connector_id": "sky"}
    request = CallServerToolRequest.model_validate({"tool_name": "look", "arguments": {"a": SECRET}, **at})
    expected = TOOL | {"mcp.method.name": "tools/call", "llama_stack.connector.id": "sky"}
    outcome = ToolOutcome(content=[])
    await check(CONNECTORS, "call_server_tool", request, outcome, "execute_tool look", expected)
    span = await span_of(CONNECTORS, "call_server_tool", request, ToolOutcome(content=[], is_error=True))
    assert span.error == "tool_error"
    listing = {"mcp.method.name": "tools/list", "llama_stack.tools": 0, "llama_stack.connector.id": "sky"}
    tools = ConnectorTools(data=[])
    server = McpServer.model_validate(at)
    await check(CONNECTORS, "list_server_tools", server, tools, "connectors.list_server_tools", listing)


# Retrieval

OF_SEARCH = {
    "gen_ai.operation.name": "retrieval",
    "gen_ai.provider.name": "builtin",
    "gen_ai.data_source.id": "vs_1",
}


@pytest.mark.parametrize(
    ("operation", "request_", "answer", "facts"),
    [
        (
            "search_store",
            SearchVectorStoreRequest(
                vector_store_id="vs_1", query=[SECRET, "b"], max_num_results=7, search_mode="hybrid"
            ),
            Reply.of({"data": [{"content": SECRET}, {}, {}]}),
            {
                "gen_ai.request.top_k": 7,
                "llama_stack.retrieval.queries": 2,
                "llama_stack.retrieval.mode": "hybrid",
                "llama_stack.found": 3,
            },
        ),
        (
            "query_chunks",
            QueryChunksRequest(vector_store_id="vs_1", query=SECRET),
            Reply.of({"chunks": [{"content": SECRET}], "scores": [1.0]}),
            {"gen_ai.request.top_k": 3, "llama_stack.found": 1},
        ),
        (
            "query_documents",
            QueryDocumentsRequest(vector_db_ids=["vs_1"], content=SECRET),
            QueryDocumentsResponse(content=None, metadata={"chunks": [SECRET, "b"]}),
            {"gen_ai.request.top_k": 5, "llama_stack.found": 2},
        ),
    ],
)
async def test_a_search_tells_how_much_was_asked_for_and_found(
    operation: str, request_: Any, answer: Any, facts: dict[str, Any]
) -> None:
    await check(VECTOR_STORES, operation, request_, answer, "retrieval vs_1", OF_SEARCH | facts)


async def test_what_is_put_into_a_store_is_counted() -> None:
    request = InsertChunksRequest.model_validate({"vector_store_id": "vs_1", "chunks": [{"content": SECRET}] * 2})
    expected = {"gen_ai.data_source.id": "vs_1", "llama_stack.chunks": 2}
    await check(VECTOR_STORES, "insert_chunks", request, None, "vector_stores.insert_chunks", expected)


async def test_a_vector_database_is_told_in_the_words_for_databases() -> None:
    at = {"provider_id": "mine", "collection": "c_1"}
    database = {"db.system.name": "postgresql", "db.collection.name": "c_1"}
    search = SearchVectors(**at, vector=b"1234", limit=5)
    found = Hits(numbers=[1, 2], similarities=[0.5, 0.4])
    expected = {
        **database, "db.operation.name": "search_vectors", "gen_ai.request.top_k": 5, "db.response.returned_rows": 2,
    }  # fmt: skip
    await check(VECTOR_IO, "search_vectors", search, found, "search_vectors c_1", expected, "pgvector")
    put = PutVectors(**at, numbers=[1, 2, 3], vectors=b"")
    expected = {**database, "db.operation.name": "put_vectors", "llama_stack.vectors": 3}
    await check(VECTOR_IO, "put_vectors", put, None, "put_vectors c_1", expected, "pgvector")


# Everything else


@pytest.mark.parametrize(
    ("answer", "facts"),
    [
        (Assessment(flagged=False), {"llama_stack.shield.flagged": False}),
        (
            Assessment(flagged=True, violation_level="warn", user_message=SECRET),
            {"llama_stack.shield.flagged": True, "llama_stack.shield.violation_level": "warn"},
        ),
    ],
)
async def test_a_shield_says_whether_and_how_bad(answer: Assessment, facts: dict[str, Any]) -> None:
    shield = Entry(id="guard", provider_id="mine", provider_resource_id="llama-guard")
    asked = AssessRequest(shield_id="guard", messages=[{"role": "user", "content": SECRET}])
    routed = {"llama_stack.resource.id": "guard", "llama_stack.resource.asked_for": "guard"}
    await check(SAFETY, "assess", asked.routed_by(shield, "shield_id"), answer, "safety.assess", facts | routed)


async def test_files_tell_ids_and_sizes() -> None:
    file = File(id="file_1", bytes=7, created_at=1, filename=SECRET, purpose="assistants")
    expected = {"llama_stack.file.id": "file_1", "llama_stack.size_bytes": 7}
    await check(FILES, "get_file", FileRequest(file_id="file_1"), file, "files.get_file", expected)


@pytest.mark.parametrize("is_reply", [False, True])
async def test_a_file_that_is_read_tells_pages_size_and_chunks(is_reply: bool) -> None:
    metadata = {"page_count": 4, "file_size_bytes": 99, "title": SECRET}
    chunks = [Chunk.model_validate({"content": SECRET, "chunk_id": "1", "metadata": {}, "chunk_metadata": {}})] * 2
    answer = ProcessFileResponse(chunks=chunks, metadata=metadata)
    expected = {
        "llama_stack.file.id": "file_1",
        "llama_stack.pages": 4,
        "llama_stack.size_bytes": 99,
        "llama_stack.chunks": 2,
    }
    request = ProcessFileRequest(file_id="file_1")
    given = Reply(answer.model_dump_json().encode()) if is_reply else answer
    await check(FILE_PROCESSORS, "process_file", request, given, "file_processors.process_file", expected)


async def test_runs_and_batches_are_told_by_their_ids() -> None:
    job, asked = Job(job_id="job_1", status="in_progress"), JobRequest(benchmark_id="b", job_id="job_1")
    expected = {"llama_stack.job.id": "job_1", "llama_stack.job.status": "in_progress"}
    await check(EVAL, "job_status", asked, job, "eval.job_status", expected)
    rows = ScoreRowsRequest(scoring_fn_id="f", rows=[{"generated_answer": SECRET}] * 3)
    await check(SCORING, "score_rows", rows, ScoredRows(rows=[]), "scoring.score_rows", {"llama_stack.rows": 3})
    span = await span_of(BATCHES, "get_batch", BatchRequest(batch_id="batch_1"), None)
    assert told(span) == {"llama_stack.batch.id": "batch_1"}


async def test_a_call_has_the_name_that_was_asked_for_ours_and_the_provider_s() -> None:
    model = Entry(id="groq/llama", provider_id="groq", provider_resource_id="llama-3-8b")
    request = ChatCompletionRequest(model="llama", messages=[{"role": "user", "content": SECRET}])
    span = await span_of(INFERENCE, "chat_completion", request.routed_by(model, "model"), Reply.of({}))
    facts = told(span)
    assert facts["llama_stack.resource.asked_for"] == "llama"
    assert facts["llama_stack.resource.id"] == "groq/llama"
    assert facts["gen_ai.request.model"] == "llama-3-8b"


async def test_sequences_that_end_an_answer_have_a_limit() -> None:
    stops = [f"{number}" * 300 for number in range(20)]
    request = ChatCompletionRequest(model="m", messages=[{"role": "user", "content": "x"}], stop=stops)
    span = await span_of(INFERENCE, "chat_completion", request, Reply.of({}))
    told_stops = span.attributes["gen_ai.request.stop_sequences"]
    assert isinstance(told_stops, list) and [len(one) for one in told_stops] == [100] * 8


async def test_what_is_refused_says_so() -> None:
    seen = Seen()
    door = TracedCalls(FILES, "mine", "inline::x", is_remote=False).door(Answers(NotFound("no file", code="none")))
    with inside(seen.begin()), pytest.raises(NotFound):
        await door.get_file(FileRequest(file_id="f" * 300))
    [span] = seen.spans
    assert (span.error, told(span)) == ("none", {"llama_stack.file.id": "f" * 200})
