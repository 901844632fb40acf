"""Containers and their files: made, listed, read, deleted, expired."""

from __future__ import annotations

import asyncio
import os
from pathlib import Path

import pytest

from runtime.apis.containers.running import BringFilesRequest
from runtime.conformance.form import HEADERS, field, file, form
from runtime.conformance.stacks import adapter_of, serving
from runtime.errors import RateLimited, Unavailable
from runtime.providers.containers.bubblewrap import isolation
from tests.conformance.containers.asking import CONTAINERS, Asking
from tests.conformance.containers.conftest import config

pytestmark = pytest.mark.asyncio(loop_scope="module")


async def test_a_container_is_made_read_and_deleted(containers: Asking) -> None:
    made = await containers.done("POST", body={"name": "a \u2603", "expires_after": {"minutes": 5}})
    assert made["status"] == "running" and made["name"] == "a \u2603" and made["memory_limit"] == "1g"
    assert made["expires_after"] == {"anchor": "last_active_at", "minutes": 5}
    assert made["network_policy"]["type"] == "disabled"
    assert await containers.done("GET", f"/{made['id']}") == made
    assert (await containers.done("DELETE", f"/{made['id']}"))["deleted"] is True
    for method in ("GET", "DELETE"):
        assert (await containers.refused(404, method, f"/{made['id']}"))["code"] == "container_not_found"


async def test_containers_are_listed_by_page_and_name(containers: Asking) -> None:
    ids = [await containers.made(name="listed") for _ in range(3)]
    page = await containers.done("GET", "?name=listed&limit=2")
    assert [one["id"] for one in page["data"]] == ids[:0:-1] and page["has_more"]
    rest = await containers.done("GET", f"?name=listed&limit=2&after={page['last_id']}")
    assert [one["id"] for one in rest["data"]] == ids[:1] and not rest["has_more"]


@pytest.mark.parametrize(
    ("field", "value", "status"),
    [
        ("network_policy", {"type": "allowlist", "allowed_domains": ["a.example"]}, 501),
        ("image", "ubuntu", 501),
        ("skills", [{"id": "x"}], 501),
        ("memory_limit", "64g", 400),
        ("memory_limit", "2g", 400),
        ("expires_after", {"minutes": 0}, 400),
        ("file_ids", ["file-that-is-not-there"], 404),
    ],
)
async def test_what_is_not_here_is_refused_by_name(containers: Asking, field: str, value: object, status: int) -> None:
    before = await containers.done("GET", "?limit=100")
    error = await containers.refused(status, "POST", body={"name": "a", field: value})
    assert field in f"{error['param']} {error['message']}" or field == "file_ids"
    assert await containers.done("GET", "?limit=100") == before


async def test_files_go_in_and_come_out(containers: Asking) -> None:
    made = await containers.made()
    sent = await containers.put(made, "dir/..\\a b \u2603.csv", b"x,y\n1,2\n")
    assert sent["path"] == "/mnt/data/a b \u2603.csv" and sent["source"] == "user" and sent["bytes"] == 8
    assert await containers.logs(made, "print(open('a b \u2603.csv').read().split())") == "['x,y', '1,2']\n"
    await containers.logs(made, "import os; os.makedirs('a/b'); open('a/b/c.txt', 'w').write('deep')")
    files = await containers.files(made)
    assert files["/mnt/data/a/b/c.txt"]["source"] == "assistant"
    assert await containers.content(made, "/mnt/data/a/b/c.txt") == b"deep"
    path = f"/{made}/files/{sent['id']}"
    part = await containers.ask("GET", f"{path}/content", headers={"range": "bytes=4-6"})
    assert part.status == 206 and part.body == b"1,2"
    assert (await containers.done("GET", path)) == sent
    assert (await containers.done("DELETE", path))["object"] == "container.file.deleted"
    assert (await containers.refused(404, "GET", f"{path}/content"))["code"] == "container_file_not_found"
    assert "a b" not in await containers.logs(made, "import os; print(os.listdir())")


async def test_files_that_are_sent_at_once_are_each_listed_once(containers: Asking) -> None:
    made = await containers.made()
    names = [f"{number}.txt" for number in range(12)]
    sent = await asyncio.gather(*(containers.put(made, name, b"x") for name in names))
    found = (await containers.done("GET", f"/{made}/files?limit=100"))["data"]
    assert sorted(one["path"] for one in found) == sorted(f"/mnt/data/{name}" for name in names)
    assert {one["id"] for one in sent} == {one["id"] for one in found}
    await containers.logs(made, "1")  # whose files of the folder are followed, too
    assert (await containers.done("GET", f"/{made}/files?limit=100"))["data"] == found


