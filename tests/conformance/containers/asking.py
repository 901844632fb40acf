"""Containers as the suite uses them: over HTTP, and as tools run code in them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from runtime.apis.containers.protocol import Containers
from runtime.apis.containers.running import CodeRun, RunCodeRequest
from runtime.conformance.asgi import Answered
from runtime.conformance.form import HEADERS, file, form
from runtime.conformance.stacks import Served

CONTAINERS = "/v1/containers"


@dataclass(frozen=True)
class Asking:
    """A stack with containers. api: the routed API, as another provider is given it."""

    served: Served
    api: Containers

    async def ask(self, method: str, path: str = "", body: Any = None, **more: Any) -> Answered:
        return await self.served.client.request(method, CONTAINERS + path, json=body, **more)

    async def done(self, method: str, path: str = "", body: Any = None) -> Any:
        """The JSON of an answer, which must be a success."""
        answered = await self.ask(method, path, body)
        assert answered.status == 200, (answered.status, answered.body[:2000])
        return answered.json()

    async def refused(self, status: int, method: str, path: str = "", body: Any = None) -> dict[str, Any]:
        """The error of an answer, which must have this status."""
        answered = await self.ask(method, path, body)
        assert answered.status == status, (answered.status, answered.body[:2000])
        return answered.error

    async def made(self, **fields: Any) -> str:
        """A new container; its id."""
        made: str = (await self.done("POST", body={"name": "analysis", **fields}))["id"]
        return made

    async def run(self, container_id: str, code: str, timeout_s: float | None = None) -> CodeRun:
        return await self.api.run_code(RunCodeRequest(container_id=container_id, code=code, timeout_s=timeout_s))

    async def logs(self, container_id: str, code: str) -> str:
        """What code writes that ends as it should."""
        run = await self.run(container_id, code)
        assert run.error is None and run.limit is None, run
        return run.logs

    async def put(self, container_id: str, name: str, content: bytes) -> Any:
        """A file that is sent, as the answer tells of it."""
        answered = await self.sent(container_id, file(content, filename=name))
        assert answered.status == 200, (answered.status, answered.body[:2000])
        return answered.json()

    async def sent(self, container_id: str, *parts: tuple[str, bytes]) -> Answered:
        """A form for a new file, answered."""
        path = f"{CONTAINERS}/{container_id}/files"
        return await self.served.client.request("POST", path, body=form(*parts), headers=HEADERS)

    async def files(self, container_id: str) -> dict[str, Any]:
        """All files of a container by their paths."""
        found = (await self.done("GET", f"/{container_id}/files?limit=100"))["data"]
        return {one["path"]: one for one in found}

    async def content(self, container_id: str, path: str) -> bytes:
        """A file's bytes, by its path."""
        file_id = (await self.files(container_id))[path]["id"]
        answered = await self.ask("GET", f"/{container_id}/files/{file_id}/content")
        assert answered.status == 200, (answered.status, answered.body[:2000])
        return answered.body
