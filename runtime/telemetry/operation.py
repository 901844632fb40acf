"""What is told of an operation's calls beside who answered it. Of each API, a file of `described/` says it."""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Mapping, Sequence, Sized
from typing import Any, NamedTuple

from runtime.sse import Frames, Reply
from runtime.telemetry.spans import Attribute, Span

INVOKE_AGENT, CREATE_AGENT = "invoke_agent", "create_agent"
EXECUTE_TOOL, RETRIEVAL = "execute_tool", "retrieval"
"""What `gen_ai.operation.name` says of what is no call of a model."""
_LONGEST = 200
"""Of a text, in characters: ids are shorter, and whoever sends others fills no trace with them."""
_NOTHING: Mapping[str, str] = {}


class Streamed(NamedTuple):
    """What is looked into of a stream: its first events and its last ones, which may be the same."""

    first: Frames
    last: Sequence[Frames]


class Described:
    """By default, nothing is told. leads_on: whether the reading of a stream leads to calls of other providers, which
    are to belong to it.
    """

    leads_on: bool = True

    def facts(self, provider_type: str) -> dict[str, Attribute]:
        """What is true of each call of a provider."""
        return {}

    def taken(self, request: Any) -> Any:
        """What `told` takes: where many requests are of this kind, in as few steps as can be, and small."""
        return self.request(request)

    def told(self, taken: Any) -> tuple[str, dict[str, Attribute]]:
        """As `request`; once the span is handed on."""
        found: tuple[str, dict[str, Attribute]] = taken
        return found

    def request(self, request: Any) -> tuple[str, dict[str, Attribute]]:
        """The span's name, empty for that of the operation, and attributes."""
        return "", {}

    def answer(self, span: Span, answer: Any) -> None:
        """Note what a whole answer says."""

    def read(self, answer: Reply | Streamed) -> tuple[Hashable, dict[str, Attribute]] | None:
        """What `answer` or `stream` notes, in two parts: what many answers say, as `alike` takes it, and what this one
        alone says. None where it cannot be parted.
        """
        return None

    def alike(self, said: Any) -> dict[str, Attribute]:
        """What the first part of `read` says."""
        return {}

    def stream(self, span: Span, first: Frames, last: Iterable[Frames]) -> None:
        """Note what a stream says in its first events and in its last ones, which may be the same."""


class Fields(Described):
    """Tells fields, each under the attribute that it is given. asked, answered: those of the request, and of an answer
    that is no JSON yet; counted, found: how much there is in them.
    """

    def __init__(
        self,
        *,
        asked: Mapping[str, str] = _NOTHING,
        counted: Mapping[str, str] = _NOTHING,
        answered: Mapping[str, str] = _NOTHING,
        found: Mapping[str, str] = _NOTHING,
    ) -> None:
        self._asked, self._counted = tuple(asked.items()), tuple(counted.items())
        self._answered, self._found = tuple(answered.items()), tuple(found.items())

    def request(self, request: Any) -> tuple[str, dict[str, Attribute]]:
        attributes: dict[str, Attribute] = {}
        _put(attributes, request, self._asked, self._counted)
        return "", attributes

    def answer(self, span: Span, answer: Any) -> None:
        _put(span.attributes, answer, self._answered, self._found)


def bounded(text: str) -> str:
    """An id or a name, as long as it may be."""
    return text[:_LONGEST]


def _put(
    attributes: dict[str, Attribute],
    said: Any,
    fields: Iterable[tuple[str, str]],
    counted: Iterable[tuple[str, str]],
) -> None:
    for field, name in fields:
        value = getattr(said, field, None)
        if isinstance(value, str):
            attributes[name] = bounded(value)
        elif isinstance(value, bool | int | float):
            attributes[name] = value
    for field, name in counted:
        if isinstance(value := getattr(said, field, None), Sized):
            attributes[name] = len(value)
