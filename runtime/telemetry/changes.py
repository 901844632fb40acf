"""What was changed of what was asked, and what was chosen where it named nothing: in a few words each, for whoever
looks for a reason later.

What the caller should know at once is a warning, see `runtime.context.warn`, which is told with the request's span.
"""

from __future__ import annotations

from collections.abc import Iterable

from runtime.redaction import redact_text
from runtime.telemetry import conventions as names
from runtime.telemetry.spans import Span, current_span

_MOST, _LONGEST = 30, 300
"""How many are told of one span, and how much of each, in characters."""


def note_change(words: str) -> None:
    """Say of the current span that something was changed. words: without any of what was asked, and without secrets."""
    span = current_span()
    if span is not None:
        _add(span, names.CHANGED, [words])


def note_choice(words: str) -> None:
    """Say in the current span what was chosen, and why, where there were others and the request named none."""
    span = current_span()
    if span is not None:
        _add(span, names.CHOSEN, [words])


def note_warnings(span: Span, warnings: Iterable[str]) -> None:
    """Note what the answer of a request warns of, without secrets: a warning may quote what another server has said."""
    _add(span, names.WARNINGS, map(redact_text, warnings))


def _add(span: Span, name: str, words: Iterable[str]) -> None:
    told = span.attributes.setdefault(name, [])
    assert isinstance(told, list), f"`{name}` is a list"
    for one in words:
        if one not in told and len(told) < _MOST:
            told.append(one[:_LONGEST])
