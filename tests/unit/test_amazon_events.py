"""Amazon's event streams: read in any pieces, and what is damaged is never taken for a message."""

from __future__ import annotations

import struct
import zlib

import pytest

from runtime.amazon_events import Damaged, Message, Splitter
from tests.support.bedrock import event_message

WORDS = [event_message("messageStart", {"role": "assistant"}), event_message("messageStop", {"stopReason": "end_turn"})]


def made(headers: bytes, payload: bytes = b"") -> bytes:
    """A message with these headers, as they are."""
    prelude = struct.pack(">II", 16 + len(headers) + len(payload), len(headers))
    begun = prelude + struct.pack(">I", zlib.crc32(prelude)) + headers + payload
    return begun + struct.pack(">I", zlib.crc32(begun))


@pytest.mark.parametrize("size", [1, 2, 7, 50, 10_000])
def test_messages_are_whole_however_they_are_read(size: int) -> None:
    data, splitter = b"".join(WORDS), Splitter()
    found = [message for at in range(0, len(data), size) for message in splitter.feed(data[at : at + size])]
    assert [(message.kind, message.name) for message in found] == [("event", "messageStart"), ("event", "messageStop")]
    assert found[0].payload == b'{"role": "assistant"}'


def test_the_example_of_the_documentation_is_read() -> None:
    """An empty message, whose checksums are known: 05c248eb and 7d98c8ff."""
    assert [*Splitter().feed(bytes.fromhex("00000010 00000000 05c248eb 7d98c8ff"))] == [Message({}, b"")]


def test_values_that_are_no_text_are_passed_over() -> None:
    of_others = [
        b"\x00", b"\x01", b"\x02x", b"\x03xx", b"\x04xxxx", b"\x05" + b"x" * 8, b"\x06\x00\x02xx", b"\x08" + b"x" * 8,
        b"\x09" + b"x" * 16,
    ]  # fmt: skip
    headers = b"".join(b"\x01a" + value for value in of_others) + b"\x0b:event-type\x07\x00\x02hi"
    assert [*Splitter().feed(made(headers, b"{}"))] == [Message({":event-type": "hi"}, b"{}")]


@pytest.mark.parametrize("place", range(len(WORDS[0])))
def test_a_changed_byte_is_found_wherever_it_is(place: int) -> None:
    data = bytearray(WORDS[0])
    data[place] ^= 0x40
    with pytest.raises(Damaged):
        [*Splitter().feed(bytes(data))]


@pytest.mark.parametrize(
    "headers",
    [b"\x09short", b"\x01a\x0b", b"\x01a\x07\x00\x09hi", b"\x01\xff\x00", b"\x01a\x07\x00\x01\xff", b"\x01a\x07\x00"],
)
def test_headers_that_make_no_sense_are_damage(headers: bytes) -> None:
    with pytest.raises(Damaged):
        [*Splitter().feed(made(headers))]


@pytest.mark.parametrize(("total", "headers"), [(15, 0), (2**31, 0), (20, 5), (2**20, 2**19)])
def test_lengths_that_cannot_be_are_damage_before_anything_is_kept(total: int, headers: int) -> None:
    prelude = struct.pack(">II", total, headers)
    with pytest.raises(Damaged):
        [*Splitter().feed(prelude + struct.pack(">I", zlib.crc32(prelude)))]
