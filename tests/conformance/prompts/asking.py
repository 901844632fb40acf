"""Prompts as the suite uses them: over HTTP, each request that must succeed checked, and as other providers do."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from runtime.apis.prompts.protocol import FillPromptRequest, Prompts
from runtime.conformance.asgi import Answered
from runtime.conformance.stacks import Served

PROMPTS = "/v1/prompts"


@dataclass(frozen=True)
class Asking:
    """A stack with prompts. api: the routed API, as another provider is given it."""

    served: Served
    api: Prompts

    async def ask(self, method: str, path: str = "", body: Any = None) -> Answered:
        return await self.served.client.request(method, PROMPTS + path, json=body)

    async def done(self, method: str, path: str = "", body: Any = None) -> Any:
        """The JSON of an answer, which must be a success; None for one without a body."""
        answered = await self.ask(method, path, body)
        assert answered.status == (204 if method == "DELETE" else 200), (answered.status, answered.body[:2000])
        return answered.json() if answered.body else None

    async def listed(self, path: str = "") -> list[Any]:
        """The items of a page."""
        found: list[Any] = (await self.done("GET", path))["data"]
        return found

    async def refused(self, status: int, method: str, path: str = "", body: Any = None) -> dict[str, Any]:
        """The error of an answer, which must have this status."""
        answered = await self.ask(method, path, body)
        assert answered.status == status, (answered.status, answered.body[:2000])
        return answered.error

    async def made(
        self, prompt: str = "Say {{ what }}", variables: tuple[str, ...] = ("what",), versions: int = 1
    ) -> str:
        """A prompt with so many versions of the same text, the first of which is its default; its id."""
        made: str = (await self.done("POST", body={"prompt": prompt, "variables": [*variables]}))["prompt_id"]
        for version in range(1, versions):
            await self.updated(made, version, prompt, variables)
        return made

    async def updated(
        self, prompt_id: str, version: int, prompt: str, variables: tuple[str, ...] = (), *, is_default: bool = False
    ) -> Any:
        """The version that follows one."""
        body = {"prompt": prompt, "version": version, "variables": [*variables], "set_as_default": is_default}
        return await self.done("PUT", f"/{prompt_id}", body)

    async def filled(self, prompt_id: str, version: str | int | None = None, **variables: Any) -> Any:
        """The content of a prompt with these values."""
        asked = FillPromptRequest(id=prompt_id, version=version, variables=variables or None)
        return (await self.api.fill_prompt(asked)).content
