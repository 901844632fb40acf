"""`code_interpreter`: the model writes Python, which runs in a container, and reads what came of it.

What code defines and the files that it makes stay in the container, which a conversation keeps while it lives.
When items are read again, a `code_interpreter_call` is a call of the assistant's message and what came of it.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncGenerator, Sequence
from dataclasses import dataclass, field
from typing import Any

import msgspec

from runtime.apis.containers.container import ContainerRequest, CreateContainerRequest
from runtime.apis.containers.container_file import FOLDER, ContainerFile
from runtime.apis.containers.protocol import Containers
from runtime.apis.containers.running import BringFilesRequest, CodeRun, RunCodeRequest, in_words
from runtime.apis.inference.calls import Call
from runtime.apis.responses.tools.code_interpreter import KIND, OUTPUTS, AutoContainer, CodeInterpreterTool
from runtime.errors import NotSupported, RequestError, StackError, Unavailable
from runtime.providers.responses.builtin.answering import Answering
from runtime.providers.responses.builtin.arguments import reader
from runtime.providers.responses.builtin.citations import ContainerSource
from runtime.providers.responses.builtin.offering import Asked, Corrects, Function, Offer, ToolHandler
from runtime.providers.responses.builtin.outcomes import FAILED
from runtime.providers.responses.builtin.transcript import Transcript
from runtime.sse import Json, encode
from runtime.telemetry.tool_calls import note_failure

NAME = KIND.name
_MOST_NAMED = 50
_ABOUT = (
    "Run Python in a container. What one call defines is there for the next one. Output and the value of the last"
    f" expression are shown to you. Files are in `{FOLDER}`, which is the current folder; figures of matplotlib are"
    " kept there as PNG files. numpy, pandas, matplotlib, openpyxl and pillow are installed. There is no network. When"
    f" you mention a file that you made, write its path, such as `sandbox:{FOLDER}/plot.png`."
)
_PARAMETERS: Json = {
    "type": "object",
    "properties": {"code": {"type": "string", "description": "The Python code."}},
    "required": ["code"],
}
_NOT_SHOWN = "[What came of this code is not shown any more.]"
_ANEW = "[Python was started anew: what earlier code defined is not there any more. Files are.]"


class _Arguments(msgspec.Struct):
    code: str


_read_arguments = reader(_Arguments)


async def offer(given: CodeInterpreterTool, where: str, asked: Asked) -> Offer:
    """See `Offering`. Raises NotSupported where there are no containers, RequestError for one that has expired,
    what `Containers` raises for one that is not there and for files that are not.
    """
    if (containers := asked.apis.containers) is None:
        raise NotSupported(f"`{where}` is `{NAME}`, and no containers are here", param="tools")
    place, known = await _place_of(given.get("container") or {"type": "auto"}, where, containers, asked.items)
    interpreter = CodeInterpreter(place, shows_images=asked.request.includes(OUTPUTS))
    interpreter.has_run = any(item["type"] == "code_interpreter_call" for item in asked.items)
    definition = {"description": _ABOUT + _named(known), "parameters": _PARAMETERS}
    return Offer(functions=[Function(kind=NAME, name=NAME, definition=definition, tool=interpreter)])


async def _place_of(
    named: str | AutoContainer, where: str, containers: Containers, items: Sequence[Json]
) -> tuple[_Place, list[ContainerFile]]:
    """Where code will run, and the files that are there."""
    place = _Place(containers, settings={} if isinstance(named, str) else dict(named))
    try:
        if isinstance(named, str):
            await _check(containers, named)
            place.id = named
        else:
            await place.find(items)
        return place, await place.files()
    except StackError as error:
        raise error.saying(error.message, param=f"{where}.container") from error


@dataclass
class _Place:
    """Where the code of a response runs. settings: of an automatic container. id: once there is one."""

    containers: Containers
    settings: Json = field(default_factory=dict)
    id: str | None = None

    async def find(self, items: Sequence[Json]) -> None:
        """The container of the history's last code, while it lives; a new one at once where files are to be in it."""
        used = [item["container_id"] for item in items if _has_container(item)]
        if used:
            try:
                await _check(self.containers, used[-1])
                await self.containers.bring_files(BringFilesRequest(container_id=used[-1]))  # whether it is here
                self.id = used[-1]
            except (RequestError, Unavailable):
                self.id = None
        if self.id is None and self.settings.get("file_ids"):
            await self.make()

    async def make(self) -> str:
        """Its id. Raises what `create_container` raises."""
        if self.id is None:
            names = ("memory_limit", "network_policy")
            facts = {name: self.settings[name] for name in names if self.settings.get(name)}
            self.id = (await self.containers.create_container(CreateContainerRequest(name="auto", **facts))).id
        return self.id

    async def files(self) -> list[ContainerFile]:
        """Those that are there, with those of the request. Raises what `bring_files` raises."""
        if self.id is None:
            return []
        asked = BringFilesRequest(container_id=self.id, file_ids=self.settings.get("file_ids") or [])
        return (await self.containers.bring_files(asked)).data


