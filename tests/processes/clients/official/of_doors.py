"""The same scenarios through each door that a client has: what it is told, in the same words whichever door it took.

`python of_doors.py PACKAGE DOOR`
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from typing import Any

from driver import OPENAI_TOOLS, PERSON, PERSON_SCHEMA, SAY, TOOLS, USE_TOOLS, failure, serve, use
from of_openai import client
from responses_shape import RESPONSES_TOOLS, text_of

LOOK = "What is on this picture?"
PNG = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNkYPhfDwAChwGA60e6kgAAAABJRU5ErkJggg=="
IMAGE = f"data:image/png;base64,{PNG}"


class Told(Exception):
    """Raised by a door for a failure that its client tells of without an exception: how, and its message."""


class Door:
    """One way to ask. Each scenario returns what the client was told."""

    def scenarios(self) -> dict[str, Any]:
        own = (self.chat, self.stream, self.tools, self.structured, self.vision, self.errors, self.breaks, self.cancel)
        return {scenario.__name__: scenario for scenario in (*own, self.failures)}

    def ask(self, at: Any, model: str, said: Any, **fields: Any) -> str:
        """The text of a whole answer."""
        raise NotImplementedError

    def pieces(self, at: Any, model: str, text: str) -> Iterator[str]:
        """The pieces of a streamed one. Closing it leaves the stream."""
        raise NotImplementedError

    def use_tools(self, at: Any, model: str) -> tuple[list[Any], str]:
        """What was called, and the answer after it."""
        raise NotImplementedError

    def person(self, at: Any, model: str) -> str:
        """JSON of PERSON_SCHEMA."""
        raise NotImplementedError

    def look(self, at: Any, model: str) -> str:
        """What is said of IMAGE."""
        raise NotImplementedError

    def chat(self, url: str, model: str) -> Any:
        return {"text": self.ask(client(url), model, SAY)}

    def stream(self, url: str, model: str) -> Any:
        pieces = list(self.pieces(client(url), model, SAY))
        return {"text": "".join(pieces), "pieces": len([piece for piece in pieces if piece])}

    def tools(self, url: str, model: str) -> Any:
        calls, answer = self.use_tools(client(url), model)
        return {"calls": calls, "answer": answer}

    def structured(self, url: str, model: str) -> Any:
        return {"person": json.loads(self.person(client(url), model))}

    def vision(self, url: str, model: str) -> Any:
        return {"text": self.look(client(url), model)}

    def errors(self, url: str, model: str) -> Any:
        """Of a model that nobody serves."""
        return self.failures(url, "nobody/nothing")

    def failures(self, url: str, model: str) -> Any:
        """What asking for an answer raises, whole and streamed."""
        at = client(url)
        return {
            "whole": failure(lambda: self.ask(at, model, SAY)),
            "streamed": failure(lambda: list(self.pieces(at, model, SAY))),
        }

    def breaks(self, url: str, model: str) -> Any:
        """How the client tells of a stream that breaks off in the middle, after what."""
        pieces, how, said = list[str](), "ends as if it was whole", ""
        try:
            for piece in self.pieces(client(url), model, SAY):
                pieces.append(piece)
        except Told as told:
            how, said = told.args
        except Exception as error:
            how, said = f"raises `{type(error).__name__}`", str(error)
        return {"how": how, "said": said, "before": "".join(pieces)}

    def cancel(self, url: str, model: str) -> Any:
        """Leave after the first piece."""
        pieces = self.pieces(client(url), model, SAY)
        first = next(piece for piece in pieces if piece)
        pieces.close()  # type: ignore[attr-defined]  # a generator
        return {"first": first}


class Chat(Door):
    """Chat completions."""

    def _create(self, at: Any, model: str, content: Any, **fields: Any) -> Any:
        messages = content if isinstance(content, list) and "role" in content[0] else [_said(content)]
        return at.chat.completions.create(model=model, messages=messages, **fields)

    def ask(self, at: Any, model: str, said: Any, **fields: Any) -> str:
        text: str = self._create(at, model, said, **fields).choices[0].message.content
        return text

    def pieces(self, at: Any, model: str, text: str) -> Iterator[str]:
        stream = self._create(at, model, text, stream=True)
        try:
            for chunk in stream:
                for choice in chunk.choices:
                    yield choice.delta.content or ""
        finally:
            _leave(stream)

    def use_tools(self, at: Any, model: str) -> tuple[list[Any], str]:
        message = self._create(at, model, USE_TOOLS, tools=OPENAI_TOOLS).choices[0].message
        called = [
            {"id": call.id, "type": "function",
             "function": {"name": call.function.name, "arguments": call.function.arguments}}
            for call in message.tool_calls
        ]  # fmt: skip
        calls = [_call(call["function"]["name"], call["function"]["arguments"]) for call in called]
        results = [
            {"role": "tool", "tool_call_id": one["id"], "content": use(call["name"], call["arguments"])}
            for one, call in zip(called, calls, strict=True)
        ]
        messages = [_said(USE_TOOLS), {"role": "assistant", "tool_calls": called}, *results]
        return calls, self.ask(at, model, messages, tools=OPENAI_TOOLS)

    def person(self, at: Any, model: str) -> str:
        schema = {"type": "json_schema", "json_schema": {"name": "person", "strict": True, "schema": PERSON_SCHEMA}}
        return self.ask(at, model, PERSON, response_format=schema)

    def look(self, at: Any, model: str) -> str:
        parts = [{"type": "text", "text": LOOK}, {"type": "image_url", "image_url": {"url": IMAGE}}]
        return self.ask(at, model, parts)


class Responses(Door):
    """Responses."""

    def ask(self, at: Any, model: str, said: Any, **fields: Any) -> str:
        return text_of(at.responses.create(model=model, input=said, **fields))

    def pieces(self, at: Any, model: str, text: str) -> Iterator[str]:
        stream = at.responses.create(model=model, input=text, stream=True)
        try:
            for event in stream:
                if event.type == "response.output_text.delta":
                    yield event.delta
                elif event.type == "response.failed":
                    raise Told("gives `response.failed`", event.response.error.message)
        finally:
            _leave(stream)

    def use_tools(self, at: Any, model: str) -> tuple[list[Any], str]:
        first = at.responses.create(model=model, input=USE_TOOLS, tools=RESPONSES_TOOLS)
        made = [item for item in first.output if item.type == "function_call"]
        calls = [_call(item.name, item.arguments) for item in made]
        outputs = [
            {"type": "function_call_output", "call_id": item.call_id, "output": use(call["name"], call["arguments"])}
            for item, call in zip(made, calls, strict=True)
        ]
        return calls, self.ask(at, model, outputs, previous_response_id=first.id, tools=RESPONSES_TOOLS)

    def person(self, at: Any, model: str) -> str:
        form = {"format": {"type": "json_schema", "name": "person", "strict": True, "schema": PERSON_SCHEMA}}
        return self.ask(at, model, PERSON, text=form)

    def look(self, at: Any, model: str) -> str:
        parts = [{"type": "input_text", "text": LOOK}, {"type": "input_image", "image_url": IMAGE}]
        return self.ask(at, model, [{"role": "user", "content": parts}])


class Earlier(Door):
    """The inference API of llama-stack 0.2."""

    def _create(self, at: Any, model: str, messages: Any, **fields: Any) -> Any:
        return at.inference.chat_completion(model_id=model, messages=messages, **fields)

    def ask(self, at: Any, model: str, said: Any, **fields: Any) -> str:
        messages = said if isinstance(said, list) and "role" in said[0] else [_said(said)]
        text: str = self._create(at, model, messages, **fields).completion_message.content
        return text

    def pieces(self, at: Any, model: str, text: str) -> Iterator[str]:
        stream = self._create(at, model, [_said(text)], stream=True)
        try:
            for chunk in stream:
                yield _event_of(chunk).delta.text
        finally:
            _leave(stream)

    def use_tools(self, at: Any, model: str) -> tuple[list[Any], str]:
        tools = [
            {"tool_name": name, "description": "Tells it.", "input_schema": schema} for name, schema in TOOLS.items()
        ]
        message = self._create(at, model, [_said(USE_TOOLS)], tools=tools).completion_message
        calls = [{"name": call.tool_name, "arguments": call.arguments} for call in message.tool_calls]
        results = [
            {"role": "tool", "call_id": call.call_id, "content": use(call.tool_name, call.arguments)}
            for call in message.tool_calls
        ]
        called = {"role": "assistant", "content": "", "stop_reason": "end_of_message",
                  "tool_calls": [call.to_dict() for call in message.tool_calls]}  # fmt: skip
        return calls, self.ask(at, model, [_said(USE_TOOLS), called, *results], tools=tools)

    def person(self, at: Any, model: str) -> str:
        return self.ask(at, model, PERSON, response_format={"type": "json_schema", "json_schema": PERSON_SCHEMA})

    def look(self, at: Any, model: str) -> str:
        return self.ask(at, model, _interleaved())


class Agents(Door):
    """Agents of llama-stack, by the classes that 0.2's client has for them."""

    def _agent(self, at: Any, model: str, **config: Any) -> tuple[Any, str]:
        from llama_stack_client import Agent

        agent = Agent(at, model=model, instructions="Be brief.", **config)
        return agent, agent.create_session("scenario")

    def ask(self, at: Any, model: str, said: Any, **config: Any) -> str:
        agent, session = self._agent(at, model, **config)
        turn = agent.create_turn([_said(said)], session_id=session, stream=False)
        text: str = turn.output_message.content
        return text

    def pieces(self, at: Any, model: str, text: str) -> Iterator[str]:
        agent, session = self._agent(at, model)
        yield from self._streamed(at.agents, text, agent_id=agent.agent_id, session_id=session)

    def _streamed(self, at: Any, text: str, **of: Any) -> Iterator[str]:
        """at: the resource."""
        stream = at.turn.create(**of, messages=[_said(text)], stream=True)
        try:
            for chunk in stream:
                payload = _event_of(chunk).payload
                if payload.event_type == "step_progress":
                    yield payload.delta.text
        finally:
            _leave(stream)

    def use_tools(self, at: Any, model: str) -> tuple[list[Any], str]:
        called: list[Any] = []

        def get_weather(city: str) -> str:
            """Tells it.

            :param city: where
            """
            called.append({"name": "get_weather", "arguments": {"city": city}})
            return use("get_weather", {"city": city})

        def get_time(city: str, zone: str) -> str:
            """Tells it.

            :param city: where
            :param zone: which
            """
            called.append({"name": "get_time", "arguments": {"city": city, "zone": zone}})
            return use("get_time", {"city": city})

        answer = self.ask(at, model, USE_TOOLS, tools=[get_weather, get_time])
        return called, answer

    def person(self, at: Any, model: str) -> str:
        return self.ask(at, model, PERSON, response_format={"type": "json_schema", "json_schema": PERSON_SCHEMA})

    def look(self, at: Any, model: str) -> str:
        return self.ask(at, model, _interleaved())


