"""What a file was read as stays what whoever continues reads, and is read once."""

from __future__ import annotations

import base64
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from aiohttp import web
from websockets.asyncio.client import connect

from runtime.conformance.form import HEADERS, file, form
from runtime.conformance.form import field as form_field
from runtime.conformance.stacks import Served, adapter_of, run_config, serving
from runtime.conformance.upstream import Upstream
from runtime.conformance.upstream.scripted import says
from runtime.providers.responses.builtin.tables import READINGS
from runtime.server.app import make_app
from runtime.storage.sql import Select
from tests.conformance.responses.asking import MODEL, Asking, Json
from tests.conformance.responses.ways import ByConversation, ById, BySocket, Talk, Way
from tests.support.raw_http import listening
from tests.support.stacks import openai_at


@dataclass
class Site:
    """A web site whose pages say how often they were asked for."""

    url: str = ""
    times: dict[str, int] = field(default_factory=dict)

    async def answer(self, request: web.Request) -> web.Response:
        number = self.times[request.path] = self.times.get(request.path, 0) + 1
        return web.Response(text=f"Version {number}", content_type="text/plain")

    def part(self, name: str) -> Json:
        return {"type": "input_file", "file_url": f"{self.url}/{name}.txt"}


@pytest_asyncio.fixture
async def site() -> AsyncIterator[Site]:
    found, app = Site(), web.Application()
    app.router.add_get("/{path:.*}", found.answer)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    found.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
    yield found
    await runner.cleanup()


@asynccontextmanager
async def stack(vendor: Upstream, folder: Path) -> AsyncIterator[Served]:
    """One that reads addresses of this machine."""
    config = {"read_private_addresses": True}
    providers = {
        "inference": [openai_at(vendor.url)],
        "files": [{"provider_id": "localfs", "provider_type": "inline::localfs"}],
        "file_processors": [{"provider_id": "auto", "provider_type": "inline::auto"}],
        "responses": [{"provider_id": "builtin", "provider_type": "inline::builtin", "config": config}],
    }
    async with serving(run_config(providers=providers), folder) as running:
        yield running


def user(*parts: Json) -> list[Json]:
    return [{"role": "user", "content": [*parts]}]


def prompt(asking: Asking) -> list[Any]:
    """What the model read last."""
    return [message["content"] for message in asking.vendor.calls("/chat/completions")[-1].json()["messages"]]


async def kept(served: Served) -> int:
    store = adapter_of(served.stack, "responses")._kept._store
    return len(await store.select(Select(READINGS)))


@pytest.mark.parametrize(
    ("way", "streams"), [("id", False), ("id", True), ("conversation", True), ("socket", False), ("socket", True)]
)
async def test_an_address_is_asked_once_in_a_history(
    upstream: Upstream, site: Site, tmp_path: Path, way: str, streams: bool
) -> None:
    """In turns that are kept and, where a connection remembers them, in those that are not."""
    async with stack(upstream, tmp_path) as served, listening(
        make_app(served.stack, hosts=[], starts_stack=False)
    ) as door, connect(f"ws://127.0.0.1:{door.port}/v1/responses") as socket:  # fmt: skip
        asking = Asking(served.client, upstream)
        ways: dict[str, Way] = {
            "id": ById(asking, streams=streams),
            "conversation": ByConversation(asking, streams=streams),
            "socket": BySocket(asking, streams=streams, talk=Talk(socket)),
        }
        asking.says(says("ok"))
        talk = ways[way]
        await talk.turn(user(site.part("a")), {})
        await talk.turn(user({"type": "input_text", "text": "And?"}), {})
        await talk.turn(user(site.part("a"), site.part("b")), {})
        await talk.turn(user({"type": "input_text", "text": "So?"}), {})
    first, again, other = "a.txt:\n\nVersion 1", "a.txt:\n\nVersion 2", "b.txt:\n\nVersion 1"
    assert prompt(asking) == [first, "ok", "And?", "ok", again + other, "ok", "So?"]
    assert site.times == {"/a.txt": 2, "/b.txt": 1}, "whoever gives an address again wants to have it read again"


