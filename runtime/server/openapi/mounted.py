"""What a document is made of: each operation at each of its paths, and what its API's providers can do to an answer."""

from __future__ import annotations

import inspect
import re
import types
import typing
from collections.abc import AsyncGenerator, AsyncIterator, Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from pydantic import BaseModel

from runtime.apis._api import Api, Method, Operation
from runtime.apis._carriers import Download
from runtime.apis._doors import Door
from runtime.server.doors import Doors
from runtime.sse import EventStream
from runtime.stack.plan import Plan

_ITERATORS = (AsyncGenerator, AsyncIterator)
_NO_JSON = (EventStream, Download, type(None))


@dataclass(frozen=True, kw_only=True)
class Behind:
    """Who answers an API's operations. is_chosen: providers that the run config names, which may lack a method.
    asks_others: whether a provider asks servers or APIs other than its own, so that their failures come too.
    """

    is_chosen: bool
    asks_others: bool


@dataclass(frozen=True)
class Results:
    """What a method returns. model: of a JSON answer. event: the model of each event of a stream; both None where
    nothing says it.
    """

    is_json: bool
    is_stream: bool
    is_file: bool
    model: type[BaseModel] | None
    event: type[BaseModel] | None


@dataclass(frozen=True, kw_only=True)
class Mounted:
    """An operation at one of its paths. is_documented_path: it is not an alias. behind: None where no provider answers,
    but the registry.
    """

    api: Api
    operation: Operation
    method: Method
    path: str
    is_deprecated: bool
    is_documented_path: bool
    door: Door
    behind: Behind | None

    @property
    def id(self) -> str:
        """Unique, and the same as long as the method and its path have their names."""
        if self.alias_of is None:
            return self._name
        return f"{self._name}_{self.method.lower()}{re.sub(r'[^A-Za-z0-9]+', '_', self.template).rstrip('_')}"

    @property
    def alias_of(self) -> str | None:
        """The id of the same operation at its documented path; None there."""
        return None if self.is_documented_path else self._name

    @property
    def _name(self) -> str:
        return f"{self.api.name}_{self.operation.name}"

    @property
    def template(self) -> str:
        """The path in OpenAPI's syntax."""
        return self.path.replace(":path}", "}")

    @property
    def slash_fields(self) -> frozenset[str]:
        """The fields of the path that may hold slashes."""
        return frozenset(re.findall(r"{(\w+):path}", self.path))

    @property
    def function(self) -> Any:
        return getattr(self.api.protocol, self.operation.name)

    @property
    def text(self) -> str:
        """The method's whole docstring."""
        return inspect.getdoc(self.function) or ""

    @cached_property
    def results(self) -> Results:
        route, members = self.operation.route, _members(typing.get_type_hints(self.function).get("return"))
        streamed = [typing.get_args(one)[0] for one in members if typing.get_origin(one) in _ITERATORS]
        others = [one for one in members if typing.get_origin(one) not in _ITERATORS and one not in _NO_JSON]
        return Results(
            is_json=bool(others),
            is_stream=bool(streamed) or EventStream in members,
            is_file=Download in members,
            model=route.returns or _model_in(others),
            event=route.streams or _model_in(streamed),
        )

    @property
    def models(self) -> Iterator[type[BaseModel]]:
        """Every model that it names."""
        yield self.operation.request
        yield from (model for model in (self.results.model, self.results.event, self.door.error) if model is not None)


def mounted(plan: Plan, doors: Doors) -> Iterator[Mounted]:
    """Every operation of a plan at every path, WebSockets included, API by API."""
    for api in plan.apis.values():
        behind = _behind(plan, api)
        for operation in api.operations():
            for number, (method, path, is_deprecated) in enumerate(operation.route.mounts()):
                yield Mounted(
                    api=api,
                    operation=operation,
                    method=method,
                    path=path,
                    is_deprecated=is_deprecated,
                    is_documented_path=number == 0,
                    door=doors.of(path).door,
                    behind=None if operation.route.registry else behind,
                )


def _behind(plan: Plan, api: Api) -> Behind:
    specs = [planned.spec for planned in plan.of(api.name)]
    return Behind(
        is_chosen=not specs or not all(spec.default for spec in specs),
        asks_others=any(spec.kind == "remote" or spec.needs or spec.may_use for spec in specs),
    )


def _model_in(kinds: Iterable[Any]) -> type[BaseModel] | None:
    return next((one for one in kinds if isinstance(one, type) and issubclass(one, BaseModel)), None)


def _members(annotation: Any) -> tuple[Any, ...]:
    """The members of a union, or the one type."""
    is_union = typing.get_origin(annotation) in (typing.Union, types.UnionType)
    return typing.get_args(annotation) if is_union else (annotation,)
