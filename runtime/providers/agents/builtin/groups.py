"""The groups of tools that an agent names, as tools of a response."""

from __future__ import annotations

from collections.abc import Iterable

from runtime.apis.agents.agent import AgentTool
from runtime.apis.tool_groups.protocol import ToolGroupRequest, ToolGroups
from runtime.errors import NotFound
from runtime.sse import Json


async def tools_of(groups: Iterable[AgentTool], known: ToolGroups | None) -> list[Json]:
    """A name with a slash is a group's where there is such a group, else that of one tool: `group/tool`. known: the
    groups that there are, None where nothing has tools. Raises Unavailable.
    """
    found: list[Json] = []
    for one in groups:
        name, args = (one, None) if isinstance(one, str) else (one.name, one.args)
        said: Json = {"type": "tool_group", "tool_group": name}
        group, _, tool = name.rpartition("/")
        if group and tool and not await _is_group(name, known):
            said |= {"tool_group": group, "allowed_tools": [tool]}
        if args:
            said["args"] = args
        found.append(said)
    return found


async def _is_group(name: str, known: ToolGroups | None) -> bool:
    if known is None:
        return False
    try:
        await known.get_tool_group(ToolGroupRequest(toolgroup_id=name))
    except NotFound:
        return False
    return True
