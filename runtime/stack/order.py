"""Which comes first of things that need each other, and which of them cannot. Knows names, not what they are of."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Set

Arrows = Mapping[str, Set[str]]
"""From each name to those that it needs, which all have arrows themselves, if only none."""


def in_order(needs: Arrows, uses: Arrows) -> list[str]:
    """Every name after those that it needs, and after those that it uses where needs allow it; what no arrow orders
    stays as it was. In a circle of needs, somebody stands before what it needs.
    """
    before: dict[str, Set[str]] = dict(needs)
    for name in before:
        for use in sorted(uses[name]):
            if name not in _reached(use, before):
                before[name] = before[name] | {use}
    ordered: dict[str, None] = {}

    def visit(name: str, way: tuple[str, ...]) -> None:
        for other in sorted(before[name]):
            if other not in ordered and other not in way:
                visit(other, (*way, name))
        ordered[name] = None

    for name in before:
        if name not in ordered:
            visit(name, ())
    return list(ordered)


def circles(arrows: Arrows) -> Iterator[tuple[str, ...]]:
    """Ways that lead back to where they began, each once: a shortest one for every name that no earlier way has."""
    seen_before: set[str] = set()
    for start in arrows:
        ways: list[tuple[str, ...]] = [(start,)] if start not in seen_before else []
        seen: set[str] = set()
        while ways:
            way = ways.pop(0)
            if start in arrows[way[-1]]:
                seen_before |= {*way}
                yield (*way, start)
                break
            ways += [(*way, to) for to in sorted(arrows[way[-1]] - seen)]
            seen |= arrows[way[-1]]


def _reached(start: str, arrows: Arrows) -> set[str]:
    """`start` and everything that following the arrows from it leads to."""
    found = {start}
    while more := {to for name in found for to in arrows[name]} - found:
        found |= more
    return found
