"""What a kind of tool of a response is made of. Each is one file in `tools/`, which states it as `KIND`.

The unions of requests and answers, of tools, choices, items, events and of what can be included, are made of these: no
other file names a kind.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Annotated, Any, get_args, get_origin, get_type_hints

from runtime.apis.responses.event_fields import Event


@dataclass(frozen=True, kw_only=True)
class ItemKind:
    """shape: a TypedDict, with what checks it. prefix: what ids begin with. has_status: whether one that does not say
    how far it is, is complete. parts: the member that is made of parts of text, images and files, which a model reads.
    """

    shape: Any
    prefix: str
    has_status: bool = False
    parts: str | None = None

    @cached_property
    def name(self) -> str:
        """Its `type`."""
        return types_of(self.shape)[0]


@dataclass(frozen=True, kw_only=True)
class ToolKind:
    """tool: as `tools` has it, a TypedDict with what checks it; choice: as `tool_choice` has it, None where nothing is
    to be chosen. labelled_by: the member of both by which several of a kind are told apart, None where a name does
    that. items: that calls of it are. events: while these are made. includes: what `include` can ask for.
    """

    tool: Any
    choice: Any = None
    labelled_by: str | None = None
    items: Sequence[ItemKind] = ()
    events: Sequence[type[Event]] = ()
    includes: Sequence[str] = ()

    @cached_property
    def names(self) -> tuple[str, ...]:
        """What the `type` of the tool can be."""
        return types_of(self.tool)

    @property
    def name(self) -> str:
        """The first of `names`, which stands for all of them."""
        return self.names[0]


def types_of(shape: Any) -> tuple[str, ...]:
    """What the `type` of a TypedDict can be."""
    while get_origin(shape) is Annotated:
        shape = get_args(shape)[0]
    return tuple(_texts_in(get_type_hints(shape)["type"]))


def _texts_in(hint: Any) -> Iterator[str]:
    for one in get_args(hint):
        if isinstance(one, str):
            yield one
        else:
            yield from _texts_in(one)
