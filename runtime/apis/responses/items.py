"""The items of a conversation, as the Responses API has them: messages, thoughts, calls and what they gave back.

https://platform.openai.com/docs/api-reference/responses/create and https://www.openresponses.org. The same shapes go in
as input, come out as output, and are kept in conversations. They stay plain dicts.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Literal, Required

from pydantic import AfterValidator, Discriminator, Field, Tag
from pydantic.json_schema import SkipJsonSchema
from pydantic_core import PydanticCustomError, PydanticKnownError
from typing_extensions import TypedDict

from runtime.apis._request import AT_ONCE
from runtime.apis._types import one_of
from runtime.apis.inference._shared import OPEN
from runtime.apis.responses.content import MessageContent, ReasoningText, SummaryText
from runtime.apis.responses.item_fields import ID, STATUS, ItemStatus
from runtime.apis.responses.tool_kind import ItemKind
from runtime.apis.responses.tools import KINDS
from runtime.sse import Json


class Message(TypedDict, total=False):
    """What somebody said."""

    __pydantic_config__ = OPEN  # type: ignore[misc]  # how pydantic configures a TypedDict
    type: Annotated[Literal["message"], Field(description="`message`, which is also what an item with a role is.")]
    role: Required[
        Annotated[
            Literal["user", "assistant", "system", "developer"],
            Field(description="Who: `user`, `assistant`, `system` or `developer`."),
        ]
    ]
    content: Required[Annotated[MessageContent, Field(description="The text, or parts of text, images and files.")]]
    id: Annotated[str | None, ID]
    status: Annotated[ItemStatus | None, STATUS]


def _shows_only_to_models(message: dict[str, Any]) -> dict[str, Any]:
    """No provider takes images that a model would have shown."""
    if message["role"] == "assistant" and isinstance(message["content"], list):
        for place, part in enumerate(message["content"]):
            if part["type"] == "input_image":
                where = {"inside": f"content[{place}].type"}
                raise PydanticCustomError("shown_by_model", "an assistant's message cannot have images", where)
    return message


class Reasoning(TypedDict, total=False):
    """What a model thought before it went on."""

    __pydantic_config__ = OPEN  # type: ignore[misc]
    type: Required[Literal["reasoning"]]
    summary: Annotated[Annotated[list[SummaryText], AT_ONCE], Field(description="A summary of it.")]
    content: Annotated[
        Annotated[list[ReasoningText], AT_ONCE] | None, Field(description="What it thought. Default: not given.")
    ]
    encrypted_content: Annotated[
        str | None,
        Field(description="What it thought, readable for the server that wrote it only. Default: not given."),
    ]
    id: Annotated[str | None, ID]
    status: Annotated[ItemStatus | None, STATUS]


class Compaction(TypedDict, total=False):
    """What an earlier part of the conversation comes down to."""

    __pydantic_config__ = OPEN  # type: ignore[misc]
    type: Required[Literal["compaction"]]
    encrypted_content: Required[Annotated[str, Field(description="The summary, as the server wrote it.")]]
    id: Annotated[str | None, ID]


class ItemReference(TypedDict, total=False):
    """An item that the server has, by its id."""

    __pydantic_config__ = OPEN  # type: ignore[misc]
    type: Annotated[Literal["item_reference"] | None, Field(description="`item_reference`, or nothing.")]
    id: Required[Annotated[str, Field(min_length=1, description="The item's id.")]]


_OWN = (
    ItemKind(
        shape=Annotated[Message, AfterValidator(_shows_only_to_models)],
        prefix="msg_",
        has_status=True,
        parts="content",
    ),
    ItemKind(shape=Reasoning, prefix="rs_"),
    ItemKind(shape=Compaction, prefix="cmp_"),
    ItemKind(shape=ItemReference, prefix=""),
)
ITEMS: Mapping[str, ItemKind] = {item.name: item for item in (*_OWN, *(item for kind in KINDS for item in kind.items))}
"""Every kind of item by its `type`: those that no tool has, and those of the files in `tools/`."""
_UNKNOWN = "unknown"


def kind_of(item: Any) -> str | None:
    """The kind of an item by its `type`, and where it has none, by what it holds; None for what is no item."""
    if not isinstance(item, dict):
        return None
    kind = item.get("type")
    if kind is None:
        return "message" if "role" in item else "item_reference" if "id" in item else None
    return kind if isinstance(kind, str) else None


def _tag_of(item: Any) -> str:
    kind = kind_of(item)
    return kind if kind is not None and kind in ITEMS else _UNKNOWN


def _refuse(item: Any) -> Any:
    if not isinstance(item, dict):
        raise PydanticKnownError("dict_type")
    facts = {"discriminator": "type", "expected_tags": ", ".join(map(repr, ITEMS))}
    if item.get("type") is None:
        raise PydanticCustomError("union_tag_not_found", "no `type`", facts)
    raise PydanticKnownError("union_tag_invalid", {**facts, "tag": str(item["type"])})


_REFUSED = SkipJsonSchema[Annotated[Any, AfterValidator(_refuse), Tag(_UNKNOWN)]]
_SHAPES = (*(Annotated[item.shape, Tag(name)] for name, item in ITEMS.items()), _REFUSED)
Item = Annotated[Json, one_of(_SHAPES, Discriminator(_tag_of))]
Items = Annotated[list[Item], AT_ONCE]
