"""What Llama Guard reads of a conversation: turns of a user and an agent, the user's first, one after the other.

Its chat templates refuse anything else. Where messages differ, the rules are these; nothing that is judged is lost:

- The last message is judged. Messages of one speaker in a row are one turn, so that all of it is judged.
- A tool's result is a turn of the user: it is what the agent is told. A call of a tool is part of the agent's turn, as
  text; Meta publishes no form for it.
- System and developer messages are left out, unless one is the last: it is judged as the user's.
- What an agent says before the user does is left out. Where no user says anything, the agent's words are judged as a
  user's: there is no form for an agent alone.
- Messages with nothing to read are left out, unless one is the last: it is refused.

llama-stack writes roles as they are (`Assistant`, `Tool`, `System`), which no version is trained on, loses tool calls,
and of two user messages at the start loses the first.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import dropwhile, groupby
from typing import Any, Literal

from runtime.errors import RequestError
from runtime.providers.safety._message_content import MessageContent, joined, read_content

Speaker = Literal["User", "Agent"]

_INSTRUCTIONS = ("system", "developer")


@dataclass(frozen=True, kw_only=True)
class Turn(MessageContent):
    """What one speaker says."""

    speaker: Speaker


def conversation(messages: Sequence[Mapping[str, Any]]) -> tuple[Turn, ...]:
    """OpenAI's chat messages as turns, of which the last is judged. Raises RequestError where there is nothing to
    judge, and where the last turn has parts that no version reads.
    """
    if not messages:
        raise RequestError("There are no messages to judge", param="messages")
    *before, last = ((message["role"], _turn(message)) for message in messages)
    if last[1].is_empty:
        raise RequestError("The last message has neither text nor an image to judge", param=f"messages.{len(before)}")
    read = [turn for role, turn in before if role not in _INSTRUCTIONS and not turn.is_empty] + [last[1]]
    from_user = [*dropwhile(lambda turn: turn.speaker == "Agent", read)]
    kept = from_user or [replace(turn, speaker="User") for turn in read]
    turns = tuple(_spoken(speaker, said) for speaker, said in groupby(kept, key=lambda turn: turn.speaker))
    if unread := turns[-1].unread:
        raise RequestError(
            f"Llama Guard cannot look at the part of type `{unread[0]}`",
            hint="it reads parts of type `text`, and some versions those of type `image_url`",
            param="messages",
        )
    return turns


def _turn(message: Mapping[str, Any]) -> Turn:
    return _spoken("Agent" if message["role"] == "assistant" else "User", [read_content(message)])


def _spoken(speaker: Speaker, contents: Iterable[MessageContent]) -> Turn:
    said = joined(contents)
    return Turn(speaker=speaker, text=said.text, images=said.images, unread=said.unread)
