"""The settings of all searches of the web, also under the names of older configs."""

from __future__ import annotations

from pydantic import AliasChoices, Field

from runtime.providers.tool_runtime._remote_config import RemoteToolConfig
from runtime.providers.tool_runtime._web_search.asked import MOST_RESULTS


class WebSearchConfig(RemoteToolConfig):
    max_results: int = Field(
        3,
        ge=1,
        le=MOST_RESULTS,
        validation_alias=AliasChoices("max_results", "top_k"),
        description="How many results a search has, unless it asks for another number.",
    )
