"""Where rows of `inline::localfs` may be from, and what is said of what cannot be read."""

from __future__ import annotations

import asyncio
import gzip
import json
import os
from collections.abc import AsyncIterator, Iterator
from http.server import ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from runtime.conformance.datasetio.subject import append, page, register, registered, rows_of, versions_of
from runtime.conformance.form import HEADERS, field, file, form
from runtime.conformance.stacks import Served, run_config, serving
from runtime.providers.datasetio.localfs.hub import Hub as HubClient
from tests.support.small_server import SmallHandler, running, url_of

ROWS = [{"question": "Of France?", "answer": "Paris", "n": 1}, {"question": "Of Spain?", "answer": None, "n": 2}]
LINES = b"".join(json.dumps(row).encode() + b"\n" for row in ROWS)
FILES: dict[str, tuple[bytes, str]] = {
    "a.jsonl": (LINES, "application/octet-stream"),
    "a.json": (json.dumps(ROWS, indent=2).encode(), "application/json"),
    "a.csv": (b"\xef\xbb\xbfquestion,answer,n\r\nOf France?,Paris,1\r\nOf Spain?,,2\r\n", "text/csv"),
    "a.tsv": (b"question\tanswer\tn\nOf France?\tParis\t1\nOf Spain?\t\t2\n", "text/plain"),
    "semicolons": (b"question;answer;n\nOf France?;Paris;1\n\nOf Spain?;;2\n", "text/csv"),
    "a.jsonl.gz": (gzip.compress(LINES), "application/gzip"),
}


class Hub(SmallHandler):
    """Files, and the hub's list of Parquet files: https://huggingface.co/docs/dataset-viewer/parquet"""

    protocol_version = "HTTP/1.1"
    parquet = b""
    asked: list[tuple[str, str | None]] = []  # noqa: RUF012  # of all

    def do_GET(self) -> None:
        self.asked.append((self.path, self.headers.get("authorization")))
        url = f"http://{self.headers['host']}"
        if self.path == "/api/datasets/acme/capitals/parquet":
            files = [f"{url}/parquet/{number}.parquet" for number in range(2)]
            self.document({"default": {"train": files, "test": files[:1]}, "other": {"all": files[:1]}})
        elif self.path.startswith("/parquet/"):
            self.send_response(302)
            self.send_header("location", "/elsewhere/0.parquet")
            self.send_header("content-length", "0")
            self.end_headers()
        elif self.path.startswith("/elsewhere/"):
            self.answer(self.parquet)
        elif self.path == "/endless":
            self.answer(b"x" * 300_000)
        elif (found := FILES.get(self.path[1:])) is not None:
            self.answer(found[0], kind=found[1])
        else:
            self.document({"error": "Repository not found"}, status=404)


def parquet_of(folder: Path, selected: str) -> bytes:
    import duckdb

    path = folder / "made.parquet"
    duckdb.sql(f"COPY (SELECT {selected}) TO '{path}' (FORMAT parquet)")
    return path.read_bytes()


@pytest.fixture
def hub(tmp_path: Path) -> Iterator[str]:
    Hub.parquet = parquet_of(tmp_path, "unnest(['Paris', 'Madrid']) AS answer")
    Hub.asked.clear()
    with running(ThreadingHTTPServer(("127.0.0.1", 0), Hub)) as server:
        yield url_of(server)


@pytest_asyncio.fixture
async def served(tmp_path: Path, hub: str) -> AsyncIterator[Served]:
    (tmp_path / "allowed").mkdir()
    config = {
        "allowed_folders": [str(tmp_path / "allowed")],
        "read_private_addresses": True,
        "huggingface_url": hub,
        "api_key": "hf_secret",
        "max_source_bytes": 200_000,
    }
    async with serving(run_of(config), tmp_path / "state") as running_stack:
        yield running_stack


def run_of(config: dict[str, Any], **sections: Any) -> Any:
    entry = {"provider_id": "rows", "provider_type": "inline::localfs", "config": config}
    files = {"provider_id": "files", "provider_type": "inline::localfs"}
    return run_config(providers={"inference": [], "datasetio": [entry], "files": [files]}, persistent=True, **sections)


async def taken(served: Served, uri: str) -> list[Any]:
    answer = await register(served, {"type": "uri", "uri": uri})
    assert answer.status == 200, answer.body
    return await rows_of(served)


async def refused(served: Served, uri: str, status: int = 400) -> str:
    answer = await register(served, {"type": "uri", "uri": uri})
    assert (answer.status, answer.error["param"]) == (status, "source"), answer.body
    assert (await served.client.get("/v1beta/datasets")).json() == {"data": []}
    message: str = answer.error["message"]
    return message


