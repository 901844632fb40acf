"""What a turn begins with, and what it goes on with: the response that is asked for, and the row that says so."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

from runtime.apis._earlier.messages import EarlierToolMessage
from runtime.apis.agents.agent import AgentConfig
from runtime.apis.agents.turn import CreateTurnRequest, ResumeTurnRequest
from runtime.apis.tool_groups.protocol import ToolGroups
from runtime.errors import Conflict, RequestError
from runtime.ids import new_position, ordered_id
from runtime.providers.agents.builtin.asking import Asked, response_request, settings
from runtime.providers.agents.builtin.documents import searches, store_of, with_store
from runtime.providers.agents.builtin.given import document_item, message_items, result_items, unanswered
from runtime.providers.agents.builtin.groups import tools_of
from runtime.providers.agents.builtin.running import NewTurn, times_asked
from runtime.providers.agents.builtin.sessions import Found
from runtime.providers.agents.builtin.turns import CONTINUES
from runtime.sse import Json
from runtime.storage.sql import Row

_NAMES = {
    "model": "agent_config.model",
    "input": "messages",
    "tools": "toolgroups",
    "tool_choice": "tool_config.tool_choice",
    "text": "agent_config.response_format",
    "max_output_tokens": "agent_config.sampling_params.max_tokens",
    "stop": "agent_config.sampling_params.stop",
    "temperature": "agent_config.sampling_params.strategy.temperature",
    "top_p": "agent_config.sampling_params.strategy.top_p",
    "top_k": "agent_config.sampling_params.strategy.top_k",
    "repetition_penalty": "agent_config.sampling_params.repetition_penalty",
    "guardrails.input": "agent_config.input_shields",
    "guardrails.output": "agent_config.output_shields",
    "previous_response_id": CONTINUES,
}
"""The names that fields of a response have at this door."""


async def begun(found: Found, request: CreateTurnRequest, groups: ToolGroups | None) -> NewTurn:
    """A new turn. groups: see `tools_of`. Raises RequestError and NotSupported for what a response cannot be asked,
    and RequestError for an answer to a call that does not wait for one.
    """
    position = new_position()
    whole = request.wire()
    row: Row = {
        "id": ordered_id("turn_", position),
        "session_id": request.session_id,
        "position": position,
        "completed": None,
        "is_over": False,
        "asked": {name: whole[name] for name in ("messages", "toolgroups", "tool_config") if name in whole},
        "responses": [],
        "results": [],
    }
    answers = {
        f"messages[{at}]": message.call_id
        for at, message in enumerate(request.messages)
        if isinstance(message, EarlierToolMessage)
    }
    _check_answers(answers, found.waiting)
    items = [*unanswered(found.waiting, answers.values()), *message_items(request.messages)]
    asked = _asked(found, request)
    tools, documents = await tools_of(asked.all_groups, groups), request.documents or []
    kept = documents if any(map(searches, tools)) else []
    if documents and not kept:
        items.append(document_item(documents))
    if kept or found.session["has_documents"]:
        tools = with_store(tools, store_of(request.session_id))
    most = asked.most
    sent = response_request(
        settings(asked, tools), items, stream=bool(request.stream), max_infer_iters=most, **_of(found, row)
    )
    return NewTurn(found=found, row=row, is_new=True, request=sent, names=_NAMES, most=most, documents=kept)


def check_waits(found: Found, row: Row) -> None:
    """Raises Conflict for a turn that does not wait, or waits no more since another was begun."""
    if row["is_over"] or not row["responses"] or row["responses"][-1] != found.session["last"]:
        raise Conflict(
            f"The turn `{row['id']}` does not wait for the client's tools", param="turn_id", code="not_waiting"
        )


async def resumed(
    found: Found, row: Row, request: ResumeTurnRequest, steps: Sequence[Json], groups: ToolGroups | None
) -> NewTurn:
    """A turn that goes on. steps: those that it had. groups: see `tools_of`.

    Raises RequestError unless each call that it waits for is answered, and nothing else.
    """
    answers = {f"tool_responses[{at}]": one.call_id for at, one in enumerate(request.tool_responses)}
    _check_answers(answers, found.waiting)
    _check_all_answered(answers.values(), found.waiting)
    given = {"agent_id": request.agent_id, "session_id": request.session_id, **row["asked"]}
    asked = _asked(found, CreateTurnRequest.model_validate(given))
    tools = await tools_of(asked.all_groups, groups)
    if found.session["has_documents"]:
        tools = with_store(tools, store_of(request.session_id))
    sent = response_request(
        settings(asked, tools),
        result_items(request.tool_responses),
        stream=bool(request.stream),
        max_infer_iters=max(asked.most - times_asked(steps), 1),
        **_of(found, row),
    )
    return NewTurn(
        found=found,
        row=row,
        is_new=False,
        before=steps,
        request=sent,
        names={**_NAMES, "input": "tool_responses"},
        most=asked.most,
        results=request.wire()["tool_responses"],
    )


def _asked(found: Found, request: CreateTurnRequest) -> Asked:
    config = AgentConfig.model_validate(found.agent["config"])
    return Asked(
        config=config, toolgroups=request.toolgroups or (), tool_config=request.tool_config or config.tool_config
    )


def _of(found: Found, row: Row) -> Json:
    """What it continues, and by what its responses are known where responses are listed."""
    labels = {"agent_id": found.agent["id"], "session_id": found.session["id"], "turn_id": row["id"]}
    return {"previous_response_id": found.session["last"], "metadata": labels}


def _check_answers(given: Mapping[str, str], waiting: Sequence[Json]) -> None:
    """given: the calls that are answered, by the place of the answer. waiting: those that wait for one."""
    wanted = [call["call_id"] for call in waiting]
    answered: set[str] = set()
    for place, call_id in given.items():
        if call_id not in wanted or call_id in answered:
            why = "is answered twice" if call_id in wanted else "is none that waits for an answer"
            known = ", ".join(f"`{one}`" for one in wanted[:10])
            raise RequestError(
                f"`{place}`: the call `{call_id[:100]}` {why}",
                hint=f"these wait: {known}" if known else "no call of the session waits",
                param=f"{place}.call_id",
            )
        answered.add(call_id)


def _check_all_answered(given: Collection[str], waiting: Sequence[Json]) -> None:
    if missing := [call for call in waiting if call["call_id"] not in given]:
        names = ", ".join(f"`{call['call_id']}` of `{call['tool_name']}`" for call in missing[:10])
        raise RequestError(
            f"`tool_responses` has no answer to the call {names}",
            hint="answer every call that the turn waits for",
            param="tool_responses",
        )