async def test_a_file_of_the_files_api_is_copied(containers: Asking) -> None:
    body = form(field("purpose", "user_data"), file(b"from there", filename="there.txt"))
    kept = await containers.served.client.request("POST", "/v1/files", body=body, headers=HEADERS)
    made = await containers.made(file_ids=[kept.json()["id"]])
    assert await containers.content(made, "/mnt/data/there.txt") == b"from there"
    answered = await containers.sent(made, field("file_id", kept.json()["id"]))
    assert answered.status == 200 and len(await containers.files(made)) == 1
    as_json = await containers.done("POST", f"/{await containers.made()}/files", {"file_id": kept.json()["id"]})
    assert as_json["path"] == "/mnt/data/there.txt"
    for body in ({}, {"file_id": 5}, {"file": "x"}, []):
        assert (await containers.ask("POST", f"/{made}/files", body)).status == 400


@pytest.mark.parametrize(("file_id", "status"), [("", 400), ("file-none", 404)])
async def test_a_file_that_is_not_there_is_named_by_its_place(containers: Asking, file_id: str, status: int) -> None:
    made = await containers.refused(status, "POST", body={"name": "x", "file_ids": [file_id]})
    assert made["param"] == "file_ids[0]"
    there = await containers.made()
    sent = await containers.sent(there, field("file_id", file_id))
    assert (sent.status, sent.error["param"]) == (status, "file_id")


async def test_a_file_that_is_too_large_is_refused_and_leaves_nothing(containers: Asking) -> None:
    made = await containers.made()
    answered = await containers.sent(made, file(b"x" * (64 * 1024**2 + 1)))
    assert answered.status == 413 and "disk_bytes" in answered.error["message"]
    assert await containers.files(made) == {}
    assert (await containers.sent(made, field("x", "y"))).status == 400


async def test_a_file_that_is_one_too_many_is_refused_for_that(containers: Asking) -> None:
    made = await containers.made()
    await containers.logs(made, "for at in range(199): open(f'{at}', 'w').close()")
    await containers.put(made, "zz", b"the last one")
    answered = await containers.sent(made, file(b"x", filename="zzz"))
    assert answered.status == 413 and "`max_files`" in answered.error["message"]
    await containers.put(made, "zz", b"in its place")
    assert len((await containers.done("GET", f"/{made}/files?limit=100"))["data"]) == 100


async def test_a_name_that_is_a_folder_is_a_conflict(containers: Asking) -> None:
    made = await containers.made()
    await containers.logs(made, "import os; os.mkdir('taken')")
    answered = await containers.sent(made, file(b"x", filename="taken"))
    assert answered.status == 409 and "/mnt/data/taken" in answered.error["message"]


@pytest.mark.parametrize("name", ["..", ".", "a/..", "\\"])
async def test_a_name_that_is_none_is_refused(containers: Asking, name: str) -> None:
    made = await containers.made()
    assert (await containers.sent(made, file(b"x", filename=name))).status == 400


async def test_a_name_that_is_too_long_is_cut_before_its_ending(containers: Asking) -> None:
    made = await containers.made()
    sent = await containers.put(made, "\u2603" * 200 + ".csv", b"x")
    name = sent["path"].removeprefix("/mnt/data/")
    assert name.endswith("\u2603.csv") and len(name.encode()) <= 255


async def test_what_has_expired_is_gone_but_can_be_looked_at(can_isolate: None, tmp_path: Path) -> None:
    async with serving(config(), tmp_path) as served:
        asking = Asking(served, served.stack.api("containers"))
        made = await asking.made(expires_after={"minutes": 1})
        await asking.put(made, "a.txt", b"a")
        await asking.logs(made, "x = 1")
        adapter = adapter_of(served.stack, "containers")
        row = await adapter._kept.row(made)
        await adapter._kept.touch({**row, "expires_after_minutes": -1})
        assert (await asking.done("GET", f"/{made}"))["status"] == "expired"
        answered = await asking.sent(made, file(b"b"))
        assert answered.status == 400 and answered.error["code"] == "container_expired"
        await adapter.sweep_now()
        assert [*adapter._folders.iterdir()] == [] and await asking.files(made) == {}
        assert adapter._processes._slots == {}


async def test_files_outlive_the_server_and_what_code_defined_does_not(can_isolate: None, tmp_path: Path) -> None:
    async with serving(config(), tmp_path / "state") as served:
        first = Asking(served, served.stack.api("containers"))
        made = await first.made()
        await first.logs(made, "x = 1; open('kept.txt', 'w').write('kept')")
    async with serving(config(), tmp_path / "state") as served:
        second = Asking(served, served.stack.api("containers"))
        run = await second.run(made, "print(open('kept.txt').read()); x")
        assert run.is_fresh and run.logs == "kept\n" and "NameError" in (run.error or "")


async def test_the_process_that_was_idle_longest_ends_for_another(can_isolate: None, tmp_path: Path) -> None:
    async with serving(config(max_running=2), tmp_path) as served:
        asking = Asking(served, served.stack.api("containers"))
        first, second, third = [await asking.made() for _ in range(3)]
        for one in (first, second, third):
            await asking.logs(one, "x = 1")
        assert (await asking.run(second, "x")).logs == "1\n"
        assert (await asking.run(first, "1")).is_fresh
        busy = [asyncio.create_task(asking.run(one, "import time; time.sleep(2)")) for one in (first, second)]
        await asking.run(third, "1")
        await asyncio.gather(*busy)


