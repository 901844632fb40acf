"""`llama chat` with a real server of ours that calls a real MCP server for the model, and reads documents: in a pipe
and on a terminal. What the model says is written down.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from runtime.conformance.upstream import CHAT_MODEL, Upstream, upstream_server
from runtime.conformance.upstream.scripted import Said, Script, calls, says
from tests.support.documents import pdf
from tests.support.mcp_server import RunningMcp, mcp_server
from tests.support.schemas import conform
from tests.support.screen import CTRL_C, CTRL_D, Screen
from tests.support.server_process import running_server
from tests.support.stack_home import TREE, clean_environment
from tests.support.stacks import openai_at

pytestmark = pytest.mark.e2e
LIMIT_S = 60.0
PROMPT = "> "
ADD = calls(("call_1", "add", '{"a": 2, "b": 3}'))
ALLOW = r".*\[a\]lways in this conversation: "


@dataclass(frozen=True, kw_only=True)
class World:
    """environment: of a command that asks the server."""

    vendor: Upstream
    mcp: RunningMcp
    environment: dict[str, str]

    def model_says(self, *answers: Said) -> Script:
        script = Script(*answers)
        self.vendor.misbehaves = script
        return script

    def command(self, *arguments: str, tool: str | None = None) -> list[str]:
        tools = ["--tool", tool or f"mcp:llamas={self.mcp.url}"]
        return [sys.executable, "-m", "llama_cli.main", "chat", "-m", f"vendor/{CHAT_MODEL}", *tools, *arguments]

    async def __call__(self, *arguments: str, tool: str | None = None, **more: str) -> tuple[int, str, str]:
        process = await asyncio.create_subprocess_exec(
            *self.command(*arguments, tool=tool),
            env=self.environment | more,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )
        out, err = await asyncio.wait_for(process.communicate(), LIMIT_S)
        assert process.returncode is not None
        return process.returncode, out.decode(), err.decode()

    async def on_a_terminal(self, act: Callable[[Screen], None], *arguments: str) -> None:
        def meet() -> None:
            with Screen(self.command(*arguments), self.environment) as screen:
                act(screen)

        await asyncio.to_thread(meet)


@asynccontextmanager
async def a_world(folder: Path, **providers: Any) -> AsyncIterator[World]:
    connectors = {"provider_id": "mcp", "provider_type": "inline::builtin", "config": {"allow_private_addresses": True}}
    vendor: Upstream
    async with upstream_server() as vendor, mcp_server() as mcp:
        known = {"inference": [openai_at(vendor.url)], "connectors": [connectors], **providers}
        run = {"version": 2, "distro_name": "test", "providers": known}
        async with running_server(run, folder / "server") as server:
            async with asyncio.timeout(LIMIT_S):
                while f"vendor/{CHAT_MODEL}" not in str(await server.ask("GET", "/v1/models")):
                    await asyncio.sleep(0.02)
            environment = {"LLAMA_HOME": str(folder / "home"), "LLAMA_STACK_URL": server.url, "PYTHONPATH": str(TREE)}
            yield World(vendor=vendor, mcp=mcp, environment=clean_environment() | environment | {"LANG": "C.UTF-8"})


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[World]:
    async with a_world(tmp_path) as made:
        yield made


async def test_a_tool_is_called_and_told_as_data(world: World) -> None:
    script = world.model_says(ADD, says("It is ", "5."))
    code, out, err = await world("2 and 3?", "--yes", "--json")
    assert (code, err) == (0, ""), err
    answer = json.loads(out)
    conform(answer, "chat")
    call = {"server": "llamas", "name": "add", "arguments": {"a": 2, "b": 3}, "output": "5", "error": None}
    assert (answer["content"], answer["tool_calls"], answer["finish_reason"]) == ("It is 5.", [call], "stop")
    assert answer["usage"]["total_tokens"] == 24 and world.mcp.ran == ["add"]
    world.model_says(ADD, says("It is ", "5."))
    assert await world("2 and 3?", "--yes", "-q") == (0, "It is 5.\n", "")
    assert [one["role"] for one in script.asked[1]["messages"]] == ["user", "assistant", "tool"]

    again = world.model_says(says("As I said."))
    assert (await world("And now?", "--continue", "--yes"))[1] == "As I said.\n"
    roles = [one["role"] for one in again.asked[0]["messages"]]
    assert roles == ["user", "assistant", "tool", "assistant", "user"], "what was called before is known"


async def test_a_call_that_fails_is_told_with_its_reason(world: World) -> None:
    world.model_says(
        Said(deltas=[*says("Let me see.").deltas, *calls(("1", "fails", "{}")).deltas], finish="tool_calls"),
        says("No."),
    )
    code, out, _ = await world("sleep?", "--yes", "--json")
    answer = json.loads(out)
    assert (code, answer["content"]) == (0, "Let me see.\n\nNo.")
    assert "the llama is asleep" in answer["tool_calls"][0]["error"] and answer["tool_calls"][0]["output"] is None


async def test_nothing_is_called_where_nobody_can_allow_it(world: World) -> None:
    world.model_says(ADD, says("It is 5."))
    code, out, err = await world("2 and 3?")
    assert (code, out) == (2, "")
    wanted = 'error: `llamas` is to be asked for `add` with {"a": 2, "b": 3}: that needs a yes\n\nhint: add `--yes`\n'
    assert err.endswith(wanted)
    assert world.mcp.ran == []


async def test_a_person_is_asked(world: World) -> None:
    script = world.model_says(ADD, says("I may not."), ADD, ADD, says("It is **5**."), ADD, says("Once more 5."))

    def act(screen: Screen) -> None:
        screen.wait_for_line(PROMPT)
        screen.enter("2 and 3?")
        screen.wait_for_line(ALLOW)
        assert '`llamas` is to be asked for `add` with {"a": 2, "b": 3}' in screen.fresh
        screen.type("n\r")
        screen.wait_for_line(PROMPT)
        assert "I may not." in screen.fresh and world.mcp.ran == []
        screen.enter("once more")
        screen.wait_for_line(ALLOW)
        screen.type(CTRL_C)
        screen.wait_for_line(PROMPT)
        assert screen.fresh.splitlines()[-2] == "(cut short)" and world.mcp.ran == []
        screen.enter("please")
        screen.wait_for_line(ALLOW)
        screen.type("a\r")
        screen.wait_for_line(PROMPT)
        assert screen.fresh.splitlines()[-3:-1] == ['llamas: add {"a": 2, "b": 3} -> 5', "It is 5."]
        screen.enter("again")
        screen.wait_for_line(PROMPT)
        assert screen.fresh.splitlines()[1:-1] == ['llamas: add {"a": 2, "b": 3} -> 5', "Once more 5."]
        assert "\x1b[2mllamas: add" in screen.received
        screen.type(CTRL_D)
        assert screen.wait_until_it_ends() == 0

    await world.on_a_terminal(act)
    assert world.mcp.ran == ["add", "add"]
    refused = [one for one in script.asked[1]["messages"] if one["role"] == "tool"]
    assert refused and "5" not in str(refused[0]["content"])


async def test_a_call_that_is_stopped_ends_and_the_conversation_goes_on(world: World) -> None:
    script = world.model_says(calls(("call_1", "slow", "{}")), says("Fine."))

    def act(screen: Screen) -> None:
        screen.wait_for_line(PROMPT)
        screen.enter("slowly")
        screen.wait_for("llamas: slow")
        screen.type(CTRL_C)
        screen.wait_for_line(PROMPT)
        assert "(cut short)" in screen.fresh
        screen.enter("then quickly")
        screen.wait_for_line(PROMPT)
        assert "Fine." in screen.fresh
        screen.type(CTRL_D)
        assert screen.wait_until_it_ends() == 0

    await world.on_a_terminal(act, "--yes")
    await asyncio.wait_for(world.mcp.cancelled.wait(), LIMIT_S)
    assert script.asked[1]["messages"][-1]["content"] == "then quickly"


async def test_a_connector_that_there_is_not_is_a_wrong_name(world: World) -> None:
    code, _, err = await world("hi", tool="mcp:nosuch")
    assert (
        code == 2 and "`nosuch`" in err and err.endswith("hint: `llama api GET /v1/connectors` lists those there are\n")
    )


async def test_a_token_goes_to_the_tool_alone(world: World) -> None:
    world.mcp.wants = "Bearer tool-token"
    world.model_says(ADD, says("5"))
    assert (await world("2 and 3?", "--yes", LLAMA_MCP_AUTHORIZATION="tool-token"))[:2] == (0, "5\n")
    code, out, err = await world("2 and 3?", "--yes", LLAMA_MCP_AUTHORIZATION_LLAMAS="Bearer other-token")
    assert code not in (0, 2) and out == "" and "`llamas`" in err and "other-token" not in err
    assert all("tool-token" not in str([seen.headers, seen.raw]) for seen in world.vendor.seen)


async def test_a_server_that_may_not_be_asked_is_named_with_its_setting(tmp_path: Path) -> None:
    async with a_world(tmp_path, connectors=[{"provider_id": "mcp", "provider_type": "inline::builtin"}]) as world:
        code, _, err = await world("hi", "--yes")
        assert code == 1 and "allow_private_addresses" in err


async def test_a_document_is_read_by_the_server(tmp_path: Path) -> None:
    readers = [{"provider_id": "auto", "provider_type": "inline::auto"}]
    async with a_world(tmp_path, file_processors=readers) as world:
        (tmp_path / "care.pdf").write_bytes(pdf([[(12, "Llamas are trimmed every eight weeks.")]]))
        script = world.model_says(says("Every eight weeks."))
        with contextlib.chdir(tmp_path):
            code, out, _ = await world("How often?", "--file", "care.pdf")
        assert (code, out) == (0, "Every eight weeks.\n")
        told = json.dumps(script.asked[0]["messages"])
        assert "care.pdf" in told and "trimmed every eight weeks" in told and "base64" not in told
