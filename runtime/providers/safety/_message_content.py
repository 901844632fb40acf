"""What a chat message says, as shields read it: text and images, whichever fields and parts they are in."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain
from typing import Any

from runtime.sse import encode


@dataclass(frozen=True, kw_only=True)
class MessageContent:
    """text: trimmed, maybe empty. images: their addresses, or the images themselves as `data:image/png;base64,...`.
    unread: kinds of parts that are neither, such as `input_audio`.
    """

    text: str = ""
    images: tuple[str, ...] = ()
    unread: tuple[str, ...] = ()

    @property
    def is_empty(self) -> bool:
        return not (self.text or self.images or self.unread)


def read_content(message: Mapping[str, Any]) -> MessageContent:
    """All that a message says: a refusal, calls of tools and the context of older clients too."""
    return joined(_pieces(message))


def write_content(text: str, images: Sequence[str]) -> str | list[dict[str, Any]]:
    """The content of a chat message: the images, then the text."""
    if not images:
        return text
    parts: list[dict[str, Any]] = [{"type": "image_url", "image_url": {"url": image}} for image in images]
    return [*parts, {"type": "text", "text": text}] if text else parts


def joined(contents: Iterable[MessageContent]) -> MessageContent:
    """All of them as one."""
    parts = [*contents]
    return MessageContent(
        text="\n".join(part.text for part in parts if part.text),
        images=(*chain.from_iterable(part.images for part in parts),),
        unread=(*chain.from_iterable(part.unread for part in parts),),
    )


def _pieces(message: Mapping[str, Any]) -> Iterator[MessageContent]:
    content = message.get("content") or ()
    for part in [{"type": "text", "text": content}] if isinstance(content, str) else content:
        kind = part["type"]
        if kind == "image_url":
            image = part["image_url"]
            yield MessageContent(images=(image if isinstance(image, str) else image["url"],))
        elif kind in ("text", "refusal"):
            yield MessageContent(text=(part[kind] or "").strip())
        else:
            yield MessageContent(unread=(kind,))
    for text in (_context(message), message.get("refusal") or "", *_calls(message)):
        yield MessageContent(text=text.strip())


def _context(message: Mapping[str, Any]) -> str:
    """What llama-stack before 0.4 has beside the content of a user's message, such as what was found."""
    context = message.get("context") or ""
    return context if isinstance(context, str) else encode(context).decode()


def _calls(message: Mapping[str, Any]) -> Iterator[str]:
    """Calls of tools as text: a name and what it is called with; one of another form as its JSON, so that nothing of it
    passes unseen.
    """
    for call in message.get("tool_calls") or ():
        named = call.get(call.get("type") or "")
        yield _written(named) if isinstance(named, dict) else encode(call).decode()
    if older := message.get("function_call"):
        yield _written(older)


def _written(call: Mapping[str, Any]) -> str:
    return f"{call.get('name', '')}({call.get('arguments') or call.get('input') or ''})"
