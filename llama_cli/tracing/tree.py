"""The spans of a trace as a tree, of which parts may be missing. Prints nothing."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from typing import NamedTuple

from llama_cli.tracing.spans import Span, is_request


class Placed(NamedTuple):
    """A span and how deep it lies; None stands for one that others belong to and that was not kept: it goes on still,
    or was dropped.
    """

    depth: int
    span: Span | None


def placed(spans: Sequence[Span]) -> list[Placed]:
    """Each span before those that it has led to, which are in the order in which they began."""
    ids = {span["span_id"] for span in spans}
    below: defaultdict[str | None, list[Span]] = defaultdict(list)
    begins: list[Span | str] = []
    for span in spans:
        parent = span["parent_span_id"]
        if parent is None or (parent not in ids and is_request(span)):  # what its caller keeps is elsewhere
            begins.append(span)
        else:
            if parent not in ids and parent not in below:
                begins.append(parent)
            below[parent].append(span)
    found: list[Placed] = []
    left: list[tuple[int, Span | str]] = [(0, one) for one in reversed(begins)]
    while left:
        depth, one = left.pop()
        id, here = (one, None) if isinstance(one, str) else (one["span_id"], one)
        found.append(Placed(depth, here))
        left += [(depth + 1, child) for child in reversed(below.pop(id, []))]
    return [*found, *(Placed(0, span) for circle in below.values() for span in circle)]


def below(spans: Sequence[Span], root: str) -> list[Span]:
    """A span and all that it has led to, in the order of `spans`."""
    children: defaultdict[str | None, list[str]] = defaultdict(list)
    for span in spans:
        children[span["parent_span_id"]].append(span["span_id"])
    found: set[str] = set()
    left = [root]
    while left:
        if (id := left.pop()) not in found:
            found.add(id)
            left += children[id]
    return [span for span in spans if span["span_id"] in found]


def meant(spans: Sequence[Span], root: str | None) -> list[Span]:
    """Of a trace, what belongs to the request of that span; all, where no request was meant or no other is there."""
    return list(spans) if root is None or sum(map(is_request, spans)) < 2 else below(spans, root)
