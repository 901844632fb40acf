"""The store in memory, beyond what the conformance suite asks of every store."""

from __future__ import annotations

from runtime.storage.kv.memory import MemoryKeyValueStore


async def test_what_is_over_is_taken_away_though_nobody_asks_for_it() -> None:
    now = 0.0
    store = MemoryKeyValueStore(clock=lambda: now)
    await store.set("kept", b"1", ttl_s=1)
    await store.set("kept", b"2")
    for number in range(100):
        now = float(number)
        await store.set(f"lease/{number}", b"1", ttl_s=2)
    assert [key for key, _ in await store.scan("")] == ["kept", "lease/98", "lease/99"]
    assert len(store._values) == len(store._keys) == 3
    assert len(store._ends) == 2
