"""What the span of a request says of its refusal: the code of the error, and its words."""

from __future__ import annotations

from collections.abc import Callable

from runtime.errors import StackError, UpstreamRejected
from runtime.redaction import redact_text
from runtime.telemetry import conventions as names
from runtime.telemetry.spans import Span

_LONGEST = 1000
"""Of the words of an error, in characters."""


def note_refusal(span: Span, error: StackError, *, readable: Callable[[str], str]) -> None:
    """Note why a request is refused. readable: a text without what nobody is to see. What a vendor says of its own
    refusal is not repeated: the span of that call has it.
    """
    attributes = span.attributes
    attributes[names.ERROR_CODE] = (error.code or error.type)[:_LONGEST]
    if isinstance(error, UpstreamRejected):
        return
    for name, words in ((names.ERROR_MESSAGE, error.kept_as or error.message), (names.ERROR_HINT, error.hint)):
        if words:
            attributes[name] = redact_text(readable(words))[:_LONGEST]
