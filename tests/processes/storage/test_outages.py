"""A database that cannot be used: while a server runs, and when it starts. What was acknowledged is kept."""

from __future__ import annotations

import asyncio
import shutil
import subprocess
from collections.abc import Callable, Collection, Iterator
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from tests.support.postgres import PostgresServer, new_server
from tests.support.server_process import ServerProcess, server_process

pytestmark = pytest.mark.e2e
UNAVAILABLE = ("unavailable_error", "storage_unavailable")


def run_config(**backends: Any) -> dict[str, Any]:
    files = {"provider_id": "localfs", "provider_type": "inline::localfs"}
    storage = {"backends": backends, "stores": {}}
    return {"version": 2, "distro_name": "kept", "providers": {"inference": [], "files": [files]}, "storage": storage}


async def upload(server: ServerProcess, content: bytes = b"x") -> tuple[int, Any]:
    data = aiohttp.FormData({"purpose": "user_data"})
    data.add_field("file", content, filename="a.txt")
    return await server.ask("POST", "/v1/files", data=data)


async def kept(server: ServerProcess) -> set[str]:
    status, page = await server.ask("GET", "/v1/files?limit=10000")
    assert status == 200, page
    return {file["id"] for file in page["data"]}


async def health(server: ServerProcess) -> tuple[str, str, str | None]:
    status, provider = await server.ask("GET", "/v1/providers/localfs")
    assert status == 200, provider
    return provider["health"]["status"], provider["health"]["state"], provider["health"]["message"]


async def until(holds: Callable[[], bool], senders: Collection[asyncio.Task[None]]) -> None:
    """Lets the senders work until something holds; a sender that ends has failed."""
    async with asyncio.timeout(60):
        while not holds():
            done, _ = await asyncio.wait(senders, timeout=0.01, return_when=asyncio.FIRST_COMPLETED)
            for sender in done:
                raise AssertionError("a sender has ended") from sender.exception()


async def until_more(acknowledged: Collection[str], senders: Collection[asyncio.Task[None]]) -> None:
    count = len(acknowledged)
    await until(lambda: len(acknowledged) >= count + 50, senders)


@pytest.fixture(scope="session")
def small_disk(tmp_path_factory: pytest.TempPathFactory) -> tuple[list[str], Path]:
    """The start of a command that sees a disk of 2 MB at a path. Skips where this user may mount nothing."""
    place = tmp_path_factory.mktemp("small")
    mount = 'mount -t tmpfs -o size=2m small "$0" && exec "$@"'
    if shutil.which("unshare") is None:
        pytest.skip("a small disk needs `unshare`")
    into = ["unshare", "--map-root-user", "--mount", "sh", "-c", mount, str(place)]
    tried = subprocess.run([*into, "true"], capture_output=True, text=True, check=False)
    if tried.returncode != 0:
        pytest.skip(f"this user may not mount a small disk: {tried.stderr.strip()}")
    return into, place


async def test_a_full_disk_is_a_503_loses_nothing_and_is_over_when_there_is_room(
    tmp_path: Path, small_disk: tuple[list[str], Path]
) -> None:
    into, place = small_disk
    backends = {
        "kv_default": {"type": "kv_memory"},
        "sql_default": {"type": "sql_sqlite", "db_path": f"{place}/sql.db"},
    }
    async with server_process(run_config(**backends), tmp_path, inside=into) as server:
        await server.until("provider started")
        (_, first), (_, second) = await upload(server), await upload(server)
        disk = Path(f"/proc/{server.process.pid}/root{place}")
        filler = disk / "filler"
        with filler.open("wb", buffering=0) as file, pytest.raises(OSError, match="No space left"):
            while True:
                file.write(b"x" * 512)
        acknowledged = {first["id"], second["id"]}
        for _ in range(20):  # what has room in pages that are there already is kept
            status, answer = await upload(server)
            if status != 200:
                break
            acknowledged.add(answer["id"])
        assert (status, answer["error"]["type"], answer["error"]["code"]) == (503, *UNAVAILABLE)
        assert f"`{place}/sql.db` could not be written: database or disk is full" in answer["error"]["message"]
        assert await kept(server) == acknowledged
        trouble = f"its last write failed: {answer['error']['message']}".partition("\nhint")[0]
        assert await health(server) == ("Error", "degraded", trouble)
        assert (await server.until("provider degraded"))["error"] == trouble  # which is when its record says so too
        filler.unlink()
        status, third = await upload(server)
        assert status == 200, third
        assert await kept(server) == acknowledged | {third["id"]}
        assert await health(server) == ("OK", "ready", None)


