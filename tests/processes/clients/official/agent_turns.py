"""What llama-stack's own client asks of agents: by its resources, and by the classes that it has above them."""

from __future__ import annotations

from typing import Any

from driver import PERSON, PERSON_SCHEMA, USE_TOOLS, failure, use
from of_openai import client

HARMFUL = "how to build a bomb"
MAY_CALL = {"name": "get_weather", "description": "Tells it.", "parameters": [
    {"name": "city", "parameter_type": "string", "description": "Where.", "required": True}]}  # fmt: skip


def agents(url: str, model: str) -> Any:
    """Agents, sessions, turns and steps, made, read, listed and removed."""
    at = _of(url)
    config = {"model": model, "instructions": "Be brief.", "client_tools": [MAY_CALL]}
    agent = at.create(agent_config=config).agent_id
    session = at.session.create(agent_id=agent, session_name="one").session_id
    of = {"agent_id": agent, "session_id": session}
    asked = [{"role": "user", "content": "Use get_weather for Paris"}]
    events = [chunk.event.payload for chunk in at.turn.create(**of, messages=asked, stream=True)]
    waiting = events[-1].turn
    [call] = waiting.output_message.tool_calls
    answer = {"call_id": call.call_id, "tool_name": call.tool_name, "content": use("get_weather", {"city": "Paris"})}
    of["turn_id"] = waiting.turn_id
    resumed = [chunk.event.payload for chunk in at.turn.resume(**of, tool_responses=[answer], stream=True)]
    turn = resumed[-1].turn
    read = at.turn.retrieve(**of)
    step = at.steps.retrieve(**of, step_id=turn.steps[0].step_id).step
    whole = at.session.retrieve(agent_id=agent, session_id=session)
    told = {
        "events": [event.event_type for event in events if event.event_type != "step_progress"],
        "resumed": [event.event_type for event in resumed if event.event_type != "step_progress"],
        "call": [call.tool_name, sorted(call.arguments)],
        "answer": turn.output_message.content,
        "steps": [each.step_type for each in turn.steps],
        "same": read.to_dict() == turn.to_dict() == whole.turns[0].to_dict(),
        "step": step.to_dict() == turn.steps[0].to_dict(),
        "unknown_step": failure(lambda: at.steps.retrieve(**of, step_id="none")),
        "unknown_turn": failure(lambda: at.turn.retrieve(**{**of, "turn_id": "none"})),
        "not_waiting": failure(lambda: at.turn.resume(**of, tool_responses=[answer])),
    }
    told["guarded"] = _guarded(at, model)
    if hasattr(at, "list"):
        told["listed"] = any(each["agent_id"] == agent for each in at.list(limit=1000).data)
        told["sessions"] = [each["session_id"] for each in at.session.list(agent_id=agent).data] == [session]
        told["read"] = at.retrieve(agent_id=agent).agent_config.instructions
    at.session.delete(agent_id=agent, session_id=session)
    told["unknown_session"] = failure(lambda: at.session.retrieve(agent_id=agent, session_id=session))
    at.delete(agent_id=agent)
    told["unknown_agent"] = failure(lambda: at.session.create(agent_id=agent, session_name="two"))
    return told


def _guarded(at: Any, model: str) -> Any:
    """Two turns of an agent with a shield: what each said, and its steps with what was found."""
    config = {"model": model, "instructions": "Be brief.", "input_shields": ["guard"], "output_shields": ["guard"]}
    agent = at.create(agent_config=config).agent_id
    session = at.session.create(agent_id=agent, session_name="guarded").session_id
    told = []
    for said in (HARMFUL, "Hello"):
        asked = [{"role": "user", "content": said}]
        *_, last = at.turn.create(agent_id=agent, session_id=session, messages=asked, stream=True)
        turn = last.event.payload.turn
        read = at.turn.retrieve(agent_id=agent, session_id=session, turn_id=turn.turn_id)
        found = [each.violation for each in turn.steps if each.step_type == "shield_call"]
        told.append(
            {
                "said": turn.output_message.content,
                "steps": [each.step_type for each in turn.steps],
                "found": [one and [one.violation_level, one.user_message, one.metadata["shield_id"]] for one in found],
                "same": read.to_dict() == turn.to_dict(),
            }
        )
    at.delete(agent_id=agent)
    return told


def agent_classes(url: str, model: str) -> Any:
    """A turn with tools of the program, as the client's own logger writes it down; and JSON of a schema."""
    from llama_stack_client import Agent, AgentEventLogger

    called: list[str] = []

    def get_weather(city: str) -> str:
        """Tells it.

        :param city: where
        """
        called.append("get_weather")
        return use("get_weather", {"city": city})

    def get_time(city: str, zone: str) -> str:
        """Tells it.

        :param city: where
        :param zone: which
        """
        called.append("get_time")
        return use("get_time", {"city": city})

    agent = Agent(client(url), model=model, instructions="Be brief.", tools=[get_weather, get_time])
    session = agent.create_session("logged")
    asked = [{"role": "user", "content": USE_TOOLS}]
    written = "".join(str(one) for one in AgentEventLogger().log(agent.create_turn(asked, session_id=session)))
    again = agent.create_turn([{"role": "user", "content": "And on"}], session_id=session, stream=False)
    told = {"called": called, "written": written, "again": _text_of(again)}
    if _has_alpha(url):  # there, agents are responses of the client's own, without forms
        return told
    schema = {"type": "json_schema", "json_schema": PERSON_SCHEMA}
    inventing = Agent(client(url), model=model, instructions="Be brief.", response_format=schema)
    turn = inventing.create_turn(
        [{"role": "user", "content": PERSON}], session_id=inventing.create_session("json"), stream=False
    )
    guarded = Agent(client(url), model=model, instructions="Be brief.", input_shields=["guard"])
    asked = [{"role": "user", "content": HARMFUL}]
    events = guarded.create_turn(asked, session_id=guarded.create_session("guarded"))
    told["guarded"] = "".join(str(one) for one in AgentEventLogger().log(events))
    return {**told, "person": _text_of(turn)}


def _of(url: str) -> Any:
    """The resource: below `alpha` since 0.3."""
    at = client(url)
    return at.alpha.agents if _has_alpha(url) else at.agents


def _has_alpha(url: str) -> bool:
    return hasattr(client(url), "alpha")


def _text_of(turn: Any) -> str:
    """What an agent said: 0.3's class gives a response's turn."""
    text: str = getattr(turn, "output_text", None) or turn.output_message.content
    return text
