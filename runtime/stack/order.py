"""Orders names by their dependencies, and finds cycles. Knows only names."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Set

Dependencies = Mapping[str, Set[str]]
"""From each name to those that it depends on; these are keys too, with an empty set if they depend on nothing."""


def in_order(needs: Dependencies, uses: Dependencies) -> list[str]:
    """Every name after those that it needs, and after those that it uses, unless a need prevents that. Otherwise the
    order is kept. In a cycle of needs, one name must come before a name that it needs.
    """
    before: dict[str, Set[str]] = dict(needs)
    for name in before:
        for use in sorted(uses[name]):
            if name not in _reached(use, before):
                before[name] = before[name] | {use}
    ordered: dict[str, None] = {}

    def visit(name: str, path: tuple[str, ...]) -> None:
        for other in sorted(before[name]):
            if other not in ordered and other not in path:
                visit(other, (*path, name))
        ordered[name] = None

    for name in before:
        if name not in ordered:
            visit(name, ())
    return list(ordered)


def cycles(dependencies: Dependencies) -> Iterator[tuple[str, ...]]:
    """Paths that lead back to their start, each once: a shortest one for every name that is in no earlier cycle."""
    seen_before: set[str] = set()
    for start in dependencies:
        paths: list[tuple[str, ...]] = [(start,)] if start not in seen_before else []
        seen: set[str] = set()
        while paths:
            path = paths.pop(0)
            if start in dependencies[path[-1]]:
                seen_before |= {*path}
                yield (*path, start)
                break
            paths += [(*path, to) for to in sorted(dependencies[path[-1]] - seen)]
            seen |= dependencies[path[-1]]


def _reached(start: str, dependencies: Dependencies) -> set[str]:
    """`start` and everything that it depends on, directly or indirectly."""
    found = {start}
    while more := {to for name in found for to in dependencies[name]} - found:
        found |= more
    return found
