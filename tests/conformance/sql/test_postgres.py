"""What PostgreSQL alone has: connections that break, statements that it refuses, texts that it cannot hold."""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
import trustme
from pydantic import SecretStr

from runtime.errors import RequestError, StackError, Unavailable
from runtime.storage.postgres import connections, writes
from runtime.storage.postgres.config import PostgresSqlConfig
from runtime.storage.postgres.database import Database
from runtime.storage.sql import Column, Insert, Schema, Select, SqlStore, Table, Totals, Update, eq
from runtime.storage.sql.postgres import PostgresBackend
from tests.support.pgbouncer import pgbouncer
from tests.support.postgres import PostgresServer, new_server

ROWS = Table(name="", columns=(Column("id", "text"), Column("n", "integer")), key=("id",), has_owners=False)
SCHEMA = Schema(name="rows", tables=(ROWS,))


def settings(url: str, **given: Any) -> PostgresSqlConfig:
    return PostgresSqlConfig(connection_string=SecretStr(url), **given)


class Opened:
    """A store, and the database below it."""

    def __init__(self, database: Database, **queue: int) -> None:
        self.database = database
        self.backend = PostgresBackend(database, **queue)
        self.store = SqlStore(lambda: self.backend, SCHEMA, "rows")

    async def add(self, *ids: str) -> None:
        await self.store.write(*(Insert(ROWS, {"id": one, "n": 0}) for one in ids))

    async def count(self) -> int:
        return (await self.store.totals(Totals(ROWS)))["count"]


@pytest_asyncio.fixture
async def opened(postgres_url: str) -> AsyncIterator[Opened]:
    made = Opened(Database(settings(postgres_url)))
    await made.store.open()
    yield made
    await made.database.close()


async def test_a_text_with_u_0000_is_the_callers_mistake_and_nobody_elses(opened: Opened) -> None:
    outcomes = await asyncio.gather(
        opened.add("a"), opened.add("b\0"), opened.add("c", "d"), opened.add("e", "\0f"), return_exceptions=True
    )
    assert [type(outcome) for outcome in outcomes] == [type(None), RequestError, type(None), RequestError]
    assert str(outcomes[1]) == "a text has the character U+0000, which PostgreSQL cannot keep"
    assert await opened.count() == 3
    with pytest.raises(RequestError, match=r"U\+0000"):
        await opened.store.first(Select(ROWS, eq("id", "\0")))


async def test_a_value_of_the_wrong_type_is_a_bug_of_ours_and_hurts_nobody_else(opened: Opened) -> None:
    wrong = opened.store.write(Insert(ROWS, {"id": "wrong", "n": "seven"}))
    outcomes = await asyncio.gather(opened.add("a"), wrong, opened.add("b"), return_exceptions=True)
    assert outcomes[0] is outcomes[2] is None
    assert isinstance(outcomes[1], Exception) and not isinstance(outcomes[1], StackError)
    assert await opened.count() == 2


async def test_connections_that_the_server_ended_are_replaced(opened: Opened, postgres_server: PostgresServer) -> None:
    await asyncio.gather(opened.add("a"), *(opened.count() for _ in range(3)))
    postgres_server.run("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'llama-stack'")
    assert await asyncio.gather(*(opened.count() for _ in range(3))) == [1, 1, 1]
    await opened.add("b")
    assert await opened.count() == 2


async def test_a_connection_that_breaks_in_the_middle_is_told_and_the_next_write_works(
    opened: Opened, postgres_server: PostgresServer
) -> None:
    await opened.add("a")
    blocker = await opened.database.connections.connect(answer_s=None)
    async with blocker.transaction():
        await blocker.execute("UPDATE rows SET n = 1")
        waiting = asyncio.ensure_future(opened.store.write(Update(ROWS, {"n": 2}, eq("id", "a"))))
        lock = "SELECT pid FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND application_name = 'llama-stack'"
        while not (pids := await blocker.fetch(lock)):
            await asyncio.wait([waiting], timeout=0.01)
        await blocker.execute("SELECT pg_terminate_backend($1)", pids[0]["pid"])
        with pytest.raises(Unavailable) as raised:
            await waiting
    await blocker.close()
    assert raised.value.code == "storage_unavailable"
    assert await opened.store.write(Update(ROWS, {"n": 3}, eq("id", "a"))) == [1]


