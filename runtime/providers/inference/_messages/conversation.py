"""A conversation as Messages have it: what a system says apart, and turns of user and assistant that take turns.

What tools gave back is at the beginning of the user's turn after the calls.
https://platform.claude.com/docs/en/api/messages/create,
https://platform.claude.com/docs/en/agents-and-tools/tool-use/handle-tool-calls (read November 2026)
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field

from runtime.apis.inference.calls import read_arguments
from runtime.context import warn
from runtime.errors import RequestError
from runtime.providers.inference._messages.blocks import CACHED, blocks_of
from runtime.providers.inference._messages.kept import is_thought, put_back
from runtime.providers.inference._openai_compatible.outgoing_fields import refusal
from runtime.sse import Json

_SYSTEM = ("system", "developer")
_ID = re.compile(r"[^a-zA-Z0-9_-]")


@dataclass(kw_only=True)
class Conversation:
    """system: blocks of what the system said. turns: messages whose roles alternate."""

    system: list[Json] = field(default_factory=list)
    turns: list[Json] = field(default_factory=list)

    def add(self, role: str, blocks: Iterable[Json]) -> None:
        """To the last turn, if that is of the same role."""
        found = list(blocks)
        if not found:
            return
        if self.turns and self.turns[-1]["role"] == role:
            self.turns[-1]["content"] += found
        else:
            self.turns.append({"role": role, "content": found})

    @property
    def goes_on_without_thought(self) -> bool:
        """Whether it is in the middle of an assistant's turn that thought nothing, or whose thoughts were not kept."""
        turns = [turn for turn in self.turns if turn["role"] != "system"]
        if len(turns) < 2 or turns[-1]["content"][0]["type"] != "tool_result":
            return False
        return not is_thought(turns[-2]["content"][0])


def conversation_of(messages: Sequence[Json], provider_id: str, *, late_system: bool) -> Conversation:
    """late_system: whether a system may speak within the conversation, after a user and before the assistant. Raises
    RequestError for what cannot be told in Messages.
    """
    made, is_moved = Conversation(), False
    told = [(message, list(_blocks(message, place, provider_id))) for place, message in enumerate(messages)]
    told = [(message, blocks) for message, blocks in told if blocks]
    for place, (message, blocks) in enumerate(told):
        role = message["role"]
        if message.get(CACHED) is not None and not is_thought(blocks[-1]):
            blocks[-1] = {CACHED: message[CACHED], **blocks[-1]}
        if role not in _SYSTEM:
            made.add("assistant" if role == "assistant" else "user", blocks)
        elif late_system and _may_stay(made, [later for later, _ in told[place + 1 :]]):
            made.add("system", blocks)
        else:
            made.system += blocks
            is_moved = is_moved or bool(made.turns)
    if any(message.get("name") for message in messages if message["role"] != "tool"):
        warn(f"`messages[].name` has no effect: `{provider_id}` has no names of speakers")
    if is_moved:
        warn(f"system messages are moved to the front: `{provider_id}` has one place for them")
    if not made.turns:  # there has to be a turn
        made.add("user", made.system)
        made.system = []
    if not made.turns:
        raise RequestError(
            "the messages say nothing: each is empty or blank", hint="send a message with text", param="messages"
        )
    for turn in made.turns:
        turn["content"].sort(key=lambda block: turn["role"] == "user" and block["type"] != "tool_result")
    _without_blank_end(made.turns[-1])
    return made


def _may_stay(made: Conversation, later: Sequence[Json]) -> bool:
    """https://platform.claude.com/docs/en/build-with-claude/mid-conversation-system-messages"""
    follows = bool(made.turns) and made.turns[-1]["role"] in ("user", "system")
    return follows and next((one["role"] == "assistant" for one in later if one["role"] not in _SYSTEM), True)


def _blocks(message: Json, place: int, provider_id: str) -> Iterator[Json]:
    role, content = message["role"], message.get("content")
    if role == "assistant":
        return _said(message, place, provider_id)
    if role == "tool":
        return _result(message, provider_id)
    if role == "function":
        raise refusal(f"messages[{place}].role", provider_id, "has no role `function`: `tool` is the newer form")
    blocks = list(blocks_of(content, provider_id))
    if role in _SYSTEM and any(block["type"] != "text" for block in blocks):
        raise refusal(f"messages[{place}].content", provider_id, "takes only text of a system")
    return iter(blocks)


def _said(message: Json, place: int, provider_id: str) -> Iterator[Json]:
    if message.get("audio"):
        raise refusal("messages[].audio", provider_id, "does not keep what it spoke")
    if message.get("function_call"):
        raise refusal(f"messages[{place}].function_call", provider_id, "has no older form of `tool_calls`")
    texts = list(blocks_of(message.get("content"), provider_id)) or list(blocks_of(message.get("refusal"), provider_id))
    calls = []
    for at, call in enumerate(message.get("tool_calls") or ()):
        if call.get("type") != "function":
            raise refusal(f"messages[{place}].tool_calls[{at}].type", provider_id, "has only calls of functions")
        function = call["function"]
        given = read_arguments(function["arguments"])
        calls.append((call, {"type": "tool_use", "id": _id(call["id"]), "name": function["name"], "input": given}))
    return put_back(message, texts, calls)


def _result(message: Json, provider_id: str) -> Iterator[Json]:
    """An empty one has no content. `is_error` is Anthropic's own field."""
    made: Json = {"type": "tool_result", "tool_use_id": _id(message["tool_call_id"])}
    if content := list(blocks_of(message.get("content"), provider_id)):
        made["content"] = content
    if isinstance(message.get("is_error"), bool):
        made["is_error"] = message["is_error"]
    yield made


def _id(given: str) -> str:
    """With what Anthropic allows in one; other vendors allow more."""
    return _ID.sub("_", given) or "_"


def _without_blank_end(turn: Json) -> None:
    """What an answer is to go on with must not end with a space."""
    block = turn["content"][-1]
    if turn["role"] == "assistant" and block["type"] == "text":
        turn["content"][-1] = {**block, "text": block["text"].rstrip()}
