"""What an API method takes and returns as JSON: request and response models, and the bytes beside a request."""

from __future__ import annotations

from collections.abc import Container, Mapping
from typing import TYPE_CHECKING, Any, Literal, Protocol, Self

from pydantic import BaseModel, ConfigDict, Field

from runtime.errors import RequestError
from runtime.sse import Json, decode, members

_NO_CHANGES: dict[str, Any] = {}
_LEFT_OUT = object()
_set = object.__setattr__

AT_ONCE = Field(fail_fast=True)
"""For lists: validation stops at the first wrong item. One body can hold so many that their errors would fill the
memory.
"""


class Query:
    """Marks a field that comes from the query although its method has a body: `Annotated[int, Query()]`."""


def example(**fields: Any) -> ConfigDict:
    """For a model's `model_config`: one of its requests, which the API's documentation shows."""
    return ConfigDict(json_schema_extra={"examples": [fields]})


class Owner(Protocol):
    """A user who has registered something."""

    @property
    def principal(self) -> str: ...


class Registered(Protocol):
    """A resource as the table of its kind knows it.

    id: the name to ask for; provider_resource_id: its owner's own name for it; kind: its sort, such as `llm` of models;
    source: who named it: the `config` is trusted, what a user `registered` is not; owner: that user, None where nobody
    is known; created: seconds since 1970; facts: what its kind says beyond that, such as `params`.
    """

    @property
    def id(self) -> str: ...
    @property
    def provider_id(self) -> str: ...
    @property
    def provider_resource_id(self) -> str: ...
    @property
    def kind(self) -> str: ...
    @property
    def source(self) -> str: ...
    @property
    def owner(self) -> Owner | None: ...
    @property
    def metadata(self) -> Mapping[str, Any]: ...
    @property
    def facts(self) -> Mapping[str, Any]: ...
    @property
    def created(self) -> int: ...
    def without_secrets(self) -> Self:
        """As callers may see it."""
        ...


class Request(BaseModel):
    """What an API method takes. Calls over HTTP carry the body's bytes in `raw`; calls in process have none.

    A caller that changes a field uses `changed`, so that `wire` sends the change and everything else as it arrived.
    """

    model_config = ConfigDict(extra="forbid", allow_inf_nan=False, defer_build=True, protected_namespaces=())

    # Not pydantic's private attributes, which cost as much as the validation of a short request.
    __slots__ = ("_changes", "_raw", "_routed")
    if TYPE_CHECKING:
        _raw: bytes | None
        _changes: dict[str, Any]
        _routed: tuple[Registered, str] | None

    def model_post_init(self, _: Any) -> None:
        """Called by pydantic for a new request. A copy has to set these attributes itself."""
        _set(self, "_raw", None)
        _set(self, "_changes", _NO_CHANGES)
        _set(self, "_routed", None)

    @property
    def raw(self) -> bytes | None:
        """The JSON body as it arrived, or None for a call made in process."""
        return self._raw

    @property
    def resource(self) -> Registered | None:
        """The resource that the request was routed by; None where no resource is named, or no router was passed."""
        return None if self._routed is None else self._routed[0]

    @property
    def routed(self) -> tuple[Registered, str] | None:
        """The resource that the request was routed by, and the name by which it was asked for, of which it may have
        several; None as for `resource`.
        """
        return self._routed

    def with_raw(self, raw: bytes) -> Self:
        """Keep the bytes that this request was validated from."""
        _set(self, "_raw", raw)
        return self

    def completed_by(self, whole: Self) -> None:
        """Take the values of the same request, built again after fields had arrived that follow a file."""
        self.__dict__.update(whole.__dict__)
        self.__pydantic_fields_set__.update(whole.__pydantic_fields_set__)

    def routed_by(self, resource: Registered, key: str) -> Self:
        """The request for the resource's owner: with the owner's own name in the field `key`, and the resource beside
        it.
        """
        own, asked = resource.provider_resource_id, self.__dict__[key]
        request = self if asked == own else self.changed(**{key: own})
        _set(request, "_routed", (resource, asked))
        return request

    def changed(self, **fields: Any) -> Self:
        """A copy with other values in some fields; the copy's `wire` has them too."""
        copy = self.model_copy(update=fields)
        _set(copy, "_raw", self._raw)
        _set(copy, "_changes", {**self._changes, **fields})
        _set(copy, "_routed", self._routed)
        return copy

    def without(self, *names: str) -> Self:
        """A copy in which some fields have their defaults, and whose `wire` does not have them: what is ours, and what
        nobody knows that the request is sent on to.
        """
        copy = self.changed(**{name: type(self).model_fields[name].default for name in names})
        copy.__pydantic_fields_set__.difference_update(names)
        _set(copy, "_changes", {**copy._changes, **dict.fromkeys(names, _LEFT_OUT)})
        return copy

    def wire(self, *, opaque: Container[str] = ()) -> Json:
        """The JSON object to send on: every field the caller gave, known to us or not, with our changes.

        opaque: fields whose values nobody looks at; they stay JSON, which is sent on as it is.

        Raises RequestError for NaN and infinity in fields unknown to us, which pydantic reads and JSON does not have.
        """
        if self._raw is None:
            return self.model_dump(mode="json", exclude_unset=True)
        try:
            given = (members(self._raw, opaque) if opaque else decode(self._raw)) | self._changes
        except ValueError as error:
            raise RequestError(f"The body cannot be sent on as JSON: {error}", code="invalid_json") from error
        if _LEFT_OUT in self._changes.values():
            given = {name: value for name, value in given.items() if value is not _LEFT_OUT}
        return given


class ExtensibleRequest(Request):
    """A request whose unknown fields travel on to whoever understands them."""

    model_config = ConfigDict(extra="allow")


class Empty(Request):
    """A request without fields."""


class Response(BaseModel):
    """What an API method returns when it is not a stream. Unknown fields of a vendor stay."""

    model_config = ConfigDict(extra="allow", defer_build=True, protected_namespaces=())


class Deleted(Response):
    """What is no more. Each kind of thing has its own `object`."""

    id: str = Field(description="Its id.")
    object: str = Field(description="What it was.")
    deleted: Literal[True] = Field(True, description="Always true.")