async def test_two_that_wait_for_each_other_are_both_done(opened: Opened, postgres_url: str) -> None:
    """A deadlock of two processes' transactions: the server ends one of them, and it is tried again."""
    await opened.add("a", "b")
    other = Opened(Database(settings(postgres_url)))

    async def change(one: Opened, first: str, second: str) -> None:
        for number in range(5):
            await one.store.write(
                Update(ROWS, {"n": number}, eq("id", first)), Update(ROWS, {"n": 0}, eq("id", second))
            )

    await asyncio.gather(change(opened, "a", "b"), change(other, "b", "a"))
    await other.database.close()


async def test_no_more_connections_than_there_may_be(postgres_url: str, postgres_server: PostgresServer) -> None:
    made = Opened(Database(settings(postgres_url, pool_size=1, max_overflow=2)), writers=4)
    await made.store.open()
    await asyncio.gather(*(made.add(f"r{number}") for number in range(50)), *(made.count() for _ in range(50)))
    alive = "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'llama-stack' AND datname = '{}'"
    count = alive.format(postgres_url.rpartition("/")[2])
    assert await made.count() == 50
    assert 1 <= int(postgres_server.run(count)) <= 3
    await made.database.close()
    assert postgres_server.run(count) == "0"


async def test_one_queue_does_not_wait_for_another(postgres_url: str) -> None:
    database = Database(settings(postgres_url))
    slow, quick = Opened(database), Opened(database)
    await slow.store.open()
    await slow.add("a")
    blocker = await database.connections.connect(answer_s=None)
    async with blocker.transaction():
        await blocker.execute("UPDATE rows SET n = 1")
        held = asyncio.ensure_future(slow.store.write(Update(ROWS, {"n": 2}, eq("id", "a"))))
        await quick.add("b")
        assert not held.done()
    assert await held == [1]
    await blocker.close()
    await database.close()


