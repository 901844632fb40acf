"""Who is asked, and with what: the columns of rows, models with a system message, agents."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.conformance.eval.asking import AT, MODEL, SAME, Asking, Json, Repeating, candidate
from tests.support.scoring import Letters

pytestmark = pytest.mark.asyncio(loop_scope="module")

CHAT = [{"role": "system", "content": "Be brief"}, {"role": "user", "content": "Say 7"}]


async def evaluated(asking: Asking, given: list[Json], config: Json | None = None, *functions: str) -> Json:
    asked = {
        "input_rows": given,
        "scoring_functions": list(functions) or [SAME],
        "benchmark_config": config or candidate(),
    }
    found: Json = await asking.done("POST", f"{AT}/columns/evaluations", asked)
    return found


@pytest.fixture
def bodies(asking: Asking, repeating: Repeating) -> Any:
    """The bodies of what the vendor is asked."""
    return lambda: [seen.json() for seen in asking.vendor.seen if seen.method == "POST"]


@pytest.mark.parametrize(
    "row",
    [
        {"messages": CHAT},
        {"chat_completion_input": CHAT, "input_query": "Seven?"},
        {"chat_completion_input": json.dumps(CHAT), "question": "Say 8"},
    ],
)
async def test_a_chat_is_asked_as_it_is(asking: Asking, bodies: Any, row: Json) -> None:
    await asking.benchmark("columns", [{"question": "Say 1", "answer": "1"}])
    found = await evaluated(asking, [{**row, "expected_answer": "7"}])
    assert found["generations"] == [{"generated_answer": "7"}]
    assert found["scores"][SAME]["score_rows"] == [{"score": 1.0}]
    [body] = bodies()
    assert body["messages"] == CHAT and body["temperature"] == 0 and "stream" not in body


async def test_a_question_is_what_a_user_says(asking: Asking, bodies: Any) -> None:
    sampling = {"strategy": {"type": "top_p", "temperature": 0.5, "top_p": 0.9}, "max_tokens": 5, "stop": ["x"]}
    system = {"role": "system", "content": "Be brief"}
    config = candidate(sampling_params=sampling, system_message=system)
    await evaluated(asking, [{"question": "Say 1", "answer": "1"}, {"input_query": "Say 2", "answer": "2"}], config)
    first, second = sorted(bodies(), key=lambda body: body["messages"][-1]["content"])
    assert first["messages"] == [system, {"role": "user", "content": "Say 1"}]
    assert second["messages"][-1]["content"] == "Say 2"
    assert (first["temperature"], first["top_p"], first["max_tokens"], first["stop"]) == (0.5, 0.9, 5, ["x"])


@pytest.mark.parametrize("text", ["Go on 3", '"Go on 3"'])
async def test_a_text_is_gone_on_with(asking: Asking, bodies: Any, text: str) -> None:
    found = await evaluated(asking, [{"completion_input": text, "answer": "3"}])
    assert found["generations"] == [{"generated_answer": "3"}]
    [body] = bodies()
    assert body["prompt"] == "Go on 3" and "messages" not in body


async def test_a_text_to_go_on_with_has_no_place_for_a_system_message(asking: Asking, bodies: Any) -> None:
    config = candidate(system_message={"role": "system", "content": "Be brief"})
    found = await evaluated(asking, [{"completion_input": "Go on 3", "answer": "3"}], config)
    [generation] = found["generations"]
    assert generation["generated_answer"] is None and "system_message" in generation["error"]
    assert bodies() == []


@pytest.mark.parametrize("given", ["no JSON", [], ["text"], 5])
async def test_a_chat_of_a_wrong_form_is_an_error_of_its_row(asking: Asking, bodies: Any, given: Any) -> None:
    found = await evaluated(asking, [{"messages": given, "answer": "3"}, {"question": "Say 3", "answer": "3"}])
    wrong, right = found["generations"]
    assert wrong["generated_answer"] is None and "`messages`" in wrong["error"]
    assert right == {"generated_answer": "3"}
    assert found["scores"][SAME]["aggregated_results"]["errors"] == 1


async def test_functions_see_the_row_with_what_was_asked_and_answered(asking: Asking, bodies: Any) -> None:
    row = {"messages": CHAT, "answer": "7", "category": "a", "generated_answer": "old"}
    await evaluated(asking, [row])
    [seen] = Letters.latest.asked[-1].rows
    assert seen == {**row, "generated_answer": "7", "expected_answer": "7", "input_query": "Say 7"}


AGENT = {"model": MODEL, "instructions": "Be brief."}


async def test_an_agent_has_a_session_for_each_row_and_goes_with_them(asking: Asking, repeating: Repeating) -> None:
    path = await asking.benchmark("agents", [{"question": f"Say {one}", "answer": f"{one}"} for one in range(3)])
    asking.vendor.misbehaves = None
    config = {"eval_candidate": {"type": "agent", "config": AGENT}}
    before = await asking.done("GET", "/v1/agents")
    ended = await asking.completed(path, config)
    assert ended["progress"] == {"rows": 3, "done": 3, "failed": 0}
    generations = (await asking.result(ended))["generations"]
    assert all(one["generated_answer"] for one in generations)
    assert await asking.done("GET", "/v1/agents") == before
    found = await evaluated(asking, [{"question": "Say 1", "answer": "1"}], config)
    assert found["generations"][0]["generated_answer"]
    assert await asking.done("GET", "/v1/agents") == before
    asked = [seen.json() for seen in asking.vendor.seen if seen.method == "POST"]
    assert len(asked) == 4 and all(len(body["messages"]) == 2 for body in asked), "each has a session of its own"


async def test_an_agent_with_tools_of_a_client_is_refused(asking: Asking) -> None:
    path = await asking.benchmark("clients", [{"question": "Say 1", "answer": "1"}])
    tools = [{"name": "get_weather", "description": "The weather"}]
    config = {"eval_candidate": {"type": "agent", "config": {**AGENT, "client_tools": tools}}}
    error = await asking.refused(400, f"{path}/jobs", {"benchmark_config": config})
    assert error["param"] == "benchmark_config.eval_candidate.config.client_tools"
    config = {"eval_candidate": {"type": "agent", "config": {**AGENT, "model": "vendor/none"}}}
    error = await asking.refused(404, f"{path}/jobs", {"benchmark_config": config})
    assert error["param"] == "benchmark_config.eval_candidate.config.model"


@pytest.mark.parametrize(
    ("status", "wrong", "words"),
    [
        (404, {"toolgroups": ["builtin::rag/search"]}, "`builtin::rag`"),
        (404, {"toolgroups": [{"name": "mine", "args": {}}]}, "`mine`"),
        (501, {"response_format": {"type": "grammar", "bnf": {}}}, "grammar"),
    ],
)
async def test_an_agent_that_could_not_be_asked_is_refused_before_the_run(
    asking: Asking, repeating: Repeating, status: int, wrong: Json, words: str
) -> None:
    path = await asking.benchmark("impossible", [{"question": "Say 1", "answer": "1"}])
    before = await asking.done("GET", "/v1/agents")
    config = {"eval_candidate": {"type": "agent", "config": {**AGENT, **wrong}}}
    error = await asking.refused(status, f"{path}/jobs", {"benchmark_config": config})
    assert words in error["message"]
    assert (await asking.done("GET", f"{path}/jobs"))["data"] == [] and repeating.asked == []
    assert await asking.done("GET", "/v1/agents") == before
