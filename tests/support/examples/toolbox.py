"""Two providers of tools, of which one name is the same."""

from __future__ import annotations

from runtime.apis.tool_runtime import InvokeToolRequest, ListToolsRequest, ToolDef, ToolInvocationResult, ToolList
from runtime.errors import Unavailable
from runtime.provider import ProviderContext
from runtime.spec import inline

_NUMBERS = {"type": "object", "properties": {"numbers": {"type": "array", "items": {"type": "number"}}}}


class Tools:
    """add: adds numbers. fail: says that it failed. down: cannot be called. who: says which provider it is."""

    def __init__(self, config: object, context: ProviderContext) -> None:
        self._id = context.provider_id

    async def list_tools(self, request: ListToolsRequest) -> ToolList:
        group = request.toolgroup_id or ""
        names = ("who",) if self._id == "second" else ("who", "add", "fail", "down")
        return ToolList(
            data=[
                ToolDef(name=name, toolgroup_id=group, description=f"{name} of {self._id}", input_schema=_NUMBERS)
                for name in names
            ]
        )

    async def invoke_tool(self, request: InvokeToolRequest) -> ToolInvocationResult:
        match request.tool_name:
            case "add":
                return ToolInvocationResult(content=str(sum(request.kwargs["numbers"])))
            case "fail":
                return ToolInvocationResult(error_message="it did not work", error_code=1)
            case "down":
                raise Unavailable("the tool is down")
            case _:
                return ToolInvocationResult(content=self._id)


APIS = ()
SPECS = (
    ("tool_runtime", inline("first", summary="Tools", adapter=f"{__name__}:Tools", serves=("one",))),
    ("tool_runtime", inline("second", summary="Tools", adapter=f"{__name__}:Tools", serves=("two",))),
)
