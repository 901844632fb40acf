"""Two providers of tools, of which one name is the same."""

from __future__ import annotations

from runtime.apis.tool_runtime.protocol import (
    ContentPart,
    InvokeToolRequest,
    ListToolsRequest,
    ToolDef,
    ToolInvocationResult,
    ToolList,
)
from runtime.errors import Unavailable
from runtime.provider import ProviderContext
from runtime.spec import inline

_NUMBERS = {"type": "object", "properties": {"numbers": {"type": "array", "items": {"type": "number"}}}}


_PIXEL = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mP8z8BQDwAEhQGAhKmMIQAAAABJRU5ErkJggg=="
_SCHEMA_2020_12 = {
    "$schema": "https://json-schema.org/draft/2020-12/schema",
    "type": "object",
    "$defs": {"address": {"type": "object", "properties": {"street": {"type": "string"}, "city": {"type": "string"}}}},
    "properties": {"name": {"type": "string"}, "address": {"$ref": "#/$defs/address"}},
    "additionalProperties": False,
}


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


class SuiteTools:
    """The tools by which the protocol's own conformance suite checks a server."""

    def __init__(self, config: object, context: ProviderContext) -> None:
        """They need nothing."""

    async def list_tools(self, request: ListToolsRequest) -> ToolList:
        names = ("test_simple_text", "test_image_content", "test_error_handling")
        schemas = {**{name: {"type": "object"} for name in names}, "json_schema_2020_12_tool": _SCHEMA_2020_12}
        group = request.toolgroup_id or ""
        return ToolList(
            data=[
                ToolDef(name=name, toolgroup_id=group, description=f"For the suite: {name}", input_schema=schema)
                for name, schema in schemas.items()
            ]
        )

    async def invoke_tool(self, request: InvokeToolRequest) -> ToolInvocationResult:
        match request.tool_name:
            case "test_image_content":
                image = {"data": _PIXEL, "mime_type": "image/png"}
                return ToolInvocationResult(content=[ContentPart(type="image", image=image)])
            case "test_error_handling":
                return ToolInvocationResult(error_message="This tool intentionally returns an error for testing")
            case _:
                return ToolInvocationResult(content="This is a simple text response for testing.")


APIS = ()
SPECS = (
    ("tool_runtime", inline("first", summary="Tools", adapter=f"{__name__}:Tools", serves=("one",))),
    ("tool_runtime", inline("second", summary="Tools", adapter=f"{__name__}:Tools", serves=("two",))),
    ("tool_runtime", inline("suite", summary="Tools", adapter=f"{__name__}:SuiteTools", serves=("suite",))),
)