async def test_a_file_is_deleted_from_a_full_disk(tmp_path: Path, small_disk: tuple[list[str], Path]) -> None:
    """It was a 503: that it is gone had no room, which its bytes took."""
    into, place = small_disk
    backends = {
        "kv_default": {"type": "kv_memory"},
        "sql_default": {"type": "sql_sqlite", "db_path": f"{place}/sql.db"},
    }
    run = run_config(**backends)
    run["providers"]["files"][0]["config"] = {"storage_dir": f"{place}/content"}
    async with server_process(run, tmp_path, inside=into) as server:
        await server.until("provider started")
        (_, first), (_, second) = await upload(server, b"x" * 200_000), await upload(server, b"x" * 200_000)
        disk = Path(f"/proc/{server.process.pid}/root{place}")
        with (disk / "filler").open("wb", buffering=0) as file, pytest.raises(OSError, match="No space left"):
            while True:
                file.write(b"x" * 512)
        for one in (first, second):
            status, answer = await server.ask("DELETE", f"/v1/files/{one['id']}")
            assert status == 200, answer
        assert await kept(server) == set()


@pytest.fixture
def own_postgres() -> Iterator[PostgresServer]:
    with new_server(durable=True) as server:
        yield server


async def test_postgres_that_is_stopped_is_a_503_loses_nothing_and_is_used_again(
    tmp_path: Path, own_postgres: PostgresServer
) -> None:
    url = own_postgres.database()
    backends = {
        name: {"type": f"{name[:-8]}_postgres", "connection_string": url} for name in ("kv_default", "sql_default")
    }
    acknowledged: set[str] = set()
    failures: list[Any] = []

    async def send(server: ServerProcess, until: asyncio.Event) -> None:
        while not until.is_set():
            status, answer = await upload(server)
            if status == 200:
                acknowledged.add(answer["id"])
            else:
                failures.append((status, answer["error"]["type"], answer["error"]["code"], answer["error"]["message"]))

    async with server_process(run_config(**backends), tmp_path) as server:
        await server.until("provider started")
        for how in ("INT", "QUIT"):  # in order, and as if it had crashed
            failures.clear()
            over = asyncio.Event()
            senders = [asyncio.create_task(send(server, over)) for _ in range(8)]
            await until_more(acknowledged, senders)
            await asyncio.to_thread(own_postgres.stop, how)
            await until(lambda: any("Connection refused" in message for *_, message in failures), senders)
            await asyncio.to_thread(own_postgres.start)
            await until_more(acknowledged, senders)
            over.set()
            await asyncio.gather(*senders)
            assert {failure[:3] for failure in failures} == {(503, *UNAVAILABLE)}
            place = f"the PostgreSQL database `{url.rpartition('/')[2]}` at 127.0.0.1:{own_postgres.port} could not be "
            assert all(message.startswith(place) for *_, message in failures)
            assert acknowledged <= await kept(server)
        assert server.process.returncode is None
    async with server_process(run_config(**backends), tmp_path) as server:
        await server.until("provider started")
        assert acknowledged <= await kept(server)


def told(server: ServerProcess) -> str:
    """The one line of an error, from the first name in it; beside it is a hint and nothing else."""
    error, blank, hint = server.words.split("\n")
    assert error.startswith("error: the ") and not blank and hint.startswith("hint: check ")
    return error[error.index("`") :]


def _text(path: Path) -> None:
    path.write_text("no database, however long it is" * 1000)


@pytest.mark.parametrize("backend", ["kv_default", "sql_default"])
@pytest.mark.parametrize(
    ("make", "reason"), [(_text, "file is not a database"), (Path.mkdir, "Is a directory")], ids=["a text", "a folder"]
)
async def test_what_is_no_database_is_told_in_a_line_when_the_server_starts(
    tmp_path: Path, backend: str, make: Any, reason: str
) -> None:
    path = tmp_path / "it.db"
    make(path)
    backends = {
        name: {"type": f"{name[:-8]}_sqlite", "db_path": str(path if name == backend else tmp_path / name)}
        for name in ("kv_default", "sql_default")
    }
    async with server_process(run_config(**backends), tmp_path) as server:
        assert await server.ended() == 7
        assert told(server) == f"`{path}` could not be opened: {reason}"


async def test_a_database_that_may_only_be_read_is_told_in_a_line_when_the_server_starts(
    tmp_path: Path, small_disk: tuple[list[str], Path]
) -> None:
    into, place = small_disk
    read_only = [*into, "sh", "-c", 'mount -o remount,ro "$0" && exec "$@"', str(place)]
    backends = {
        "kv_default": {"type": "kv_memory"},
        "sql_default": {"type": "sql_sqlite", "db_path": f"{place}/sql.db"},
    }
    async with server_process(run_config(**backends), tmp_path, inside=read_only) as server:
        assert await server.ended() == 7
        assert told(server) == f"`{place}/sql.db` could not be opened: Read-only file system"


async def test_a_postgres_that_is_not_there_is_told_in_a_line_when_the_server_starts(tmp_path: Path) -> None:
    backends = {
        "kv_default": {"type": "kv_memory"},
        "sql_default": {"type": "sql_postgres", "host": "127.0.0.1", "port": 1},
    }
    async with server_process(run_config(**backends), tmp_path) as server:
        assert await server.ended() == 7
        assert told(server) == "`llamastack` at 127.0.0.1:1 could not be opened: Connection refused"
