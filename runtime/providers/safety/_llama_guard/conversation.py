"""What Llama Guard reads of a conversation: turns of a user and an agent, the user's first, one after the other.

Its chat templates refuse anything else. Where messages differ, the rules are these; nothing that is judged is lost:

- The last message is judged. Messages of one speaker in a row are one turn, so that all of it is judged.
- A tool's result is a turn of the user: it is what the agent is told. A call of a tool is part of the agent's turn.
- System and developer messages are left out, unless one is the last: it is judged as the user's.
- What an agent says before the user does is left out. Where no user says anything, the agent's words are judged as a
  user's: there is no form for an agent alone.
- Messages with nothing to read are left out, unless one is the last: it is refused.

llama-stack writes roles as they are (`Assistant`, `Tool`, `System`), which no version is trained on, loses tool calls,
and of two user messages at the start loses the first.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import chain, dropwhile, groupby
from typing import Any, Literal

from runtime.errors import NotSupported, RequestError

Speaker = Literal["User", "Agent"]

_INSTRUCTIONS = ("system", "developer")


@dataclass(frozen=True, kw_only=True)
class Turn:
    """What one speaker says. text: trimmed, maybe empty where there are images. images: their addresses, or the images
    themselves as `data:image/png;base64,...`. unread: kinds of parts that no version reads, such as `input_audio`.
    """

    speaker: Speaker
    text: str = ""
    images: tuple[str, ...] = ()
    unread: tuple[str, ...] = ()

    @property
    def is_empty(self) -> bool:
        return not (self.text or self.images or self.unread)


def conversation(messages: Sequence[Mapping[str, Any]]) -> tuple[Turn, ...]:
    """OpenAI's chat messages as turns, of which the last is judged. Raises RequestError where there is nothing to
    judge, and NotSupported where the last turn has parts that no version reads.
    """
    if not messages:
        raise RequestError("There are no messages to judge", param="messages")
    *before, last = ((message["role"], _turn(message)) for message in messages)
    if last[1].is_empty:
        raise RequestError("The last message has neither text nor an image to judge", param=f"messages.{len(before)}")
    read = [turn for role, turn in before if role not in _INSTRUCTIONS and not turn.is_empty] + [last[1]]
    from_user = [*dropwhile(lambda turn: turn.speaker == "Agent", read)]
    kept = from_user or [replace(turn, speaker="User") for turn in read]
    turns = tuple(_joined(speaker, said) for speaker, said in groupby(kept, key=lambda turn: turn.speaker))
    if unread := turns[-1].unread:
        raise NotSupported(f"Llama Guard reads text and images, not parts of type `{unread[0]}`", param="messages")
    return turns


def content(text: str, images: Sequence[str]) -> str | list[dict[str, Any]]:
    """The content of a chat message: the images, then the text."""
    if not images:
        return text
    parts: list[dict[str, Any]] = [{"type": "image_url", "image_url": {"url": image}} for image in images]
    return [*parts, {"type": "text", "text": text}] if text else parts


def _joined(speaker: Speaker, turns: Iterable[Turn]) -> Turn:
    """All of them as one turn."""
    said = [*turns]
    return Turn(
        speaker=speaker,
        text="\n".join(turn.text for turn in said if turn.text),
        images=(*chain.from_iterable(turn.images for turn in said),),
        unread=(*chain.from_iterable(turn.unread for turn in said),),
    )


def _turn(message: Mapping[str, Any]) -> Turn:
    speaker: Speaker = "Agent" if message["role"] == "assistant" else "User"
    return _joined(speaker, _pieces(message, speaker))


def _pieces(message: Mapping[str, Any], speaker: Speaker) -> Iterator[Turn]:
    said = message.get("content") or ()
    for part in [{"type": "text", "text": said}] if isinstance(said, str) else said:
        kind = part["type"]
        if kind == "image_url":
            image = part["image_url"]
            yield Turn(speaker=speaker, images=(image if isinstance(image, str) else image["url"],))
        elif kind in ("text", "refusal"):
            yield Turn(speaker=speaker, text=(part[kind] or "").strip())
        else:
            yield Turn(speaker=speaker, unread=(kind,))
    for text in (message.get("refusal") or "", *_calls(message)):
        yield Turn(speaker=speaker, text=text.strip())


def _calls(message: Mapping[str, Any]) -> list[str]:
    """Calls of tools as text: a name and what it is called with. Meta publishes no form for them."""
    calls = [call.get(call.get("type") or "") or {} for call in message.get("tool_calls") or ()]
    if older := message.get("function_call"):
        calls.append(older)
    return [f"{call.get('name', '')}({call.get('arguments') or call.get('input') or ''})" for call in calls if call]
