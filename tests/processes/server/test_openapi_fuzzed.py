"""A fuzzer holds a running server to its own OpenAPI document.

It sends what the document allows, what it does not allow and what lies at its limits, one request after the other and
in sequences that follow ids. Every answer must have a status, a content type, headers and a body that are documented.
A 500 fails it although that is documented: it would be a bug. `FUZZ_SECONDS=600` lets it run on, with other seeds.
"""

from __future__ import annotations

import asyncio
import os
import random
import signal
import sys
from pathlib import Path

import pytest

from tests.support import schemathesis_hooks
from tests.support.server_process import server_process
from tests.support.stacks import openai_at
from tests.support.upstream import CHAT_MODEL, EMBEDDING_MODEL, upstream_server

pytestmark = pytest.mark.e2e

FUZZ_SECONDS = int(os.environ.get("FUZZ_SECONDS", "0"))
LIMIT_S = 240 + 2 * FUZZ_SECONDS
EXAMPLES = 8
"""Of each operation, beyond those at the limits of its schema."""

# Names that exist are among the values: a random name is never more than a 404. 5xx other than 500 come from the
# provider. Not every wrong request can be told by a schema, so a valid one may be refused.
SETTINGS = f"""
max-stream-events = 1_000_000
[dictionaries.models]
values = ["vendor/{CHAT_MODEL}", "vendor/{EMBEDDING_MODEL}", "{CHAT_MODEL}"]
[dictionaries.providers]
values = ["vendor", "inspect"]
[parameters]
"body.model" = {{ dictionary = "models", probability = 0.9 }}
"path.model_id" = {{ dictionary = "models", probability = 0.5 }}
"path.provider_id" = {{ dictionary = "providers", probability = 0.5 }}
[checks]
not_a_server_error.expected-statuses = ["2xx", "3xx", "4xx", 501, 502, 503, 504]
positive_data_acceptance.enabled = false
ignored_auth.enabled = false
"""


@pytest.mark.timeout(LIMIT_S + 60)
async def test_every_answer_is_as_the_document_says(tmp_path: Path) -> None:
    settings = tmp_path / "schemathesis.toml"
    settings.write_text(SETTINGS)
    options = ["--max-examples", str(EXAMPLES), "--seed", "1"]
    if FUZZ_SECONDS:
        options = ["--max-time", str(FUZZ_SECONDS), "--seed", str(random.SystemRandom().randrange(2**32))]
    async with upstream_server() as upstream:
        run_config = {
            "version": 2,
            "distro_name": "fuzzed",
            "providers": {"inference": [openai_at(upstream.url)]},
            "storage": {"backends": {"kv_default": {"type": "kv_memory"}}},
        }
        async with server_process(run_config, tmp_path / "server") as server:
            await server.until("serving")
            reading = asyncio.create_task(server.ended())  # its log, which would fill the pipe
            fuzzer = await asyncio.create_subprocess_exec(
                *(sys.executable, "-m", "schemathesis.cli", "--config-file", str(settings), "run"),
                *(f"{server.url}/openapi.json", "--url", server.url, "--suppress-health-check", "all"),
                *("--continue-on-failure", "--warnings", "off", *options),
                cwd=tmp_path,
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
                    await fuzzer.wait()
                server.signal(signal.SIGTERM)
                ended = await reading
            print(told.decode())
            assert (fuzzer.returncode, ended) == (0, 0)
        assert upstream.calls("/chat/completions") and upstream.calls("/embeddings"), (
            "nothing got as far as the provider"
        )
