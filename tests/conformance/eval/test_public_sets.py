"""Rows in the shapes of public sets: those that llama-stack has put on the hub, and the Berkeley leaderboard's own."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import Any

import pytest
import pytest_asyncio
from aiohttp import web

from runtime.clock import wall_time
from runtime.conformance.upstream import CHAT_MODEL, Upstream
from runtime.errors import RequestError
from runtime.providers.eval._shared.questions import question_of
from tests.conformance.eval.asking import AT, MODEL, Asking, Json, asking_at, candidate
from tests.support.scoring import LETTERS

pytestmark = pytest.mark.asyncio(loop_scope="module")

PIXEL = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
PROVIDERS = [
    LETTERS,
    {"provider_id": "basic", "provider_type": "inline::basic"},
    {"provider_id": "llm-as-judge", "provider_type": "inline::llm-as-judge", "config": {"judge_model": MODEL}},
    {"provider_id": "no-judge", "provider_type": "inline::llm-as-judge"},
]


@dataclass
class Scripted:
    """A vendor that answers with the next of its messages, and judges every answer `correct`."""

    messages: list[Json] = field(default_factory=list)
    asked: list[Json] = field(default_factory=list)

    async def __call__(self, request: web.Request) -> web.StreamResponse:
        if request.method == "GET":  # the list of models
            return web.json_response({"object": "list", "data": [{"id": CHAT_MODEL, "object": "model", "created": 1}]})
        body = await request.json()
        if "response_format" in body:
            message: Json = {"content": json.dumps({"reasoning": "It is.", "verdict": "correct"})}
        else:
            self.asked.append(body)
            message = self.messages.pop(0)
        choice = {"index": 0, "finish_reason": "stop", "message": {"role": "assistant", "content": None, **message}}
        return web.json_response(
            {"id": "c-1", "created": int(wall_time()), "model": body["model"], "choices": [choice]}
        )


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def stack(vendor: Upstream, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Asking]:
    with pytest.MonkeyPatch.context() as patches:
        folder = tmp_path_factory.mktemp("state")
        async with asking_at(vendor, folder, patches, providers={"scoring": PROVIDERS}) as asking:
            await asking.benchmark("columns", [{"question": "Say 1", "answer": "1"}])
            yield asking


@pytest.fixture
def vendors(asking: Asking) -> Scripted:
    asking.vendor.misbehaves = found = Scripted()
    return found


async def evaluated(asking: Asking, given: list[Json], function: str, **facts: Any) -> Json:
    asked = {"input_rows": given, "scoring_functions": [function], "benchmark_config": candidate(), **facts}
    found: Json = await asking.done("POST", f"{AT}/columns/evaluations", asked)
    return found


async def scores(asking: Asking, vendors: Scripted, row: Json, function: str, *answers: str) -> list[Any]:
    """The score of each answer to a row."""
    vendors.messages = [{"content": answer} for answer in answers]
    found = []
    for _ in answers:
        result = await evaluated(asking, [row], function)
        found += [one["score"] for one in result["scores"][function]["score_rows"]]
    return found


def of_the_hub(text: Any, **columns: Any) -> Json:
    """A row as llama-stack's sets have it: the conversation is JSON in a column."""
    asked = [{"role": "user", "content": text}]
    return {"chat_completion_input": json.dumps(asked), "input_query": "The bare question", **columns}


async def test_problems_of_mathematics(asking: Asking, vendors: Scripted) -> None:
    row = of_the_hub("What is half of one? Put it in a box.", expected_answer="\\frac{1}{2}", subject="Prealgebra")
    answers = ["It is $\\boxed{0.5}$.", "It is $\\boxed{2}$."]
    assert await scores(asking, vendors, row, "basic::regex_parser_math_response", *answers) == [1.0, 0.0]
    [asked, _] = vendors.asked
    assert asked["messages"] == [{"role": "user", "content": "What is half of one? Put it in a box."}]
    assert "tools" not in asked


async def test_questions_with_letters(asking: Asking, vendors: Scripted) -> None:
    row = of_the_hub("Which is a llama?\nA) a stone\nB) an animal", expected_answer="B")
    function = "basic::regex_parser_multiple_choice_answer"
    assert await scores(asking, vendors, row, function, "It lives.\nAnswer: B", "Answer: A") == [1.0, 0.0]


async def test_instructions_that_can_be_checked(asking: Asking, vendors: Scripted) -> None:
    row = of_the_hub(
        "Write two words without commas.",
        instruction_id_list=["punctuation:no_comma", "length_constraints:number_words"],
        kwargs=[{"relation": None}, {"num_words": 3, "relation": "less than", "language": None}],
    )
    assert await scores(asking, vendors, row, "basic::ifeval", "Two words", "One, two, three") == [1.0, 0.0]
    row["kwargs"] = json.dumps(row["kwargs"])
    assert await scores(asking, vendors, row, "basic::ifeval", "One two three") == [0.5]


