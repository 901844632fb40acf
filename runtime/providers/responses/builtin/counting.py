"""How many tokens a model reads of a chat: counted by its provider where that can be, else estimated here.

An estimate takes OpenAI's `cl100k_base` for the texts, what OpenAI says that a message adds
(https://developers.openai.com/cookbook/examples/how_to_count_tokens_with_tiktoken), and for an image what a square of
1024 pixels is to GPT-4o (https://platform.openai.com/docs/guides/images-vision).
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from runtime.apis.inference.protocol import ChatCompletionRequest, Inference
from runtime.documents.tokens import cl100k
from runtime.sse import Json, encode

_MESSAGE, _ANSWER = 3, 3
"""What each message adds, and the beginning of the answer."""
_IMAGE, _LOW_IMAGE = 765, 85


@dataclass(frozen=True, kw_only=True)
class Counted:
    tokens: int
    is_exact: bool


async def count(asked: ChatCompletionRequest, inference: Inference) -> Counted:
    """Raises what the model's provider raises before it answers, except for a prompt that is too long."""
    exact = (await inference.count_tokens(asked)).tokens
    if exact is not None:
        return Counted(tokens=exact, is_exact=True)
    return Counted(tokens=await asyncio.to_thread(_estimate, asked), is_exact=False)


def _estimate(asked: ChatCompletionRequest) -> int:
    tokens = _ANSWER
    for message in asked.messages:
        tokens += _MESSAGE + sum(map(cl100k().count, _texts(message))) + sum(map(_image, _parts(message)))
    written = [*(asked.tools or ()), *([asked.response_format] if asked.response_format else [])]
    return tokens + sum(cl100k().count(encode(one).decode()) for one in written)


def _texts(message: Any) -> Iterator[str]:
    yield message["role"]
    for name in ("content", "reasoning_content", "refusal"):
        if isinstance(text := message.get(name), str):
            yield text
    for part in _parts(message):
        yield part.get("text") or ""
    for call in message.get("tool_calls") or ():
        yield call["function"]["name"]
        yield call["function"]["arguments"]


def _parts(message: Any) -> list[Json]:
    content = message.get("content")
    return content if isinstance(content, list) else []


def _image(part: Json) -> int:
    image = part.get("image_url")
    return 0 if image is None else _LOW_IMAGE if image.get("detail") == "low" else _IMAGE
