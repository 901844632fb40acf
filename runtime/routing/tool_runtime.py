"""Finds the tool that a name means, and asks the provider of its group.

A tool belongs to a group, and a group to a provider. Requests name a tool by its group and name, by both in one
(`group/name`), or by its name alone, where only one group has it. For a caller, groups that the caller may not see do
not exist. Which tools there are is each provider's to say, and to remember.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from runtime.apis.tool_runtime.protocol import (
    InvokeToolRequest,
    ListToolsRequest,
    ToolDef,
    ToolInvocationResult,
    ToolList,
    ToolParameter,
    ToolRequest,
)
from runtime.concurrently import concurrently
from runtime.context import warn
from runtime.errors import NotFound, RequestError, StackError, Unavailable
from runtime.routing.entry import Entry
from runtime.routing.forward import Router
from runtime.similar import hint_if_served_by_none_on, nearest, suggestion
from runtime.telemetry.changes import note_choice

_GROUP = "toolgroup_id"
_AT_ONCE = 16
"""How many groups are asked for their tools at a time, for one request."""
_MOST_NAMED = 10


class ToolRuntimeRouter(Router):
    """The routed tool runtime."""

    async def list_tools(self, request: ListToolsRequest) -> ToolList:
        """The tools of a group, of an MCP server that is in none, or of all groups. Of all, those that can be listed:
        a warning names each other one. Raises NotFound for the group, and what its provider raises.
        """
        if request.toolgroup_id is not None:
            if request.mcp_endpoint is not None:
                message = f"`{_GROUP}` and `mcp_endpoint` are two ways to say whose tools are meant: give one of them"
                raise RequestError(message, param="mcp_endpoint")
            return ToolList(data=await self._tools_of(await self._owned(request.toolgroup_id, _GROUP)))
        if request.mcp_endpoint is not None:
            return await self.list_server_tools(request)
        listed, failed = await self._listed(self._groups())
        for group, error in failed:
            warn(f"the tools of `{group.id}` are not listed: {error.message}")
        return ToolList(data=[tool for _, tools in listed for tool in tools])

    async def list_server_tools(self, request: ListToolsRequest) -> ToolList:
        """The tools of an MCP server that is in no group. Raises NotSupported where no provider speaks to such."""
        name = "list_server_tools"
        found: ToolList = await self._adapters.method(self._adapters.first_with(name), name)(request)
        return ToolList(data=[_described(tool) for tool in found.data])

    async def get_tool(self, request: ToolRequest) -> ToolDef:
        """Raises as `_found` does."""
        return (await self._found(request.tool_name, None))[1]

    async def invoke_tool(self, request: InvokeToolRequest) -> ToolInvocationResult:
        """Raises as `_found` does, and what the provider of its group raises."""
        group, tool = await self._found(request.tool_name, request.toolgroup_id)
        method = self._method_of(group, "invoke_tool", group.id)
        asked = request.changed(tool_name=tool.name, toolgroup_id=group.id).routed_by(group, _GROUP)
        result: ToolInvocationResult = await method(asked)
        return result

    async def _found(self, name: str, group_id: str | None) -> tuple[Entry, ToolDef]:
        """The tool that a name means, and its group. Raises NotFound with similar names, RequestError with the
        candidates where several groups have it, Unavailable where a group that cannot be listed may have it.
        """
        if group_id is not None:
            group = await self._owned(group_id, _GROUP)
            tools = await self._tools_of(group)
            if tool := _named(tools, name.removeprefix(f"{group.id}/")) or _named(tools, name):
                return group, tool
            raise _unknown(name, [tool.name for tool in tools], where=f" in the tool group `{group.id}`")
        groups = self._groups()
        for group in _prefixes(name, self._owners.seen()):
            if tool := _named(await self._tools_of(group), name[len(group.id) + 1 :]):
                return group, tool
        listed, failed = await self._listed(groups)
        having = [(group, tool) for group, tools in listed if (tool := _named(tools, name))]
        if len(having) == 1:
            if len(groups) > 1:
                note_choice(f"tool group `{having[0][0].id}`: of {len(groups)}, it alone has a tool of that name")
            return having[0]
        if having:
            candidates = ", ".join(f"`{group.id}/{name}`" for group, _ in having[:_MOST_NAMED])
            raise RequestError(
                f"The tool `{name}` is in several tool groups",
                hint=f"ask for one of {candidates}",
                param="tool_name",
                code="tool_ambiguous",
            )
        off = {_name_without_signs(group_id): turn_on for group_id, turn_on in self._owners.would_serve().items()}
        turn_on = hint_if_served_by_none_on(_name_without_signs(name), off)
        if failed:
            whys = "; ".join(f"`{group.id}`: {error.message}" for group, error in failed[:_MOST_NAMED])
            raise Unavailable(
                f"The tool `{name}` is in no tool group that can be listed, and these cannot: {whys}",
                hint=turn_on,
                param="tool_name",
            )
        names = [known for group, tools in listed for tool in tools for known in (tool.name, f"{group.id}/{tool.name}")]
        raise _unknown(name, names, off=turn_on)

    def _groups(self) -> list[Entry]:
        """Every group that the caller may see, once, whatever other names it has."""
        found: dict[str, Entry] = {}
        for group in self._owners.seen():
            found.setdefault(group.full_id, group)
        return list(found.values())

    async def _tools_of(self, group: Entry) -> list[ToolDef]:
        """Raises what the group's provider raises."""
        method = self._method_of(group, "list_tools", group.id)
        found: ToolList = await method(ListToolsRequest(toolgroup_id=group.id).routed_by(group, _GROUP))
        return [_described(tool, group) for tool in found.data]

    async def _listed(
        self, groups: Iterable[Entry]
    ) -> tuple[list[tuple[Entry, list[ToolDef]]], list[tuple[Entry, StackError]]]:
        """The tools of each group that can be listed, and why each other one cannot."""

        async def ask(group: Entry) -> tuple[Entry, list[ToolDef] | StackError]:
            try:
                return group, await self._tools_of(group)
            except StackError as error:
                return group, error

        answers = await concurrently(ask, groups, at_once=_AT_ONCE)
        listed = [(group, answer) for group, answer in answers if not isinstance(answer, StackError)]
        return listed, [(group, answer) for group, answer in answers if isinstance(answer, StackError)]


