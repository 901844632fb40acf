"""`code_interpreter`: code that runs in a container, what the model is told of it, and what the output has."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from typing import Any

import pytest
import pytest_asyncio

from runtime.conformance.form import HEADERS, field, file, form
from runtime.conformance.stacks import run_config, serving
from runtime.conformance.upstream import Upstream, upstream_server
from runtime.conformance.upstream.scripted import calls, says
from tests.conformance.responses.asking import WEATHER, Asking, kinds, texts
from tests.support.apart import why_not
from tests.support.stacks import openai_at

pytestmark = pytest.mark.asyncio(loop_scope="module")
Json = dict[str, Any]
AUTO: Json = {"type": "code_interpreter", "container": {"type": "auto"}}


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def coding(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Asking]:
    """Who asks a stack that runs code, at a vendor who says what a test writes down."""
    if reason := why_not():
        pytest.skip(reason)
    providers = {
        "files": [{"provider_id": "localfs", "provider_type": "inline::localfs"}],
        "containers": [
            {
                "provider_id": "bubblewrap",
                "provider_type": "inline::bubblewrap",
                "config": {"run_timeout_s": 45, "flood_bytes": 2 * 1024**2},
            }
        ],
    }
    async with upstream_server() as vendor:
        config = run_config(providers={"inference": [openai_at(vendor.url)], **providers})
        async with serving(config, tmp_path_factory.mktemp("state")) as served:
            yield Asking(served.client, vendor)


def code(text: str) -> tuple[str, str, str]:
    """The call of a model that wants this run."""
    return "call_1", "code_interpreter", json.dumps({"code": text})


def told(vendor: Upstream) -> list[Json]:
    """The messages of the last chat completion."""
    messages: list[Json] = vendor.calls("/chat/completions")[-1].json()["messages"]
    return messages


def described(vendor: Upstream) -> str:
    """What the model was told of the tool at last."""
    description: str = vendor.calls("/chat/completions")[-1].json()["tools"][0]["function"]["description"]
    return description


async def kept(asking: Asking, name: str, content: bytes) -> str:
    """A file of the Files API; its id."""
    body = form(field("purpose", "user_data"), file(content, filename=name))
    id: str = (await asking.client.request("POST", "/v1/files", body=body, headers=HEADERS)).json()["id"]
    return id


async def test_code_runs_and_is_told_in_its_order(coding: Asking) -> None:
    coding.says(calls(code("print('hi')\n6 * 7")), says("It is 42."))
    events = await coding.streamed(tools=[AUTO])
    call, message = events[-1]["response"]["output"]
    assert (call["type"], call["status"], call["code"]) == ("code_interpreter_call", "completed", "print('hi')\n6 * 7")
    assert call["container_id"].startswith("cntr_") and call["outputs"] == [{"type": "logs", "logs": "hi\n42"}]
    assert message["content"][0]["annotations"] == []
    assert kinds(events) == [
        "created", "in_progress",
        "output_item.added", "code_interpreter_call.in_progress", "code_interpreter_call_code.delta",
        "code_interpreter_call_code.done", "code_interpreter_call.interpreting", "code_interpreter_call.completed",
        "output_item.done",
        "output_item.added", "content_part.added", "output_text.delta", "output_text.done", "content_part.done",
        "output_item.done", "completed",
    ]  # fmt: skip
    assert told(coding.vendor)[-1] == {"role": "tool", "tool_call_id": "call_1", "content": "hi\n42"}
    [offered] = coding.vendor.calls("/chat/completions")[-1].json()["tools"]
    assert offered["function"]["name"] == "code_interpreter" and "/mnt/data" in offered["function"]["description"]


async def test_what_one_call_defines_is_there_for_the_next_one_of_the_same_turn(coding: Asking) -> None:
    both = [("call_1", *code("x = 6")[1:]), ("call_2", *code("x * 7")[1:])]
    coding.says(calls(*both), says("It is 42."))
    events = await coding.streamed(tools=[AUTO])
    output = events[-1]["response"]["output"]
    assert [item["outputs"][0]["logs"] for item in output[:2]] == [
        "[The code ran and wrote nothing.]",
        "42",
    ]
    assert len({item["container_id"] for item in output[:2]}) == 1
    places = [event["output_index"] for event in events if "output_index" in event]
    assert places == sorted(places)
    assert [message.get("tool_call_id") for message in told(coding.vendor)[-2:]] == ["call_1", "call_2"]


async def test_a_conversation_keeps_its_container_and_reads_its_code_again(coding: Asking) -> None:
    coding.says(calls(code("x = 5; open('a.txt', 'w').write('a'); x")), says("Five"))
    first = await coding.whole(tools=[AUTO])
    coding.says(calls(code("x + 1")), says("Six"))
    second = await coding.whole("And one more?", previous_response_id=first["id"], tools=[AUTO])
    assert second["output"][0]["container_id"] == first["output"][0]["container_id"]
    assert second["output"][0]["outputs"][0]["logs"] == "6"
    before = told(coding.vendor)
    roles = [message["role"] for message in before]
    assert roles == ["user", "assistant", "tool", "assistant", "user", "assistant", "tool"]
    [again] = before[1]["tool_calls"]
    assert json.loads(again["function"]["arguments"]) == {"code": "x = 5; open('a.txt', 'w').write('a'); x"}
    assert before[2]["content"].startswith("5\n[Files that are new or changed: /mnt/data/a.txt (1 bytes)]")
    assert (
        "/mnt/data/a.txt" in coding.vendor.calls("/chat/completions")[-1].json()["tools"][0]["function"]["description"]
    )


@pytest.mark.parametrize("is_elsewhere", [False, True])
async def test_a_container_that_is_gone_is_followed_by_another_and_that_is_said(
    coding: Asking, tmp_path_factory: pytest.TempPathFactory, is_elsewhere: bool
) -> None:
    coding.says(calls(code("x = 5")), says("Done"))
    first = await coding.whole(tools=[AUTO])
    gone = first["output"][0]["container_id"]
    if is_elsewhere:
        [folder] = [path for path in tmp_path_factory.getbasetemp().rglob(gone) if path.is_dir()]
        folder.rename(folder.parent.parent / "of-another-server")
    else:
        assert (await coding.client.request("DELETE", f"/v1/containers/{gone}")).status == 200
    coding.says(calls(code("x")), says("Lost"))
    second = await coding.whole("x?", previous_response_id=first["id"], tools=[AUTO])
    call = second["output"][0]
    assert call["container_id"] != gone and call["status"] == "completed"
    assert "started anew" in call["outputs"][0]["logs"] and "NameError" in call["outputs"][0]["logs"]


async def test_files_are_there_once_and_are_named_to_the_model(coding: Asking) -> None:
    first_id = await kept(coding, "first.csv", b"a\n1\n")
    tool = {"type": "code_interpreter", "container": {"type": "auto", "file_ids": [first_id]}}
    coding.says(calls(code("open('first.csv', 'a').write('2\\n'); None")), says("Done"))
    first = await coding.whole(tools=[tool])
    assert "/mnt/data/first.csv" in described(coding.vendor)
    second_id = await kept(coding, "second.csv", b"b\n")
    tool = {"type": "code_interpreter", "container": {"type": "auto", "file_ids": [first_id, second_id]}}
    coding.says(calls(code("print(open('first.csv').read() + open('second.csv').read())")), says("Done"))
    second = await coding.whole("On", previous_response_id=first["id"], tools=[tool])
    assert second["output"][0]["outputs"][0]["logs"] == "a\n1\n2\nb"


async def test_files_that_code_makes_are_cited_where_they_are_named(coding: Asking) -> None:
    drawn = "import matplotlib.pyplot as plt\nplt.plot([1, 2])\nopen('b.csv', 'w').write('b'); None"
    link = "Here: [plot](sandbox:/mnt/data/figure-1.png)."
    coding.says(calls(code(drawn)), says(link[:20], link[20:]))
    events = await coding.streamed(tools=[AUTO], include=["code_interpreter_call.outputs"])
    call, message = events[-1]["response"]["output"]
    [part] = message["content"]
    assert part["text"] == link
    named, unnamed = part["annotations"]
    assert (named["type"], named["filename"]) == ("container_file_citation", "figure-1.png")
    assert link[named["start_index"] : named["end_index"]] == "sandbox:/mnt/data/figure-1.png"
    assert (unnamed["filename"], unnamed["start_index"], unnamed["end_index"]) == ("b.csv", len(link), len(link))
    added = [event["annotation"] for event in events if event["type"].endswith("annotation.added")]
    assert added == part["annotations"]
    logs, image = call["outputs"]
    assert logs["type"] == "logs" and image["type"] == "image"
    read = await coding.client.get(image["url"])
    assert read.status == 200 and read.body.startswith(b"\x89PNG")
    path = f"/v1/containers/{named['container_id']}/files/{named['file_id']}/content"
    assert (await coding.client.get(path)).body == read.body


async def test_a_container_by_its_id(coding: Asking) -> None:
    made = (await coding.client.post("/v1/containers", {"name": "mine"})).json()["id"]
    coding.says(calls(code("1")), says("One"))
    response = await coding.whole(tools=[{"type": "code_interpreter", "container": made}])
    assert response["output"][0]["container_id"] == made


@pytest.mark.parametrize(
    ("tool", "status", "words"),
    [
        ({"container": "cntr_that_is_not_there"}, 404, "cntr_that_is_not_there"),
        ({"container": {"type": "auto", "file_ids": ["file-none"]}}, 404, "file-none"),
        ({"container": {"type": "auto", "memory_limit": "2g"}}, 400, "memory_limit"),
        ({"container": {"type": "manual"}}, 400, "auto"),
        ({"container": 5}, 400, "container"),
    ],
)
async def test_a_container_that_cannot_be_is_an_error_of_the_request(
    coding: Asking, tool: Json, status: int, words: str
) -> None:
    coding.says(says("never"))
    error = await coding.refused({"input": "Hi", "tools": [{"type": "code_interpreter", **tool}]})
    assert error["status"] == status and words in error["message"] and "container" in error["param"]


async def test_two_are_refused(coding: Asking) -> None:
    error = await coding.refused({"input": "Hi", "tools": [AUTO, AUTO]})
    assert "second `code_interpreter`" in error["message"]


@pytest.mark.parametrize(
    ("text", "limit"),
    [("while True: print('x' * 1000)", "output"), ("a = bytearray(2**40)", "memory")],
)
async def test_a_limit_is_in_the_item_and_told(coding: Asking, text: str, limit: str) -> None:
    coding.says(calls(code(text)), calls(code("1 + 1")), says("I see"))
    response = await coding.whole(tools=[AUTO])
    ended, after, _ = response["output"]
    assert ended["status"] == "incomplete" and f"limit `{limit}`" in ended["outputs"][0]["logs"]
    assert len(ended["outputs"][0]["logs"]) < 40_000
    assert after["status"] == "completed" and after["outputs"][0]["logs"].endswith("\n2")
    assert after["container_id"] == ended["container_id"] and texts(response) == ["I see"]


async def test_an_exception_is_told_and_the_call_is_complete(coding: Asking) -> None:
    coding.says(calls(code("1 / 0")), says("No"))
    response = await coding.whole(tools=[AUTO])
    assert response["output"][0]["status"] == "completed"
    assert response["output"][0]["outputs"][0]["logs"].endswith("ZeroDivisionError: division by zero")


@pytest.mark.parametrize("policy", [{"type": "disabled"}, None])
async def test_a_policy_of_the_network_is_kept_and_shown(coding: Asking, policy: Any) -> None:
    coding.says(calls(code("1 + 1")), says("2"))
    container = {"type": "auto", "network_policy": policy}
    response = await coding.whole(tools=[{"type": "code_interpreter", "container": container}])
    assert response["output"][0]["status"] == "completed" and response["tools"][0]["container"] == container


async def test_a_policy_that_cannot_be_held_is_told_to_the_model(coding: Asking) -> None:
    policy = {"type": "allowlist", "allowed_domains": ["example.com"]}
    coding.says(calls(code("1 + 1")), says("Sorry"))
    response = await coding.whole(tools=[{**AUTO, "container": {"type": "auto", "network_policy": policy}}])
    [call, _] = response["output"]
    assert call["status"] == "failed" and "reaches no network" in call["outputs"][0]["logs"]


@pytest.mark.parametrize("container", [{"type": "auto", "file_ids": [""]}, "", {"type": "auto", "file_ids": [None]}])
async def test_what_names_nothing_is_refused(coding: Asking, container: Any) -> None:
    refused = await coding.refused({"input": "Hi", "tools": [{"type": "code_interpreter", "container": container}]})
    assert refused["status"] == 400 and refused["param"].startswith("tools[0].container")


async def test_an_item_with_a_container_that_cannot_be_is_refused(coding: Asking) -> None:
    item = {"type": "code_interpreter_call", "id": "a", "code": "1", "container_id": "x" * 700, "outputs": None}
    refused = await coding.refused({"input": [{**item, "status": "completed"}], "tools": [AUTO]})
    assert (refused["status"], refused["param"]) == (400, "input[0].container_id")


@pytest.mark.parametrize("arguments", ['{"cod', '{"x": ' + "[" * 9000 + "]" * 9000 + "}"])
async def test_broken_arguments_are_said_once_and_then_fail(coding: Asking, arguments: str) -> None:
    broken = ("call_1", "code_interpreter", arguments)
    coding.says(calls(broken), calls(broken), says("Sorry"))
    response = await coding.whole(tools=[AUTO])
    [call] = [item for item in response["output"] if item["type"] == "code_interpreter_call"]
    assert call["status"] == "failed" and "cannot be read" in call["outputs"][0]["logs"]
    assert texts(response) == ["Sorry"]


async def test_beside_a_function_of_the_caller(coding: Asking) -> None:
    coding.says(calls(code("1"), ("call_2", "get_weather", '{"city": "Lima"}')))
    response = await coding.whole(tools=[AUTO, WEATHER])
    assert [item["type"] for item in response["output"]] == ["function_call", "code_interpreter_call"]


async def test_the_model_can_be_made_to_run_code(coding: Asking) -> None:
    coding.says(says("Hi"))
    await coding.whole(tools=[AUTO, WEATHER], tool_choice={"type": "code_interpreter"})
    asked = coding.vendor.calls("/chat/completions")[-1].json()
    assert asked["tool_choice"]["function"]["name"] == "code_interpreter"


async def test_an_item_of_another_server_is_read_without_its_outputs(coding: Asking) -> None:
    coding.says(says("Hi"))
    item = {"type": "code_interpreter_call", "id": "ci_1", "container_id": "cntr_1", "code": "1", "outputs": None}
    await coding.whole([item, {"role": "user", "content": "And?"}])
    assert told(coding.vendor)[1]["content"] == "[What came of this code is not shown any more.]"
