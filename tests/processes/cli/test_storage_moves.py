"""What a stack keeps moves from SQLite to PostgreSQL and back, whole, and is served there."""

from __future__ import annotations

import asyncio
import gzip
import hashlib
import io
import json
import tarfile
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import aiohttp
import pytest
import pytest_asyncio

from runtime.apis import files as files_api
from runtime.conformance.upstream import CHAT_MODEL, Upstream, upstream_server
from runtime.providers.files._shared.backend import NewFile
from runtime.providers.files._shared.folder import Folder
from runtime.providers.files._shared.tables import SCHEMA as FILES_SCHEMA
from runtime.storage.kv import KeyValue, Put
from runtime.storage.placement import StorageConfig
from runtime.storage.sql import Insert, Select, SqlStore
from runtime.storage.stores import Stores
from tests.conformance.sql.test_migrations import first_version
from tests.support.built_distribution import built_distribution
from tests.support.command_runner import Cli
from tests.support.schemas import conform
from tests.support.server_process import ServerProcess, server_process
from tests.support.stacks import openai_at

LARGE = bytes(range(256)) * 12_000
FILES = {"small.txt": b"hello", "a large \N{LLAMA}.bin": LARGE, "empty": b""}


@pytest_asyncio.fixture
async def upstream() -> AsyncIterator[Upstream]:
    async with upstream_server() as running:
        yield running


def run_config(name: str, upstream: Upstream, postgres_url: str | None = None) -> dict[str, Any]:
    backends: dict[str, Any] = {"kv_default": {"type": "kv_sqlite"}, "sql_default": {"type": "sql_sqlite"}}
    if postgres_url is not None:
        backends = {kind: {"type": f"{kind}_postgres", "connection_string": postgres_url} for kind in ("kv", "sql")}
    files = {"provider_id": "localfs", "provider_type": "inline::localfs", "config": {}}
    return {
        "version": 2,
        "distro_name": name,
        "providers": {"inference": [openai_at(upstream.url)], "files": [files]},
        "storage": {"backends": backends},
    }


async def use(server: ServerProcess) -> str:
    """Have it keep something of each kind. Returns the id of a conversation."""
    await server.until("provider started")
    for number in range(3):
        body = {"model": f"vendor/{CHAT_MODEL}", "messages": [{"role": "user", "content": f"Say {number}"}]}
        status, answer = await server.ask("POST", "/v1/chat/completions", json={**body, "store": True})
        assert status == 200, answer
    for name, content in FILES.items():
        data = aiohttp.FormData(quote_fields=False)
        data.add_field("purpose", "user_data")
        data.add_field("file", io.BytesIO(content), filename=name)
        status, answer = await server.ask("POST", "/v1/files", data=data)
        assert status == 200, answer
    model = {"model_id": "mine", "provider_id": "vendor", "provider_model_id": CHAT_MODEL}
    status, answer = await server.ask("POST", "/v1/models", json=model)
    assert status == 200, answer
    said = [{"type": "message", "role": "user", "content": f"Say {number}"} for number in range(3)]
    talk = {"metadata": {"topic": "\N{LLAMA}"}, "items": said}
    status, conversation = await server.ask("POST", "/v1/conversations", json=talk)
    assert status == 200, conversation
    found: str = conversation["id"]
    return found


async def kept(server: ServerProcess, conversation: str) -> dict[str, Any]:
    """All of it, as its API tells of it."""
    await server.until("provider started")
    items = f"/v1/conversations/{conversation}/items"
    lists = ("/v1/chat/completions", "/v1/files", items)
    found = {path: (await server.ask("GET", path))[1]["data"] for path in lists}
    found["conversation"] = (await server.ask("GET", f"/v1/conversations/{conversation}"))[1]["metadata"]
    assert len(found[items]) == 3
    contents = {}
    async with aiohttp.ClientSession() as session:
        for file in found["/v1/files"]:
            async with session.get(f"{server.url}/v1/files/{file['id']}/content") as answer:
                contents[file["filename"]] = await answer.read()
    models = [model["id"] for model in (await server.ask("GET", "/v1/models"))[1]["data"]]
    return {**found, "contents": contents, "models": models}


def done(cli: Cli, schema: str, *arguments: str) -> Any:
    result = cli(*schema.split("-"), *arguments, "--json")
    assert result.code == 0, result.out
    conform(result.json(), schema)
    return result.json()


