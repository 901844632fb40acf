"""Spans that are handed on together, put together by what they have in common: what follows from that is looked up once
for all of them, and their numbers are counted as lists.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterator, Mapping, Sequence
from functools import cached_property

from runtime.telemetry import conventions as names
from runtime.telemetry.metrics.values import counts
from runtime.telemetry.spans import Attribute, Kind, Shape, Span


class Alike:
    """Spans of one shape; or a single one, of any or none. said: the attributes that they have in common. owns: the
    others of each, in the order of the spans.
    """

    def __init__(self, spans: Sequence[Span], said: Mapping[str, Attribute], owns: Sequence[Mapping[str, Attribute]]):
        self.spans = spans
        self.said = said
        self._owns = owns
        self._counts: dict[str, list[int]] = {}
        self.kind: Kind = spans[0].kind
        self.error = spans[0].error

    @cached_property
    def seconds(self) -> list[float]:
        """How long each took, in their order."""
        return [span.ended - span.began for span in self.spans]  # type: ignore[operator]  # all have ended

    @cached_property
    def seconds_sorted(self) -> list[float]:
        """The same, for who only puts them into buckets: sorted once for all."""
        return sorted(self.seconds)

    @cached_property
    def own_names(self) -> set[str]:
        """What any of them may say by itself."""
        return set().union(*self._owns)

    def says(self, name: str) -> bool:
        """Whether any of them may do so."""
        return name in self.own_names or name in self.said

    def values(self, name: str) -> list[Attribute | None]:
        """What each says, in their order."""
        common = self.said.get(name)
        return [own.get(name, common) for own in self._owns]

    def counts(self, name: str) -> list[int]:
        """The numbers of tokens or the like that they say: see `is_count`."""
        if (found := self._counts.get(name)) is None:
            found = self._counts[name] = counts(self.values(name)) if self.says(name) else []
        return found

    def costs(self) -> list[float]:
        """USD, of those whose cost is known."""
        if not self.says(names.COST_USD):
            return []
        return [usd for usd in self.values(names.COST_USD) if isinstance(usd, float)]


class Batch(list[Span]):
    """Spans that are handed on together, all told of; each exporter gets the same one."""

    def alike(self, by: Collection[str]) -> Iterator[Alike]:
        """All of them. by: the names of what is looked up for those that have it in common; who says any of it by
        itself, although it has a shape, comes alone.
        """
        of_shapes, alone = self._found
        for one in of_shapes:
            if not one.own_names.isdisjoint(by):
                yield from map(_alone, one.spans)
            else:
                yield one
        yield from alone

    def note_name(self, name: str) -> None:
        """After something was noted on some of them by itself, under a name that is none to be looked up by."""
        for one in self._found[0]:
            one.own_names.add(name)

    @cached_property
    def _found(self) -> tuple[list[Alike], list[Alike]]:
        spans_of: defaultdict[Shape | None, list[Span]] = defaultdict(list)
        for span in self:
            spans_of[span.shape].append(span)
        alone = [*map(_alone, spans_of.pop(None, ()))]
        return [
            Alike(spans, shape.attributes, [span.own for span in spans])
            for shape, spans in spans_of.items()
            if shape is not None
        ], alone


def batch_of(spans: Sequence[Span]) -> Batch:
    """The batch that they are, or a new one."""
    return spans if isinstance(spans, Batch) else Batch(spans)


def _alone(span: Span) -> Alike:
    return Alike((span,), span.attributes, ({},))
