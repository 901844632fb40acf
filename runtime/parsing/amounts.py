"""How much a JSON body holds, counted before anything is built from it.

What takes time and memory are not a body's bytes but what they become: a list in two bytes takes a microsecond and
hundreds of bytes. JSON is built in one go, in which the event loop stands still, in whatever thread it is done; so the
loop's longest stop is what the most of these things take. Knows the marks of JSON, and not whether it is valid.
"""

from __future__ import annotations

from dataclasses import dataclass

from runtime.errors import TooLarge

LIGHT_BYTES = 256 * 1024
"""A body of so many bytes needs no counting: it cannot hold much."""
_SLICE_BYTES = 256 * 1024
"""So much is counted at once, while other threads wait."""


@dataclass(frozen=True)
class Amount:
    """What a body may hold. parts: its lists, its objects, and the names in them; values: all that has a comma in front
    of it.
    """

    parts: int
    values: int


USUAL = Amount(parts=100_000, values=2_000_000)
"""A fifth of a second: conversations of tens of thousands of messages, millions of token ids."""
BULK = Amount(parts=2_500_000, values=6_000_000)
"""For routes that take rows or vectors by the hundred thousand."""


def check_amount(raw: bytes, most: Amount) -> None:
    """Raises TooLarge for JSON that holds more. Takes some milliseconds for each megabyte."""
    if len(raw) <= LIGHT_BYTES:
        return
    parts = values = quotes = 0
    is_within, is_escaped = 0, False  # a text; the next byte
    for start in range(0, len(raw), _SLICE_BYTES):
        end = start + _SLICE_BYTES
        if is_within and raw.find(b'"', start, end) < 0 and raw.find(b"\\", start, end) < 0:
            is_escaped = False
            continue  # in the middle of an image, which need not be copied
        data = raw[start + is_escaped : end]
        if b"\\" in data:
            data = data.replace(b"\\\\", b"").replace(b'\\"', b"")
        is_escaped = data.endswith(b"\\")
        pieces = data.split(b'"')
        outside = b"".join(pieces[is_within::2])
        is_within ^= ~len(pieces) & 1
        parts += outside.count(b"[") + outside.count(b"{") + outside.count(b":")
        values += outside.count(b",")
        quotes += len(pieces) - 1
        if parts > most.parts:
            raise _too_much(f"{most.parts} lists, objects and names in them")
        # Texts without commas are no JSON, and would only take time.
        if max(values, quotes // 2 - parts) > most.values:
            raise _too_much(f"{most.values} values")


def _too_much(what: str) -> TooLarge:
    return TooLarge(f"The JSON of this request holds more than {what}", hint="split it into several requests")