def checksums(parts: list[dict[str, Any]]) -> dict[str, Any]:
    return {part["kind"]: (part["rows"], part["files"], part["rows_sha256"], part["files_sha256"]) for part in parts}


async def test_a_stack_moves_to_postgres_and_back(
    cli: Cli, upstream: Upstream, postgres_url: str, tmp_path: Path
) -> None:
    there = {name: built_distribution(cli.home, name) for name in ("here", "there", "back")}
    configs = {name: run_config(name, upstream, postgres_url if name == "there" else None) for name in there}
    for name, folder in there.items():
        (folder / "run.yaml").write_text(json.dumps(configs[name]))
    archive, again = str(tmp_path / "here.tar.gz"), str(tmp_path / "there.tar")
    async with server_process(configs["here"], there["here"]) as server:
        conversation = await use(server)
        before = await kept(server, conversation)
        exported = done(cli, "stack-storage-export", "here", archive)  # beside a server that runs
    assert before["contents"] == FILES
    counts = {part["kind"]: (part["rows"], part["files"]) for part in exported["parts"]}
    talk = {"conversations": (1, 0), "conversations_items": (3, 0)}
    assert counts == {"completions": (3, 0), **talk, "files": (3, 3), "registrations": (1, 0)}

    would = done(cli, "stack-storage-import", "there", archive, "--dry-run")
    assert checksums(would["parts"]) == checksums(exported["parts"])
    assert [row for row in done(cli, "stack-storage-show", "there")["kept"] if row["count"]] == []
    imported = done(cli, "stack-storage-import", "there", archive)
    assert checksums(imported["parts"]) == checksums(exported["parts"])
    assert all(part["is_same"] and part["added"] == part["rows"] for part in imported["parts"])
    async with server_process(configs["there"], there["there"]) as server:
        assert await kept(server, conversation) == before
        refused = cli("stack", "storage", "import", "there", archive, "--merge")
        assert (refused.code, "is in use by another process" in refused.err) == (5, True)

    assert checksums(done(cli, "stack-storage-export", "there", again)["parts"]) == checksums(exported["parts"])
    assert done(cli, "stack-storage-import", "back", again)["parts"] == imported["parts"]
    async with server_process(configs["back"], there["back"]) as server:
        assert await kept(server, conversation) == before


async def test_an_export_leaves_the_tables_of_an_older_version_as_they_are(cli: Cli, tmp_path: Path) -> None:
    """A server of that version may be using them."""
    files = {"files": [{"provider_id": "localfs", "provider_type": "inline::localfs"}]}
    run_yaml = {"version": 2, "distro_name": "here", "apis": ["files"], "providers": files}
    state = built_distribution(cli.home, "here", json.dumps(run_yaml)) / "state"
    older = first_version(FILES_SCHEMA)
    facts = {"position": 1, "size_bytes": 0, "created_at": 1, "filename": "", "purpose": "", "content_type": ""}
    row = {**facts, "id": "file-1", "checksum": "", "state": "kept"}

    async def opened() -> tuple[Stores, SqlStore]:
        stores = Stores(StorageConfig(), state, files_api.API.stores)
        return stores, stores.sql("files", older)

    stores, store = await opened()
    await store.write(Insert(older.tables[0], row))
    await stores.close()
    folder = Folder(state / "files" / "localfs" / "content", name="localfs")
    await folder.put(NewFile(id="file-1"), _no_bytes())
    exported = await asyncio.to_thread(done, cli, "stack-storage-export", "here", str(tmp_path / "here.tar"))
    assert [(part["kind"], part["rows"], part["files"]) for part in exported["parts"]] == [("files", 1, 1)]
    stores, store = await opened()
    assert [found["state"] for found in await store.select(Select(older.tables[0]))] == ["kept"]
    await stores.close()


async def _no_bytes() -> AsyncIterator[bytes]:
    yield b""


@pytest.fixture
def exported(cli: Cli, tmp_path: Path) -> Path:
    """An archive with two registrations, of the distribution `here`; `there` is the same without them."""
    for name in ("here", "there"):
        built_distribution(cli.home, name, f"version: 2\ndistro_name: {name}\napis: [inspect]\nproviders: {{}}\n")

    state = cli.home / "distributions" / "here" / "state"
    asyncio.run(_put(state, Put("model:a", b"\xff\x00"), Put("model:\N{LLAMA}", b"{}")))
    archive = tmp_path / "here.tar"
    done(cli, "stack-storage-export", "here", str(archive))
    return archive