async def test_what_the_server_holds_up_delays_the_others_of_its_batch_twice_at_most(
    postgres_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each of a batch was asked again by itself, and each for as long as an answer may take."""
    monkeypatch.setattr(connections, "ANSWER_S", 0.2)
    made = Opened(Database(settings(postgres_url)), writers=1)
    await made.store.open()
    held = [f"held{number}" for number in range(20)]
    await made.add(*held)
    blocker = await made.database.connections.connect(answer_s=None)
    asked: list[Any] = []
    usual = writes._together
    monkeypatch.setattr(
        writes, "_together", lambda connection, batch: (asked.append(batch), usual(connection, batch))[1]
    )
    async with blocker.transaction():
        await blocker.execute("UPDATE rows SET n = 1")
        changes = [made.store.write(Update(ROWS, {"n": 2}, eq("id", one))) for one in held]
        outcomes = await asyncio.gather(made.add("free"), *changes, return_exceptions=True)
    await blocker.close()
    await made.database.close()
    assert outcomes[0] is None
    assert {type(outcome) for outcome in outcomes[1:]} == {Unavailable}
    assert len({id(outcome) for outcome in outcomes[1:]}) == len(held), "each has an error of its own"
    assert len(asked) == 3, "all together, the free one, and one that is held up"


async def test_callers_wait_for_a_place_in_a_full_queue(postgres_url: str) -> None:
    made = Opened(Database(settings(postgres_url)), max_waiting=5)
    await made.store.open()
    adding = [asyncio.ensure_future(made.add(f"r{number}")) for number in range(40)]
    await asyncio.wait(adding, timeout=0)
    assert len(made.backend._writes._waiting) <= 5
    await asyncio.gather(*adding)
    assert await made.count() == 40
    await made.database.close()


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (lambda url: url.rpartition("/")[0] + "/nowhere", 'database "nowhere" does not exist'),
        (lambda url: url.replace("postgres@", "nobody@"), 'role "nobody" does not exist'),
        (lambda url: "postgresql://postgres@127.0.0.1:1/x", "Connection refused"),
        (lambda url: f"{url}?sslmode=require", "rejected SSL upgrade"),
        (lambda url: f"{url}?sslmode=perhaps", "`sslmode` parameter must be one of"),
    ],
)
async def test_a_database_that_cannot_be_opened_says_why(postgres_url: str, change: Any, reason: str) -> None:
    made = Opened(Database(settings(change(postgres_url))))
    for call in (made.store.open, made.backend.read):
        with pytest.raises(Unavailable) as raised:
            await (call() if call == made.store.open else made.backend.read("SELECT 1", ()))
        assert raised.value.code == "storage_unavailable"
        assert raised.value.message.startswith("the PostgreSQL database `") and reason in raised.value.message
    await made.database.close()


async def test_without_prepared_statements_it_is_the_same(postgres_url: str) -> None:
    made = Opened(Database(settings(postgres_url, statement_cache_size=0, pool_pre_ping=False, pool_recycle=0)))
    await asyncio.gather(*(made.add(f"r{number}") for number in range(10)))
    assert await made.count() == 10
    await made.database.close()


async def test_behind_a_pgbouncer_that_pools_transactions_it_is_the_same(postgres_server: PostgresServer) -> None:
    name = postgres_server.database().rpartition("/")[2]
    with pgbouncer(postgres_server) as port:
        url = f"postgresql://postgres@127.0.0.1:{port}/{name}"
        made = Opened(Database(settings(url, statement_cache_size=0)), writers=4)
        other = Opened(Database(settings(url, statement_cache_size=0)))
        await asyncio.gather(*(one.add(f"{which}{n}") for n in range(30) for which, one in (("a", made), ("b", other))))
        assert await made.count() == await other.count() == 60
        await asyncio.gather(*(made.count() for _ in range(40)))
        await made.database.close()
        await other.database.close()


async def test_a_connection_is_encrypted_and_the_server_s_certificate_checked(tmp_path: Path) -> None:
    authority = trustme.CA()
    authority.cert_pem.write_to_path(tmp_path / "ca.pem")
    with new_server() as server:
        if not server.run("SHOW ssl_library"):
            pytest.skip("this PostgreSQL is built without TLS")
        certificate = authority.issue_cert("127.0.0.1")
        certificate.private_key_pem.write_to_path(server.folder / "server.key")
        certificate.cert_chain_pems[0].write_to_path(server.folder / "server.crt")
        for file in (server.folder / "server.key", server.folder / "server.crt"):
            file.chmod(0o600)
            if server.user is not None:
                shutil.chown(file, server.user)
        server.run("ALTER SYSTEM SET ssl = on")
        server.stop()
        server.start()
        url = server.database()
        parts = {"host": "127.0.0.1", "port": server.port, "db": url.rpartition("/")[2], "user": "postgres"}
        trusted = {"ssl_mode": "verify-full", "ca_cert_path": str(tmp_path / "ca.pem")}
        is_encrypted = "SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()"
        for config in (
            PostgresSqlConfig(**parts, **trusted),
            settings(url, **trusted),
            settings(url, ssl_mode="require"),
        ):
            database = Database(config)
            assert [tuple(row) for row in await database.read(is_encrypted, ())] == [(True,)]
            await database.close()
        trustme.CA().cert_pem.write_to_path(tmp_path / "ca.pem")
        database = Database(settings(url, **trusted))
        with pytest.raises(Unavailable, match="certificate verify failed"):
            await database.read("SELECT 1", ())
        await database.close()
