"""What files at OpenAI have otherwise: the vendor's ids, errors and ranges."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from runtime.conformance.files.service import rows_of
from runtime.conformance.files.subject import listed, upload, uploaded
from runtime.conformance.form import HEADERS, field, file, form
from runtime.conformance.stacks import adapter_of, run_config, serving
from tests.conformance.files.subjects.openai import KEY, Vendor, entry, server_of
from tests.support.small_server import running, url_of
from tests.support.stack_home import reserved_port


async def test_a_file_has_the_vendor_s_id(tmp_path: Path) -> None:
    with running(server_of(vendor := Vendor())) as server:
        run = run_config(providers={"inference": [], "files": [entry(url_of(server))]})
        async with serving(run, tmp_path) as served:
            kept = await uploaded(served, b"x")
    assert [*vendor.files] == [kept["id"]] and kept["id"].startswith("file-Vendor")


@pytest.mark.parametrize("knows_ranges", [True, False])
async def test_a_range_is_those_bytes_whether_the_vendor_knows_ranges_or_not(
    tmp_path: Path, knows_ranges: bool
) -> None:
    content = bytes(range(256)) * 1000
    with running(server_of(Vendor(knows_ranges=knows_ranges))) as server:
        run = run_config(providers={"inference": [], "files": [entry(url_of(server))]})
        async with serving(run, tmp_path) as served:
            kept = await uploaded(served, content)
            path = f"/v1/files/{kept['id']}/content"
            for asked, wanted in (("bytes=70000-70009", slice(70000, 70010)), ("bytes=0-9", slice(0, 10))):
                answer = await served.client.get(path, headers={"range": asked})
                assert (answer.status, answer.body) == (206, content[wanted])


async def test_a_vendor_that_is_down_or_broken_is_told(tmp_path: Path) -> None:
    vendor = Vendor()
    with running(server_of(vendor)) as server:
        run = run_config(providers={"inference": [], "files": [entry(url_of(server), network={"retries": 0})]})
        async with serving(run, tmp_path) as served:
            kept = await uploaded(served, b"x")
            vendor.status = 500
            answer = await upload(served)
            assert answer.status == 502 and "we are broken" in answer.error["message"]
            answer = await served.client.get(f"/v1/files/{kept['id']}/content")
            assert answer.status == 502
            assert (await served.client.request("DELETE", f"/v1/files/{kept['id']}")).status == 200
            assert await listed(served) == []
            assert [*vendor.files] == [kept["id"]]
            vendor.status = None
            await adapter_of(served.stack, "files").collect_now()
            assert vendor.files == {}


async def test_a_vendor_that_gives_an_id_twice_costs_nobody_a_file(tmp_path: Path) -> None:
    with running(server_of(vendor := Vendor(by_content=True))) as server:
        run = run_config(providers={"inference": [], "files": [entry(url_of(server))]})
        async with serving(run, tmp_path) as served:
            kept = await uploaded(served, b"the same")
            answer = await upload(served, b"the same")
            assert (answer.status, answer.error["code"]) == (409, "already_exists")
            assert kept["id"] in answer.error["message"]
            await adapter_of(served.stack, "files").collect_now()
            assert await rows_of(served) == [*vendor.files] == [kept["id"]]


async def test_a_vendor_that_is_not_reached_is_told(tmp_path: Path) -> None:
    with reserved_port() as port:
        run = run_config(providers={"inference": [], "files": [entry(f"http://127.0.0.1:{port}")]})
        async with serving(run, tmp_path) as served:
            answer = await upload(served)
            assert (answer.status, answer.error["code"]) == (503, "upstream_unreachable")
            assert "`files`" in answer.error["message"] and str(port) in answer.error["message"]
            assert await rows_of(served) == []


async def test_a_wrong_key_of_the_config_is_told(tmp_path: Path) -> None:
    with running(server_of(Vendor())) as server:
        run = run_config(providers={"inference": [], "files": [entry(url_of(server), api_key="sk-wrong")]})
        async with serving(run, tmp_path) as served:
            answer = await upload(served)
    assert (answer.status, answer.error["code"]) == (502, "upstream_refused_key")
    assert "sk-wrong" not in answer.error["message"]


async def test_a_caller_may_bring_the_key(tmp_path: Path) -> None:
    with running(server_of(Vendor())) as server:
        run = run_config(providers={"inference": [], "files": [entry(url_of(server), api_key=None)]})
        async with serving(run, tmp_path) as served:
            answer = await upload(served)
            assert (answer.status, answer.error["code"]) == (401, "invalid_api_key")
            assert "files_api_key" in answer.error["message"]
            data = json.dumps({"files_api_key": KEY})
            body = form(field("purpose", "vision"), file(b"x"))
            headers = {**HEADERS, "x-llamastack-provider-data": data}
            answer = await served.client.post("/v1/files", body=body, headers=headers)
            assert answer.status == 200, answer.body
