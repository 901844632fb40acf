"""What a store in MongoDB promises beyond the suite, as far as a stand-in with its protocol can show it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr, ValidationError

from runtime.errors import TooLarge, Unavailable
from runtime.storage.kv import Put, Remove
from runtime.storage.kv.mongodb import MongoKeyValueStore
from runtime.storage.mongodb import collection
from runtime.storage.mongodb.config import MongoKeyValueConfig
from tests.support.mongodb_server import MongoServer, mongodb_server


@pytest.fixture
def server(tmp_path: Path) -> Iterator[MongoServer]:
    with mongodb_server(tmp_path) as running:
        yield running


def store_at(server: MongoServer) -> MongoKeyValueStore:
    return MongoKeyValueStore(MongoKeyValueConfig(host="127.0.0.1", port=server.port))


async def test_a_server_that_comes_back_is_used_again(server: MongoServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(collection, "_CONNECT_MS", 300)
    store = store_at(server)
    await store.set("key", b"1")
    server.kill()
    for call in (store.get("key"), store.set("key", b"2"), store.scan(""), store.delete("key")):
        with pytest.raises(Unavailable) as raised:
            await call
        assert raised.value.code == "storage_unavailable"
        assert raised.value.message.startswith(f"the MongoDB server at 127.0.0.1:{server.port} could not be ")
        assert "Topology" not in raised.value.message
    server.start()
    assert await store.write(Put("key", b"3"), expected={"key": b"1"})
    assert await store.get("key") == b"3"
    await store.close()


async def test_a_value_that_is_too_large_is_refused(server: MongoServer) -> None:
    store = store_at(server)
    with pytest.raises(TooLarge, match="16 MB"):
        await store.set("key", b"x" * (17 << 20))
    assert await store.scan("") == []
    await store.close()


async def test_several_keys_change_in_one_transaction(server: MongoServer, monkeypatch: pytest.MonkeyPatch) -> None:
    store = store_at(server)
    await store.set("a", b"1")
    monkeypatch.setattr(store._collection, "_has_transactions", True)  # the stand-in has them, and does not say so
    both = (Put("b", b"2"), Remove("a"))
    for expected in ({"a": b"0"}, {"c": b"1", "a": b"1"}, {"b": b"2"}):
        assert not await store.write(*both, expected=expected)
    assert await store.scan("") == [("a", b"1")]
    assert await store.write(*both, Put("d", b"4", ttl_s=100), expected={"a": b"1", "b": None, "c": None})
    assert await store.write(Put("e", b"5"), expected={"b": b"2", "d": b"4"})
    assert await store.scan("") == [("b", b"2"), ("d", b"4"), ("e", b"5")]
    await store.close()


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"url": "http://x"}, "does not begin with `mongodb://`"),
        ({"url": "mongodb://x", "host": "y", "tls": True}, "leave out `host`, `tls`"),
    ],
)
def test_settings_that_make_no_sense_are_refused(settings: dict[str, Any], words: str) -> None:
    with pytest.raises(ValidationError, match=words):
        MongoKeyValueConfig.model_validate(settings)


def test_messages_name_the_server_without_its_password() -> None:
    config = MongoKeyValueConfig(url=SecretStr("mongodb://u:p%40@a:1,b:2/x"))
    assert config.place() == "the MongoDB server at a:1,b:2"
