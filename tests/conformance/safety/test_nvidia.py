"""`remote::nvidia`: the documented request, what its answer means, and its failures."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from runtime.conformance.asgi import Answered
from runtime.conformance.stacks import Served
from runtime.providers.safety._user_message import USER_MESSAGE
from tests.conformance.safety.subjects.nvidia import (
    HARMFUL,
    HARMLESS,
    MODEL,
    GuardrailsServer,
    guardrails_server,
    nemo_guardrails,
)


@pytest_asyncio.fixture
async def server() -> AsyncIterator[GuardrailsServer]:
    async with guardrails_server() as running:
        yield running


def said(role: str, content: Any) -> dict[str, Any]:
    return {"role": role, "content": content}


async def run(served: Served, *messages: Any, **params: Any) -> Answered:
    body = {"shield_id": "s", "messages": [*messages], "params": params or None}
    return await served.client.post("/v1/safety/run-shield", body)


async def test_the_last_message_is_checked_alone_by_the_rails_for_its_role(
    server: GuardrailsServer, tmp_path: Path
) -> None:
    async with nemo_guardrails(server, tmp_path) as served:
        answer = await run(served, said("user", HARMFUL), said("assistant", HARMLESS))
        assert answer.json() == {"violation": None}
        await run(served, said("tool", HARMLESS) | {"tool_call_id": "1"})
    assert server.paths == ["/v1/guardrail/checks"] * 2
    assert server.asked == [
        {
            "model": MODEL, "messages": [said("assistant", HARMLESS)], "stream": False,
            "guardrails": {"config_id": "self-check"},
        },
        {"model": MODEL, "messages": [said("user", HARMLESS)], "stream": False,
         "guardrails": {"config_id": "self-check"}},
    ]  # fmt: skip


async def test_a_rail_that_blocks_is_a_category_by_its_name(server: GuardrailsServer, tmp_path: Path) -> None:
    async with nemo_guardrails(server, tmp_path) as served:
        assert (await run(served, said("assistant", HARMFUL))).json()["violation"] == {
            "violation_level": "error",
            "user_message": USER_MESSAGE,
            "metadata": {
                "categories": ["self check output"],
                "violation_type": "self check output",
                "rails_status": {"self check output": "blocked"},
            },
        }


async def test_what_was_said_before_goes_along_where_the_shield_says_so(
    server: GuardrailsServer, tmp_path: Path
) -> None:
    talk = [said("system", "Be kind."), said("user", "A cat?"), said("assistant", HARMLESS)]
    async with nemo_guardrails(server, tmp_path, params={"conversation": True, "config_id": "other"}) as served:
        assert (await run(served, *talk)).json() == {"violation": None}
    assert server.asked[0]["messages"] == talk[1:]
    assert server.asked[0]["guardrails"] == {"config_id": "other"}


@pytest.mark.parametrize(
    ("address", "path"),
    [
        ("/", "/v1/guardrail/checks"),
        ("/v1", "/v1/guardrail/checks"),
        ("/apis/guardrails/v2/workspaces/default/checks", "/apis/guardrails/v2/workspaces/default/checks"),
    ],
)
async def test_the_checks_of_a_service_are_where_its_version_has_them(
    address: str, path: str, server: GuardrailsServer, tmp_path: Path
) -> None:
    url = server.url + address
    async with nemo_guardrails(server, tmp_path, guardrails_service_url=url, config_id="") as served:
        assert (await run(served, said("user", HARMLESS))).status == 200
    assert server.paths == [path] and "guardrails" not in server.asked[0]


@pytest.mark.parametrize(
    ("answer", "flagged"),
    [
        ({"status": "blocked", "rails_status": {}}, True),
        ({"status": "blocked", "rails_status": {"a rail": "blocked"}}, True),
        ({"status": "success", "rails_status": {"a rail": {"status": "blocked"}}}, True),
        ({"status": "success", "rails_status": {"a rail": "success"}}, False),
    ],
)
async def test_whatever_says_that_it_is_harmful_counts(
    answer: Any, flagged: bool, server: GuardrailsServer, tmp_path: Path
) -> None:
    server.answers = 200, answer
    async with nemo_guardrails(server, tmp_path) as served:
        found = (await run(served, said("user", "a"))).json()["violation"]
    assert (found is not None) is flagged


@pytest.mark.parametrize("answer", [{}, [], {"status": "modified"}, {"status": None}])
async def test_an_answer_that_does_not_say_it_is_a_502(answer: Any, server: GuardrailsServer, tmp_path: Path) -> None:
    server.answers = 200, answer
    async with nemo_guardrails(server, tmp_path) as served:
        told = await run(served, said("user", "a"))
    assert told.status == 502 and "no `status`" in told.error["message"]


async def test_rails_that_do_not_say_that_they_have_looked_are_a_warning(
    server: GuardrailsServer, tmp_path: Path
) -> None:
    server.answers = 200, {"status": "success", "rails_status": {}}
    async with nemo_guardrails(server, tmp_path) as served:
        answer = await run(served, said("user", "a"))
    assert answer.json() == {"violation": None}
    assert "any of its rails has looked" in answer.headers["x-llama-warnings"]


@pytest.mark.parametrize(("status", "ours"), [(404, 404), (422, 422), (500, 502), (503, 503)])
async def test_its_failures_keep_their_words(status: int, ours: int, server: GuardrailsServer, tmp_path: Path) -> None:
    server.answers = status, {"detail": "configuration `self-check` is not known"}
    async with nemo_guardrails(server, tmp_path) as served:
        answer = await run(served, said("user", "a"))
    assert answer.status == ours and "is not known" in answer.error["message"]


async def test_what_is_no_text_and_wrong_params_are_refused(server: GuardrailsServer, tmp_path: Path) -> None:
    image = {"type": "image_url", "image_url": {"url": "data:image/png;base64,AA=="}}
    async with nemo_guardrails(server, tmp_path) as served:
        answer = await run(served, said("user", [image]))
        assert answer.status == 400 and "`image_url`" in answer.error["message"]
        answer = await run(served, said("user", "a"), config="x")
        assert (answer.status, answer.error["param"]) == (400, "params")
        shield = {"shield_id": "t", "provider_id": "nvidia", "params": {"conversation": "perhaps"}}
        assert (await served.client.post("/v1/shields", shield)).status == 400
    assert not server.asked