async def test_short_questions_of_facts_are_judged(asking: Asking, vendors: Scripted) -> None:
    row = of_the_hub("Where do llamas live?", expected_answer="In the Andes")
    assert await scores(asking, vendors, row, "llm-as-judge::405b-simpleqa", "The Andes") == ["correct"]


async def test_a_judge_that_nobody_names_is_said_before_anything_is_asked(asking: Asking, vendors: Scripted) -> None:
    row, function = of_the_hub("Where do llamas live?", expected_answer="In the Andes"), "no-judge::405b-simpleqa"
    asked = {"input_rows": [row], "scoring_functions": [function], "benchmark_config": candidate()}
    error = await asking.refused(400, f"{AT}/columns/evaluations", asked)
    assert "`judge_model`" in error["message"] and error["param"] == "benchmark_config.scoring_params"
    path = await asking.benchmark("judged", [row], function)
    assert (await asking.refused(400, f"{path}/jobs", {"benchmark_config": candidate()}))["message"] == error["message"]
    assert vendors.asked == []
    vendors.messages = [{"content": "The Andes"}]
    told = candidate() | {"scoring_params": {function: {"type": "llm_as_judge", "judge_model": MODEL}}}
    run = await asking.completed(path, told)
    assert (await asking.result(run))["scores"][function]["score_rows"][0]["score"] == "correct"


@pytest.mark.parametrize("image", [{"data": PIXEL}, {"url": {"uri": f"data:image/png;base64,{PIXEL}"}}])
async def test_questions_about_documents_come_with_their_image(asking: Asking, vendors: Scripted, image: Json) -> None:
    content = [{"type": "image", "image": image}, {"type": "text", "text": "Who signs?"}]
    row = of_the_hub(content, expected_answer='["Ada Lovelace", "A. Lovelace"]')
    assert await scores(asking, vendors, row, "basic::docvqa", "ada lovelace", "Nobody") == [1.0, 0.0]
    [message] = vendors.asked[0]["messages"]
    part = {"type": "image_url", "image_url": {"url": f"data:image/png;base64,{PIXEL}"}}
    assert message == {"role": "user", "content": [part, content[1]]}


async def test_an_image_that_is_none_is_an_error_of_its_row(asking: Asking, vendors: Scripted) -> None:
    for image in ({"data": "bm9uZQ=="}, {"data": 5}, {}, "x"):
        row = of_the_hub([{"type": "image", "image": image}], expected_answer="x")
        [generation] = (await evaluated(asking, [row], "basic::docvqa"))["generations"]
        assert generation["generated_answer"] is None and "image" in generation["error"], image
    assert vendors.asked == []


AREA = {
    "name": "math.area",
    "description": "The area of a shape.",
    "parameters": {
        "type": "dict",
        "properties": {
            "base": {"type": "float", "description": "Its base."},
            "corners": {"type": "tuple", "items": {"type": "float"}},
            "style": {"type": "dict", "properties": {"ink": {"type": "any"}, "dots": {"type": "HashMap"}}},
            "type": {"type": "string", "enum": ["any", "float"]},
        },
        "required": ["base"],
    },
}
TOOL = {
    "type": "function",
    "function": {
        "name": "math_area",
        "description": "The area of a shape.",
        "parameters": {
            "type": "object",
            "properties": {
                "base": {"type": "number", "description": "Its base."},
                "corners": {"type": "array", "items": {"type": "number"}},
                "style": {"type": "object", "properties": {"ink": {"type": "string"}, "dots": {"type": "object"}}},
                "type": {"type": "string", "enum": ["any", "float"]},
            },
            "required": ["base"],
        },
    },
}
CALLS = {
    "id": "simple_python_0",
    "question": [[{"role": "user", "content": "What is the area over a base of 3?"}]],
    "function": [AREA],
    "ground_truth": [{"math.area": {"base": [3.0], "style": ["", {"ink": ["blue"]}]}}],
}


def call(arguments: str, name: str = "math_area") -> Json:
    return {"tool_calls": [{"id": "1", "type": "function", "function": {"name": name, "arguments": arguments}}]}


