"""Changes a vendor's answers to OpenAI's form: one name for reasoning, text instead of parts, token counts once, and
OpenAI's finish reasons.

Looks into an answer only where its bytes show something to change, and only at vendors whose data says that there can
be.
"""

from __future__ import annotations

import re
from collections.abc import AsyncGenerator
from typing import Any

from runtime.errors import UpstreamError
from runtime.providers.inference._openai_compatible.spec import Chat, Completions
from runtime.sse import EventStream, Frames, Json, Reply
from runtime.telemetry.changes import note_change

OUR_REASONING = "reasoning_content"
_OURS = b'"reasoning_content"'
_PARTS = (b'"thinking"', b'"content":[', b'"content": [')


class AnswerFields:
    """The changes to a vendor's answers of one kind.

    Names are replaced as bytes: a quote in a JSON string is escaped, so `"reasoning":` is always a name. Raises
    UpstreamError for an answer or an event that must be read and cannot be.
    """

    def __init__(self, facts: Chat | Completions, *, provider_id: str) -> None:
        self._provider_id = provider_id
        theirs = facts.reasoning_field if isinstance(facts, Chat) else OUR_REASONING
        self._quoted = b'"%b"' % theirs.encode()
        self._theirs = None if theirs == OUR_REASONING else re.compile(re.escape(self._quoted) + rb"(?=\s*:)")
        self._has_parts = isinstance(facts, Chat) and facts.content_parts
        self._finishes = {reason.encode(): ours.encode() for reason, ours in facts.finish_reasons.items()}
        reasons = b"|".join(map(re.escape, self._finishes))
        self._finish = re.compile(rb'("finish_reason"\s*:\s*")(%b)(?=")' % reasons) if reasons else None
        self._drops_usage = facts.usage == "always"

    def of_reply(self, reply: Reply) -> Reply:
        """A whole answer."""
        data = self._named(reply.data)
        if self._has_parts and any(mark in data for mark in _PARTS):
            try:
                return Reply.of(_with_text(Reply(data).value(), "message"))
            except ValueError as error:
                raise self._unreadable("answered with", error) from error
        return reply if data is reply.data else Reply(data)

    def of_stream(self, stream: EventStream, *, wants_usage: bool) -> EventStream:
        """A streamed one. wants_usage: whether the request asked for token counts."""
        if self._theirs is not None or self._has_parts or self._finish is not None:
            stream = stream.map(self._of_frames)
        if not self._drops_usage:
            return stream
        if not wants_usage:
            note_change("token counts that were not asked for were taken out of the stream")
        return self._with_usage_once(stream, wanted=wants_usage)

    def _of_frames(self, frames: Frames) -> Frames:
        data = self._named(frames.data)
        if self._has_parts and any(mark in data for mark in _PARTS):
            return Frames.of(*(_with_text(event, "delta") for event in self._events(Frames(data))))
        return frames if data is frames.data else Frames(data)

    def _named(self, data: bytes) -> bytes:
        if self._theirs is not None and self._quoted in data:  # by its word first: that is ten times faster
            if _OURS not in data:
                data = self._theirs.sub(_OURS, data)
            else:  # some vendors send both names in one event
                events = data.split(b"\n\n")
                data = b"\n\n".join(one if _OURS in one else self._theirs.sub(_OURS, one) for one in events)
        if self._finish is not None:
            data = self._finish.sub(lambda match: match[1] + self._finishes[match[2]], data)
        return data

    def _with_usage_once(self, stream: EventStream, *, wanted: bool) -> EventStream:
        """The same stream with token counts in one last event of their own, if wanted, whenever the vendor sends them;
        its last ones count, since some vendors send running totals.
        """

        async def changed() -> AsyncGenerator[Frames, None]:
            last: Json | None = None
            async for frames in stream:
                if b'"usage"' not in frames.data:
                    yield frames
                    continue
                kept = []
                for event in self._events(frames):
                    usage = event.pop("usage", None) if isinstance(event, dict) else None
                    if usage:
                        last = {**event, "choices": [], "usage": usage}
                    if usage is None or event.get("choices"):
                        kept.append(event)
                if kept:
                    yield Frames.of(*kept)
            if wanted and last is not None:
                yield Frames.of(last)

        return EventStream(changed(), stream.aclose)

    def _events(self, frames: Frames) -> list[Any]:
        """The events, which need not be objects."""
        try:
            return frames.events()
        except ValueError as error:
            raise self._unreadable("sent an event with", error) from error

    def _unreadable(self, what: str, error: Exception) -> UpstreamError:
        words = f"`{self._provider_id}` {what} JSON that cannot be read: {error}"
        return UpstreamError(words, provider_id=self._provider_id)


def _with_text(answer: Any, member: str) -> Any:
    """An answer whose content is text: parts of thinking become reasoning. member: `message` or `delta`."""
    choices = answer.get("choices") if isinstance(answer, dict) else None
    for choice in choices if isinstance(choices, list) else ():
        message = choice.get(member) if isinstance(choice, dict) else None
        if isinstance(message, dict) and isinstance(message.get("content"), list):
            text, thinking = _split(message["content"])
            message["content"] = text or (None if thinking else "")
            if thinking:
                message[OUR_REASONING] = thinking
    return answer


def _split(parts: list[Any]) -> tuple[str, str]:
    """The text of parts, and what was thought."""
    text, thinking = "", ""
    for part in parts:
        if not isinstance(part, dict):
            continue
        if part.get("type") in ("thinking", "reasoning"):
            thinking += _said(part.get("thinking") or part.get("summary") or part.get("text"))
        else:
            text += _said(part.get("text"))
    return text, thinking


def _said(value: Any) -> str:
    if isinstance(value, list):
        return "".join(_said(one.get("text")) for one in value if isinstance(one, dict))
    return value if isinstance(value, str) else ""
