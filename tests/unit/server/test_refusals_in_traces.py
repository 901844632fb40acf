"""Why a request was refused is in its trace: also where no provider was asked, and although we have not failed."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from runtime.conformance.stacks import Served, run_config, serving
from runtime.conformance.upstream import Upstream, refusal
from runtime.faults.parsing import HEADER
from runtime.telemetry import conventions as names
from runtime.telemetry.spans import Span
from tests.support.calls import answering
from tests.support.stacks import openai_at
from tests.unit.telemetry._seen import Exported

pytestmark = pytest.mark.asyncio(loop_scope="function")
KEPT = {"telemetry": [{"provider_id": "builtin", "provider_type": "inline::builtin"}]}
SECRET = "sk-configured-secret"
CHAT = {"model": "vendor/chat", "messages": [{"role": "user", "content": "my secret thought"}]}


@pytest_asyncio.fixture
async def served(upstream: Upstream, tmp_path: Path) -> AsyncIterator[Served]:
    upstream.models = ["chat"]
    async with serving(run_config(providers={"inference": [openai_at(upstream.url)], **KEPT}), tmp_path) as running:
        yield running


async def asked(served: Served, status: int, path: str = "/v1/chat/completions", **body: Any) -> Span:
    """The span of a request that is answered so."""
    exported = await Exported.of(served.stack)
    assert (await served.client.post(path, json=body)).status == status
    [span] = [span for span in await exported.spans() if span.kind == "server"]
    return span


async def test_a_model_that_nobody_serves(served: Served) -> None:
    span = await asked(served, 404, **CHAT | {"model": "vendor/chatt"})
    assert (span.error, span.attributes[names.ERROR_CODE]) == ("", "model_not_found")
    assert span.attributes[names.ERROR_MESSAGE] == "Model `vendor/chatt` is not served by any provider"
    assert "`vendor/chat`" in str(span.attributes[names.ERROR_HINT])
    [trace] = (await served.client.post("/v1/telemetry/traces", json={"failed": True})).json()["data"]
    assert (trace["status"], trace["http_status"]) == ("ok", 404), "an answer as it is to be"
    assert trace["message"] == "Model `vendor/chatt` is not served by any provider"


async def test_a_path_that_is_none(served: Served) -> None:
    span = await asked(served, 404, "/v1/chatt/completions")
    assert span.attributes[names.ERROR_MESSAGE] == "`POST /v1/chatt/completions` is no route of this server"
    assert span.attributes[names.ERROR_CODE] == "not_found"


async def test_what_is_wrong_with_a_request_is_told_without_what_it_says(served: Served) -> None:
    span = await asked(served, 400, **CHAT | {"messages": "my secret thought"})
    assert span.attributes[names.ERROR_CODE] == "invalid_value"
    assert "`messages`: expected an array, got a string" in str(span.attributes[names.ERROR_MESSAGE])
    assert "secret" not in str(span.attributes)


async def test_secrets_are_masked(served: Served) -> None:
    span = await asked(served, 404, **CHAT | {"model": SECRET})
    assert "********" in str(span.attributes[names.ERROR_MESSAGE]) and SECRET not in str(span.attributes)


async def test_what_a_vendor_says_is_in_the_span_of_its_call_alone(upstream: Upstream, served: Served) -> None:
    upstream.misbehaves = answering(lambda: refusal(400, "no such voice"))
    exported = await Exported.of(served.stack)
    assert (await served.client.post("/v1/chat/completions", json=CHAT)).status == 400
    spans = await exported.spans()
    [request] = [span for span in spans if span.kind == "server"]
    [call] = [span for span in spans if names.PROVIDER_ID in span.attributes]
    assert "no such voice" in call.message and names.ERROR_MESSAGE not in request.attributes
    assert names.ERROR_CODE in request.attributes


async def test_an_answer_that_is_fine_says_nothing_of_it(served: Served) -> None:
    span = await asked(served, 200, **CHAT)
    assert not {names.ERROR_CODE, names.ERROR_MESSAGE, names.WARNINGS, names.CHANGED} & span.attributes.keys()


async def test_the_warnings_of_an_answer(served: Served) -> None:
    exported = await Exported.of(served.stack)
    answer = await served.client.post("/v1/chat/completions", json=CHAT, headers={HEADER: "status=500"})
    assert answer.status == 200
    [span] = [span for span in await exported.spans() if span.kind == "server"]
    assert span.attributes[names.WARNINGS] == [answer.headers["x-llama-warnings"]]
