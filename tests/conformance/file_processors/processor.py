"""How these tests have a document processed: as a form over HTTP, as any client does."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from runtime.conformance.asgi import Answered, Client
from runtime.conformance.stacks import run_config, serving
from runtime.http.forms import FormFile, form_request

PATH = "/v1alpha/file-processors/process"
WHOLE, SMALL = None, {"type": "static", "static": {"max_chunk_size_tokens": 100, "chunk_overlap_tokens": 20}}


@dataclass(frozen=True)
class Processor:
    client: Client

    async def ask(
        self,
        content: bytes,
        filename: str = "document",
        *,
        strategy: Any = WHOLE,
        options: Any = None,
        content_type: str = "application/octet-stream",
    ) -> Answered:
        fields = {
            name: json.dumps(value) for name, value in (("chunking_strategy", strategy), ("options", options)) if value
        }
        file = FormFile(name="file", filename=filename, content=content, content_type=content_type)
        form = form_request("http://stack.test", fields, [file])
        assert isinstance(form.body, bytes)
        return await self.client.post(PATH, headers=dict(form.headers), body=form.body)

    async def read(self, content: bytes, filename: str = "document", **facts: Any) -> Any:
        answered = await self.ask(content, filename, **facts)
        assert answered.status == 200, answered.body
        return answered.json()

    async def text(self, content: bytes, filename: str = "document", **facts: Any) -> str:
        """All of a document, which is one chunk."""
        [chunk] = (await self.read(content, filename, **facts))["chunks"]
        found: str = chunk["content"]
        return found

    async def refused(self, content: bytes, filename: str = "document", **facts: Any) -> tuple[str, str]:
        """The code and the message of a 400."""
        answered = await self.ask(content, filename, **facts)
        assert answered.status == 400, (answered.status, answered.body[:500])
        error = answered.error
        assert error["param"] == "file" and error["type"] == "invalid_request_error"
        return error["code"], error["message"]


@asynccontextmanager
async def processing(state_dir: Path, provider_type: str = "inline::auto", **config: Any) -> AsyncIterator[Processor]:
    """A stack with one file processor of this kind."""
    name = provider_type.split("::")[1]
    entry = {"provider_id": name, "provider_type": provider_type, "config": config}
    async with serving(run_config(providers={"file_processors": [entry]}), state_dir) as running:
        yield Processor(running.client)