@pytest.mark.parametrize("name", FILES)
async def test_every_format_is_read_from_a_server_and_from_a_folder(
    served: Served, hub: str, tmp_path: Path, name: str
) -> None:
    assert await taken(served, f"{hub}/{name}") == ROWS
    path = tmp_path / "allowed" / name
    path.write_bytes(FILES[name][0])
    assert await taken(served, str(path)) == ROWS
    assert await taken(served, path.as_uri()) == ROWS
    assert len(await versions_of(served)) == 1


async def test_what_changes_later_at_the_source_changes_nothing(served: Served, tmp_path: Path) -> None:
    path = tmp_path / "allowed" / "a.jsonl"
    path.write_bytes(LINES)
    await taken(served, str(path))
    path.unlink()
    assert await rows_of(served) == ROWS


async def test_a_file_of_the_older_kind_lies_in_the_providers_folder(served: Served, tmp_path: Path) -> None:
    folder = tmp_path / "state" / "datasetio" / "rows" / "lsfs"
    folder.mkdir()
    (folder / "a.jsonl").write_bytes(LINES)
    (tmp_path / "state" / "datasetio" / "rows" / "b.jsonl").write_bytes(LINES)
    assert await taken(served, "lsfs://a.jsonl") == ROWS
    answer = await register(served, {"type": "uri", "uri": "lsfs://../b.jsonl"})
    assert answer.status == 400 and "lsfs" in answer.error["message"]


async def test_a_file_of_the_callers_is_named_by_its_id(served: Served) -> None:
    body = form(field("purpose", "assistants"), file(LINES, filename="a.jsonl"))
    kept = (await served.client.post("/v1/files", body=body, headers=HEADERS)).json()
    assert await taken(served, kept["id"]) == ROWS
    assert (await served.client.request("DELETE", "/v1beta/datasets/rows")).status == 204
    assert "no such file" in await refused(served, "file-unknown")