async def test_code_that_finds_no_place_is_told_so(can_isolate: None, tmp_path: Path) -> None:
    async with serving(config(max_running=1, wait_s=0.1), tmp_path) as served:
        asking = Asking(served, served.stack.api("containers"))
        first, second = [await asking.made() for _ in range(2)]
        await asking.logs(first, "1")
        busy = asyncio.create_task(asking.run(first, "import time; time.sleep(3)"))
        await asyncio.sleep(0)
        while not adapter_of(served.stack, "containers")._processes.is_used(first):
            await asyncio.sleep(0)
        with pytest.raises(RateLimited, match="1 containers run code"):
            await asking.run(second, "1")
        await busy


async def test_deleting_ends_what_runs(containers: Asking) -> None:
    made = await containers.made()
    await containers.logs(made, "1")
    busy = asyncio.create_task(containers.run(made, "while True: pass"))
    slot = adapter_of(containers.served.stack, "containers")._processes._slots[made]
    async with asyncio.timeout(10):
        while slot.process is None or slot.process.runs < 2:
            await asyncio.sleep(0)
    assert (await containers.ask("DELETE", f"/{made}")).status == 200
    async with asyncio.timeout(10):
        with pytest.raises(Unavailable, match="it was deleted"):
            await busy
    assert not (adapter_of(containers.served.stack, "containers")._folders / made).exists()


async def test_what_another_server_has_is_left_as_it_is(containers: Asking, tmp_path: Path) -> None:
    """Two servers on one database, each with folders of its own."""
    made = await containers.made()
    sent = await containers.put(made, "a.txt", b"there")
    adapter = adapter_of(containers.served.stack, "containers")
    folders, adapter._folders = adapter._folders, tmp_path / "of-another"
    try:
        for method, path in (("GET", f"/files/{sent['id']}/content"), ("DELETE", f"/files/{sent['id']}")):
            error = await containers.refused(503, method, f"/{made}{path}")
            assert error["code"] == "container_elsewhere"
        with pytest.raises(Unavailable, match="is not on this server"):
            await containers.run(made, "1")
        with pytest.raises(Unavailable, match="is not on this server"):
            await containers.api.bring_files(BringFilesRequest(container_id=made))
        assert (await containers.sent(made, file(b"x", filename="b.txt"))).status == 503
        assert (await containers.done("GET", f"/{made}"))["status"] == "running"
        await adapter.sweep_now()
    finally:
        adapter._folders = folders
    assert await containers.files(made) == {"/mnt/data/a.txt": sent}
    assert await containers.content(made, "/mnt/data/a.txt") == b"there"


async def test_both_versions_of_the_route_are_served(containers: Asking) -> None:
    answered = await containers.served.client.get(CONTAINERS.replace("/v1/", "/v1alpha/"))
    assert answered.status == 200


async def test_a_host_that_cannot_isolate_refuses_and_says_why(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    refusing = tmp_path / "bwrap"
    refusing.write_text("#!/bin/sh\necho 'bwrap: setting up uid map: Permission denied' >&2\nexit 1\n")
    refusing.chmod(0o755)
    monkeypatch.setattr(isolation, "_programs", lambda: iter([refusing]))
    async with serving(config(), tmp_path / "state") as served:
        asking = Asking(served, served.stack.api("containers"))
        adapter = adapter_of(served.stack, "containers")
        assert (await adapter.check_health()).status == "OK", "nobody has tried"
        if os.geteuid() == 0:
            monkeypatch.setattr(isolation.Isolation, "command", lambda *_, **__: [str(refusing)])
        error = await asking.refused(501, "POST", body={"name": "a"})
        assert error["code"] == "cannot_isolate" and "setting up uid map: Permission denied" in error["message"]
        assert "kernel.unprivileged_userns_clone" in error["message"]
        health = await adapter.check_health()
        assert health.status == "OK" and "no container can be made" in (health.message or "")
        assert "Permission denied" in (health.message or "")
        assert (await asking.done("GET"))["data"] == []


@pytest.mark.parametrize(
    ("name", "value", "words"),
    [
        ("_programs", lambda: iter(()), "bubblewrap is not installed"),
        ("_OLDEST", (99, 0), "run Linux 5.14 or newer"),
        ("ARCHITECTURES", {}, "cannot be filtered"),
    ],
)
async def test_health_says_what_is_missing_before_anybody_asks(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, value: object, words: str
) -> None:
    monkeypatch.setattr(isolation, name, value)
    async with serving(config(), tmp_path) as served:
        health = await adapter_of(served.stack, "containers").check_health()
        assert health.status == "OK" and words in (health.message or "")
        asking = Asking(served, served.stack.api("containers"))
        assert words in (await asking.refused(501, "POST", body={"name": "a"}))["message"]
