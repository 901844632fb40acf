"""Queries that a chat model makes of what a user asks, for requests with `rewrite_query`."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from runtime.apis.vector_stores.search import LONGEST_QUERY
from runtime.context import warn
from runtime.errors import StackError
from runtime.providers.vector_stores.builtin.chatting import Chat
from runtime.providers.vector_stores.builtin.config import QUERY, RewriteQuery, name_of

_TIMEOUT_S = 30.0
_QUOTES = "\"'`\u201c\u201d\u2018\u2019"


class Rewriting:
    """config: the model, and what it is asked."""

    def __init__(self, config: RewriteQuery, chat: Chat) -> None:
        self._config = config
        self._chat = chat

    async def rewritten(self, texts: Sequence[str]) -> list[str]:
        """What is to be searched for in the place of each text. One that cannot be rewritten stays as it is, which the
        answer's warnings say: a search without it is better than none.
        """
        try:
            async with asyncio.timeout(_TIMEOUT_S):
                model = await self._chat.model(name_of(self._config.model), param="rewrite_query")
                return await asyncio.gather(*(self._one(model, text) for text in texts))
        except TimeoutError:
            reason = f"the model did not answer within {_TIMEOUT_S:g} s"
        except StackError as error:
            reason = error.message
        warn(f"rewrite_query: the query is searched for as it is, since it could not be rewritten: {reason}")
        return list(texts)

    async def _one(self, model: str, text: str) -> str:
        prompt = self._config.prompt.replace(QUERY, text)
        said = await self._chat.says(
            model, prompt, max_tokens=self._config.max_tokens, temperature=self._config.temperature
        )
        query = " ".join(said.split()).strip(_QUOTES).strip()[:LONGEST_QUERY]
        if not query:
            warn("rewrite_query: the query is searched for as it is, since the model made nothing of it")
        return query or text
