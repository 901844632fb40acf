"""The kinds of tools that a response can have, one file for each: found here, and listed nowhere."""

from __future__ import annotations

from runtime.apis._modules import values_in
from runtime.apis.responses.tool_kind import ToolKind

KINDS: tuple[ToolKind, ...] = values_in(__name__, "KIND")
