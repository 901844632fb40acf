"""The models that these tests' stores use, at an OpenAI-compatible vendor in this process.

Its embedding model knows words and nothing else: texts that share words are near each other, so that what a search must
find can be told from the texts alone.
"""

from __future__ import annotations

import asyncio
import base64
import hashlib
import re
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from functools import lru_cache
from typing import Any

import numpy as np
from aiohttp import web

from runtime.conformance.upstream import (
    CHAT_MODEL,
    EMBEDDING_MODEL,
    OPENAI,
    RERANK_MODEL,
    Answer,
    Endpoint,
    Habits,
    Refused,
    Upstream,
)
from runtime.conformance.upstream.chat import chat

DIMENSION, LARGE_DIMENSION = 64, 96
LARGE_EMBEDDING_MODEL = "large-embed"
_DIMENSIONS = {EMBEDDING_MODEL: DIMENSION, LARGE_EMBEDDING_MODEL: LARGE_DIMENSION}


class Models(Upstream):
    """dimensions: of its embedding models, as they are now. says: what its chat model answers. refuses: a word of texts
    that it does not embed. may_go_on: while it is not set, the requests to `held` wait, and `is_waiting` is set.
    """

    def __init__(self) -> None:
        super().__init__(OPENAI)
        self.dimensions = dict(_DIMENSIONS)
        self.models = [CHAT_MODEL, RERANK_MODEL, *self.dimensions]
        self.says = "what the model says"
        self.refuses: str | None = None
        self.held = ""
        self.may_go_on, self.is_waiting = asyncio.Event(), asyncio.Event()

    async def serve(self, request: web.Request) -> web.StreamResponse:
        if self.held and (await request.json())["model"] == self.held:
            self.is_waiting.set()
            await self.may_go_on.wait()
        return await super().serve(request)

    @asynccontextmanager
    async def holding(self, model: str) -> AsyncIterator[None]:
        """Requests to a model wait until the block ends."""
        self.held = model
        self.may_go_on.clear()
        self.is_waiting.clear()
        try:
            yield
        finally:
            self.held = ""
            self.may_go_on.set()

    def endpoints(self) -> Mapping[str, Endpoint]:
        return {**super().endpoints(), "/embeddings": self._embeddings, "/chat/completions": self._chat}

    def prompts(self) -> list[str]:
        """What the chat model was asked, in order."""
        return [call.json()["messages"][-1]["content"] for call in self.calls("/chat/completions")]

    def embedded(self) -> list[str]:
        """Every text that was embedded, in order."""
        return [text for call in self.calls("/embeddings") for text in _texts(call.json())]

    def _embeddings(self, body: dict[str, Any], habits: Habits) -> Answer:
        if self.refuses and any(self.refuses in text for text in _texts(body)):
            raise Refused(400, "This text is not embedded", param="input")
        vectors = [vector_of(text, self.dimensions[body["model"]]) for text in _texts(body)]
        is_base64 = body.get("encoding_format") == "base64"
        shown = [base64.b64encode(one.tobytes()).decode() if is_base64 else one.tolist() for one in vectors]
        data = [{"object": "embedding", "index": index, "embedding": one} for index, one in enumerate(shown)]
        usage = {"prompt_tokens": 1, "total_tokens": 1}
        return Answer(whole={"object": "list", "data": data, "model": body["model"], "usage": usage})

    def _chat(self, body: dict[str, Any], habits: Habits) -> Answer:
        """It says what it is told to say; with tools, it calls one and says what that gave back."""
        if body.get("tools"):
            return chat(body, habits)
        message = {"role": "assistant", "content": self.says, "refusal": None}
        choice = {"index": 0, "message": message, "logprobs": None, "finish_reason": "stop"}
        usage = {"prompt_tokens": 1, "completion_tokens": 1, "total_tokens": 2}
        head = {"id": "chatcmpl-1", "object": "chat.completion", "created": 1, "model": body["model"]}
        return Answer(whole={**head, "choices": [choice], "usage": usage})


def entries() -> list[dict[str, Any]]:
    """Of the run config's models, the first of each type first."""
    kinds = {
        EMBEDDING_MODEL: "embedding",
        LARGE_EMBEDDING_MODEL: "embedding",
        CHAT_MODEL: "llm",
        RERANK_MODEL: "rerank",
    }
    return [
        {
            "model_id": name,
            "provider_id": "vendor",
            "provider_model_id": name,
            "model_type": kind,
            "metadata": {"embedding_dimension": _DIMENSIONS[name]} if name in _DIMENSIONS else {},
        }
        for name, kind in kinds.items()
    ]


def vector_of(text: str, dimension: int) -> np.ndarray[Any, np.dtype[np.float32]]:
    """Of length 1; each word adds its own direction."""
    total = np.zeros(dimension)
    for word in re.findall(r"\w+", text.lower()) or ["nothing"]:
        total += _direction(word, dimension)
    return (total / np.linalg.norm(total)).astype("<f4")


@lru_cache(maxsize=20_000)
def _direction(word: str, dimension: int) -> np.ndarray[Any, np.dtype[np.float64]]:
    """Remembered, since every store is given the same texts."""
    seed = int.from_bytes(hashlib.sha256(word.encode()).digest()[:4])
    return np.random.default_rng(seed).standard_normal(dimension)


def _texts(body: dict[str, Any]) -> list[str]:
    return body["input"] if isinstance(body["input"], list) else [body["input"]]
