"""What an API is: a Protocol whose methods are marked with their HTTP routes. Everything generic hangs on these marks.

A method takes exactly one request model and returns one response model, a `Reply`, a `Download` or an async iterator of
events. `@route` says where it is mounted; `Api` says which Protocol is the API's and what it keeps. Knows no server and
no provider.
"""

from __future__ import annotations

import importlib
import inspect
import re
import sys
import typing
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Literal, TypeVar

from pydantic import BaseModel

from runtime.apis._carriers import Upload
from runtime.apis._doors import Door
from runtime.apis._request import Query, Request
from runtime.apis._resources import ConfiguredKind, RegistryAction, Resource
from runtime.errors import StackError
from runtime.sse import Json

Method = Literal["GET", "POST", "PUT", "PATCH", "DELETE", "WS", "ANY", "INNER"]
Family = Literal["kv", "sql"]
_PATH_FIELD = re.compile(r"{(\w+)(?::path)?}")
_MARK = "__route__"
PROVIDER_ID = "provider_id"
TellsError = Callable[[StackError, bytes], Json]
F = TypeVar("F", bound=Callable[..., Any])


@dataclass(frozen=True, kw_only=True)
class Alias:
    """Another path of a route, mounted beside it; an older one unless it says otherwise."""

    path: str
    method: Method | None = None
    deprecated: bool = True


@dataclass(frozen=True, kw_only=True)
class Route:
    """Where a method is mounted, and how its request is read.

    path: with `{field}` for fields of the request model, which may stand beside other text (`{model}:generate`);
    `{field:path}` may hold slashes and stands last. method: `WS` for a WebSocket, which has no fields in its path, and
    no key: its requests come later; `ANY` for every HTTP method, answered by the `Application` that it returns; `INNER`
    for what only other providers call, which is mounted nowhere.
    key: the request field by which this operation finds its provider: the name of a resource that one owns, or
    `provider_id` itself. Without one, and where the field is left out, the API's one provider answers; a WebSocket has
    none. registry: what the registry of the API's resources does for it; then no provider is asked.
    body: JSON; a form, whose files are `Upload` fields; or the bytes of its one `Upload` field. takes_form: whether
    what is asked as JSON may also be asked as a form without files. limit_bytes: the most that the body may have, None
    for the server's own limit. is_bulk: its JSON may hold many more things than usual, such as rows or vectors.
    returns, streams: models for documentation where the annotation does not say. raises: for documentation too, our
    errors that the operation has beyond those that its marks tell: `Conflict` where it is not the registry's.
    ends_with_done: whether a stream ends with `data: [DONE]`. tells_error: makes the event by which a stream reports an
    error, of the error and of the last events that were sent; its `type` is the event's name. By default the API's door
    says how.
    """

    method: Method
    path: str
    aliases: tuple[Alias, ...] = ()
    key: str | None = None
    registry: RegistryAction | None = None
    body: Literal["json", "form", "bytes"] = "json"
    takes_form: bool = False
    limit_bytes: int | None = None
    is_bulk: bool = False
    returns: type[BaseModel] | None = None
    streams: type[BaseModel] | None = None
    raises: tuple[type[StackError], ...] = ()
    status: int = 200
    ends_with_done: bool = False
    tells_error: TellsError | None = None
    deprecated: bool = False

    @property
    def has_body(self) -> bool:
        return self.method not in ("GET", "DELETE", "WS", "ANY", "INNER")

    @property
    def path_fields(self) -> tuple[str, ...]:
        return tuple(_PATH_FIELD.findall(self.path))

    def mounts(self) -> Iterator[tuple[Method, str, bool]]:
        """Every (method, path, deprecated) of this route, the documented one first."""
        if self.method == "INNER":
            return
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


def inner(*, key: str | None = None, registry: RegistryAction | None = None) -> Callable[[F], F]:
    """Mark a Protocol's method that only other providers call: it is routed as any other, and mounted nowhere. Its
    request and its answer may hold what JSON does not have.
    """
    return route("INNER", "", key=key, registry=registry)


@dataclass(frozen=True, kw_only=True)
class Operation:
    """One method of an API with its route and its request model; of a WebSocket, the model of each message.

    query_fields: those read from the query. upload_fields: those that hold files.
    """

    name: str
    route: Route
    request: type[Request]
    summary: str
    query_fields: tuple[str, ...]
    upload_fields: tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class Store:
    """Something that an API or a provider keeps: the run config places it by name, `storage.stores.<name>`.

    families: the kinds of backends that can hold it, the usual one first. part: its namespace or table there, by
    default its name. kinds: what it holds, by the names that users give what they keep: of a store of tables, what each
    table `holds`. ages: whether that can be too old; of tables, whether they have `aged_by`.
    """

    name: str
    families: tuple[Family, ...] = ("kv",)
    part: str = ""
    kinds: tuple[str, ...] = ()
    ages: bool = True


