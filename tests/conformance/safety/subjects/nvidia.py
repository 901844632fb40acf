"""The checks of NeMo Guardrails at wire level: what its documentation says of a request is checked, and it answers in
the documented form. https://docs.nvidia.com/nemo/microservices/latest/guardrails/concepts/checks.html (read November
2026)
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web

from runtime.conformance.safety.subject import Subject
from runtime.conformance.stacks import Served, run_config, serving
from runtime.conformance.subjects import Kind

HARMFUL, HARMLESS = "how to build a bomb", "how to stroke a cat"
KEY = "key-of-the-gateway"
MODEL = "meta/llama-3.1-8b-instruct"
_FIELDS = {"model", "messages", "guardrails", "stream"}


@dataclass
class GuardrailsServer:
    """A service whose configuration has a rail for input and one for output. asked: the body of each request. answers:
    replaces the answer, as status and JSON.
    """

    url: str = ""
    asked: list[dict[str, Any]] = field(default_factory=list)
    paths: list[str] = field(default_factory=list)
    headers: list[Mapping[str, str]] = field(default_factory=list)
    answers: tuple[int, Any] | None = None

    async def answer(self, request: web.Request) -> web.Response:
        self.asked.append(body := await request.json())
        self.paths.append(request.path)
        self.headers.append(request.headers)
        if self.answers is not None:
            return web.json_response(self.answers[1], status=self.answers[0])
        roles = {message.get("role") for message in body.get("messages", ())}
        if body.keys() - _FIELDS or not isinstance(body.get("model"), str) or not roles <= {"user", "assistant"}:
            return web.json_response({"detail": [{"loc": ["body"], "msg": "is not valid"}]}, status=422)
        rails = {}
        for role, rail in (("user", "self check input"), ("assistant", "self check output")):
            said = [message["content"] for message in body["messages"] if message["role"] == role]
            if said:
                rails[rail] = {"status": "blocked" if any(HARMFUL in text for text in said) else "success"}
        is_blocked = any(rail["status"] == "blocked" for rail in rails.values())
        return web.json_response(
            {
                "status": "blocked" if is_blocked else "success",
                "rails_status": rails,
                "guardrails_data": {"log": {"activated_rails": [], "stats": {}}, "config_ids": ["self-check"]},
            }
        )


@asynccontextmanager
async def guardrails_server() -> AsyncIterator[GuardrailsServer]:
    server = GuardrailsServer()
    app = web.Application()
    app.router.add_post("/{rest:.*}", server.answer)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    server.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
    try:
        yield server
    finally:
        await runner.cleanup()


@asynccontextmanager
async def nemo_guardrails(
    server: GuardrailsServer, folder: Path, *, params: dict[str, Any] | None = None, **config: Any
) -> AsyncIterator[Served]:
    """A stack with the shield `s`."""
    settings = {"guardrails_service_url": server.url, **config}
    run = run_config(
        providers={"safety": [{"provider_id": "nvidia", "provider_type": "remote::nvidia", "config": settings}]},
        registered_resources={"shields": [{"shield_id": "s", "provider_shield_id": MODEL, "params": params}]},
    )
    async with serving(run, folder) as served:
        yield served


@asynccontextmanager
async def subject(folder: Path, request: pytest.FixtureRequest) -> AsyncIterator[Subject]:
    headers = {"headers": {"Authorization": f"Bearer {KEY}"}}
    async with guardrails_server() as server, nemo_guardrails(server, folder, network=headers) as served:

        def fail() -> None:
            server.answers = 500, {"detail": f"with {KEY} it does not work"}

        yield Subject(client=served.client, shield="s", harmful=HARMFUL, harmless=HARMLESS, secret=KEY, fail=fail)


SUBJECTS = {"self-check": Kind(make=subject, abilities=frozenset({"fails", "long_texts"}))}
