"""A row that a model has made up, or what there is in its place."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from runtime.apis.datasets.protocol import Row
from runtime.apis.synthetic_data_generation.answer import Flaw
from runtime.errors import StackError
from runtime.sse import encode


@dataclass(frozen=True, kw_only=True)
class Sample:
    """written: what a scoring function reads as the answer. told: what is compared with others. logprob: the mean of
    its tokens, None where it was not asked for.
    """

    row: Row
    written: str
    told: str
    logprob: float | None = None


@dataclass(frozen=True, kw_only=True)
class Wrong:
    """An answer that is no row. words: what is wrong with it."""

    flaw: Flaw
    words: str


@dataclass(frozen=True, kw_only=True)
class Answered:
    """What came of one question; a StackError where its provider has failed."""

    outcome: Sample | Wrong | StackError
    prompt_tokens: int = 0
    completion_tokens: int = 0


def sample_of(row: Row, logprob: float | None = None) -> Sample:
    """Of an object of a schema."""
    return Sample(row=row, written=encode(row).decode(), told="\n".join(_values(row)), logprob=logprob)


def _values(value: Any) -> Iterator[str]:
    """Every value in it, without the names that all rows have, in the order of these."""
    if isinstance(value, dict):
        for name in sorted(value):
            yield from _values(value[name])
    elif isinstance(value, list):
        for one in value:
            yield from _values(one)
    else:
        yield value if isinstance(value, str) else encode(value).decode()
