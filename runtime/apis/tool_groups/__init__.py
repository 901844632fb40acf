"""Which groups of tools the stack has, and registering more. What is in them: `tool_runtime`."""

from __future__ import annotations

from runtime.apis._api import Api
from runtime.apis._resources import Resource

TOOL_GROUP = Resource(
    kind="tool_group",
    served_by="tool_runtime",
    id_field="toolgroup_id",
    config_key="tool_groups",
    configured="runtime.apis.tool_groups.protocol:RegisterToolGroupRequest",
    answer="runtime.apis.tool_groups.protocol:answer",
)
API = Api(
    "tool_groups", "runtime.apis.tool_groups.protocol:ToolGroups", resource=TOOL_GROUP, mounted_with=("tool_runtime",)
)