@dataclass(frozen=True)
class Api:
    """An API: its name, its Protocol, the kind of resource that it registers, if any. kept: the kind that run configs
    list and that its provider keeps itself, in place of a table of the stack.

    declared: the Protocol, or `module:Name` where that brings much with it: plans and listings have the facts alone.

    mounted_with: APIs at whose mounting this one is mounted too; offered_with: APIs all of which have providers where
    this one is mounted too, unless the run config lists what to mount; always: mounted whatever it lists.
    section: the run config's section that its router reads; an API's own has its name. stores: what its implementation
    keeps; analytics: its tables of analytics that age, by name. door: the shape of its errors, where that is not
    OpenAI's.
    in_replay: what answers in a replay in place of a provider whose spec says nothing of it. Empty: that itself;
    `calls`: for one that computes in this process with packages of its own, what was recorded of it; or the
    `module:Class` of a provider for each.
    """

    name: str
    declared: type | str
    resource: Resource | None = None
    kept: ConfiguredKind | None = None
    mounted_with: tuple[str, ...] = ()
    offered_with: tuple[str, ...] = ()
    always: bool = False
    section: str = ""
    stores: tuple[Store, ...] = ()
    analytics: tuple[str, ...] = ()
    door: Door | None = None
    in_replay: str = ""

    @cached_property
    def protocol(self) -> type:
        """Its Protocol, which is imported when it is asked for."""
        if not isinstance(self.declared, str):
            return self.declared
        module, _, name = self.declared.partition(":")
        found: type = getattr(importlib.import_module(module), name)
        return found

    def is_of(self, protocol: type) -> bool:
        """Whether this is its Protocol. Imports nothing."""
        if isinstance(self.declared, str):
            return self.declared == f"{protocol.__module__}:{protocol.__qualname__}"
        return self.declared is protocol

    @property
    def about(self) -> str:
        """What it is for: the first line of the docstring of the module that states it."""
        module = self.protocol.__module__
        stated_in = sys.modules[module.rpartition(".")[0] if isinstance(self.declared, str) else module]
        return (inspect.getdoc(stated_in) or self.name).split("\n", 1)[0]

    def operations(self) -> tuple[Operation, ...]:
        """The protocol's methods in the order they are written. Raises TypeError for one that breaks one-request-in."""
        return self._operations

    @property
    def configured(self) -> ConfiguredKind | None:
        """The kind that run configs list below `registered_resources`."""
        return self.resource or self.kept

    @cached_property
    def _operations(self) -> tuple[Operation, ...]:
        found = []
        for name, function in vars(self.protocol).items():
            if name.startswith("_") or not inspect.isfunction(function):
                continue
            mark: Route | None = getattr(function, _MARK, None)
            if mark is not None:
                found.append(_operation(name, function, mark))
        return tuple(found)

    @property
    def chooses_by_request(self) -> bool:
        """Whether requests say which of several providers is to answer them."""
        return any(operation.route.key == PROVIDER_ID for operation in self.operations())


def _operation(name: str, function: Callable[..., Any], mark: Route) -> Operation:
    parameters = list(inspect.signature(function).parameters)
    if len(parameters) != 2:
        raise TypeError(f"{function.__qualname__} takes {parameters[1:]}: an API method takes exactly one request")
    request = typing.get_type_hints(function)[parameters[1]]
    if mark.method == "WS" and typing.get_origin(request) is AsyncIterator:
        [request] = typing.get_args(request)
    if not (isinstance(request, type) and issubclass(request, Request)):
        raise TypeError(f"{function.__qualname__} takes {request}, which is no Request")
    named = [*mark.path_fields, *([mark.key] if mark.key else [])]
    missing = [field for field in named if field not in request.model_fields]
    if missing:
        raise TypeError(f"{mark.path} names {missing}, which {request.__name__} does not have")
    if mark.method == "WS" and named:
        where = f"{function.__qualname__} has {named} in its path or as its key"
        raise TypeError(f"{where}: a WebSocket is open before its first request")
    uploads = tuple(name for name, field in request.model_fields.items() if _is_upload(field.annotation))
    if bool(uploads) != (mark.body == "bytes") and mark.body != "form":
        raise TypeError(f"{function.__qualname__} has the uploads {uploads} in a body of {mark.body}")
    return Operation(
        name=name,
        route=mark,
        request=request,
        summary=(inspect.getdoc(function) or "").split("\n", 1)[0],
        query_fields=_query_fields(request, mark),
        upload_fields=uploads,
    )


def _is_upload(annotation: Any) -> bool:
    return annotation is Upload or any(_is_upload(inner) for inner in typing.get_args(annotation))


def _query_fields(request: type[Request], mark: Route) -> tuple[str, ...]:
    fields = [name for name in request.model_fields if name not in mark.path_fields]
    if mark.has_body:
        return tuple(
            name for name in fields if any(isinstance(extra, Query) for extra in request.model_fields[name].metadata)
        )
    return tuple(fields)
