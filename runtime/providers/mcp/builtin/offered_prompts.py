"""The prompts that MCP clients are offered: those of the stack, in their default versions, by their ids."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from runtime.apis.prompts.protocol import FillPromptRequest, ListPromptsRequest, Prompts
from runtime.providers.mcp.builtin.refusals import refused

if TYPE_CHECKING:
    import mcp_types as types

_SHOWN = 200
"""Characters of a prompt's text that stand for a description."""


class OfferedPrompts:
    """prompts: None where there are none."""

    def __init__(self, prompts: Prompts | None) -> None:
        self._prompts = prompts

    def handlers(self) -> dict[str, Any]:
        """What the SDK's server is made with."""
        return {} if self._prompts is None else {"on_list_prompts": self._list, "on_get_prompt": self._get}

    async def _list(self, context: Any, asked: types.PaginatedRequestParams | None) -> types.ListPromptsResult:
        import mcp_types as types

        assert self._prompts is not None, "without prompts there is no such handler"
        with refused():
            page = (await self._prompts.list_prompts(ListPromptsRequest(after=asked.cursor if asked else None))).value()
        listed = [
            types.Prompt(
                name=one["prompt_id"],
                description=one["prompt"][:_SHOWN],
                arguments=[types.PromptArgument(name=name, required=True) for name in one["variables"]],
            )
            for one in page["data"]
        ]
        return types.ListPromptsResult(prompts=listed, next_cursor=page["last_id"] if page["has_more"] else None)

    async def _get(self, context: Any, asked: types.GetPromptRequestParams) -> types.GetPromptResult:
        import mcp_types as types

        assert self._prompts is not None, "without prompts there is no such handler"
        with refused():
            request = FillPromptRequest(id=asked.name, variables=dict(asked.arguments or {}) or None)
            filled = await self._prompts.fill_prompt(request)
        content = filled.content
        text = content if isinstance(content, str) else "".join(part.get("text", "") for part in content)
        message = types.PromptMessage(role="user", content=types.TextContent(text=text))
        return types.GetPromptResult(messages=[message])
