"""The operations of the API `conversations`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, Any, Literal, Protocol

from pydantic import Field

from runtime.apis._api import inner, route
from runtime.apis._metadata import OpenAIMetadata
from runtime.apis._paging import PageRequest
from runtime.apis._request import AT_ONCE, Deleted, Query, Request, Response, example
from runtime.apis.responses.items import Item
from runtime.apis.responses.kept import ItemList
from runtime.apis.responses.request import Include
from runtime.sse import Json, Reply

MOST_ITEMS = 20
"""Of one request."""
_EXAMPLE = {"type": "message", "role": "user", "content": "What is the capital of Japan?"}
_METADATA = "at most 16 entries, keys of at most 64 characters, values of at most 512."
_Items = Annotated[list[Item], Field(max_length=MOST_ITEMS), AT_ONCE]
_Include = Annotated[list[Include], AT_ONCE]
_INCLUDE = Field(
    None, description="What items have beyond the usual; kept is what was asked for at first. Default: nothing."
)


class CreateConversationRequest(Request):
    """A conversation to begin."""

    model_config = example(items=[_EXAMPLE], metadata={"topic": "geography"})

    items: _Items | None = Field(None, description="Its first items, at most 20. By default, it has none.")
    metadata: OpenAIMetadata | None = Field(
        None, description=f"Your own words about it, kept with it: {_METADATA} Default: none."
    )


class ConversationRequest(Request):
    """Names a conversation."""

    conversation_id: str = Field(min_length=1, max_length=512, description="The conversation's id.")


class UpdateConversationRequest(ConversationRequest):
    """What is to be changed of a conversation."""

    model_config = example(metadata={"topic": "capitals"})

    metadata: OpenAIMetadata | None = Field(
        description=f"Your own words about it, in place of those there were: {_METADATA} Null for none."
    )


class CreateItemsRequest(ConversationRequest):
    """What is to be added to a conversation."""

    model_config = example(items=[_EXAMPLE])

    items: _Items = Field(description="The items, at most 20. They stand together, in this order.")
    include: Annotated[_Include | None, Query()] = _INCLUDE


class ListItemsRequest(PageRequest, ConversationRequest):
    """Which items of a conversation to list."""

    include: _Include | None = _INCLUDE


class DeleteItemRequest(ConversationRequest):
    """Names an item of a conversation."""

    item_id: str = Field(min_length=1, max_length=512, description="The item's id.")


class ItemRequest(DeleteItemRequest):
    """Names an item of a conversation, and what of it is to be shown."""

    include: _Include | None = _INCLUDE


class Conversation(Response):
    """A conversation without its items."""

    id: str = Field(description="Its id.")
    object: Literal["conversation"] = "conversation"
    created_at: int = Field(description="When it was begun, in seconds since 1970.")
    metadata: dict[str, str] = Field(description="Your own words about it.")


class DeletedConversation(Deleted):
    """A conversation that is gone with its items."""

    object: Literal["conversation.deleted"] = "conversation.deleted"


class ConversationItem(Response):
    """An item of a conversation. What else it has depends on its type."""

    id: str = Field(description="Its id.")
    type: str = Field(description="What it is, such as `message`.")


class ReadConversation(ConversationRequest):
    """How much of a conversation to read."""

    until: int | None = Field(None, description="Only items up to this place of one. By default, all.")
    most_bytes: int = Field(description="How many bytes of JSON the items may be; of more, none is read.")


class AppendItems(ConversationRequest):
    """What a response adds to a conversation."""

    items: list[Any] = Field(
        description="Whole items. One whose id the conversation has, or no path can hold, gets another."
    )


@dataclass(frozen=True, slots=True)
class WholeConversation:
    """items: all of them, in their order. place: of the last one; 0 if there is none. size_bytes: of the items as they
    are kept.
    """

    items: Sequence[Json]
    place: int
    size_bytes: int


class Conversations(Protocol):
    """Every method raises Unavailable where conversations cannot be reached, and all but the first one NotFound for one
    that is not there.
    """

    @route("POST", "/v1/conversations")
    async def create_conversation(self, request: CreateConversationRequest) -> Conversation:
        """Begin a conversation. 400 for a wrong item, or one that is there twice."""
        ...

    @route("GET", "/v1/conversations/{conversation_id}")
    async def get_conversation(self, request: ConversationRequest) -> Conversation:
        """Get a conversation without its items. 404 for an unknown id."""
        ...

    @route("POST", "/v1/conversations/{conversation_id}")
    async def update_conversation(self, request: UpdateConversationRequest) -> Conversation:
        """Change a conversation's metadata. 404 for an unknown id."""
        ...

    @route("DELETE", "/v1/conversations/{conversation_id}")
    async def delete_conversation(self, request: ConversationRequest) -> DeletedConversation:
        """Delete a conversation with its items. 404 for an unknown id."""
        ...

    @route("POST", "/v1/conversations/{conversation_id}/items", returns=ItemList)
    async def create_items(self, request: CreateItemsRequest) -> Reply:
        """Add items to the end of a conversation. 400 for a wrong item, or one that is there; 404 for an unknown id."""
        ...

    @route("GET", "/v1/conversations/{conversation_id}/items", returns=ItemList)
    async def list_items(self, request: ListItemsRequest) -> Reply:
        """List a conversation's items. 400 for a cursor that is none, 404 for an unknown id."""
        ...

    @route("GET", "/v1/conversations/{conversation_id}/items/{item_id}", returns=ConversationItem)
    async def get_item(self, request: ItemRequest) -> Reply:
        """Get an item of a conversation. 404 for an unknown id of either."""
        ...

    @route("DELETE", "/v1/conversations/{conversation_id}/items/{item_id}")
    async def delete_item(self, request: DeleteItemRequest) -> Conversation:
        """Delete an item of a conversation. 404 for an unknown id of either."""
        ...

    @inner()
    async def read_conversation(self, request: ReadConversation) -> WholeConversation:
        """Every item of a conversation, or those up to a place. Raises TooLarge for more than was asked for."""
        ...

    @inner()
    async def append_items(self, request: AppendItems) -> None:
        """Add items to the end of a conversation, all of them or none."""
        ...
