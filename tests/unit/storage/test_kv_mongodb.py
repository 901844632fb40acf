"""What the driver gives is read as an entry; the conformance suite's server gives no dates, so they are made here."""

from __future__ import annotations

from datetime import UTC, datetime

from bson import CodecOptions, decode, encode

from runtime.storage.kv import KeyValue
from runtime.storage.kv.mongodb import entry_of


def test_the_end_of_a_value_is_precise_to_a_millisecond() -> None:
    for end in (None, 1_764_174_987.123):
        date = None if end is None else datetime.fromtimestamp(end, UTC)
        sent = encode({"_id": "key", "value": b"1", "expires_at": date})
        assert entry_of(decode(sent, CodecOptions(tz_aware=True))) == KeyValue("key", b"1", end)
