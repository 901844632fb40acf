"""What each chunk of a document is about, written by a chat model, so that it is found by what only the rest says."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from runtime.apis._chunks import CHUNK_CONTENT, WHOLE_DOCUMENT, ChunkingStrategy, ContextualChunking, ContextualSizes
from runtime.concurrently import concurrently
from runtime.errors import RequestError, Unavailable
from runtime.providers.vector_stores.builtin.chatting import Chat
from runtime.providers.vector_stores.builtin.config import ContextualRetrieval, name_of
from runtime.providers.vector_stores.builtin.patience import PAUSES_S, patiently
from runtime.providers.vector_stores.builtin.writing import NewChunk

PARAM = "chunking_strategy"
_PROMPT = f"""\
<document>
{WHOLE_DOCUMENT}
</document>

This is a part of the document:
<part>
{CHUNK_CONTENT}
</part>

Say in one or two short sentences what this part is about and where in the document it stands, with the names that a \
search for it would have. Answer with these sentences only."""
_MAX_TOKENS = 500
"""Of what is written about one chunk."""
_PLACES = re.compile(f"{re.escape(WHOLE_DOCUMENT)}|{re.escape(CHUNK_CONTENT)}")


@dataclass(frozen=True)
class WholeText:
    """All of a document. tokens: None where its reader does not count them."""

    text: str
    tokens: int | None


class Contexts:
    """config: what holds where a chunking strategy does not say otherwise."""

    def __init__(self, config: ContextualRetrieval, chat: Chat) -> None:
        self._config = config
        self._chat = chat

    async def model(self, sizes: ContextualSizes) -> str:
        """The model that writes. Raises RequestError if it is unknown or no chat model, or if none is served."""
        return await self._chat.model(sizes.model_id or name_of(self._config.model), param=PARAM)

    async def check(self, strategies: Iterable[ChunkingStrategy | None]) -> None:
        """Raises RequestError as `model` does, for the first strategy that has no model."""
        asked = [one.contextual for one in strategies if isinstance(one, ContextualChunking)]
        for sizes in {one.model_id: one for one in asked}.values():
            await self.model(sizes)

    async def written(self, whole: WholeText, chunks: Sequence[NewChunk], sizes: ContextualSizes) -> list[NewChunk]:
        """The chunks with what they are about before their text, which is embedded, found and shown with it.

        Raises RequestError for a document that is too long, Unavailable for a model that takes too long, and what
        inference raises.
        """
        most = self._config.max_document_tokens
        if whole.tokens is not None and whole.tokens > most:
            raise RequestError(
                f"The document has {whole.tokens} tokens; with contextual chunking it may have {most}",
                hint="cut it with the strategy `static`, or raise `contextual_retrieval_params.max_document_tokens`",
                code="document_over_limit",
            )
        model = await self.model(sizes)
        timeout_s = sizes.timeout_seconds or self._config.default_timeout_seconds

        async def one(chunk: NewChunk) -> NewChunk:
            prompt = _filled(sizes.context_prompt or _PROMPT, whole.text, chunk.text)
            return _in_context(chunk, await self._context(model, prompt, timeout_s))

        at_once = sizes.max_concurrency or self._config.default_max_concurrency
        return await concurrently(one, chunks, at_once=at_once)

    async def _context(self, model: str, prompt: str, timeout_s: float) -> str:
        try:
            async with asyncio.timeout(timeout_s):
                return await patiently(
                    lambda: self._chat.says(model, prompt, max_tokens=_MAX_TOKENS), pauses_s=PAUSES_S
                )
        except TimeoutError:
            raise Unavailable(f"Model `{model}` did not write the context of a chunk within {timeout_s:g} s") from None


def _filled(prompt: str, whole: str, chunk: str) -> str:
    texts = {WHOLE_DOCUMENT: whole, CHUNK_CONTENT: chunk}
    return _PLACES.sub(lambda place: texts[place[0]], prompt)


def _in_context(chunk: NewChunk, context: str) -> NewChunk:
    if not context:
        return chunk
    metadata = {**(chunk.facts.get("metadata") or {}), "context": context}
    about = {name: fact for name, fact in (chunk.facts.get("chunk_metadata") or {}).items() if name != _COUNTED}
    facts = {**chunk.facts, "metadata": metadata, "chunk_metadata": about}
    return replace(chunk, text=f"{context}\n\n{chunk.text}", facts=facts)


_COUNTED = "content_token_count"
"""Counts the chunk without its context."""