async def test_it_survives_a_restart_and_goes_with_its_response(upstream: Upstream, site: Site, tmp_path: Path) -> None:
    upstream.misbehaves = None
    async with stack(upstream, tmp_path) as served:
        asking = Asking(served.client, upstream)
        first = await asking.whole(user(site.part("a")))
        assert await kept(served) == 1
    async with stack(upstream, tmp_path) as served:
        asking = Asking(served.client, upstream)
        second = await asking.whole("And?", previous_response_id=first["id"])
        assert prompt(asking)[0] == "a.txt:\n\nVersion 1"
        assert await kept(served) == 1, "once for each history"
        for response in (second, first):
            assert (await asking.client.request("DELETE", f"/v1/responses/{response['id']}")).status == 200
        assert await kept(served) == 0
    assert site.times == {"/a.txt": 1}


async def test_a_stored_document_is_read_once_and_images_of_here_are_not_kept_twice(
    upstream: Upstream, tmp_path: Path
) -> None:
    async with stack(upstream, tmp_path) as served:
        asking = Asking(served.client, upstream)
        body = form(form_field("purpose", "user_data"), file(b"Every eight weeks.", filename="hooves.txt"))
        file_id = (await asking.client.post("/v1/files", body=body, headers=HEADERS)).json()["id"]
        first = await asking.whole(user({"type": "input_file", "file_id": file_id}))
        assert (await asking.client.request("DELETE", f"/v1/files/{file_id}")).status == 200
        await asking.whole("And?", previous_response_id=first["id"])
        assert prompt(asking)[0] == "hooves.txt:\n\nEvery eight weeks."
        assert await kept(served) == 1
        image = base64.b64encode(b"\x89PNG\r\n\x1a\n").decode()
        await asking.whole(user({"type": "input_file", "file_data": image, "filename": "a.png"}))
        assert await kept(served) == 1


async def test_nothing_is_kept_of_what_is_not_stored(upstream: Upstream, site: Site, tmp_path: Path) -> None:
    async with stack(upstream, tmp_path) as served:
        asking = Asking(served.client, upstream)
        await asking.whole(user(site.part("a")), store=False)
        await asking.streamed(user(site.part("a")), store=False)
        assert await kept(served) == 0


async def test_one_in_the_background_reads_what_its_request_read(
    upstream: Upstream, site: Site, tmp_path: Path
) -> None:
    async with stack(upstream, tmp_path) as served:
        asking = Asking(served.client, upstream)
        events = await asking.streamed(user(site.part("a")), background=True)
        assert prompt(asking) == ["a.txt:\n\nVersion 1"]
        named = [{"id": "msg_mine", **user(site.part("b"))[0]}]
        await asking.streamed(named, background=True)
        assert prompt(asking) == ["b.txt:\n\nVersion 1"]
        await asking.whole("And?", previous_response_id=events[0]["response"]["id"])
        assert prompt(asking)[0] == "a.txt:\n\nVersion 1"
    assert site.times == {"/a.txt": 1, "/b.txt": 1}


async def test_the_id_of_an_item_counts_in_its_own_history_only(upstream: Upstream, site: Site, tmp_path: Path) -> None:
    """Some clients number their items from one in each conversation."""
    async with stack(upstream, tmp_path) as served:
        asking = Asking(served.client, upstream)
        named = [{"id": "msg_1", **user(site.part("a"))[0]}]
        first = await asking.whole(named)
        other = await asking.whole(named)
        for response, version in ((first, 1), (other, 2), (first, 1)):
            await asking.whole("And?", previous_response_id=response["id"])
            assert prompt(asking)[0] == f"a.txt:\n\nVersion {version}"


async def test_what_is_referred_to_and_what_was_compacted_is_read_as_before(
    upstream: Upstream, site: Site, tmp_path: Path
) -> None:
    async with stack(upstream, tmp_path) as served:
        asking = Asking(served.client, upstream)
        first = await asking.whole(user(site.part("a")))
        items = (await asking.client.get(f"/v1/responses/{first['id']}/input_items")).json()["data"]
        await asking.whole([{"type": "item_reference", "id": items[0]["id"]}])
        assert prompt(asking) == ["a.txt:\n\nVersion 1"]
        asked = [*user(site.part("b")), {"role": "assistant", "content": "x"}]
        compacted = await asking.client.post("/v1/responses/compact", {"model": MODEL, "input": asked})
        await asking.whole("And?", previous_response_id=compacted.json()["id"])
        assert "b.txt:\n\nVersion 1" in prompt(asking)
        again = await asking.whole(items)
        assert again["status"] == "completed" and site.times == {"/a.txt": 1, "/b.txt": 1}
