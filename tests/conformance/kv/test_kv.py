"""What every key-value store promises (`runtime/storage/kv`), run on each that there is."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from runtime.conformance.abilities import needs
from runtime.errors import NotSupported
from runtime.storage.backends import BACKENDS
from runtime.storage.kv import KeyValueStore, Namespaced, Put, Remove
from tests.conformance.kv.subject import Subject, found


async def compare_and_set(store: KeyValueStore, key: str, expected: bytes | None, value: bytes) -> bool:
    """Store `value`, without expiry, if `key` has the value `expected` (None: no value). Returns whether it did."""
    return await store.write(Put(key, value), expected={key: expected})


def test_every_backend_is_held_to_this() -> None:
    types = {name.removeprefix("kv_") for name, backend in BACKENDS.items() if backend.family == "kv"}
    assert types <= set(found())


async def test_a_subject_is_what_its_backend_opens(subject: Subject, store: KeyValueStore) -> None:
    if subject.backend_type is not None:
        module, _, name = BACKENDS[subject.backend_type].opener.partition(":")
        assert (type(store).__module__, subject.backend_type) == (module, f"kv_{name.removeprefix('open_')}")


async def test_get_of_a_key_that_is_not_there_is_none(store: KeyValueStore) -> None:
    assert await store.get("model") is None


@pytest.mark.parametrize("value", [b"", b"\x00\xff", b"x" * 1_000_000], ids=["empty", "any byte", "a megabyte"])
async def test_set_is_read_back(store: KeyValueStore, value: bytes) -> None:
    await store.set("key", value)
    assert await store.get("key") == value


@pytest.mark.parametrize("key", ["", "a b", "models/llm:1", "ключ", "😀", "a\x00b", "%_*"])
async def test_any_text_is_a_key(store: KeyValueStore, key: str) -> None:
    await store.set(key, b"1")
    assert (await store.get(key), await store.scan("")) == (b"1", [(key, b"1")])


async def test_a_key_that_is_no_text_is_refused(store: KeyValueStore) -> None:
    with pytest.raises(ValueError, match="surrogates not allowed"):
        await store.set("\ud800", b"1")
    assert await store.scan("") == []


async def test_set_replaces(store: KeyValueStore) -> None:
    await store.set("key", b"1")
    await store.set("key", b"2")
    assert await store.scan("") == [("key", b"2")]


async def test_delete_says_whether_the_key_was_there(store: KeyValueStore) -> None:
    await store.set("key", b"1")
    assert (await store.delete("key"), await store.delete("key")) == (True, False)
    assert await store.get("key") is None


async def test_scan_gives_a_prefix_in_the_order_of_code_points(store: KeyValueStore) -> None:
    keys = ["a", "a/", "a/1", "a/10", "a/2", "a/\uffff", "a/\U0001f600", "b"]
    for key in reversed(keys):
        await store.set(key, key.encode())
    assert await store.scan("a/") == [(key, key.encode()) for key in keys[1:7]]


async def test_scan_does_not_take_wildcards(store: KeyValueStore) -> None:
    await store.set("axb", b"1")
    assert (await store.scan("a%"), await store.scan("a_b"), await store.scan("a*")) == ([], [], [])


async def test_scan_pages_with_after_and_limit(store: KeyValueStore) -> None:
    for number in range(7):
        await store.set(f"k{number}", b"")
    pages, after = [], None
    while page := await store.scan("k", after=after, limit=3):
        pages.append([key for key, _ in page])
        after = page[-1][0]
    assert pages == [["k0", "k1", "k2"], ["k3", "k4", "k5"], ["k6"]]


async def test_scan_after_a_key_before_the_prefix_starts_at_the_prefix(store: KeyValueStore) -> None:
    await store.set("b", b"")
    assert await store.scan("b", after="a") == [("b", b"")]


async def test_scan_of_no_places_is_empty(store: KeyValueStore) -> None:
    await store.set("a", b"")
    assert await store.scan("", limit=0) == []


async def test_compare_and_set_keeps_only_what_was_expected(store: KeyValueStore) -> None:
    assert await compare_and_set(store, "key", None, b"1")
    assert not await compare_and_set(store, "key", None, b"2")
    assert not await compare_and_set(store, "key", b"0", b"2")
    assert await compare_and_set(store, "key", b"1", b"2")
    assert await store.get("key") == b"2"


async def test_compare_and_set_lets_one_of_many_through(store: KeyValueStore) -> None:
    kept = await asyncio.gather(*(compare_and_set(store, "lock", None, b"%d" % n) for n in range(50)))
    assert kept.count(True) == 1
    assert await store.get("lock") == b"%d" % kept.index(True)


async def test_counting_by_compare_and_set_loses_nothing(store: KeyValueStore) -> None:
    await store.set("count", b"0")

    async def add() -> None:
        while True:
            before = await store.get("count")
            assert before is not None
            if await compare_and_set(store, "count", before, b"%d" % (int(before) + 1)):
                return

    await asyncio.gather(*(add() for _ in range(20)))
    assert await store.get("count") == b"20"


async def test_writes_of_one_caller_keep_their_order(store: KeyValueStore) -> None:
    await asyncio.gather(*(store.set("key", b"%d" % number) for number in range(500)))
    assert await store.get("key") == b"499"


async def test_a_value_is_gone_when_its_time_is_up(store: KeyValueStore, subject: Subject) -> None:
    await store.set("short", b"1", ttl_s=10)
    await store.set("long", b"1")
    await subject.pass_time(9.5)
    assert await store.get("short") == b"1"
    await subject.pass_time(0.5)
    assert (await store.get("short"), await store.scan("")) == (None, [("long", b"1")])
    assert not await store.delete("short")
    assert await compare_and_set(store, "short", None, b"2")


async def test_a_new_value_has_a_time_of_its_own(store: KeyValueStore, subject: Subject) -> None:
    await store.set("key", b"1", ttl_s=10)
    await store.set("key", b"2")
    await store.set("other", b"1", ttl_s=10)
    await compare_and_set(store, "other", b"1", b"2")
    await subject.pass_time(100)
    assert await store.scan("") == [("key", b"2"), ("other", b"2")]


@needs("ends")
async def test_entries_say_when_they_expire(store: KeyValueStore, subject: Subject) -> None:
    end = subject.now() + 3600.123
    await store.set("for ever", b"1")
    await store.set("until then", b"old")
    assert await store.write(Put("until then", b"2", expires_at=end))
    assert await store.write(Put("new", b"3", expires_at=end), expected={"new": None})
    await store.set("while", b"4", ttl_s=100)
    entries = {entry.key: entry for entry in await store.entries("")}
    assert {key: entry.value for key, entry in entries.items()} == dict(await store.scan(""))
    assert entries["for ever"].expires_at is None
    assert [round(entries[key].expires_at or 0, 3) for key in ("new", "until then")] == [round(end, 3)] * 2
    assert entries["while"].expires_at == pytest.approx(subject.now() + 100, abs=60)
    await store.set("new", b"5")
    assert (await store.entries("new"))[0].expires_at is None
    await subject.pass_time(3601)
    assert [entry.key for entry in await store.entries("")] == ["for ever", "new"]


async def test_what_is_set_until_a_time_that_has_passed_is_not_there(store: KeyValueStore, subject: Subject) -> None:
    await store.set("key", b"1")
    assert await store.write(Put("key", b"2", expires_at=subject.now() - 1))
    assert (await store.get("key"), await store.scan("")) == (None, [])
    assert await compare_and_set(store, "key", None, b"3")


@needs("batches")
async def test_a_batch_is_done_whole_and_in_its_order(store: KeyValueStore) -> None:
    await store.set("old", b"1")
    assert await store.write(Remove("old"), Put("a", b"1"), Put("b", b"2"), Put("a", b"3"), Remove("nobody"))
    assert await store.scan("") == [("a", b"3"), ("b", b"2")]
    assert await store.write(Put("c", b"1"), Remove("c"))
    assert await store.write()
    assert await store.scan("") == [("a", b"3"), ("b", b"2")]


@needs("batches")
async def test_a_batch_whose_checks_do_not_hold_changes_nothing(store: KeyValueStore) -> None:
    await store.set("a", b"1")
    both = (Put("b", b"2"), Remove("a"))
    for expected in ({"a": b"0"}, {"a": None}, {"b": b"2"}, {"a": b"1", "b": b""}):
        assert not await store.write(*both, expected=expected)
    assert await store.scan("") == [("a", b"1")]
    assert await store.write(*both, expected={"a": b"1", "b": None, "c": None})
    assert await store.scan("") == [("b", b"2")]


@needs("batches")
async def test_a_batch_with_a_key_that_is_no_text_changes_nothing(store: KeyValueStore) -> None:
    with pytest.raises(ValueError, match="surrogates not allowed"):
        await store.write(Put("a", b"1"), Remove("\ud800"))
    with pytest.raises(ValueError, match="surrogates not allowed"):
        await store.write(Put("a", b"1"), expected={"\ud800": None})
    assert await store.scan("") == []


@needs("batches")
async def test_values_of_a_batch_expire_each_at_its_time(subject: Subject, store: KeyValueStore) -> None:
    await store.write(Put("a", b"1", ttl_s=10), Put("b", b"1", ttl_s=20), Put("c", b"1"))
    await subject.pass_time(10)
    assert await store.write(Put("d", b"1"), Put("b", b"2"), expected={"a": None, "b": b"1"})
    await subject.pass_time(20)
    assert await store.scan("") == [("b", b"2"), ("c", b"1"), ("d", b"1")]


async def test_batches_on_one_key_can_be_done_everywhere(store: KeyValueStore) -> None:
    assert await store.write(Put("a", b"1"), expected={"a": None})
    assert not await store.write(Remove("a"), expected={"a": b"2"})
    assert await store.write(Remove("a"), expected={"a": b"1"})
    assert await store.get("a") is None


@needs("batches")
async def test_moving_between_two_keys_loses_and_doubles_nothing(store: KeyValueStore) -> None:
    await store.write(Put("a", b"100"), Put("b", b"0"))

    async def move() -> None:
        while True:
            a, b = await store.get("a"), await store.get("b")
            assert a is not None and b is not None
            if int(a) + int(b) != 100:
                continue  # one of them was read before another's move
            moved = (Put("a", b"%d" % (int(a) - 1)), Put("b", b"%d" % (int(b) + 1)))
            if await store.write(*moved, expected={"a": a, "b": b}):
                return

    await asyncio.gather(*(move() for _ in range(20)))
    assert await store.scan("") == [("a", b"80"), ("b", b"20")]


async def test_64_writers_at_once_lose_nothing(store: KeyValueStore) -> None:
    async def write(writer: int) -> None:
        for number in range(20):
            await store.set(f"{writer:02}/{number:02}", b"%d" % number)
            await store.delete(f"{writer:02}/{number - 2:02}" if number % 3 == 2 else "nobody")

    await asyncio.gather(*(write(writer) for writer in range(64)))
    kept = await store.scan("")
    left = [number for number in range(20) if number % 3 != 0 or number == 18]
    assert kept == [(f"{writer:02}/{number:02}", b"%d" % number) for writer in range(64) for number in left]


@needs("keeps")
async def test_everything_is_there_after_reopening(subject: Subject, store: KeyValueStore, tmp_path: Path) -> None:
    await store.set("key", b"\x00\xff" * 500_000)
    await store.set("short", b"1", ttl_s=10)
    await store.close()
    again = subject.open(tmp_path)
    assert await again.scan("") == [("key", b"\x00\xff" * 500_000), ("short", b"1")]
    await subject.pass_time(10)
    assert await again.scan("s") == []
    await again.close()


@needs("keeps")
async def test_two_handles_see_each_other(subject: Subject, store: KeyValueStore, tmp_path: Path) -> None:
    other = subject.open(tmp_path)
    await store.set("key", b"1")
    assert await compare_and_set(other, "key", b"1", b"2")
    assert await store.get("key") == b"2"
    await other.close()


@needs("single keys")
async def test_a_backend_that_changes_single_keys_refuses_several(store: KeyValueStore) -> None:
    with pytest.raises(NotSupported, match="one key at a time"):
        await store.write(Put("a", b"1"), Put("b", b"1"))
    assert await store.scan("") == []
    assert await store.write(Put("a", b"1"), Remove("a"), Put("a", b"2"), expected={"a": None})
    assert await store.scan("") == [("a", b"2")]


async def test_a_closed_store_says_so(store: KeyValueStore) -> None:
    await store.close()
    await store.close()
    for call in (store.get("a"), store.set("a", b""), store.delete("a"), store.scan("")):
        with pytest.raises(RuntimeError, match="the key-value store is closed"):
            await call


async def test_namespaces_do_not_see_each_other(store: KeyValueStore) -> None:
    models, more = Namespaced(store, "models"), Namespaced(store, "models:x")
    await models.set("x:key", b"1")
    await more.set("key", b"2")
    assert await models.scan("") == [("x:key", b"1")]
    assert await more.scan("k", after="a", limit=1) == [("key", b"2")]
    assert await more.delete("key")
    assert await compare_and_set(models, "x:key", b"1", b"3")
    await models.close()
    assert await store.scan("models") == [("models\x1fx:key", b"3")]


async def test_closing_waits_for_what_was_asked_for(store: KeyValueStore) -> None:
    writes = [asyncio.ensure_future(store.set(f"k{n}", b"")) for n in range(100)]
    await asyncio.wait(writes, return_when=asyncio.FIRST_COMPLETED)
    await store.close()
    assert await asyncio.gather(*writes) == [None] * 100