@pytest.mark.parametrize("as_text", [False, True])
async def test_functions_of_the_leaderboard_are_tools_of_the_chat(
    asking: Asking, vendors: Scripted, as_text: bool
) -> None:
    row = {name: json.dumps(value) if as_text and name != "id" else value for name, value in CALLS.items()}
    vendors.messages = [
        call('{"base": 3}'), call('{"base": 4}'), call("{"), call('{"base": 3}', "other"), {"content": "Nine."},
        {"content": "[math.area(base=3.0)]"}, {"tool_calls": [], "content": "none"},
        {"tool_calls": [*call('{"base": 3}')["tool_calls"], *call('{"base": 3}')["tool_calls"]]},
    ]  # fmt: skip
    found = [await evaluated(asking, [row], "basic::bfcl") for _ in range(8)]
    answers = [one["generations"][0]["generated_answer"] for one in found]
    right = {"name": "math_area", "arguments": {"base": 3}}
    assert answers[0] == [right] and answers[2] == [{"name": "math_area", "arguments": "{"}]
    assert answers[4] == "Nine." and answers[7] == [right, right]
    said = [one["scores"]["basic::bfcl"]["score_rows"][0]["score"] for one in found]
    assert said == [1.0, 0.0, 0.0, 0.0, 0.0, 1.0, 0.0, 0.0]
    for body in vendors.asked:
        assert body["messages"] == CALLS["question"][0] and body["tools"] == [TOOL]  # type: ignore[index]


async def test_a_run_keeps_the_calls_of_its_rows(asking: Asking, vendors: Scripted) -> None:
    vendors.messages = [call('{"base": 3}')]
    path = await asking.benchmark("calls", [CALLS], "basic::bfcl")
    run = await asking.completed(path)
    [row] = (await asking.done("GET", f"{asking.path(run)}/rows"))["data"]
    assert row["generation"] == {"generated_answer": [{"name": "math_area", "arguments": {"base": 3}}]}
    assert row["scores"]["basic::bfcl"] == {"score": 1.0}


async def test_a_plain_question_can_have_functions_too(asking: Asking, vendors: Scripted) -> None:
    vendors.messages = [call('{"base": 3}')]
    row = {**CALLS, "question": "[3] is the base. The area?", "function": AREA}
    assert (await evaluated(asking, [row], "basic::bfcl"))["scores"]["basic::bfcl"]["score_rows"] == [{"score": 1.0}]
    [body] = vendors.asked
    assert body["messages"] == [{"role": "user", "content": row["question"]}] and body["tools"] == [TOOL]


async def test_a_column_of_that_name_may_be_something_else(asking: Asking, vendors: Scripted) -> None:
    vendors.messages = [{"content": "2"}]
    row = {"question": "Derive it.", "function": "x^2 + 1", "answer": "2"}
    assert (await evaluated(asking, [row], "basic::equality"))["generations"] == [{"generated_answer": "2"}]
    assert "tools" not in vendors.asked[0]


async def test_functions_in_the_text_are_not_tools(asking: Asking, vendors: Scripted) -> None:
    """llama-stack's set of these has them in what it asks, and wants the calls as Python."""
    row = of_the_hub("Call math.area.", id="simple_0", language="Python")
    row |= {"function": json.dumps([AREA]), "ground_truth": json.dumps(CALLS["ground_truth"])}
    assert await scores(asking, vendors, row, "basic::bfcl", "[math.area(base=3.0)]") == [1.0]
    assert "tools" not in vendors.asked[0]


DEEP: Any = {"type": "dict"}
for _ in range(5000):
    DEEP = {"type": "dict", "properties": {"a": DEEP}}


@pytest.mark.parametrize(
    ("columns", "words"),
    [
        ({"question": [*CALLS["question"], *CALLS["question"]]}, "it has 2 turns"),
        ({"question": [[]]}, "it needs a list of messages"),
        ({"question": []}, "it needs a list of messages"),
        ({"question": [["text"]]}, "it needs a list of messages"),
        ({"question": 5}, "it needs a text"),
        ({"function": "none"}, "`function` of the row is of a wrong form"),
        ({"function": [{"parameters": {}}]}, "`function` of the row is of a wrong form"),
        ({"function": [{"name": "f", "parameters": "x"}]}, "`function` of the row is of a wrong form"),
        ({"function": [{"name": "f", "parameters": {"type": "dict", "properties": 5}}]}, "not a valid JSON Schema"),
    ],
)
async def test_a_row_of_a_wrong_form_is_an_error_that_says_so(
    asking: Asking, vendors: Scripted, columns: Json, words: str
) -> None:
    [generation] = (await evaluated(asking, [{**CALLS, **columns}], "basic::bfcl"))["generations"]
    assert generation["generated_answer"] is None and words in generation["error"]
    assert vendors.asked == []