def test_what_goes_into_an_archive(cli: Cli, exported: Path) -> None:
    would = done(cli, "stack-storage-export", "here", "nowhere-yet.tar", "--dry-run")
    assert (would["size_bytes"], would["parts"][0]["rows"], Path("nowhere-yet.tar").exists()) == (None, 2, False)
    with tarfile.open(exported) as archive:
        names = archive.getnames()
        stream = archive.extractfile("metadata-keys/000001.jsonl")
        assert stream is not None
        rows = [json.loads(line) for line in stream]
    assert names == ["stack.json", "metadata-keys/000001.jsonl", "manifest.json"]
    assert rows == [{"key": "model:a", "value": "/wA="}, {"key": "model:\N{LLAMA}", "value": "e30="}]
    assert exported.stat().st_mode & 0o077 == 0


async def _put(state: Path, *changes: Put) -> None:
    stores = Stores(StorageConfig(), state)
    await stores.kv("metadata").write(*changes)
    await stores.close()


async def _entries(state: Path) -> dict[str, KeyValue]:
    stores = Stores(StorageConfig(), state)
    found = await stores.kv("metadata").entries("")
    await stores.close()
    return {entry.key: entry for entry in found}


async def test_what_expires_does_so_after_a_move_too(cli: Cli, exported: Path) -> None:
    here, there = (cli.home / "distributions" / name / "state" for name in ("here", "there"))
    later, soon = time.time() + 3600, time.time() + 10
    await _put(here, Put("later", b"1", expires_at=later), Put("soon", b"2", expires_at=soon))
    parts = done(cli, "stack-storage-export", "here", str(exported), "--force")["parts"]
    assert [part["rows"] for part in parts] == [4]
    elapsed = exported.with_name("elapsed.tar")  # as if it had lain there for longer
    passed = f"{round(soon * 1000)}".encode(), b"1000"
    with tarfile.open(exported) as archive:
        stream = archive.extractfile("metadata-keys/000001.jsonl")
        assert stream is not None
        lines = stream.read()
    digests = [hashlib.sha256(text).hexdigest().encode() for text in (lines, lines.replace(*passed))]
    rewrite(exported, elapsed, lambda name, data: data.replace(*passed).replace(*digests))
    [part] = done(cli, "stack-storage-import", "there", str(elapsed))["parts"]
    assert (part["rows"], part["added"], part["left_out"], part["is_same"]) == (4, 3, 1, True)
    found = await _entries(there)
    assert sorted(found) == ["later", "model:a", "model:\N{LLAMA}"]
    assert found["later"].expires_at == pytest.approx(later, abs=0.001)
    said = cli("stack", "storage", "import", "there", str(elapsed), "--merge")
    assert "4 rows; 3 were here already; 1 were left out: expired meanwhile" in said.err
    altered = exported.with_name("altered.tar")
    rewrite(exported, altered, lambda name, data: data.replace(passed[0], b"99999999999999999"))
    refused = cli("stack", "storage", "import", "there", str(altered), "--merge")
    assert (refused.code, "a key of the archive expires at `99999999999999999`" in refused.err) == (1, True)


def test_what_is_there_is_never_overwritten(cli: Cli, exported: Path) -> None:
    done(cli, "stack-storage-import", "there", str(exported))
    refused = cli("stack", "storage", "import", "there", str(exported))
    assert (refused.code, refused.out) == (5, "")
    assert "something is kept here already: registrations\n\nhint: " in refused.err
    [part] = done(cli, "stack-storage-import", "there", str(exported), "--merge")["parts"]
    assert (part["rows"], part["added"], part["different"], part["is_same"]) == (2, 0, 0, True)
    said = cli("stack", "storage", "import", "there", str(exported), "--merge")
    assert said.err.endswith("imported; counts and checksums are those of the archive\n")


def test_what_was_there_and_is_another_stays_and_is_told(cli: Cli, exported: Path) -> None:
    altered = exported.with_name("altered.tar")
    rewrite(exported, altered, lambda name, data: data.replace(b'"e30="', b'"e319"') if "keys" in name else data)
    assert cli("stack", "storage", "import", "there", str(altered)).code == 1  # its end says otherwise
    [part] = done(cli, "stack-storage-import", "there", str(exported), "--merge")["parts"]
    assert (part["added"], part["different"], part["is_same"]) == (0, 1, False)
    said = cli("stack", "storage", "import", "there", str(exported), "--merge")
    assert "2 were here already, of which 1 are others than in the archive" in said.err


