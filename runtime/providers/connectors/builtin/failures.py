"""What goes wrong with a server, as our errors."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from httpx2 import SSEError
from mcp.shared.exceptions import MCPError
from mcp_types import PARSE_ERROR

from runtime.errors import StackError, UpstreamError
from runtime.http.bridge import cause_of
from runtime.providers.connectors.builtin.servers import Server
from runtime.providers.connectors.builtin.trial import Trial

_WORDS = 500
"""The most that is quoted of a server's words."""


class SessionLost(Exception):
    """A session that can no longer be used. error: what a caller is told. may_have_run: whether the server may have
    done what it was asked.
    """

    def __init__(self, error: StackError, *, may_have_run: bool) -> None:
        super().__init__(error.message)
        self.error = error
        self.may_have_run = may_have_run


def failed(server: Server, what: str, **facts: Any) -> UpstreamError:
    return UpstreamError(f"MCP server `{server.label}` {what}", provider_id=server.label, **facts)


def quoted(error: MCPError, trial: Trial) -> str:
    """What a server says of an error. What the SDK says of an answer that it cannot read has the beginning and the end
    of that, where a part of a secret would not be found.
    """
    if error.code == PARSE_ERROR:
        return "what it was sent, or what it answered, is no message of MCP"
    return trial.without_secrets(error.message)[:_WORDS]


def not_opened(server: Server, error: Exception, trial: Trial) -> StackError:
    """Why a session was not opened, or broke off: our own error, in what the SDK's groups of tasks raise."""
    if trial.failure is not None:
        return trial.failure
    inside: Sequence[Exception] = [error]
    while isinstance(inside[0], ExceptionGroup):
        inside = inside[0].exceptions
    for one in inside:
        if (ours := cause_of(one)) is not None:
            return ours
    first, status = inside[0], trial.status or None
    if isinstance(first, SSEError):
        return failed(server, f"broke off its stream: {trial.without_secrets(str(first))}"[:_WORDS])
    answered = f"it answered {status}" if status else "it answered"
    if isinstance(first, MCPError):
        return failed(server, f"opened no session: {answered}: {quoted(first, trial)}", upstream_status=status)
    return failed(
        server,
        f"opened no session{f': {answered}' if status else ''}",
        upstream_status=status,
        hint="does its address lead to an MCP server, with its path?",
    )
