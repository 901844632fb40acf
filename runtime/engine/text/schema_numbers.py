"""The numbers in a JSON Schema, in the form in which llguidance holds an answer to them.

It reads a bound as a double and an integer's as one of 64 bits: a bound between two doubles lets a number outside it
through, and the least integer of 64 bits overflows its stack, which ends the process. A number that has to be greater
than a whole one and may not reach the next can be that whole one. So bounds of these kinds are moved inwards, by as
little as it takes: what then fits also fits the schema. A constant cannot be moved.

Knows JSON Schema's words for numbers and llguidance 1.9; no schemas inside schemas.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction
from typing import Any, TypeGuard

Node = dict[str, Any]

_LEAST, _GREATEST = ("minimum", "exclusiveMinimum"), ("maximum", "exclusiveMaximum")
_EXACT = 2**53
"""Up to here each whole number is a double of its own."""
_REACH = 2**63 - 1024
"""The greatest double that is an integer of 64 bits."""
_ALONE = 10**18
"""A bound from here on needs one on the other side too: llguidance writes numbers of up to 18 digits without one."""
_NEAR, _PARTS = 1e-9, 1000
"""How far from a bound that is not reached the first number is: this, or less in a range of less than so many."""

MOST_STEPS = 100_000
"""The largest `multipleOf` in its last digits, and all of a schema together: it takes 40 microseconds a step."""


def out_of_reach(node: Node) -> Iterator[tuple[tuple[str, ...], str]]:
    """The keywords that cannot be enforced at all, and why, in words."""
    for word in ("const", "enum"):
        for number in _numbers(node.get(word)):
            if not _is_written(number):
                yield (word,), f"a number in `{word}` has too many digits to be enforced"
                break
    if steps(node) > MOST_STEPS:
        yield ("multipleOf",), "`multipleOf` has too many digits to be enforced"
    least, greatest = _bound(node, _LEAST, 1), _bound(node, _GREATEST, -1)
    for bound, words in ((least, _LEAST), (greatest, _GREATEST)):
        if bound is not None and bound.at > _REACH:
            yield words, f"`{words[0]}` cannot be enforced beyond 64 bits"
            return
    if least is None or greatest is None or least.at > -greatest.at:
        return
    whole = _is_whole(node)
    if min(abs(least.at), abs(greatest.at)) >= _EXACT and least.inner(whole=whole) > -greatest.inner(whole=whole):
        yield (*_LEAST, *_GREATEST), "`minimum` and `maximum` cannot be enforced so close to each other"


def steps(node: Node) -> int:
    """How much work a node's `multipleOf` makes: the digits of it from the first to the last that is not 0."""
    factor = node.get("multipleOf")
    if not _is_number(factor):
        return 0
    return int("".join(map(str, Decimal(repr(factor)).as_tuple().digits)).rstrip("0") or 0)


def exact(node: Node, *, merged: bool) -> Node:
    """`node`, which has nothing out of reach, with bounds that llguidance keeps to. merged: whether other schemas can
    bound the same number.
    """
    least, greatest = _bound(node, _LEAST, 1), _bound(node, _GREATEST, -1)
    result = dict(node)
    for bound, other, words, sign in ((least, greatest, _LEAST, 1), (greatest, least, _GREATEST, -1)):
        if bound is None:
            continue
        limit = None if other is None else -other.at
        moved: float | int | None = None
        if abs(bound.at) >= _EXACT:
            moved = bound.inner(whole=_is_whole(node))
        elif bound.needs_room(limit, merged=merged) and not _is_whole(node):
            moved = bound.beside(limit)
        if moved is not None:
            result.pop(words[1], None)
            result[words[0]] = sign * moved
        if bound.at >= _ALONE - 1 and other is None:
            result[(_GREATEST if sign > 0 else _LEAST)[0]] = sign * _REACH
    return result


@dataclass(frozen=True)
class _Bound:
    """A lower bound; an upper one is its mirror image. is_open: whether it is not reached itself."""

    at: Fraction
    is_open: bool

    def inner(self, *, whole: bool) -> int:
        """The least whole double within it that is an integer of 64 bits. Beyond 2**53 all doubles are whole."""
        at = max(self.at, Fraction(-_REACH))
        if whole:
            at = Fraction(math.floor(at) + 1 if self.is_open and at == self.at else math.ceil(at))
        found = float(at)
        while Fraction(found) < at or (self.is_open and Fraction(found) == self.at):
            found = math.nextafter(found, math.inf)
        return math.ceil(found)

    def needs_room(self, limit: Fraction | None, *, merged: bool) -> bool:
        """Whether llguidance would let it be reached. limit: the upper bound."""
        if not self.is_open or self.at.denominator != 1:
            return False
        return merged if limit is None else limit < self.at + 1

    def beside(self, limit: Fraction | None) -> float:
        """A number close above it, and below `limit`."""
        near = _NEAR
        if limit is not None and limit > self.at:
            near = min(near, 10.0 ** math.floor(math.log10((limit - self.at) / _PARTS)))
        return max(float(self.at) + near, math.nextafter(float(self.at), math.inf))


def _bound(node: Node, words: tuple[str, str], sign: int) -> _Bound | None:
    """The tighter of a node's two bounds on one side; the upper one mirrored by `sign`. A number with `true` for
    `exclusive…` is not reached: draft 4 and OpenAPI 3.0 say it so.
    """
    reached, unreached = (node.get(word) for word in words)
    found = []
    if _is_number(reached):
        found.append(_Bound(sign * Fraction(reached), unreached is True))
    if _is_number(unreached):
        found.append(_Bound(sign * Fraction(unreached), True))
    return max(found, key=lambda bound: (bound.at, bound.is_open), default=None)


def _numbers(value: object) -> Iterator[int | float]:
    """Every number in a value."""
    if _is_number(value):
        yield value
    elif isinstance(value, dict | list):
        for inner in value.values() if isinstance(value, dict) else value:
            yield from _numbers(inner)


def _is_written(number: int | float) -> bool:
    """Whether a constant is written as itself: as a double with 16 digits, and within 64 bits."""
    if abs(number) > _REACH:
        return False
    return float(f"{number:.16g}") == number if isinstance(number, float) else int(float(number)) == number


def _is_number(value: object) -> TypeGuard[int | float]:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _is_whole(node: Node) -> bool:
    kind = node.get("type")
    kinds = kind if isinstance(kind, list) else [kind]
    return "integer" in kinds and "number" not in kinds