@pytest.mark.parametrize("parameters", [None, {}, {"type": "tuple"}, {"properties": {"a": True}}])
async def test_a_function_has_arguments_whatever_its_schema_says(
    asking: Asking, vendors: Scripted, parameters: Any
) -> None:
    vendors.messages = [call("{}", "f")]
    row = {**CALLS, "function": [{"name": "f", "parameters": parameters}], "ground_truth": [{"f": {}}]}
    assert (await evaluated(asking, [row], "basic::bfcl"))["scores"]["basic::bfcl"]["score_rows"] == [{"score": 1.0}]
    [tool] = vendors.asked[0]["tools"]
    assert tool["function"]["name"] == "f" and tool["function"]["parameters"]["type"] == "object"


async def test_a_schema_without_an_end_is_of_a_wrong_form() -> None:
    with pytest.raises(RequestError, match="`function` of the row is of a wrong form"):
        question_of({**CALLS, "function": [{"name": "f", "parameters": DEEP}]})


async def test_an_agent_is_asked_no_functions_of_a_row(asking: Asking, vendors: Scripted) -> None:
    config = {"eval_candidate": {"type": "agent", "config": {"model": MODEL, "instructions": "Be brief."}}}
    found = await evaluated(asking, [CALLS], "basic::bfcl", benchmark_config=config)
    [generation] = found["generations"]
    assert generation["generated_answer"] is None and "evaluate a model" in generation["error"]
    assert vendors.asked == []


@pytest.mark.parametrize(("row_id", "expected"), [("irrelevance_0", [1.0, 0.0]), ("live_relevance_3-3-0", [0.0, 1.0])])
async def test_where_no_call_is_compared_the_row_needs_no_ground_truth(
    asking: Asking, vendors: Scripted, row_id: str, expected: list[float]
) -> None:
    row = {name: value for name, value in CALLS.items() if name != "ground_truth"} | {"id": row_id}
    vendors.messages = [{"content": "Nothing fits."}, call('{"base": 3}')]
    path = await asking.benchmark(f"of-{row_id}", [row, row], "basic::bfcl")
    run = await asking.completed(path)
    found = (await asking.result(run))["scores"]["basic::bfcl"]["score_rows"]
    assert sorted(one["score"] for one in found) == sorted(expected)
    assert [one["tools"] for one in vendors.asked] == [[TOOL]] * 2
    refused = {"input_rows": [{**row, "id": "simple_python_1"}], "scoring_functions": ["basic::bfcl"]}
    error = await asking.refused(400, f"{AT}/columns/evaluations", refused | {"benchmark_config": candidate()})
    assert "has no column `ground_truth`, which `basic::bfcl` reads" in error["message"]


@pytest.mark.parametrize(
    ("row_id", "words"),
    [
        ("simple_java_7", "in Java or JavaScript"),
        ("simple_javascript_7", "in Java or JavaScript"),
        ("multi_turn_base_3", "of one turn"),
        ("memory_0-customer-0", "of one turn"),
        ("exec_simple_0", "executes nothing"),
    ],
)
async def test_categories_whose_scores_would_be_others_are_refused_before_anything_is_asked(
    asking: Asking, vendors: Scripted, row_id: str, words: str
) -> None:
    path = await asking.benchmark("of-others", [CALLS, {**CALLS, "id": row_id}], "basic::bfcl")
    error = await asking.refused(400, f"{path}/jobs", {"benchmark_config": candidate()})
    assert (error["param"], error["code"]) == ("benchmark_id", "row_not_scored")
    assert error["message"].startswith("Row 1 of the dataset `of-others` cannot be scored by `basic::bfcl`")
    assert words in error["message"] and vendors.asked == []
    asked = {"input_rows": [{**CALLS, "id": row_id, "generated_answer": "f()"}]}
    scored = await asking.done("POST", "/v1/scoring/score", asked | {"scoring_functions": {"basic::bfcl": None}})
    [row] = scored["results"]["basic::bfcl"]["score_rows"]
    assert row["score"] is None and words in row["error"]


@pytest.mark.parametrize("metadata", [{"columns": 5}, {"columns": [{}]}])
async def test_what_somebody_says_of_a_function_is_not_taken_for_columns(
    asking: Asking, vendors: Scripted, metadata: Json
) -> None:
    facts = {"scoring_fn_id": "mine", "description": "?", "return_type": {"type": "number"}, "metadata": metadata}
    told = {"provider_id": "basic", "provider_scoring_fn_id": "equality"}
    assert (await asking.ask("POST", "/v1/scoring-functions", facts | told)).status == 200
    vendors.messages = [{"content": "2"}]
    found = await evaluated(asking, [{"question": "Derive it.", "answer": "2"}], "mine")
    assert found["scores"]["mine"]["score_rows"] == [{"score": 1.0}]
    await asking.ask("DELETE", "/v1/scoring-functions/mine")
