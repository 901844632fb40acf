"""The settings of `remote::nimble-search`."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from runtime.providers.tool_runtime._web_search.config import WebSearchConfig


class NimbleSearchConfig(WebSearchConfig):
    search_depth: Literal["lite", "deep"] = Field(
        "lite", description="Whether a result has its description (`lite`) or what its page says (`deep`)."
    )
