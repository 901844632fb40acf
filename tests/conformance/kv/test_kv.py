"""What every key-value store promises (`runtime/storage/kv`), run on each that there is."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest
import pytest_asyncio

from runtime.storage.backends import BACKENDS, types_of
from runtime.storage.kv import KeyValueStore, Namespaced
from runtime.storage.kv.memory import MemoryKeyValueStore
from runtime.storage.kv.sqlite import SqliteKeyValueStore


class Clock:
    """Time that passes when told to."""

    def __init__(self) -> None:
        self.now = 1_000_000.0

    def __call__(self) -> float:
        return self.now


STORES: dict[str, Callable[[Path, Clock], KeyValueStore]] = {
    "memory": lambda folder, clock: MemoryKeyValueStore(clock=clock),
    "sqlite": lambda folder, clock: SqliteKeyValueStore(folder / "kv.db", clock=clock),
    "namespaced": lambda folder, clock: Namespaced(MemoryKeyValueStore(clock=clock), "a:b", owner=True),
}


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest_asyncio.fixture(params=STORES)
async def store(request: pytest.FixtureRequest, tmp_path: Path, clock: Clock) -> AsyncIterator[KeyValueStore]:
    opened = STORES[request.param](tmp_path, clock)
    yield opened
    await opened.close()


@pytest.mark.parametrize("backend_type", types_of("kv"))
async def test_every_backend_is_held_to_this(backend_type: str, tmp_path: Path) -> None:
    config = BACKENDS[backend_type].config
    assert config is not None
    opened = BACKENDS[backend_type].load()(config(), tmp_path)
    assert backend_type.removeprefix("kv_") in STORES
    assert type(opened) is type(STORES[backend_type.removeprefix("kv_")](tmp_path, Clock()))
    await opened.close()


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
    assert await store.compare_and_set("key", None, b"1")
    assert not await store.compare_and_set("key", None, b"2")
    assert not await store.compare_and_set("key", b"0", b"2")
    assert await store.compare_and_set("key", b"1", b"2")
    assert await store.get("key") == b"2"


async def test_compare_and_set_lets_one_of_many_through(store: KeyValueStore) -> None:
    kept = await asyncio.gather(*(store.compare_and_set("lock", None, b"%d" % n) for n in range(50)))
    assert kept.count(True) == 1
    assert await store.get("lock") == b"%d" % kept.index(True)


async def test_counting_by_compare_and_set_loses_nothing(store: KeyValueStore) -> None:
    await store.set("count", b"0")

    async def add() -> None:
        while True:
            before = await store.get("count")
            assert before is not None
            if await store.compare_and_set("count", before, b"%d" % (int(before) + 1)):
                return

    await asyncio.gather(*(add() for _ in range(20)))
    assert await store.get("count") == b"20"


async def test_writes_of_one_caller_keep_their_order(store: KeyValueStore) -> None:
    await asyncio.gather(*(store.set("key", b"%d" % number) for number in range(500)))
    assert await store.get("key") == b"499"


async def test_a_value_is_gone_when_its_time_is_up(store: KeyValueStore, clock: Clock) -> None:
    await store.set("short", b"1", ttl_s=10)
    await store.set("long", b"1")
    clock.now += 9.9
    assert await store.get("short") == b"1"
    clock.now += 0.1
    assert (await store.get("short"), await store.scan("")) == (None, [("long", b"1")])
    assert not await store.delete("short")
    assert await store.compare_and_set("short", None, b"2")


async def test_a_new_value_has_a_time_of_its_own(store: KeyValueStore, clock: Clock) -> None:
    await store.set("key", b"1", ttl_s=10)
    await store.set("key", b"2")
    await store.set("other", b"1", ttl_s=10)
    await store.compare_and_set("other", b"1", b"2")
    clock.now += 100
    assert await store.scan("") == [("key", b"2"), ("other", b"2")]


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
    assert await models.compare_and_set("x:key", b"1", b"3")
    await models.close()
    assert await store.scan("models") == [("models\x1fx:key", b"3")]


async def test_closing_waits_for_what_was_asked_for(store: KeyValueStore) -> None:
    writes = [asyncio.ensure_future(store.set(f"k{n}", b"")) for n in range(100)]
    await asyncio.wait(writes, return_when=asyncio.FIRST_COMPLETED)
    await store.close()
    assert await asyncio.gather(*writes) == [None] * 100
