"""What is wrong with JSON of a caller, wherever it is validated: a body, a line of a file, arguments of a tool."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from pydantic import BaseModel, ValidationError

from runtime.errors import RequestError
from runtime.invalid.describing import Wrong, described
from runtime.invalid.vocabulary import JSON, JSON_UNQUOTED, Vocabulary

_READ, _SHOWN = 100, 20
"""How many errors of a request are looked at, and how many places are named."""


def wrong_in(given: Any, error: ValidationError, model: type[BaseModel], vocabulary: Vocabulary = JSON) -> list[Wrong]:
    """Each place that is wrong, of the first hundred errors. given: the values that were validated."""
    return described(error.errors(include_url=False)[:_READ], model, given, vocabulary)


def invalid_request(error: ValidationError, model: type[BaseModel], given: Any) -> RequestError:
    """The error for a request that its model refuses: with what is wrong (at most 20 places), the first one as `param`.
    given: the values that were validated.
    """
    found = wrong_in(given, error, model)
    refused = RequestError(_words(found, error), param=found[0].place or None, code="invalid_value")
    refused.kept_as = _words(wrong_in(given, error, model, JSON_UNQUOTED), error)
    return refused


def _words(found: Sequence[Wrong], error: ValidationError) -> str:
    words = [f"`{wrong.place}`: {wrong.words}" if wrong.place else wrong.words for wrong in found[:_SHOWN]]
    if more := max(0, len(found) - _SHOWN) + max(0, error.error_count() - _READ):
        words.append(f"and {more} more")
    return "Invalid request: " + "; ".join(words)