class CodeInterpreter(Corrects):
    """shows_images: whether the item has images. has_run: whether code has run in the conversation."""

    def __init__(self, place: _Place, *, shows_images: bool) -> None:
        self._place = place
        self._shows_images = shows_images
        self._turn = asyncio.Lock()
        self.has_run = False

    async def run(self, call: Call, answering: Answering) -> AsyncGenerator[str, None]:
        """See `Tool.run`. Arguments that make no sense are said to the model once; then the item has failed. One at a
        time: what a call defines is there for the next one.
        """
        async with self._turn, contextlib.aclosing(self._run(call, answering)) as running:
            async for words in running:
                yield words

    async def _run(self, call: Call, answering: Answering) -> AsyncGenerator[str, None]:
        code, wrong = _read(call.arguments)
        if said := self.said(wrong, call, such_as="{'code': 'print(1)'}"):
            yield said
            return
        if not wrong:
            try:
                await self._place.make()
            except StackError as error:
                note_failure(error)
                wrong = error.message
        item = answering.new_item(
            "code_interpreter_call", status="in_progress", code="", container_id=self._place.id or "", outputs=None
        )
        place = answering.add(item)
        where = {"item_id": item["id"], "output_index": place}
        answering.event("response.code_interpreter_call.in_progress", where)
        item["code"] = code
        answering.event("response.code_interpreter_call_code.delta", {**where, "delta": code})
        answering.event("response.code_interpreter_call_code.done", {**where, "code": code})
        if wrong:
            yield _end(answering, place, "failed", f"{FAILED}{wrong}")
            return
        item["status"] = "interpreting"
        answering.event("response.code_interpreter_call.interpreting", where)
        yield ""
        try:
            run = await self._place.containers.run_code(RunCodeRequest(container_id=item["container_id"], code=code))
        except StackError as error:
            note_failure(error)
            yield _end(answering, place, "failed", f"{FAILED}{error.message}")
            return
        told = in_words(run)
        if run.is_fresh and self.has_run:
            told = f"{_ANEW}\n{told}"
        self.has_run = True
        if self._shows_images:
            item["outputs"] = [_image(file) for file in run.images]
        _cite(run, answering)
        if run.limit is None:
            answering.event("response.code_interpreter_call.completed", where)
        yield _end(answering, place, "completed" if run.limit is None else "incomplete", told)


def _end(answering: Answering, place: int, status: str, told: str) -> str:
    item = answering.output[place]
    item["outputs"] = [{"type": "logs", "logs": told}, *(item["outputs"] or ())]
    answering.done(place, status)
    return told


def _read(arguments: str) -> tuple[str, str]:
    """The code, and what is wrong with the arguments if something is."""
    try:
        code = _read_arguments(arguments).code
    except msgspec.DecodeError as error:
        return "", f"The arguments cannot be read: {error}"
    return code, "" if code.strip() else "The arguments have no `code`"


def _has_container(item: Json) -> bool:
    return item["type"] == "code_interpreter_call" and bool(item.get("container_id"))


async def _check(containers: Containers, container_id: str) -> None:
    """Raises NotFound, RequestError for one that has expired."""
    if (await containers.get_container(ContainerRequest(container_id=container_id))).status == "expired":
        raise RequestError(
            f"The container `{container_id}` has expired",
            hint='make another one, or give `{"type": "auto"}`',
            code="container_expired",
        )


def _named(files: Sequence[ContainerFile]) -> str:
    if not files:
        return ""
    more = f", and {len(files) - _MOST_NAMED} more" if len(files) > _MOST_NAMED else ""
    return f" These files are there: {', '.join(file.path for file in files[:_MOST_NAMED])}{more}."


def _image(file: ContainerFile) -> dict[str, Any]:
    return {"type": "image", "url": f"/v1/containers/{file.container_id}/files/{file.id}/content"}


def _cite(run: CodeRun, answering: Answering) -> None:
    for file in run.files:
        answering.citations.made(ContainerSource(container_id=file.container_id, file_id=file.id, path=file.path))


def _recall(item: Json, transcript: Transcript) -> None:
    """With what the model was told then."""
    logs = [output["logs"] for output in item.get("outputs") or () if isinstance(output.get("logs"), str)]
    told = "\n".join(logs) if logs else _NOT_SHOWN
    transcript.made("code", NAME, encode({"code": item["code"] or ""}).decode(), told)


TOOL = ToolHandler(
    kind=KIND, offer=offer, recall=_recall, in_place_of_two="name one container, and have all files in it"
)