class AgentResources(Agents):
    """The same by the resources of 0.3's client, whose classes ask for responses."""

    def _made(self, at: Any, model: str, **config: Any) -> dict[str, Any]:
        """The ids of an agent and of its session."""
        made = at.create(agent_config={"model": model, "instructions": "Be brief.", **config}).agent_id
        return {
            "agent_id": made,
            "session_id": at.session.create(agent_id=made, session_name="scenario").session_id,
        }

    def ask(self, at: Any, model: str, said: Any, **config: Any) -> str:
        agents = at.alpha.agents
        turn = agents.turn.create(**self._made(agents, model, **config), messages=[_said(said)])
        text: str = turn.output_message.content
        return text

    def pieces(self, at: Any, model: str, text: str) -> Iterator[str]:
        agents = at.alpha.agents
        yield from self._streamed(agents, text, **self._made(agents, model))

    def use_tools(self, at: Any, model: str) -> tuple[list[Any], str]:
        agents = at.alpha.agents
        tools = [
            {"name": name, "description": "Tells it.", "input_schema": schema, "parameters": []}
            for name, schema in TOOLS.items()
        ]
        of = self._made(agents, model, client_tools=tools)
        turn = agents.turn.create(**of, messages=[_said(USE_TOOLS)])
        made = turn.output_message.tool_calls
        calls = [{"name": call.tool_name, "arguments": call.arguments} for call in made]
        answers = [
            {"call_id": one.call_id, "tool_name": call["name"], "content": use(call["name"], call["arguments"])}
            for one, call in zip(made, calls, strict=True)
        ]
        turn = agents.turn.resume(**of, turn_id=turn.turn_id, tool_responses=answers)
        return calls, turn.output_message.content


def _said(content: Any) -> dict[str, Any]:
    return {"role": "user", "content": content}


def _call(name: str, arguments: str) -> dict[str, Any]:
    return {"name": name, "arguments": json.loads(arguments)}


def _interleaved() -> list[dict[str, Any]]:
    """A question about IMAGE, in parts as llama-stack 0.2 has them."""
    return [{"type": "text", "text": LOOK}, {"type": "image", "image": {"data": PNG}}]


def _event_of(chunk: Any) -> Any:
    """Until 0.3, llama-stack's client takes the event of an error for a chunk without an event."""
    if chunk.event is None:
        raise Told("gives a chunk with `error`", chunk.error["message"])
    return chunk.event


def _leave(stream: Any) -> None:
    """Close the connection, by whichever name a client has for that."""
    (stream if hasattr(stream, "close") else stream.response).close()


DOORS = {
    "chat": Chat,
    "responses": Responses,
    "earlier_inference": Earlier,
    "agents": Agents,
    "agent_resources": AgentResources,
}

if __name__ == "__main__":
    package, name = sys.argv[1], sys.argv[2]
    serve(package, DOORS[name]().scenarios())
