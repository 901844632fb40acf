"""OpenAI's framework for agents, over its model for responses."""

from __future__ import annotations

import asyncio
import json
from typing import Any, Literal

from agents import Agent, HostedMCPTool, OpenAIResponsesModel, Runner, function_tool, set_tracing_disabled
from driver import PERSON, SAY, USE_TOOLS, failure, serve, use
from openai import AsyncOpenAI
from person import Person

set_tracing_disabled(True)
_loop = asyncio.Runner()
_clients: dict[str, AsyncOpenAI] = {}


@function_tool
def get_weather(city: str) -> str:
    """Tells the weather."""
    return use("get_weather", {"city": city})


@function_tool
def get_time(city: str, zone: Literal["utc", "local"]) -> str:
    """Tells the time."""
    return use("get_time", {"city": city})


def agent(url: str, model: str, **fields: Any) -> Agent[None]:
    if url not in _clients:
        _clients[url] = AsyncOpenAI(base_url=f"{url}/v1", api_key="none", max_retries=0, timeout=120)
    return Agent(name="tested", model=OpenAIResponsesModel(model, _clients[url]), **fields)


def responses(url: str, model: str) -> Any:
    async def ask() -> Any:
        whole = await Runner.run(agent(url, model), SAY)
        streamed = Runner.run_streamed(agent(url, model), SAY)
        raw = [event.data async for event in streamed.stream_events() if event.type == "raw_response_event"]
        parts = [event.delta for event in raw if event.type == "response.output_text.delta"]
        return {
            "text": whole.final_output, "usage": _usage(whole), "status": "completed",
            "streamed": streamed.final_output, "streamed_usage": _usage(streamed), "parts": len(parts),
            "joined": "".join(parts),
        }  # fmt: skip

    return _loop.run(ask())


def response_tools(url: str, model: str, streams: bool) -> Any:
    made = agent(url, model, tools=[get_weather, get_time])

    async def ask(prompt: str, **fields: Any) -> Any:
        if not streams:
            return await Runner.run(made, prompt, **fields)
        run = Runner.run_streamed(made, prompt, **fields)
        async for _ in run.stream_events():
            pass
        return run

    async def both() -> Any:
        run = await ask(USE_TOOLS, auto_previous_response_id=True)
        called = [item.raw_item for item in run.new_items if item.type == "tool_call_item"]
        calls = [{"name": call.name, "arguments": json.loads(call.arguments)} for call in called]
        again = await ask(SAY, previous_response_id=run.last_response_id)
        return {"calls": calls, "answer": run.final_output, "again": again.final_output}

    return _loop.run(both())


def response_mcp(url: str, model: str, server: str) -> Any:
    """The same calls as in `responses_shape.py`; what is asked is answered by the framework."""
    where = {"type": "mcp", "server_label": "sums", "server_url": server, "headers": {"x-key": "a-key"}}
    requests: list[Any] = []

    def tool(approve: bool | None) -> HostedMCPTool:
        def answer(request: Any) -> Any:
            requests.append(json.loads(request.data.arguments))
            return {"approve": approve}

        required = "never" if approve is None else "always"
        return HostedMCPTool(tool_config={**where, "require_approval": required}, on_approval_request=answer)

    def calls_in(run: Any) -> list[list[str]]:
        items = [item for answer in run.raw_responses for item in answer.output if item.type == "mcp_call"]
        return [[item.server_label, item.name, item.output] for item in items]

    async def ask() -> Any:
        streamed = Runner.run_streamed(agent(url, model, tools=[tool(None)]), "Add")
        raw = [event.data.type async for event in streamed.stream_events() if event.type == "raw_response_event"]
        whole = await Runner.run(agent(url, model, tools=[tool(None)]), "Add")
        told: dict[str, Any] = {"whole": calls_in(whole), "events": [kind for kind in raw if "mcp" in kind]}
        for name, approve in (("allowed", True), ("refused", False)):
            run = await Runner.run(agent(url, model, tools=[tool(approve)]), "Add")
            told[name] = [requests[-1], calls_in(run), run.final_output]
        return told

    return _loop.run(ask())


def response_structured(url: str, model: str) -> Any:
    run = _loop.run(Runner.run(agent(url, model, output_type=Person), PERSON))
    return {"output_type": run.final_output.model_dump()}


def not_found(url: str, model: str) -> Any:
    return failure(lambda: _loop.run(Runner.run(agent(url, model), SAY)))


def _usage(run: Any) -> list[int]:
    usage = run.context_wrapper.usage
    return [usage.input_tokens, usage.output_tokens, usage.total_tokens]


if __name__ == "__main__":
    scenarios = (responses, response_tools, response_mcp, response_structured, not_found)
    serve("openai-agents", {scenario.__name__: scenario for scenario in scenarios})
