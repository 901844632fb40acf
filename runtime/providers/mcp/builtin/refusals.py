"""Our errors as those of MCP."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from runtime.errors import StackError


@contextmanager
def refused() -> Iterator[None]:
    """Raises MCPError, which the SDK tells its client, for an error of ours."""
    try:
        yield
    except StackError as error:
        from mcp.shared.exceptions import MCPError
        from mcp_types import INTERNAL_ERROR, INVALID_PARAMS

        code = INVALID_PARAMS if error.status < 500 else INTERNAL_ERROR
        words = f"{error.message} ({error.hint})" if error.hint else error.message
        raise MCPError(code, words) from error