def _prefixes(name: str, groups: Iterable[Entry]) -> list[Entry]:
    """The groups whose tool `group/name` may mean, the one with the longest name first."""
    return sorted((one for one in groups if name.startswith(f"{one.id}/")), key=lambda one: -len(one.id))


def _named(tools: Iterable[ToolDef], name: str) -> ToolDef | None:
    return next((tool for tool in tools if tool.name == name), None)


def _name_without_signs(name: str) -> str:
    """`builtin::websearch` and `web_search` -> `websearch`: one that is off does not name its tools."""
    return name.rpartition("::")[2].rpartition("/")[2].replace("_", "")


def _unknown(name: str, known: Sequence[str], *, where: str = "", off: str | None = None) -> NotFound:
    close = off or suggestion(nearest(name, known))
    few = ", ".join(f"`{one}`" for one in known[:_MOST_NAMED])
    hint = close or (f"there are {few}" if where and few else "list all with GET /v1/tools")
    return NotFound(f"There is no tool `{name}`{where}", hint=hint, param="tool_name", code="tool_not_found")


def _described(tool: ToolDef, group: Entry | None = None) -> ToolDef:
    """A tool with what only its group says, and what older clients read."""
    more: dict[str, Any] = {"identifier": tool.name, "parameters": _parameters(tool.input_schema)}
    if group is not None:
        more |= {_GROUP: group.id, "provider_id": group.provider_id}
    return tool.model_copy(update=more)


def _parameters(schema: Mapping[str, Any] | None) -> list[ToolParameter]:
    """A JSON Schema's properties as a list. Another server may have written it, so nothing in it is as it should be."""
    properties, required = (schema or {}).get("properties"), (schema or {}).get("required")
    return [
        ToolParameter(
            name=name,
            parameter_type=_type(one),
            description=str(one.get("description") or ""),
            required=isinstance(required, list) and name in required,
            default=one.get("default"),
        )
        for name, one in (properties.items() if isinstance(properties, dict) else ())
        if isinstance(one, dict)
    ]


def _type(schema: Mapping[str, Any]) -> str:
    """The first type that is not null; `object` where there is none."""
    given = schema.get("type")
    kinds = given if isinstance(given, list) else [given]
    for either in ("anyOf", "oneOf"):
        if isinstance(choices := schema.get(either), list):
            kinds += [one.get("type") for one in choices if isinstance(one, dict)]
    return next((kind for kind in kinds if isinstance(kind, str) and kind != "null"), "object")


ROUTER = ToolRuntimeRouter
