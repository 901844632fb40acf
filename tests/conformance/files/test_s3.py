"""What an S3 bucket alone can do wrong."""

from __future__ import annotations

from pathlib import Path

from tests.conformance.files.subject import listed, upload, uploaded
from tests.conformance.files.subjects.s3 import entry
from tests.support.s3 import S3Server, new_server
from tests.support.stacks import Served, run_config, serving


async def refused(served: Served) -> str:
    """Why files are not available: the same wherever it is asked."""
    answer = await upload(served)
    assert answer.status == 503, answer.body
    shown = (await served.client.get("/v1/providers/files")).json()
    assert shown["health"]["state"] == "degraded"
    message: str = answer.error["message"]
    assert "files" in message and "bucket" in message
    return message


async def test_a_wrong_secret_is_told(s3_server: S3Server, tmp_path: Path) -> None:
    wrong = entry(s3_server, aws_secret_access_key="not-the-secret")
    async with serving(run_config(providers={"inference": [], "files": [wrong]}), tmp_path) as served:
        message = await refused(served)
    assert "403" in message and "key" in message and "not-the-secret" not in message


async def test_a_bucket_that_is_not_there_is_told(s3_server: S3Server, tmp_path: Path) -> None:
    missing = entry(s3_server, bucket_name="bucket-missing")
    async with serving(run_config(providers={"inference": [], "files": [missing]}), tmp_path) as served:
        message = await refused(served)
    assert "there is no bucket `bucket-missing`" in message and "auto_create_bucket" in message


async def test_a_bucket_is_made_where_the_config_says_so(s3_server: S3Server, tmp_path: Path) -> None:
    made = entry(s3_server, bucket_name="bucket-made", key_prefix="", auto_create_bucket=True)
    async with serving(run_config(providers={"inference": [], "files": [made]}), tmp_path) as served:
        kept = await uploaded(served, b"x" * 1000)
        assert s3_server.objects("", "bucket-made") == [kept["id"]]


async def test_a_server_that_goes_down_and_comes_again(tmp_path: Path) -> None:
    folder = tmp_path / "s3"
    folder.mkdir()
    with new_server(folder) as server:
        run = run_config(providers={"inference": [], "files": [entry(server)]})
        async with serving(run, tmp_path / "state") as served:
            kept = await uploaded(served, b"kept")
            server.stop()
            for answer in (await upload(served), await served.client.get(f"/v1/files/{kept['id']}/content")):
                assert (answer.status, answer.error["code"]) == (503, "storage_unavailable"), answer.body
                assert f"127.0.0.1:{server.port}" in answer.error["message"]
            assert await listed(served) == [kept["id"]]  # what is known about files is elsewhere
            server.start()
            assert (await served.client.get(f"/v1/files/{kept['id']}/content")).body == b"kept"
            await uploaded(served, b"again")


async def test_a_file_in_several_parts_is_whole(s3_server: S3Server, tmp_path: Path) -> None:
    content = bytes(range(256)) * 65536
    large = entry(s3_server, max_file_bytes=len(content))
    async with serving(run_config(providers={"inference": [], "files": [large]}), tmp_path) as served:
        kept = await uploaded(served, content)
        path = f"/v1/files/{kept['id']}/content"
        assert (await served.client.get(path)).body == content
        part = await served.client.get(path, headers={"range": "bytes=4194300-4194310"})
        assert part.body == content[4194300:4194311]


async def test_secrets_are_not_shown(s3_server: S3Server, tmp_path: Path) -> None:
    run = run_config(providers={"inference": [], "files": [entry(s3_server)]})
    async with serving(run, tmp_path) as served:
        shown = (await served.client.get("/v1/providers/files")).json()["config"]
    assert shown["endpoint_url"] == s3_server.url
    assert shown["aws_secret_access_key"] == shown["aws_access_key_id"] == "********"
