"""A fuzzer holds servers to their own OpenAPI documents.

It sends what a document allows, what it does not allow and what lies at its limits, one request after the other and in
sequences that follow ids. Every answer must have a status, a content type, headers and a body that are documented. A
500 fails it although that is documented: it would be a bug. `FUZZ_SECONDS=600` lets it run on, with another seed.
"""

from __future__ import annotations

import asyncio
import os
import random
import sys
from pathlib import Path
from typing import Any

import pytest

from runtime.config.run_config import RunConfig
from runtime.conformance.stacks import run_config
from runtime.conformance.upstream import CHAT_MODEL, EMBEDDING_MODEL, upstream_server
from runtime.server.app import make_app
from runtime.server.doors import Doors
from runtime.server.openapi.document import document
from runtime.stack.plan import plan
from runtime.stack.stack import Stack
from tests.support import schemathesis_hooks
from tests.support.examples import bell, echoes, lamps, parrot, shelves
from tests.support.mounting import mount
from tests.support.raw_http import listening
from tests.support.stacks import openai_at

FUZZ_SECONDS = int(os.environ.get("FUZZ_SECONDS", "0"))
LIMIT_S = 400 + 2 * FUZZ_SECONDS
EXAMPLES = 5
"""Of each operation, beyond those at the limits of its schema."""
pytestmark = [pytest.mark.e2e, pytest.mark.timeout(LIMIT_S + 60)]

# 5xx other than 500 come from the provider. Not every wrong request can be told by a schema, so a valid one may be
# refused. The names are few: a sequence may meet what another one has made or removed.
CHECKS = """
max-stream-events = 1_000_000
[checks]
not_a_server_error.expected-statuses = ["2xx", "3xx", "4xx", 501, 502, 503, 504]
positive_data_acceptance.enabled = false
ignored_auth.enabled = false
use_after_free.enabled = false
ensure_resource_availability.enabled = false
"""
# A further path of an operation has the same handler, and so the same schemas: what holds at their limits does there.
# A table of operations stands after the settings of all.
FURTHER_PATHS = """
[[operations]]
include-operation-id-regex = "_(get|post|put|patch|delete|head)_v1"
generation.max-examples = 1
[operations.phases]
coverage.enabled = false
stateful.enabled = false
"""
OF_A_RESPONSE = ("/v1/responses/input_tokens", "/v1/responses/compact")
"""What these take, `/v1/responses` takes too: 6,000 of 22,000 requests would hold the same schemas to their limits."""
FIELDS_SEEN_BEFORE = f"""
[[operations]]
include-path = {list(OF_A_RESPONSE)}
phases.coverage.enabled = false
"""


def names(**of: list[str]) -> str:
    """Settings by which fields often have names that exist: a random name is never more than a 404."""
    known = "\n".join(f"[dictionaries.{field}]\nvalues = {values}" for field, values in of.items())
    used = "\n".join(
        f'"{place}.{field}" = {{ dictionary = "{field}", probability = {probability} }}'
        for field in of
        for place, probability in (("body", 0.9), ("path", 0.5))
    )
    return f"{known}\n[parameters]\n{used}\n"


async def fuzz(run: RunConfig, folder: Path, settings: str, *options: str) -> None:
    """Serve a run config, and fail the test with what the fuzzer says, if it finds anything. options: the fuzzer's."""
    file = folder / "schemathesis.toml"
    file.write_text(settings + FURTHER_PATHS + FIELDS_SEEN_BEFORE)
    effort = ["--max-examples", str(EXAMPLES), "--seed", "1"]
    if FUZZ_SECONDS:
        effort = ["--max-time", str(FUZZ_SECONDS), "--seed", str(random.SystemRandom().randrange(2**32))]
    stack = Stack(plan(run), run, state_dir=folder / "state")
    await stack.open()
    async with listening(make_app(stack)) as server:
        url = f"http://127.0.0.1:{server.port}"
        fuzzer = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "schemathesis.cli", "--config-file", str(file), "run", f"{url}/openapi.json"),
            *(
                "--url",
                url,
                "--suppress-health-check",
                "all",
                "--continue-on-failure",
                "--warnings",
                "off",
                *effort,
                *options,
            ),
            cwd=folder,
            env=os.environ | {"SCHEMATHESIS_HOOKS": schemathesis_hooks.__file__, "NO_COLOR": "1"},
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
        )
        try:
            async with asyncio.timeout(LIMIT_S):
                told, _ = await fuzzer.communicate()
        finally:
            if fuzzer.returncode is None:
                fuzzer.kill()
                await fuzzer.communicate()
        print(told.decode())
        assert fuzzer.returncode == 0


def fields_of(made: dict[str, Any], path: str) -> dict[str, Any]:
    """Of the body of a POST, with their schemas but for what they say in words."""
    schema = made["paths"][path]["post"]["requestBody"]["content"]["application/json"]["schema"]
    fields: dict[str, Any] = made["components"]["schemas"][schema["$ref"].rpartition("/")[2]]["properties"]
    return {name: {**field, "description": ""} for name, field in fields.items()}


def test_what_is_asked_about_a_response_has_the_fields_of_one() -> None:
    """Or their limits would have to be looked for there too."""
    planned = plan(run_config(openai_at("http://vendor.test")))
    made = document(planned, Doors(planned.apis.values()))
    for path in OF_A_RESPONSE:
        whole = fields_of(made, "/v1/responses")
        assert {**whole, **fields_of(made, path)} == whole


async def test_every_answer_is_as_our_document_says(tmp_path: Path) -> None:
    known = names(
        model=[f"vendor/{CHAT_MODEL}", f"vendor/{EMBEDDING_MODEL}", CHAT_MODEL],
        model_id=[f"vendor/{CHAT_MODEL}", "mine"],
        provider_id=["vendor", "inspect"],
    )
    async with upstream_server() as upstream:
        await fuzz(run_config(openai_at(upstream.url)), tmp_path, CHECKS + known)
        for path in ("/chat/completions", "/completions", "/embeddings"):
            assert upstream.calls(path), f"nothing got as far as the provider's {path}"


async def test_so_is_every_answer_of_every_mechanism(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without `negative_data_rejection`: a part of a form may be a file whatever it holds, and pydantic takes `true`
    for 1. Without `allow_header_conformance`: paths with text beside a field share one entry in the router.
    """
    providers: dict[str, Any] = {"inference": []}
    for module in (bell, echoes, lamps, parrot, shelves):
        mount(monkeypatch, module)
        for api, spec in module.SPECS:
            providers.setdefault(api, []).append({"provider_id": spec.name, "provider_type": spec.provider_type})
    known = names(lamp_id=["a", "b"], lamp=["a"], bell=["cracked", "a/b"], provider_id=["switch", "dimmer", "valley"])
    left_out = "negative_data_rejection.enabled = false\nallow_header_conformance.enabled = false\n"
    await fuzz(run_config(providers=providers), tmp_path, CHECKS + left_out + known, "--exclude-tag", "inference")
