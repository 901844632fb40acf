"""A conversation as Gemini has it: turns of `user` and `model`, with the system's words apart.

What a tool gave back is a part of the user's turn after the call, in the order of the calls. What a model thought goes
back as its signature alone. https://ai.google.dev/api/caching#Content,
https://ai.google.dev/gemini-api/docs/function-calling (read November 2026)
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from runtime.apis.inference.calls import EXTRA, read_arguments
from runtime.context import warn
from runtime.errors import RequestError
from runtime.providers.inference._gemini.generations import thinks_by_levels
from runtime.providers.inference._gemini.parts import media_of, parts_of, text_of
from runtime.providers.inference._openai_compatible.outgoing_fields import refusal
from runtime.sse import Json, decode

_SYSTEM = ("system", "developer")
_NOT_GIVEN = "skip_thought_signature_validator"
"""For a call that was made elsewhere, or whose signature the client has not kept: Google documents it for that, and
refuses a call without any.
"""


@dataclass(kw_only=True)
class Conversation:
    """system: parts of what the system said. contents: the turns."""

    system: list[Json] = field(default_factory=list)
    contents: list[Json] = field(default_factory=list)

    def add(self, role: str, parts: list[Json]) -> None:
        """To the last turn, if that is of the same role."""
        if not parts:
            return
        if self.contents and self.contents[-1]["role"] == role:
            self.contents[-1]["parts"].extend(parts)
        else:
            self.contents.append({"role": role, "parts": parts})


def conversation_of(messages: list[Json], model: str, provider_id: str) -> Conversation:
    """Raises RequestError for what Gemini cannot be told."""
    made, has_ids = Conversation(), thinks_by_levels(model)
    names: dict[str, str] = {}
    answers: list[tuple[Json, list[Json]]] = []
    order: list[str] = []
    is_late = False
    for message in messages:
        role = message["role"]
        if role not in ("tool", "function") and answers:
            _add_answers(made, answers, order, has_ids=has_ids)
            answers = []
        parts = parts_of(message.get("content"), provider_id)
        if role in _SYSTEM:
            made.system += parts
            is_late = is_late or bool(made.contents)
        elif role == "user":
            made.add("user", parts or [{"text": ""}])
        elif role == "assistant":
            calls = _calls_of(message, provider_id, has_ids=has_ids)
            order = [id for id, _ in calls]
            names |= {id: part["functionCall"]["name"] for id, part in calls}
            made.add("model", _said(message, parts, provider_id) + [part for _, part in calls])
        else:
            answers.append((_answered(message, names), parts))
    if answers:
        _add_answers(made, answers, order, has_ids=has_ids)
    if any(message.get("name") for message in messages if message["role"] not in ("tool", "function")):
        warn(f"`messages[].name` has no effect: `{provider_id}` has no names of speakers")
    if is_late:
        warn(f"system messages are moved to the front: `{provider_id}` has one place for them")
    if not made.contents:  # there has to be a turn
        made.add("user", made.system or [{"text": ""}])
        made.system = []
    return made


def _said(message: Json, parts: list[Json], provider_id: str) -> list[Json]:
    """What the model said, without its calls."""
    if not parts and message.get("refusal"):
        parts = [{"text": message["refusal"]}]
    if message.get("audio"):
        raise refusal("messages[].audio", provider_id, "does not keep what it spoke")
    if parts and (signature := _signature_in(message)):
        parts[-1] = {**parts[-1], "thoughtSignature": signature}
    return parts


def _calls_of(message: Json, provider_id: str, *, has_ids: bool) -> list[tuple[str, Json]]:
    """Each call's id in OpenAI's form, and its part."""
    given = list(message.get("tool_calls") or ())
    if older := message.get("function_call"):
        given.append({"id": older["name"], "type": "function", "function": older})
    calls = []
    for place, call in enumerate(given):
        if call.get("type") != "function":
            raise refusal("messages[].tool_calls", provider_id, "has only calls of functions")
        function: Json = {
            "name": call["function"]["name"],
            "args": read_arguments(call["function"]["arguments"]),
            **({"id": call["id"]} if has_ids else {}),
        }
        part: Json = {"functionCall": function}
        # Of calls at once only the first has a signature.
        if signature := _signature_in(call) or (_NOT_GIVEN if has_ids and place == 0 else None):
            part["thoughtSignature"] = signature
        calls.append((call["id"], part))
    return calls


def _answered(message: Json, names: dict[str, str]) -> Json:
    """The call that a tool's message answers: its id and name. Raises RequestError where there is none."""
    if message["role"] == "function":
        return {"id": message["name"], "name": message["name"]}
    id = message["tool_call_id"]
    if id not in names:
        raise RequestError(
            f"`tool_call_id` names `{id}`, and no message before it has a call of that id",
            hint="send the assistant's message with the call too",
            param="messages[].tool_call_id",
        )
    return {"id": id, "name": names[id]}


def _add_answers(
    made: Conversation, answers: list[tuple[Json, list[Json]]], order: list[str], *, has_ids: bool
) -> None:
    """All answers to one turn's calls in one turn, in the order of the calls."""
    places = {id: place for place, id in enumerate(order)}
    loose: list[Json] = []
    found: list[Json] = []
    for call, parts in sorted(answers, key=lambda answer: places.get(answer[0]["id"], len(places))):
        response: Json = {"name": call["name"], "response": _response(text_of(parts))}
        media = media_of(parts)
        if has_ids:
            response["id"] = call["id"]
            if media:
                response["parts"] = media
        else:
            loose += media
        found.append({"functionResponse": response})
    made.add("user", found + loose)


def _response(text: str) -> Json:
    """A function's answer is an object; other text is its `output`."""
    try:
        return decode(text.encode())
    except (ValueError, TypeError):
        return {"output": text}


def _signature_in(holder: Json) -> Any:
    """What Google's own endpoint for OpenAI's clients has in the same place."""
    extra = holder.get(EXTRA)
    google = extra.get("google") if isinstance(extra, dict) else None
    return google.get("thought_signature") if isinstance(google, dict) else None
