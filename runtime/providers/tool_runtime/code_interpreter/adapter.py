"""The tool `code_interpreter`: what came of Python code, written down for a model.

Each call has a container of its own, which is gone when it ends; calls with the same `session_id`, by callers who see
the same containers, share one while it lives, with what earlier code defined and the files that it made.
"""

from __future__ import annotations

import base64
from typing import Annotated, Any

from pydantic import Field, StringConstraints

from runtime.apis.containers.container import (
    ContainerRequest,
    CreateContainerRequest,
    ListContainersRequest,
)
from runtime.apis.containers.container_file import ContainerFile, ContainerFileRequest
from runtime.apis.containers.limits import MemoryLimit
from runtime.apis.containers.protocol import Containers
from runtime.apis.containers.running import CodeRun, RunCodeRequest, in_words
from runtime.apis.tool_runtime.protocol import (
    ContentPart,
    InvokeToolRequest,
    ListToolsRequest,
    ToolInvocationResult,
    ToolList,
)
from runtime.provider import ProviderContext
from runtime.providers.tool_runtime._arguments import Arguments, one_tool, read
from runtime.sse import Reply
from runtime.to_the_end import to_the_end
from runtime.turns import Turns

NAME = "code_interpreter"
_DESCRIPTION = (
    "Run Python code, and read its output and the value of its last expression. numpy, pandas, matplotlib, openpyxl"
    " and pillow are installed. There is no network."
)
_MOST_IMAGES = 10
_MOST_IMAGE_BYTES = 4 * 1024 * 1024


class _Code(Arguments):
    code: Annotated[str, StringConstraints(min_length=1, max_length=1_000_000)] = Field(description="The Python code.")


class _Call(_Code):
    """With what no model chooses: whoever calls the tool for one does."""

    session_id: Annotated[str, StringConstraints(min_length=1, max_length=200)] | None = Field(
        None, description="Calls with the same one share a container."
    )
    memory_limit: MemoryLimit | None = Field(None, description="Of a new container.")


class CodeInterpreter:
    """Raises RequestError for wrong arguments, and what containers raise."""

    def __init__(self, config: object, context: ProviderContext) -> None:
        self._containers = context.api(Containers)  # type: ignore[type-abstract]
        self._finding = Turns()

    async def list_tools(self, request: ListToolsRequest) -> ToolList:
        return one_tool(NAME, _DESCRIPTION, _Code)

    async def invoke_tool(self, request: InvokeToolRequest) -> ToolInvocationResult:
        call = read(_Call, NAME, request.kwargs)
        container_id = await self._container(call)
        try:
            run = await self._containers.run_code(RunCodeRequest(container_id=container_id, code=call.code))
            images = [await self._image(file) for file in run.images[:_MOST_IMAGES] if file.bytes <= _MOST_IMAGE_BYTES]
        finally:
            if call.session_id is None:
                await to_the_end(self._containers.delete_container(ContainerRequest(container_id=container_id)))
        kept = {"container_id": container_id} if call.session_id is not None else {}
        return ToolInvocationResult(
            content=[ContentPart(type="text", text=in_words(run)), *images],
            error_message=_failure(run),
            metadata={**kept, "limit": run.limit, "files": [file.path for file in run.files]},
        )

    async def _container(self, call: _Call) -> str:
        if call.session_id is None:
            return await self._made(NAME, call)
        name = f"{NAME} {call.session_id}"
        async with self._finding.of(name):  # of several first calls one makes it
            page = await self._containers.list_containers(ListContainersRequest(name=name, limit=1))
            found: list[dict[str, Any]] = page.value()["data"] if isinstance(page, Reply) else page.data
            if found and found[0]["status"] == "running":
                return str(found[0]["id"])
            return await self._made(name, call)

    async def _made(self, name: str, call: _Call) -> str:
        asked = CreateContainerRequest(name=name, memory_limit=call.memory_limit)
        return (await self._containers.create_container(asked)).id

    async def _image(self, file: ContainerFile) -> ContentPart:
        asked = ContainerFileRequest(container_id=file.container_id, file_id=file.id)
        content = await self._containers.read_container_file(asked)
        data = b"".join([part async for part in content.read(0, content.size_bytes)])
        return ContentPart(type="image", image={"data": base64.b64encode(data).decode()})


def _failure(run: CodeRun) -> str | None:
    """Why the code did not come to its end, if so."""
    if run.limit is not None:
        return f"The code was ended: limit `{run.limit}`"
    return run.error.rpartition("\n")[2] if run.error is not None else None
