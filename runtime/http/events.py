"""A vendor's server-sent events, read from bytes that are cut anywhere: whole events, the end, and reported errors.

Wire format: WHATWG HTML, 9.2.6.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

import msgspec

from runtime.http.vendor_errors import states_error
from runtime.sse import BYTE_ORDER_MARK, DONE, Frames, payloads

EVENT_BYTES = 32 * 1024 * 1024
"""The largest event we accept. Real events are far smaller; a larger one probably never ends."""
_LONG_BYTES = 64 * 1024
"""From this size on, an event is kept so that many reads cost no more than their bytes: images have megabytes."""
_ERROR_EVENT = re.compile(rb"^event: ?error$", re.MULTILINE)
_decode = msgspec.json.Decoder().decode


def until_done(data: bytes) -> tuple[bytes, bool]:
    """The events before `[DONE]`, and whether there is a `[DONE]`, with or without `data:`. The rest is dropped.

    data: whole events with lines that end in LF, as from `Splitter`.
    """
    if data.endswith(b"\n\n" + DONE):  # the usual spelling
        return data[: -len(DONE)], True
    at = data.find(b"[DONE]")
    while at >= 0:
        begin = data.rfind(b"\n", 0, at) + 1
        end = data.find(b"\n", at)
        # Only if it is alone on its line: inside JSON there is other text around it.
        if data[begin : end if end >= 0 else None].removeprefix(b"data:").strip(b" \t") == b"[DONE]":
            before = data.rfind(b"\n\n", 0, begin)
            start = before + 2 if before >= 0 else 0
            if any(payloads(data[start:begin])):  # events without blank lines between them
                return data[:start] + data[start:begin].replace(b"\ndata:", b"\n\ndata:") + b"\n", True
            return data[:start], True
        at = data.find(b"[DONE]", end) if end >= 0 else -1  # the line has other text, so it has none
    return data, False


def as_comments(data: bytes) -> bytes:
    """The events with those that only keep a connection open as comments: without `data`, or with a comment as it.

    Some gateways send `data: : keepalive`, and clients take what `data` has for JSON.
    """
    # These are rare, and searching for them is far cheaper than looking at each event.
    if not (b"data: :" in data or b"data::" in data or b"data:\n" in data or b"data: \n" in data):
        return data
    blocks = [_as_comment(block) for block in data.split(b"\n\n")]
    return b"\n\n".join(blocks)


def _as_comment(block: bytes) -> bytes:
    found = next(iter(payloads(block)), None)
    if found is None:
        return block
    said = found.strip()
    return block if said and (not said.startswith(b":") or b"\n" in said) else said or b":"


@dataclass(frozen=True, slots=True)
class Failure:
    """An event that reports an error, or is not JSON. before: the events before it. payload: its `data`."""

    before: bytes
    payload: bytes


def failure_in(data: bytes) -> Failure | None:
    """The first event that reports an error or is not JSON; None where there is none.

    Only events that may be a failure are decoded. An event that is not JSON and has no suspicious word is found only if
    it is the last of a read, where it usually is: checking every event would double the cost of a stream.
    """
    looks_fine = data.startswith(b"data: {") and data.endswith(b"}\n\n")
    if not data or (looks_fine and not _may_fail(data)):
        return None
    before = 0
    for block in data.split(b"\n\n"):
        if block.lstrip().startswith(b"<"):  # a page of a proxy or a load balancer
            return Failure(data[:before], block.strip())
        for payload in payloads(block):
            if _is_failure(block, payload):
                return Failure(data[:before], payload)
        before += len(block) + 2
    return None


def _may_fail(data: bytes) -> bool:
    # Single letters first: they are rare, and searching for them is ten times faster than for words.
    if b"error" in data or (b"N" in data and b"NaN" in data) or (b"I" in data and b"Infinity" in data):
        return True
    try:
        return not (data.isascii() or data.decode())
    except UnicodeDecodeError:
        return True


def _is_failure(block: bytes, payload: bytes) -> bool:
    is_object = payload.startswith(b"{") and payload.endswith(b"}") and b"\n" not in payload
    if not payload or (is_object and not _may_fail(block)):
        return False
    try:
        event = _decode(payload)
    except (ValueError, RecursionError):  # msgspec's errors are ValueErrors, and so are UTF-8 errors
        return True
    if _ERROR_EVENT.search(block):
        return True
    return isinstance(event, dict) and states_error(event)


class Splitter:
    """Cuts a byte stream into Frames at event boundaries: `feed` returns whole events and keeps the rest.

    Lines may end in LF, CRLF or CR (9.2.5); in the Frames they end in LF.
    """

    __slots__ = ("_after_cr", "_at_start", "_long", "_rest")

    def __init__(self) -> None:
        self._rest = b""
        self._long = bytearray()  # in place of a long `_rest`: it grows without a copy for each read
        self._after_cr = False
        self._at_start = True

    def feed(self, data: bytes) -> Frames | None:
        """The events that are now complete, or None. data: the bytes of one read, cut anywhere.

        Raises ValueError for an event larger than EVENT_BYTES.
        """
        if self._after_cr or self._at_start or b"\r" in data:
            data = self._with_plain_ends(data)
        if self._long:
            if b"\n\n" not in data and not (data.startswith(b"\n") and self._long.endswith(b"\n")):
                self._keep(data)
                return None
            data = bytes(self._long) + data
            self._long.clear()
        elif self._rest:
            data = self._rest + data
        end = data.rfind(b"\n\n") + 2
        if end == len(data) and end > 1:
            self._rest = b""
            return Frames(data)
        self._rest = data[end:] if end > 1 else data
        if len(self._rest) > _LONG_BYTES:
            self._keep(self._rest)
            self._rest = b""
        return Frames(data[:end]) if end > 1 else None

    def _keep(self, data: bytes) -> None:
        self._long += data
        if len(self._long) > EVENT_BYTES:
            raise ValueError(f"an event of more than {EVENT_BYTES} bytes")

    def rest(self) -> bytes:
        """The last event of a stream that ends without a blank line, with one added; or nothing."""
        rest, self._rest = (self._rest or bytes(self._long)).rstrip(b"\n"), b""
        self._long.clear()
        return rest + b"\n\n" if rest else b""

    def _with_plain_ends(self, data: bytes) -> bytes:
        if self._at_start and data:
            data, self._at_start = data.removeprefix(BYTE_ORDER_MARK), False
        if self._after_cr and data:
            data, self._after_cr = data.removeprefix(b"\n"), False
        if b"\r" not in data:
            return data
        self._after_cr = data.endswith(b"\r")  # an LF that follows belongs to the same line end
        return data.replace(b"\r\n", b"\n").replace(b"\r", b"\n")
