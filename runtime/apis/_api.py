"""What an API is: a Protocol whose methods are marked with their HTTP routes. Everything generic hangs on these marks.

A method takes exactly one request model and returns one response model, a `Reply`, or an async iterator of events.
`@route` says where it is mounted; `Api` says which Protocol is the API's and how its calls are routed. Knows no server
and no provider.
"""

from __future__ import annotations

import inspect
import re
import typing
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, Literal, Self, TypeVar

from pydantic import BaseModel, ConfigDict, PrivateAttr

from runtime.errors import RequestError
from runtime.sse import Json, decode

Method = Literal["GET", "POST", "PUT", "PATCH", "DELETE"]
_PATH_FIELD = re.compile(r"{(\w+)(?::path)?}")
_MARK = "__route__"
F = TypeVar("F", bound=Callable[..., Any])


class Query:
    """Marks a field that comes from the query although its method has a body: `Annotated[int, Query()]`."""


class Request(BaseModel):
    """What an API method takes. Calls over HTTP carry the body's bytes in `raw`; calls in process have none.

    A caller that changes a field uses `changed`, so that `wire` sends the change and everything else as it came.
    """

    model_config = ConfigDict(extra="forbid", allow_inf_nan=False, defer_build=True, protected_namespaces=())

    _raw: bytes | None = PrivateAttr(default=None)
    _changes: dict[str, Any] = PrivateAttr(default_factory=dict)

    @property
    def raw(self) -> bytes | None:
        """The JSON body as it arrived, or None for a call made in process."""
        return self._raw

    def came_as(self, raw: bytes) -> Self:
        """Keep the bytes that this request was validated from."""
        self._raw = raw
        return self

    def changed(self, **fields: Any) -> Self:
        """A copy with other values in some fields; the copy's `wire` has them too."""
        copy = self.model_copy(update=fields)
        copy._changes = {**self._changes, **fields}
        return copy

    def wire(self) -> Json:
        """The JSON object to send on: every field the caller gave, known to us or not, with our changes.

        Raises RequestError for NaN and infinity in fields unknown to us, which pydantic reads and JSON does not have.
        """
        if self._raw is None:
            return self.model_dump(mode="json", exclude_unset=True)
        try:
            return decode(self._raw) | self._changes
        except ValueError as error:
            raise RequestError(f"The body cannot be sent on as JSON: {error}", code="invalid_json") from error


class ExtensibleRequest(Request):
    """A request whose unknown fields travel on to whoever understands them."""

    model_config = ConfigDict(extra="allow")


class Response(BaseModel):
    """What an API method returns when it is not a stream. Unknown fields of a vendor stay."""

    model_config = ConfigDict(extra="allow", defer_build=True, protected_namespaces=())


@dataclass(frozen=True, kw_only=True)
class Alias:
    """Another path of a route, mounted beside it; an older one unless it says otherwise."""

    path: str
    method: Method | None = None
    deprecated: bool = True


@dataclass(frozen=True, kw_only=True)
class Route:
    """Where a method is mounted.

    path: with `{field}` for fields of the request model; `{field:path}` may hold slashes and stands last. returns,
    streams: models for documentation where the annotation does not say.
    ends_with_done: whether a stream ends with `data: [DONE]`. public: answered without authentication.
    """

    method: Method
    path: str
    aliases: tuple[Alias, ...] = ()
    returns: type[BaseModel] | None = None
    streams: type[BaseModel] | None = None
    status: int = 200
    ends_with_done: bool = False
    public: bool = False
    deprecated: bool = False

    @property
    def has_body(self) -> bool:
        return self.method not in ("GET", "DELETE")

    @property
    def path_fields(self) -> tuple[str, ...]:
        return tuple(_PATH_FIELD.findall(self.path))

    def mounts(self) -> Iterator[tuple[Method, str, bool]]:
        """Every (method, path, deprecated) of this route, the documented one first."""
        yield self.method, self.path, self.deprecated
        for alias in self.aliases:
            yield alias.method or self.method, alias.path, alias.deprecated


def route(method: Method, path: str, *, aliases: tuple[str | Alias, ...] = (), **facts: Any) -> Callable[[F], F]:
    """Mark a Protocol's method with its HTTP route; see `Route` for the keywords."""
    older = tuple(alias if isinstance(alias, Alias) else Alias(path=alias) for alias in aliases)
    mark = Route(method=method, path=path, aliases=older, **facts)

    def marked(function: F) -> F:
        setattr(function, _MARK, mark)
        return function

    return marked


@dataclass(frozen=True, kw_only=True)
class Operation:
    """One method of an API with its route and its request model."""

    name: str
    route: Route
    request: type[Request]
    summary: str
    query_fields: tuple[str, ...]


@dataclass(frozen=True)
class Api:
    """An API: its name, its Protocol, and how calls find a provider.

    routed_by: the API that registers this one's resources (`models` for inference); key: the request field that
    names the resource.
    Without `routed_by` there is one provider, which serves all calls. mounted_with: APIs at whose mounting this one
    is mounted too.
    always: mounted whatever the run config lists.
    """

    name: str
    protocol: type
    routed_by: str | None = None
    key: str | None = None
    mounted_with: tuple[str, ...] = ()
    always: bool = False

    def operations(self) -> list[Operation]:
        """The protocol's methods in the order they are written. Raises TypeError for one that breaks one-request-in."""
        found = []
        for name, function in vars(self.protocol).items():
            if name.startswith("_") or not inspect.isfunction(function):
                continue
            mark: Route | None = getattr(function, _MARK, None)
            if mark is not None:
                found.append(_operation(name, function, mark))
        return found


def _operation(name: str, function: Callable[..., Any], mark: Route) -> Operation:
    parameters = list(inspect.signature(function).parameters)
    if len(parameters) != 2:
        raise TypeError(f"{function.__qualname__} takes {parameters[1:]}: an API method takes exactly one request")
    hints = typing.get_type_hints(function)
    request = hints[parameters[1]]
    if not (isinstance(request, type) and issubclass(request, Request)):
        raise TypeError(f"{function.__qualname__} takes {request}, which is no Request")
    missing = [field for field in mark.path_fields if field not in request.model_fields]
    if missing:
        raise TypeError(f"{mark.path} names {missing}, which {request.__name__} does not have")
    return Operation(
        name=name,
        route=mark,
        request=request,
        summary=(inspect.getdoc(function) or "").split("\n", 1)[0],
        query_fields=_query_fields(request, mark),
    )


def _query_fields(request: type[Request], mark: Route) -> tuple[str, ...]:
    fields = [name for name in request.model_fields if name not in mark.path_fields]
    if mark.has_body:
        return tuple(
            name for name in fields if any(isinstance(extra, Query) for extra in request.model_fields[name].metadata)
        )
    return tuple(fields)


class Empty(Request):
    """A request without fields."""
