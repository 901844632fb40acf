"""What libraries log of our MCP sessions is told nobody; what they log for others is."""

from __future__ import annotations

import asyncio
import logging

import pytest

from runtime.providers.connectors.builtin.quiet import hush, quiet


async def test_only_what_is_logged_of_our_sessions_is_kept_out(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    loggers = [logging.getLogger(name) for name in ("mcp", "mcp.client.session", "client", "httpx2", "mcpx")]
    levels = [logger.level for logger in loggers]
    hush()
    hush()

    async def log(words: str) -> None:
        for logger in loggers:
            logger.error(words)

    with quiet():
        await log("inside")
        begun = asyncio.create_task(log("of a task"))
    await log("outside")
    await begun
    told = [(record.name, record.message) for record in caplog.records if record.name != "asyncio"]
    others = [("mcpx", "inside"), *((logger.name, "outside") for logger in loggers), ("mcpx", "of a task")]
    assert told == others
    assert [logger.level for logger in loggers] == levels