@pytest.mark.parametrize(
    ("query", "rows"), [("?split=train", 4), ("?config=default&split=test", 2), ("?config=other", 2)]
)
async def test_a_dataset_of_the_hub_is_read_from_its_parquet(served: Served, hub: str, query: str, rows: int) -> None:
    found = await taken(served, f"huggingface://datasets/acme/capitals{query}")
    assert found == [{"answer": "Paris"}, {"answer": "Madrid"}] * (rows // 2)
    keys = {path.split("/")[1]: key for path, key in Hub.asked}
    assert keys == {"api": "Bearer hf_secret", "parquet": "Bearer hf_secret", "elsewhere": None}


async def test_all_files_of_a_dataset_of_the_hub_have_no_more_bytes_than_a_source_may(hub: str, tmp_path: Path) -> None:
    most = len(Hub.parquet) + 1
    config = {"huggingface_url": hub, "read_private_addresses": True, "max_source_bytes": most}
    async with serving(run_of(config), tmp_path / "state") as served:
        uri = "huggingface://datasets/acme/capitals?split="
        assert f"more than {most} bytes" in await refused(served, f"{uri}train", 413)
        assert len(await taken(served, f"{uri}test")) == 2


async def test_all_files_of_a_dataset_of_the_hub_have_no_more_time_than_a_source_may(
    hub: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    limit_s, asked = 0.3, len(Hub.asked)

    async def half_of_it(self: HubClient, *given: Any, timeout_s: float, **more: Any) -> None:
        await fetch(self, *given, timeout_s=timeout_s, **more)
        if len(Hub.asked) > asked + 3:
            await asyncio.Event().wait()

    fetch = HubClient.fetch
    monkeypatch.setattr(HubClient, "fetch", half_of_it)
    config = {"huggingface_url": hub, "read_private_addresses": True, "fetch_timeout_s": limit_s}
    async with asyncio.timeout(20), serving(run_of(config), tmp_path / "state") as served:
        message = await refused(served, "huggingface://datasets/acme/capitals?split=train")
    assert "it took longer than 0.3 s" in message


async def test_a_config_that_was_written_for_the_hub_reads_it_and_appends_here(hub: str, tmp_path: Path) -> None:
    config = {
        "huggingface_url": hub,
        "read_private_addresses": True,
        "kvstore": {"backend": "kv_default", "namespace": "datasets"},
    }
    entry = {"provider_id": "huggingface", "provider_type": "remote::huggingface", "config": config}
    uri = "huggingface://datasets/acme/capitals?split=test"
    run = run_config(providers={"inference": [], "datasetio": [entry]}, persistent=True)
    async with serving(run, tmp_path) as served:
        assert await taken(served, uri) == [{"answer": "Paris"}, {"answer": "Madrid"}]
        more = await served.client.post("/v1beta/datasetio/append-rows/rows", json={"rows": [{"answer": "Rome"}]})
        assert (more.status, more.json()["num_rows"]) == (200, 3)
        assert "the hub's dataset stays as it is" in more.headers["x-llama-warnings"]


@pytest.mark.parametrize(
    ("uri", "words"),
    [
        ("huggingface://datasets/acme/capitals", "say `split=` one of `train`, `test`"),
        ("huggingface://datasets/acme/capitals?split=trian", "did you mean `train`?"),
        ("huggingface://datasets/acme/capitals?config=othr", "did you mean `other`?"),
        ("huggingface://datasets/acme/unknown", "Repository not found"),
        ("huggingface://acme/capitals", "as in `huggingface://datasets/ORG/NAME?split=train`"),
        ("huggingface://datasets/../../etc", "it names no dataset of the hub"),
        ("huggingface://datasets/acme/capitals?revision=x", "has no `revision`"),
    ],
)
async def test_what_the_hub_does_not_have_is_said(served: Served, uri: str, words: str) -> None:
    assert words in await refused(served, uri)


async def test_a_file_in_a_long_folder_is_named_by_its_name(served: Served, tmp_path: Path) -> None:
    folder = tmp_path / "allowed" / ("deep-" * 12)
    folder.mkdir()
    (folder / "broken.jsonl").write_bytes(b"{]")
    assert "broken.jsonl`: line 1" in await refused(served, str(folder / "broken.jsonl"))


async def test_paths_lead_out_of_no_allowed_folder(served: Served, tmp_path: Path) -> None:
    (tmp_path / "secret.jsonl").write_bytes(LINES)
    allowed = tmp_path / "allowed"
    (allowed / "link").symlink_to(tmp_path / "secret.jsonl")
    (allowed / "circle").symlink_to("circle")
    os.mkfifo(allowed / "pipe")
    for uri in (
        tmp_path / "secret.jsonl", allowed / "../secret.jsonl", allowed / "link", allowed / "circle",
        (tmp_path / "secret.jsonl").as_uri(), f"file://{allowed}/%2e%2e/secret.jsonl", "/etc/passwd",
        f"{allowed}/{'x' * 5000}",
    ):  # fmt: skip
        assert "there is no such file below a folder that `allowed_folders` has" in await refused(served, str(uri))
    assert "is no file but a folder" in await refused(served, str(allowed))
    assert "is no file" in await refused(served, str(allowed / "pipe"))
    assert "neither an address nor an absolute path" in await refused(served, "secret.jsonl")
    assert "names a file of this machine" in await refused(served, "file://server/secret.jsonl")
    assert "cannot be read" in await refused(served, "s3://bucket/a.jsonl")


async def test_by_default_users_name_no_file_and_no_private_address(hub: str, tmp_path: Path) -> None:
    (tmp_path / "a.jsonl").write_bytes(LINES)
    async with serving(run_of({}), tmp_path / "state") as served:
        assert "`allowed_folders`" in await refused(served, str(tmp_path / "a.jsonl"))
        assert "`read_private_addresses`" in await refused(served, f"{hub}/a.jsonl")


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b'{"a": 1}\n\n{"a": }\n', "line 3 is no JSON"),
        (b'{"a": 1}\n[1]\n', "line 2 is no JSON object but `[1]`"),
        (b'{"a": 1}\n{"a": NaN}\n', "JSON has no NaN"),
        (b'{"a": 1}\n{"a": 1e999}\n', "line 2, column `a`"),
        (b'{"a": 1}\n{"a": "\xff"}\n', "line 2 is not UTF-8"),
        (b'{"a": "\\ud800"}\n', "line 1 is no JSON"),
        (b'[{"a": 1}, 2]', "item 2 is no JSON object but `2`"),
        (b'[{"a": 1}', "it is no JSON array"),
        (b'a,b\n1,2\n"x\ny",2\n1\n', "line 5 has 1 value, and the first line has 2"),
        (b"a,b\n1,2,3\n", "line 2 has 3 values, and the first line has 2"),
        (b'a,b\n1,"2\n', "line 2 is no CSV"),
        (b"a,a\n1,2\n", "has the column `a` twice"),
        (b"a,,b\n1,2,3\n", "names no column 2"),
        (b"a,b\n1,caf\xe9\n", "it is not UTF-8"),
        (b"", "it is empty"),
        (b" \n\n ", "it is empty"),
        (b"\x89PNG\r\n\x1a\n\0\0\0", "neither Parquet nor text"),
        (b"PAR1 and nothing of it", "it is no Parquet that can be read"),
        (b"\x1f\x8b and nothing of it", "broken gzip"),
        (gzip.compress(LINES)[:-12], "broken gzip"),
        (b"x" * 200_001, "it has more than 200000 bytes"),
        (gzip.compress(b"x" * 200_001), "more than 200000 bytes once it is decompressed"),
        (b'{"a": ' + b"[" * 50_000, "line 1 is no JSON"),
        (("{" + ",".join(f'"{n}": 1' for n in range(1001)) + "}").encode(), "1000 are the most"),
    ],
    ids=lambda value: value[:20] if isinstance(value, str) else "",
)
async def test_what_is_wrong_in_a_file_is_said_with_its_line(
    served: Served, tmp_path: Path, content: bytes, words: str
) -> None:
    (tmp_path / "allowed" / "broken").write_bytes(content)
    message = await refused(served, str(tmp_path / "allowed" / "broken"), 413 if "more than 200000" in words else 400)
    assert words in message and "`rows`" in message and "broken`" in message
    state = tmp_path / "state" / "datasetio" / "rows"
    assert [*(state / "temporary").iterdir()] == [] and [*(state / "datasets").iterdir()] == []


