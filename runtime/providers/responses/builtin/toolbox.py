"""The tools of one request: what the model calls each of their functions, and who runs it.

Each kind is one file in `tools/`; its `offer` says what a tool of the request comes to. A name is one function's: where
two servers have it, each is called by its server's label and its name. A tool group is a server whose label is its id;
where a request has one of its tools twice, the later one counts.
"""

from __future__ import annotations

import asyncio
import hashlib
import re
from collections import Counter
from collections.abc import Awaitable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

from runtime.errors import RequestError
from runtime.providers.responses.builtin.offering import Asked, Function, Offer, Opening, Tool, ToRun
from runtime.providers.responses.builtin.tools import TOOLS, custom
from runtime.sse import Json

_TOOLS = {name: tool for tool in TOOLS for name in tool.kind.names}
_UNFIT = re.compile(r"[^a-zA-Z0-9_-]")
_LONGEST = 64
"""Of a function's name, for OpenAI and those who do as it does."""


@dataclass(frozen=True, kw_only=True)
class Toolbox:
    """functions: by the name that the model calls them. openings, allowed: see `Offer`."""

    functions: Mapping[str, Function]
    openings: Sequence[Opening] = ()
    allowed: Sequence[ToRun] = ()

    @property
    def told(self) -> list[Json]:
        """What the model is told of its tools."""
        return [one.told(name) for name, one in self.functions.items()]

    @property
    def ours(self) -> dict[str, Tool]:
        """What is run here, by name."""
        return {name: one.tool for name, one in self.functions.items() if one.tool is not None}

    @property
    def custom(self) -> frozenset[str]:
        """The names of what is called with text."""
        return frozenset(name for name, one in self.functions.items() if one.kind == custom.NAME)

    def name_of(self, label: str, name: str) -> str:
        """What the model calls a function of a server or a group. One that is not there is called by its own name."""
        return self._called.get((label, name)) or _fit(name)

    @cached_property
    def _called(self) -> Mapping[tuple[str | None, str], str]:
        return {(one.label, one.name): called for called, one in self.functions.items()}

    def meant(self, choice: Json, where: str) -> list[str]:
        """The names of what a part of `tool_choice` means. Raises RequestError if there is nothing of it."""
        kind, label = _kind_of(choice), _label_of(choice)
        found = [name for name, one in self.functions.items() if one.is_meant(kind, label, choice.get("name"))]
        if not found:
            named = choice.get("name") or label or choice.get("type") or "nothing"
            raise RequestError(f"`{where}` names `{str(named)[:100]}`, which is not among `tools`", param="tool_choice")
        return found


NO_TOOLS = Toolbox(functions={})


async def toolbox_of(asked: Asked) -> Toolbox:
    """Raises RequestError for tools that do not go together, and what refuses one of them."""
    given: list[Json] = [dict(tool) for tool in asked.request.tools or ()]
    _check(given, asked)
    offers = await _offers(given, asked)
    named = _named([(where, one) for where, offer in offers for one in offer.functions])
    names = {id(one.tool): name for name, one in named.items()}
    allowed = [one for _, offer in offers for one in offer.allowed]
    return Toolbox(
        functions=named,
        openings=[one for _, offer in offers for one in offer.openings],
        allowed=[replace(one, call=replace(one.call, name=names[id(one.tool)])) for one in allowed],
    )


def _check(given: Sequence[Json], asked: Asked) -> None:
    """Raises RequestError for a tool that is there twice, and for an allowed call of a server that is not there."""
    kinds = [_kind_of(tool) for tool in given]
    for place, kind in enumerate(kinds):
        if (hint := _TOOLS[kind].in_place_of_two) and kind in kinds[:place]:
            raise RequestError(f"`tools[{place}]` is a second `{kind}`", hint=hint, param="tools")
    labels = {tool.get("server_label") for tool in given}
    for one in asked.approved:
        if one.label not in labels:
            raise RequestError(
                f"The call `{one.id[:100]}` is allowed, and its server `{one.label[:100]}` is not among `tools`",
                hint="give the server's tool again: of a request's tools nothing is kept for the next one",
                param="tools",
            )


async def _offers(given: Sequence[Json], asked: Asked) -> list[tuple[str, Offer]]:
    """What each comes to, by its place for messages. Several servers or groups are asked at once."""

    def offer(place: int) -> Awaitable[Offer]:
        return _TOOLS[_kind_of(given[place])].offer(given[place], f"tools[{place}]", asked)

    places = range(len(given))
    if len({_label_of(tool) for tool in given} - {None}) < 2:
        return [(f"tools[{place}]", await offer(place)) for place in places]
    found = await asyncio.gather(*map(offer, places), return_exceptions=True)
    offers: list[tuple[str, Offer]] = []
    for place, one in enumerate(found):
        if isinstance(one, BaseException):
            raise one
        offers.append((f"tools[{place}]", one))
    return offers


def _named(functions: Sequence[tuple[str, Function]]) -> dict[str, Function]:
    """Raises RequestError for a name that two functions have and no server's label tells apart."""
    latest: dict[tuple[str | None, str], Function] = {
        (one.label, one.name): one for _, one in functions if one.label is not None
    }
    functions = [(where, one) for where, one in functions if latest.get((one.label, one.name), one) is one]
    times = Counter(one.name for _, one in functions)
    named: dict[str, Function] = {}
    for where, one in functions:
        name = one.name
        if one.label is not None:
            name = _fit(name if times[name] == 1 else f"{one.label}__{name}")
            if name in named:  # what told them apart was cut off, or fits in no name
                name = _told_apart(name, f"{one.label} {one.name}")
        if name in named:
            raise RequestError(
                f"`{where}` has the name `{name}`, as another tool has",
                hint="give one of them another name: the model tells tools apart by their names",
                param="tools",
            )
        named[name] = one
    return named


def _kind_of(tool: Json) -> str:
    """The kind of a tool or of a part of `tool_choice`, whatever it is called there."""
    known = _TOOLS.get(kind) if isinstance(kind := tool.get("type"), str) else None
    return known.kind.name if known is not None else ""


def _label_of(tool: Json) -> Any:
    """What tells a tool, or a part of `tool_choice`, from others of its kind; None where nothing does."""
    known = _TOOLS.get(_kind_of(tool))
    return tool.get(known.kind.labelled_by) if known is not None and known.kind.labelled_by else None


def _fit(name: str) -> str:
    return _UNFIT.sub("_", name)[:_LONGEST]


def _told_apart(name: str, whole: str) -> str:
    """whole: what the name stands for."""
    mark = hashlib.sha256(whole.encode()).hexdigest()[:8]
    return f"{name[: _LONGEST - len(mark) - 1]}_{mark}"
