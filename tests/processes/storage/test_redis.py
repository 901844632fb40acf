"""What a store in Redis promises beyond the suite: servers that die, come back, lose things, or want a password."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import trustme
from pydantic import SecretStr, ValidationError
from redis import Redis

from runtime.conformance.stacks import run_config, serving
from runtime.conformance.upstream import CHAT_MODEL, upstream_server
from runtime.errors import Unavailable
from runtime.storage.kv import Put, Remove
from runtime.storage.kv.redis import RedisKeyValueStore
from runtime.storage.redis.config import RedisKeyValueConfig
from runtime.storage.redis.scripts import EXPIRING, KEYS
from tests.support.redis_server import RedisServer, redis_server
from tests.support.stack_home import reserved_port
from tests.support.stacks import openai_at

DURABLE = ("--appendonly", "yes", "--appendfsync", "always")


@pytest.fixture
def server(tmp_path: Path) -> Iterator[RedisServer]:
    """One that loses nothing."""
    with redis_server(tmp_path, *DURABLE) as running:
        yield running


def store_at(server: RedisServer, **settings: Any) -> RedisKeyValueStore:
    return RedisKeyValueStore(RedisKeyValueConfig(host="127.0.0.1", port=server.port, **settings))


async def test_a_server_that_comes_back_is_used_again(server: RedisServer) -> None:
    store = store_at(server)
    await asyncio.gather(*(store.set(f"k{number}", b"1") for number in range(20)))
    server.kill()
    for call in (store.get("k1"), store.set("k1", b"2"), store.scan(""), store.delete("k1")):
        with pytest.raises(Unavailable) as raised:
            await call
        assert raised.value.code == "storage_unavailable"
        assert raised.value.message.startswith(f"the Redis server at 127.0.0.1:{server.port} could not be ")
    server.start()
    assert await store.get("k1") == b"1"  # which it kept, and its scripts are gone
    assert await store.write(Put("k1", b"3"), expected={"k1": b"1"})
    assert len(await store.scan("k")) == 20
    await store.close()


async def test_a_server_that_was_never_there_is_used_once_it_is(server: RedisServer) -> None:
    server.kill()
    store = store_at(server)
    with pytest.raises(Unavailable, match=r"could not be read: .*refused"):
        await store.get("key")
    server.start()
    assert await store.get("key") is None
    await store.close()


async def test_what_was_acknowledged_survives_a_kill_where_the_log_is_synced(server: RedisServer) -> None:
    store = store_at(server)
    acknowledged: list[str] = []
    enough = asyncio.Event()

    async def write(writer: int) -> None:
        for number in range(10_000):
            try:
                await store.write(Put(f"{writer}/{number:05}", b"x" * 100), Remove(f"{writer}/{number - 1:05}/no"))
            except Unavailable:
                return
            acknowledged.append(f"{writer}/{number:05}")
            if len(acknowledged) == 500:
                enough.set()

    writers = [asyncio.ensure_future(write(writer)) for writer in range(16)]
    async with asyncio.timeout(30):
        await enough.wait()
    server.kill()
    await asyncio.gather(*writers)
    server.start()
    kept = {key for key, _ in await store.scan("")}
    assert len(acknowledged) >= 500
    assert set(acknowledged) <= kept
    await store.close()


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (DURABLE, ""),
        (("--appendonly", "yes", "--appendfsync", "everysec"), "`appendfsync` is `everysec`"),
        ((), "`appendonly` is `no`"),
        (
            (*DURABLE, "--maxmemory", "100mb", "--maxmemory-policy", "allkeys-lru"),
            "`maxmemory-policy` is `allkeys-lru`",
        ),
    ],
)
async def test_settings_that_lose_what_was_acknowledged_are_told_once(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, options: tuple[str, ...], words: str
) -> None:
    with redis_server(tmp_path, *options) as running, caplog.at_level(logging.WARNING):
        store = store_at(running)
        await asyncio.gather(store.get("a"), store.get("b"))
        await store.close()
    assert len(caplog.messages) == bool(words)
    assert words in "".join(caplog.messages)


async def test_a_user_who_may_not_ask_for_settings_can_use_it(server: RedisServer) -> None:
    with server.client() as admin:
        rights = ("~llama-stack:*", "+@all", "-config", "-info")
        admin.execute_command("ACL", "SETUSER", "app", "on", ">s e@cret", *rights)
    store = store_at(server, user="app", password=SecretStr("s e@cret"))
    await store.set("key", b"1")
    assert await store.get("key") == b"1"
    await store.close()
    url = f"redis://app:s%20e%40cret@127.0.0.1:{server.port}/0"
    by_url = RedisKeyValueStore(RedisKeyValueConfig(url=SecretStr(url)))
    assert await by_url.get("key") == b"1"
    await by_url.close()
    wrong = store_at(server, user="app", password=SecretStr("no"))
    with pytest.raises(Unavailable) as raised:
        await wrong.get("key")
    assert "invalid username-password pair" in raised.value.message and "no`" not in raised.value.message
    await wrong.close()


async def test_a_connection_can_be_encrypted(tmp_path: Path) -> None:
    authority = trustme.CA()
    issued = authority.issue_cert("localhost")
    issued.private_key_pem.write_to_path(str(tmp_path / "key"))
    issued.cert_chain_pems[0].write_to_path(str(tmp_path / "cert"))
    authority.cert_pem.write_to_path(str(tmp_path / "ca"))
    options = ["--tls-auth-clients", "no"]
    for setting, name in (("key-file", "key"), ("cert-file", "cert"), ("ca-cert-file", "ca")):
        options += [f"--tls-{setting}", str(tmp_path / name)]
    with reserved_port() as port, redis_server(tmp_path, *options, "--tls-port", str(port)):
        store = RedisKeyValueStore(RedisKeyValueConfig(port=port, tls=True, ca_cert_path=str(tmp_path / "ca")))
        await store.set("key", b"1")
        assert await store.get("key") == b"1"
        await store.close()
        strict = RedisKeyValueStore(RedisKeyValueConfig(port=port, tls=True))
        with pytest.raises(Unavailable, match="certificate"):
            await strict.get("key")
        await strict.close()


async def test_keys_of_values_that_expired_do_not_pile_up(server: RedisServer) -> None:
    store = store_at(server)
    with server.client() as admin:
        for number in range(50):
            await store.set(f"lease/{number}", b"1", ttl_s=0.001)
        await _until_expired(admin)
        await store.set("last", b"1", ttl_s=100)
        assert (admin.zcard(KEYS), admin.zcard(EXPIRING)) == (1, 1)
        await store.set("last", b"2")
        assert (admin.zcard(KEYS), admin.zcard(EXPIRING)) == (1, 0)
        await store.set("gone", b"1", ttl_s=0.001)
        await _until_expired(admin)
        assert await store.scan("") == [("last", b"2")]  # which takes out what it finds gone
        assert admin.zcard(KEYS) == 1
    await store.close()


async def _until_expired(admin: Redis) -> None:
    async with asyncio.timeout(10):
        while any(name for name in admin.keys("llama-stack:kv:lease/*") + admin.keys("llama-stack:kv:gone")):
            await asyncio.sleep(0)


async def test_a_long_scan_is_read_in_parts(server: RedisServer) -> None:
    store = store_at(server)
    await store.write(*(Put(f"k{number:05}", b"") for number in range(2500)))
    await store.write(*(Put(f"m{number}", b"x" * 1_500_000) for number in range(8)))
    assert [key for key, _ in await store.scan("k")] == [f"k{number:05}" for number in range(2500)]
    assert [key for key, _ in await store.scan("k", limit=1001)] == [f"k{number:05}" for number in range(1001)]
    assert [key for key, _ in await store.scan("m")] == [f"m{number}" for number in range(8)]
    await store.close()


async def test_a_memory_that_is_full_is_told_and_costs_nothing(tmp_path: Path) -> None:
    with redis_server(tmp_path, *DURABLE, "--maxmemory", "8mb") as running:
        store = store_at(running)
        await store.set("first", b"1")
        with pytest.raises(Unavailable, match="maxmemory"):
            for number in range(100):
                await store.set(f"big{number}", b"x" * 1_000_000)
        assert await store.get("first") == b"1"
        assert await store.delete("big0")
        await store.set("small", b"1")
        await store.close()


async def test_registrations_are_kept_in_redis(server: RedisServer, tmp_path: Path) -> None:
    backends = {"kv_default": {"type": "kv_redis", "host": "127.0.0.1", "port": str(server.port), "namespace": "mine"}}
    async with upstream_server() as vendor:
        run = run_config(openai_at(vendor.url), storage={"backends": backends})
        body = {"model_id": "mine", "provider_id": "vendor", "provider_model_id": CHAT_MODEL}
        async with serving(run, tmp_path) as served:
            assert (await served.client.post("/v1/models", body)).status == 200
            server.kill()
            refused = await served.client.post("/v1/models", {**body, "model_id": "other"})
            assert (refused.status, refused.json()["error"]["code"]) == (503, "storage_unavailable")
            server.start()
            assert (await served.client.post("/v1/models", {**body, "model_id": "other"})).status == 200
        async with serving(run, tmp_path) as served:
            for name in ("mine", "other"):
                assert (await served.client.get(f"/v1/models/{name}")).status == 200


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"url": "http://x"}, "does not begin with `redis://`"),
        ({"url": "redis://x", "host": "y", "db": 1}, "leave out `host`, `db`"),
        ({"port": 0}, "greater than or equal to 1"),
    ],
)
def test_settings_that_make_no_sense_are_refused(settings: dict[str, Any], words: str) -> None:
    with pytest.raises(ValidationError, match=words):
        RedisKeyValueConfig.model_validate(settings)


def test_messages_name_the_server_without_its_password() -> None:
    assert RedisKeyValueConfig(url=SecretStr("redis://u:p%40@host:1/2")).place() == "the Redis server at host:1"
