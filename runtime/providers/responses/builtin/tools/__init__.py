"""The kinds of tools that responses have here, one file for each: found here, and listed nowhere."""

from __future__ import annotations

from runtime.apis._modules import values_in
from runtime.providers.responses.builtin.offering import ToolHandler

TOOLS: tuple[ToolHandler, ...] = values_in(__name__, "TOOL")
