"""The conversation that a response continues: its items so far, and what the response adds to it when it has ended."""

from __future__ import annotations

from runtime.apis.conversations.protocol import AppendItems, Conversations, ReadConversation, WholeConversation
from runtime.errors import NotFound, NotSupported, StackError, TooLarge
from runtime.providers.responses.builtin.answering import Answering
from runtime.providers.responses.builtin.budget import Budget
from runtime.sse import Json


class Continuing:
    """conversations: None where no provider serves them."""

    def __init__(self, conversations: Conversations | None) -> None:
        self._conversations = conversations

    async def read(self, conversation_id: str, until: int | None = None, *, budget: Budget) -> WholeConversation:
        """Its items, or those up to a place. Raises NotFound, TooLarge, NotSupported, Unavailable."""
        asked = ReadConversation(conversation_id=conversation_id, until=until, most_bytes=budget.left_bytes)
        try:
            read = await self._there().read_conversation(asked)
            budget.take(read.size_bytes, "the conversation", param="conversation")
            return read
        except (NotFound, TooLarge) as error:
            error.param = "conversation"  # the name of the field in this request, which the other API does not know
            raise

    async def join(self, conversation_id: str, own: list[Json], answering: Answering) -> None:
        """Add the items of a request and what was answered, unless that failed. If it cannot be done, it has failed."""
        response = answering.response
        if response["status"] not in ("completed", "incomplete"):
            return
        added = AppendItems.model_construct(conversation_id=conversation_id, items=[*own, *response["output"]])
        try:
            await self._there().append_items(added)
        except StackError as error:
            answering.fail(error)

    def _there(self) -> Conversations:
        if self._conversations is None:
            raise NotSupported(
                "`conversation` is not supported here: no provider serves `conversations`", param="conversation"
            )
        return self._conversations