def test_what_nothing_here_keeps_is_refused_or_left_out(cli: Cli, exported: Path) -> None:
    altered = exported.with_name("altered.tar")

    def renamed(name: str, data: bytes) -> bytes:
        return data.replace(b'"metadata-keys"', b'"elsewhere-keys"') if name.endswith(".json") else data

    rewrite(exported, altered, renamed, folder="elsewhere-keys")
    refused = cli("stack", "storage", "import", "there", str(altered))
    assert refused.code == 1
    assert "nothing in this run config keeps what the archive has of registrations\n\nhint: " in refused.err
    assert done(cli, "stack-storage-import", "there", str(altered), "--skip", "registrations")["parts"] == []


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (b"", "it begins with something else|empty file"),
        (b"no archive at all" * 1000, "file could not be opened|invalid header"),
        (gzip.compress(b"neither is this" * 1000), "invalid header|could not be opened"),
    ],
    ids=["empty", "text", "compressed"],
)
def test_what_is_no_archive_is_refused(cli: Cli, exported: Path, data: bytes, said: str) -> None:
    exported.write_bytes(data)
    refused = cli("stack", "storage", "import", "there", str(exported))
    assert (refused.code, refused.out) == (1, "")
    assert refused.err.startswith("error: this is no archive of `llama stack storage export`: ")
    assert any(words in refused.err for words in said.split("|")), refused.err


@pytest.mark.parametrize(
    ("member", "more"), [("metadata-keys/000001.jsonl", 520), ("manifest.json", 0), ("manifest.json", 520)]
)
def test_what_is_not_whole_is_told(cli: Cli, exported: Path, member: str, more: int) -> None:
    with tarfile.open(exported) as archive:
        end = archive.getmember(member).offset + more
    exported.write_bytes(exported.read_bytes()[:end])
    refused = cli("stack", "storage", "import", "there", str(exported), "--dry-run")
    assert (refused.code, "this is no archive" in refused.err or "is not whole" in refused.err) == (1, True)


def test_an_archive_that_cannot_be_read_or_written_is_told_before_anything_else(cli: Cli, exported: Path) -> None:
    refused = cli("stack", "storage", "import", "there", "nowhere.tar")
    assert (refused.code, "cannot be read: No such file" in refused.err) == (2, True)
    refused = cli("stack", "storage", "export", "here", "/nowhere/a.tar")
    assert (refused.code, "there is no folder `/nowhere`" in refused.err) == (2, True)
    for more in ((), ("--dry-run",)):  # a backup is what one least wants replaced
        refused = cli("stack", "storage", "export", "here", str(exported), *more)
        told = f"error: `{exported}` is there already\n\nhint: `--force` replaces it, another name writes another\n"
        assert (refused.code, refused.err) == (5, told)
    assert cli("stack", "storage", "export", "here", str(exported), "--force").code == 0
    refused = cli("stack", "storage", "export", "here", "-", "--json")
    assert (refused.code, "wants standard output too" in refused.json()["error"]["message"]) == (2, True)


def test_an_export_that_fails_leaves_what_was_there(cli: Cli, exported: Path) -> None:
    before = exported.read_bytes()
    (cli.home / "distributions" / "here" / "state" / "kvstore.db").write_bytes(b"no database" * 100)
    refused = cli("stack", "storage", "export", "here", str(exported), "--force")
    assert (refused.code, "could not be opened" in refused.err) == (1, True)
    assert exported.read_bytes() == before
    assert [file.name for file in exported.parent.iterdir() if file.name.startswith(".")] == []


def rewrite(source: Path, target: Path, change: Any, *, folder: str = "") -> None:
    """The same archive with other contents, and where a folder is given, everything in that."""
    with tarfile.open(source) as old, tarfile.open(target, "w") as new:
        for member in old:
            stream = old.extractfile(member)
            assert stream is not None
            data = change(member.name, stream.read())
            if folder and "/" in member.name:
                member.name = f"{folder}/{member.name.partition('/')[2]}"
            member.size = len(data)
            new.addfile(member, io.BytesIO(data))
