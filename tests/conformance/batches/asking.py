"""Batches as the suite uses them: over HTTP, each request that must succeed checked."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from runtime.conformance.asgi import Answered
from runtime.conformance.form import HEADERS, field, file, form
from runtime.conformance.stacks import Served, adapter_of, run_config, serving
from runtime.conformance.upstream import CHAT_MODEL, Upstream
from runtime.providers.batches._shared.batches import KeptBatches
from tests.support.stacks import openai_at

CHAT, BATCHES = "/v1/chat/completions", "/v1/batches"
MODEL = f"vendor/{CHAT_MODEL}"
LIMIT_S = 30.0
ENDED = ("completed", "failed", "expired", "cancelled")
Json = dict[str, Any]


def line(custom_id: str, text: str = "Hello", *, url: str = CHAT, **body: Any) -> Json:
    """A chat of one message."""
    messages = [{"role": "user", "content": text}]
    return {
        "custom_id": custom_id, "method": "POST", "url": url, "body": {"model": MODEL, "messages": messages, **body},
    }  # fmt: skip


def lines(count: int, **body: Any) -> list[Json]:
    return [line(f"line-{number}", f"Say {number}", **body) for number in range(count)]


def jsonl(*given: Json | str) -> str:
    return "".join((one if isinstance(one, str) else json.dumps(one)) + "\n" for one in given)


@dataclass(frozen=True)
class Asking:
    """A stack with batches. vendor: what its models are asked."""

    served: Served
    vendor: Upstream

    @property
    def adapter(self) -> KeptBatches:
        found: KeptBatches = adapter_of(self.served.stack, "batches")
        return found

    async def ask(self, method: str, path: str, body: Any = None, **facts: Any) -> Answered:
        return await self.served.client.request(method, path, json=body, **facts)

    async def done(self, method: str, path: str, body: Any = None, **facts: Any) -> Any:
        answered = await self.ask(method, path, body, **facts)
        assert answered.status == 200, (answered.status, answered.body[:2000])
        return answered.json()

    async def refused(self, status: int, path: str, body: Any = None, *, method: str = "POST") -> Json:
        answered = await self.ask(method, path, body)
        assert answered.status == status, (answered.status, answered.body[:2000])
        return answered.error

    async def upload(self, text: str | bytes, purpose: str = "batch") -> str:
        """A stored file; its id."""
        content = text if isinstance(text, bytes) else text.encode()
        body = form(field("purpose", purpose), file(content, filename="in.jsonl"))
        answered = await self.served.client.post("/v1/files", body=body, headers=HEADERS)
        assert answered.status == 200, answered.body
        found: str = answered.json()["id"]
        return found

    async def create(self, *given: Json | str, endpoint: str = CHAT, **facts: Any) -> Json:
        """A new batch of these lines."""
        asked = {"input_file_id": await self.upload(jsonl(*given)), "endpoint": endpoint, "completion_window": "24h"}
        found: Json = await self.done("POST", BATCHES, {**asked, **facts})
        return found

    async def not_created(self, status: int, *given: Json | str, endpoint: str = CHAT, **facts: Any) -> Json:
        """The error of a batch that cannot be created."""
        asked = {"input_file_id": await self.upload(jsonl(*given)), "endpoint": endpoint, "completion_window": "24h"}
        return await self.refused(status, BATCHES, {**asked, **facts})

    async def get(self, batch: Json) -> Json:
        found: Json = await self.done("GET", f"{BATCHES}/{batch['id']}")
        return found

    async def ended(self, batch: Json) -> Json:
        """The batch, once it has ended."""
        async with asyncio.timeout(LIMIT_S):
            while (found := await self.get(batch))["status"] not in ENDED:
                await asyncio.sleep(0.005)
        return found

    async def completed(self, *given: Json | str, **facts: Any) -> Json:
        """A batch that is created now and completed when this returns."""
        found = await self.ended(await self.create(*given, **facts))
        assert found["status"] == "completed", found
        return found

    async def content(self, file_id: str | None) -> list[Json]:
        """The lines of a file; none of no file."""
        if file_id is None:
            return []
        answered = await self.ask("GET", f"/v1/files/{file_id}/content")
        assert answered.status == 200 and answered.body.endswith(b"\n")
        return [json.loads(one) for one in answered.body.splitlines()]

    async def output(self, batch: Json) -> list[Json]:
        return await self.content(batch["output_file_id"])

    async def errors(self, batch: Json) -> list[Json]:
        return await self.content(batch["error_file_id"])


@asynccontextmanager
async def asking_at(
    vendor: Upstream,
    folder: Path,
    *,
    provider: str = "inline::builtin",
    config: Json | None = None,
    files: Json | None = None,
    safety: Sequence[Json] = (),
    provider_id: str = "builtin",
    **sections: Any,
) -> AsyncIterator[Asking]:
    """A stack at a vendor. provider: of its batches. config, files: the settings of the batches and of the files.
    safety: its providers.
    """
    providers: Json = {
        "inference": [openai_at(vendor.url)],
        "files": [{"provider_id": "localfs", "provider_type": "inline::localfs", "config": files or {}}],
        "batches": [{"provider_id": provider_id, "provider_type": provider, "config": config or {}}],
        "safety": list(safety),
    }
    async with serving(run_config(providers=providers, **sections), folder) as served:
        yield Asking(served, vendor)
