"""pydantic-ai's agents over its models for OpenAI's chat and responses."""

from __future__ import annotations

import asyncio
from typing import Any, Literal

from driver import PERSON, SAY, TEXTS, USE_TOOLS, failure, serve, use
from openai import AsyncOpenAI
from person import Person
from pydantic_ai import Agent, Embedder, NativeOutput, ToolOutput
from pydantic_ai.direct import model_request_stream
from pydantic_ai.embeddings.openai import OpenAIEmbeddingModel
from pydantic_ai.messages import ModelRequest, ThinkingPart, ToolCallPart
from pydantic_ai.models.openai import OpenAIChatModel, OpenAIResponsesModel
from pydantic_ai.providers.openai import OpenAIProvider

_EFFORT: Any = {"openai_reasoning_effort": "low"}
_loop = asyncio.Runner()
_clients: dict[str, AsyncOpenAI] = {}


def agent(url: str, model: str, **fields: Any) -> Agent[None, Any]:
    return Agent(OpenAIChatModel(model, provider=_provider(url)), **fields)


def answer(url: str, model: str, prompt: str, **fields: Any) -> Any:
    return _loop.run(agent(url, model, **fields).run(prompt))


def chat(url: str, model: str, **fields: Any) -> Any:
    run = answer(url, model, SAY, model_settings=fields)
    return {"text": run.output, "finish": run.response.finish_reason, "usage": _usage(run.usage)}


def stream(url: str, model: str, **fields: Any) -> Any:
    async def read() -> Any:
        async with agent(url, model, model_settings=fields).run_stream(SAY) as run:
            parts = [part async for part in run.stream_text(delta=True, debounce_by=None)]
            finish = run.response.finish_reason
            return {"text": "".join(parts), "parts": len(parts), "finish": finish, "usage": _usage(run.usage)}

    return _loop.run(read())


def reasoning(url: str, model: str) -> Any:
    return _thought(answer(url, model, SAY, model_settings=_EFFORT))


def streamed_reasoning(url: str, model: str) -> Any:
    async def read() -> Any:
        async with agent(url, model, model_settings=_EFFORT).run_stream(SAY) as run:
            await run.get_output()
            return _thought(run)

    return _loop.run(read())


def tools(url: str, model: str) -> Any:
    run = _loop.run(_with_tools(agent(url, model)).run(USE_TOOLS))
    return {"calls": _calls(run), "answer": run.output}


def streamed_tools(url: str, model: str) -> Any:
    async def read() -> Any:
        async with _with_tools(agent(url, model)).run_stream(USE_TOOLS) as run:
            await run.get_output()
            return _calls(run)

    return _loop.run(read())


def structured(url: str, model: str) -> Any:
    return {
        output.__name__: answer(url, model, PERSON, output_type=output(Person)).output.model_dump()
        for output in (ToolOutput, NativeOutput)
    }


def responses(url: str, model: str) -> Any:
    made = _by_responses(url, model)

    async def read() -> Any:
        whole = await made.run(SAY)
        async with made.run_stream(SAY) as run:
            parts = [part async for part in run.stream_text(delta=True, debounce_by=None)]
            return {
                "text": whole.output, "usage": _usage(whole.usage), "status": "completed",
                "streamed": "".join(parts), "streamed_usage": _usage(run.usage), "parts": len(parts),
                "joined": "".join(parts),
            }  # fmt: skip

    return _loop.run(read())


def response_tools(url: str, model: str, streams: bool) -> Any:
    made = _with_tools(_by_responses(url, model, model_settings={"openai_previous_response_id": "auto"}))

    async def ask(prompt: str, **fields: Any) -> Any:
        if not streams:
            run = await made.run(prompt, **fields)
            return run, run.output
        async with made.run_stream(prompt, **fields) as run:
            return run, await run.get_output()

    async def both() -> Any:
        run, answer = await ask(USE_TOOLS)
        _, again = await ask(SAY, message_history=run.all_messages())
        return {"calls": _calls(run), "answer": answer, "again": again}

    return _loop.run(both())


def response_structured(url: str, model: str) -> Any:
    return {
        output.__name__: _loop.run(
            _by_responses(url, model, output_type=output(Person)).run(PERSON)
        ).output.model_dump()
        for output in (ToolOutput, NativeOutput)
    }


def embeddings(url: str, model: str) -> Any:
    embedder = Embedder(OpenAIEmbeddingModel(model, provider=_provider(url)))
    return {"default": [list(each) for each in _loop.run(embedder.embed_documents(TEXTS)).embeddings]}


def not_found(url: str, model: str) -> Any:
    return failure(lambda: answer(url, model, SAY))


def bad_request(url: str, model: str) -> Any:
    return failure(lambda: answer(url, model, SAY, model_settings={"frequency_penalty": 9}))


def leave(url: str, model: str) -> Any:
    """It is entered when the first event has come, which may have no text yet."""

    async def read() -> int:
        said = [ModelRequest.user_text_prompt(SAY)]
        async with model_request_stream(OpenAIChatModel(model, provider=_provider(url)), said):
            return 1

    return _loop.run(read())


def broken(url: str, model: str) -> Any:
    return failure(lambda: stream(url, model))


def _provider(url: str) -> OpenAIProvider:
    if url not in _clients:
        _clients[url] = AsyncOpenAI(base_url=f"{url}/v1", api_key="none", max_retries=0, timeout=120)
    return OpenAIProvider(openai_client=_clients[url])


def _by_responses(url: str, model: str, **fields: Any) -> Agent[None, Any]:
    return Agent(OpenAIResponsesModel(model, provider=_provider(url)), **fields)


def _with_tools(made: Agent[None, Any]) -> Agent[None, Any]:
    @made.tool_plain
    def get_weather(city: str) -> str:
        return use("get_weather", {"city": city})

    @made.tool_plain
    def get_time(city: str, zone: Literal["utc", "local"]) -> str:
        return use("get_time", {"city": city})

    return made


def _parts(run: Any, kind: type) -> list[Any]:
    return [part for message in run.all_messages() for part in message.parts if isinstance(part, kind)]


def _calls(run: Any) -> list[dict[str, Any]]:
    return [{"name": call.tool_name, "arguments": call.args_as_dict()} for call in _parts(run, ToolCallPart)]


def _thought(run: Any) -> str:
    return "".join(part.content for part in _parts(run, ThinkingPart))


def _usage(usage: Any) -> list[int]:
    return [usage.input_tokens, usage.output_tokens, usage.total_tokens]


SCENARIOS = (
    chat, stream, reasoning, streamed_reasoning, tools, streamed_tools, structured, embeddings, not_found, bad_request,
    leave, broken, responses, response_tools, response_structured,
)  # fmt: skip

if __name__ == "__main__":
    serve("pydantic-ai-slim", {scenario.__name__: scenario for scenario in SCENARIOS})