async def test_what_a_server_does_not_give_is_said(served: Served, hub: str) -> None:
    assert "its server answered 404" in await refused(served, f"{hub}/unknown")
    assert "more than 200000 bytes" in await refused(served, f"{hub}/endless", 413)
    assert "cannot be read" in await refused(served, "http://127.0.0.1:9/a.jsonl")


async def test_values_of_csv_are_no_more_than_they_are(served: Served, tmp_path: Path) -> None:
    path = tmp_path / "allowed" / "a.csv"
    path.write_text(
        "id,zip,day,flag,mixed,big,real,text\n"
        '1,007,2024-01-31,true,1,18446744073709551616,1,"a ""b"",\nc"\n'
        "-2,123,31.1.,FALSE,x,-5,2.50,NA\n"
    )
    assert repr(await taken(served, str(path))) == repr([
        {"id": 1, "zip": "007", "day": "2024-01-31", "flag": True, "mixed": "1", "big": 18446744073709551616,
         "real": 1.0, "text": 'a "b",\nc'},
        {"id": -2, "zip": "123", "day": "31.1.", "flag": False, "mixed": "x", "big": -5, "real": 2.5, "text": "NA"},
    ])  # fmt: skip


async def test_parquet_keeps_what_json_can_say(served: Served, tmp_path: Path) -> None:
    selected = """1::UTINYINT AS a, 18446744073709551615::UBIGINT AS b, 1.50::DECIMAL(9, 2) AS c, 0.5::FLOAT AS d,
        DATE '2024-01-31' AS e, 'ab'::BLOB AS f, [1, NULL, 2] AS g, {'x': 'y', 'z': [0.5]} AS h, 'nan'::DOUBLE AS i,
        TIMESTAMP '2024-01-31 10:00:00' AS j, NULL::INTEGER AS k, MAP {'k': 1} AS l, true AS m, 'ü' AS "N ""\""""
    (tmp_path / "allowed" / "a.parquet").write_bytes(parquet_of(tmp_path, selected))
    assert repr(await taken(served, str(tmp_path / "allowed" / "a.parquet"))) == repr([{
        "a": 1, "b": 18446744073709551615, "c": 1.5, "d": 0.5, "e": "2024-01-31", "f": "YWI=", "g": [1, None, 2],
        "h": {"x": "y", "z": [0.5]}, "i": None, "j": "2024-01-31 10:00:00", "k": None, "l": {"k": 1}, "m": True,
        'N "': "ü",
    }])  # fmt: skip


@pytest.mark.parametrize("value", ["'inf'::DOUBLE", "['nan'::DOUBLE]", "{'a': '-inf'::FLOAT}"])
async def test_numbers_that_json_lacks_are_refused(served: Served, tmp_path: Path, value: str) -> None:
    (tmp_path / "allowed" / "a.parquet").write_bytes(parquet_of(tmp_path, f"unnest(['NaN', 'x']) AS a, {value} AS b"))
    assert "row 1 has a number that JSON does not have" in await refused(
        served, str(tmp_path / "allowed" / "a.parquet")
    )


async def test_a_page_has_no_more_bytes_than_it_may(tmp_path: Path) -> None:
    rows = [{"number": number, "text": "x" * (5000 if number == 7 else 100)} for number in range(50)]
    async with serving(run_of({"max_page_bytes": 1024}), tmp_path / "state") as served:
        await registered(served, rows[:30])
        await append(served, rows[30:])
        for filters in ({}, {"filters": {"type": "gte", "key": "number", "value": 0}}):
            found: list[Any] = []
            pages = 0
            has_more = True
            while has_more:
                answer = await page(served, start_index=len(found), **filters)
                assert len(answer.body) < 1300 or len(answer.json()["data"]) == 1
                found += answer.json()["data"]
                has_more, pages = answer.json()["has_more"], pages + 1
            assert found == rows and 6 <= pages <= 10
