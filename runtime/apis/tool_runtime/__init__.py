"""Tools that run here or that a server elsewhere runs: what there is, and calling one."""

from __future__ import annotations

from runtime.apis._api import Api

API = Api("tool_runtime", "runtime.apis.tool_runtime.protocol:ToolRuntime")
