"""The form of a model's answer.

https://platform.openai.com/docs/guides/structured-outputs. Kinds that are not known here travel on: some providers have
formats of their own.
"""

from __future__ import annotations

from typing import Annotated, Literal, Required

from pydantic import Field, Tag
from typing_extensions import TypedDict

from runtime.apis._json_schema import JsonSchema
from runtime.apis.inference._shared import OPEN
from runtime.apis.inference.messages import by_type


class TextFormat(TypedDict, total=False):
    """Any text."""

    __pydantic_config__ = OPEN  # type: ignore[misc]
    type: Required[Literal["text"]]


class JsonObjectFormat(TypedDict, total=False):
    """Any JSON object. The prompt must ask for JSON too, or a model may write only spaces."""

    __pydantic_config__ = OPEN  # type: ignore[misc]
    type: Required[Literal["json_object"]]
    schema: Annotated[
        JsonSchema | None, Field(description="A schema that the object matches: llama.cpp's own. Default: any object.")
    ]


class NamedSchema(TypedDict, total=False):
    """A JSON Schema with a name."""

    __pydantic_config__ = OPEN  # type: ignore[misc]
    name: Required[Annotated[str, Field(description="Its name: letters, digits, `_` and `-`.")]]
    description: Annotated[str | None, Field(description="What the answer is for, for the model. Default: none.")]
    schema: Annotated[JsonSchema | None, Field(description="The schema. Default: any JSON.")]
    strict: Annotated[
        bool | None, Field(description="Whether the answer must match the schema. Default: the provider's.")
    ]


class JsonSchemaFormat(TypedDict, total=False):
    """JSON that matches a schema."""

    __pydantic_config__ = OPEN  # type: ignore[misc]
    type: Required[Literal["json_schema"]]
    json_schema: Required[Annotated[NamedSchema, Field(description="The schema.")]]


class OtherFormat(TypedDict, total=False):
    """A form that only some providers know, such as a grammar."""

    __pydantic_config__ = OPEN  # type: ignore[misc]
    type: Required[Annotated[str, Field(description="The kind.")]]


ResponseFormat = Annotated[
    Annotated[TextFormat, Tag("text")]
    | Annotated[JsonObjectFormat, Tag("json_object")]
    | Annotated[JsonSchemaFormat, Tag("json_schema")]
    | Annotated[OtherFormat, Tag("other")],
    by_type("text", "json_object", "json_schema"),
]
