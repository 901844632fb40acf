"""`tool_group`: the tools of a group of `tool_runtime`, each a function that the model can call.

They are listed before the model is asked: a group that cannot be is an error of the request. When items are read again,
a `tool_group_call` is a call of the assistant's message and what it gave back.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Mapping
from dataclasses import dataclass, field
from typing import Any

from runtime.apis.inference.calls import Call
from runtime.apis.responses.tools.tool_group import KIND, ToolGroupTool
from runtime.apis.tool_runtime.protocol import (
    InvokeToolRequest,
    ListToolsRequest,
    ToolDef,
    ToolInvocationResult,
    ToolRuntime,
)
from runtime.clock import stamp
from runtime.errors import NotFound, NotSupported, RequestError, StackError
from runtime.providers.responses.builtin.answering import Answering
from runtime.providers.responses.builtin.arguments import arguments_of
from runtime.providers.responses.builtin.offering import Asked, Corrects, Function, Offer, ToolHandler
from runtime.providers.responses.builtin.outcomes import MOST_CHARACTERS, bounded, outcome_of
from runtime.providers.responses.builtin.tools._result_text import text_of
from runtime.providers.responses.builtin.transcript import Transcript
from runtime.sse import Json, encode
from runtime.telemetry.tool_calls import TOOL_ERROR, note_failure

NAME = KIND.name


@dataclass(frozen=True, kw_only=True)
class Group:
    """id: the group's. args: what each call has beside the model's arguments; it may hold what nobody is shown."""

    runtime: ToolRuntime
    id: str
    args: Mapping[str, Any] = field(default_factory=dict, repr=False)


async def offer(given: ToolGroupTool, where: str, asked: Asked) -> Offer:
    """See `Offering`. Raises NotSupported where there are no tools, NotFound for an unknown group, RequestError for
    a tool that it does not have, and what listing its tools raises.
    """
    if (runtime := asked.apis.tool_runtime) is None:
        raise NotSupported(f"`{where}` is `{NAME}`, and no provider serves `tool_runtime`", param="tools")
    group = Group(runtime=runtime, id=given["tool_group"], args=given.get("args") or {})
    listed = {tool.name: tool for tool in await _listed(group)}
    allowed = given.get("allowed_tools")
    for name in allowed or ():
        if name not in listed:
            known = ", ".join(f"`{one}`" for one in sorted(listed)[:10]) or "none"
            raise RequestError(
                f"The tool group `{group.id}` has no tool `{name[:100]}`", hint=f"it has {known}", param="tools"
            )
    chosen = listed.values() if allowed is None else [listed[name] for name in dict.fromkeys(allowed)]
    return Offer(functions=[_function(tool, group) for tool in chosen])


class GroupFunction(Corrects):
    """A tool of a group. name: in its group."""

    def __init__(self, group: Group, name: str) -> None:
        self._group = group
        self._name = name

    async def run(self, call: Call, answering: Answering) -> AsyncGenerator[str, None]:
        """See `Tool.run`. A call whose arguments make no sense has failed, and the model is told once to call again."""
        arguments, wrong = arguments_of(call.arguments)
        item = answering.new_item(
            "tool_group_call",
            status="in_progress",
            tool_group=self._group.id,
            name=self._name,
            arguments=call.arguments or "{}",
            output=None,
            error=None,
            metadata=None,
            calls_in_answer=answering.calls_in_answer,
            started_at=stamp(),
            completed_at=None,
        )
        place = answering.add(item)
        where = {"item_id": item["id"], "output_index": place}
        answering.event("response.tool_group_call.in_progress", where)
        if wrong:
            item["error"] = self.said(wrong, call) or wrong
        else:
            yield ""
            await self._call(arguments, item)
        item["completed_at"] = max(stamp(), item["started_at"])  # clocks may be set back
        item["status"] = "completed" if item["error"] is None else "failed"
        answering.event(f"response.tool_group_call.{item['status']}", where)
        answering.done(place)
        yield outcome_of(item)

    async def _call(self, arguments: Json, item: Json) -> None:
        """Put into the item what it gave back, or why it failed."""
        asked = InvokeToolRequest(
            tool_name=self._name, toolgroup_id=self._group.id, kwargs={**arguments, **self._group.args}
        )
        try:
            result = await self._group.runtime.invoke_tool(asked)
        except StackError as error:
            note_failure(error)
            item["error"] = bounded(error.words)
            return
        metadata = encode(result.metadata).decode() if result.metadata else ""
        item["metadata"] = result.metadata if len(metadata) <= MOST_CHARACTERS else None
        if result.error_message is not None or result.error_code:
            note_failure(TOOL_ERROR)
            item["error"] = bounded(_failure(result))
        else:
            item["output"] = bounded(text_of(result) or metadata)  # some servers give back nothing else


async def _listed(group: Group) -> list[ToolDef]:
    try:
        return (await group.runtime.list_tools(ListToolsRequest(toolgroup_id=group.id))).data
    except NotFound as error:
        raise error.saying(error.message, param="tools") from error
    except StackError as error:
        words = f"The tools of the tool group `{group.id}` cannot be listed: {error.message}"
        raise error.saying(words, param="tools") from error


def _function(tool: ToolDef, group: Group) -> Function:
    definition = {"description": tool.description or "", "parameters": _without(tool.input_schema, group.args)}
    return Function(
        kind=NAME, name=tool.name, definition=definition, tool=GroupFunction(group, tool.name), label=group.id
    )


def _without(schema: Json | None, args: Mapping[str, Any]) -> Json:
    """What the model is told of the arguments: not of those that each call has."""
    whole = schema or {"type": "object", "properties": {}}
    if not args:
        return whole
    said = {**whole, "properties": {name: one for name, one in _properties(whole).items() if name not in args}}
    if isinstance(required := said.pop("required", None), list):
        said |= {"required": left} if (left := [name for name in required if name not in args]) else {}
    return said


def _properties(schema: Json) -> Json:
    found = schema.get("properties")
    return found if isinstance(found, dict) else {}


def _failure(result: ToolInvocationResult) -> str:
    """Why it failed, with what it gave back before: each may say what the other does."""
    why = result.error_message or f"it gives no reason, but the code {result.error_code}"
    text = text_of(result)
    if _in_one_line(text) in _in_one_line(why):
        return why
    return text if _in_one_line(why) in _in_one_line(text) else f"{why}\n{text}"


def _in_one_line(text: str) -> str:
    return " ".join(text.split())


def _recall(item: Json, transcript: Transcript) -> None:
    name = transcript.name_of(item["tool_group"], item["name"])
    transcript.made("group", name, item["arguments"], outcome_of(item))


TOOL = ToolHandler(kind=KIND, offer=offer, recall=_recall)
