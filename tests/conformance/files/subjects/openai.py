"""Files at a local server that checks what OpenAI documents of its Files API, and refuses everything else.

https://platform.openai.com/docs/api-reference/files
"""

from __future__ import annotations

import io
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from http.server import ThreadingHTTPServer
from pathlib import Path

import pytest
from multipart import MultipartParser, parse_options_header

from runtime.conformance.files.service import over_service
from runtime.conformance.files.subject import LIMIT_BYTES, Subject
from tests.support.small_server import SmallHandler, running, url_of

KEY = "sk-files-test"


@dataclass
class Vendor:
    """files: what it has, by id. knows_ranges: whether it answers them. by_content: whether the same
    bytes are the same file. status: what it answers instead, as 500."""

    files: dict[str, bytes] = field(default_factory=dict)
    wrong: list[str] = field(default_factory=list)
    knows_ranges: bool = True
    by_content: bool = False
    status: int | None = None


def server_of(vendor: Vendor) -> ThreadingHTTPServer:
    """A server on a free port, not yet running."""

    class Handler(SmallHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["content-length"]))
            if self._refused():
                return
            kind, options = parse_options_header(self.headers["content-type"])
            form = MultipartParser(
                io.BytesIO(body), options["boundary"], spool_limit=len(body), memory_limit=2 * len(body)
            )
            parts = {part.name: part for part in form}
            if (self.path, kind, set(parts)) != ("/v1/files", "multipart/form-data", {"purpose", "file"}):
                vendor.wrong.append(f"{self.path} {kind} {set(parts)}")
                self.document({"error": {"message": "not as documented", "type": "invalid_request_error"}}, status=400)
                return
            same = [known for known, content in vendor.files.items() if content == parts["file"].raw]
            file_id = same[0] if vendor.by_content and same else f"file-Vendor{len(vendor.files)}"
            vendor.files[file_id] = parts["file"].raw
            facts = {"id": file_id, "object": "file", "bytes": len(parts["file"].raw), "created_at": 1}
            self.document({**facts, "filename": parts["file"].filename, "purpose": parts["purpose"].value})

        def do_GET(self) -> None:
            file_id = self.path.removeprefix("/v1/files/").removesuffix("/content")
            if self._refused() or self._unknown(file_id):
                return
            content, status = vendor.files[file_id], 200
            if (asked := self.headers.get("range")) and vendor.knows_ranges:
                begin, end = asked.removeprefix("bytes=").split("-")
                content, status = content[int(begin) : int(end) + 1], 206
            self.answer(content, status=status, kind="application/octet-stream")

        def do_DELETE(self) -> None:
            file_id = self.path.removeprefix("/v1/files/")
            if not self._refused() and not self._unknown(file_id):
                del vendor.files[file_id]
                self.document({"id": file_id, "object": "file", "deleted": True})

        def _refused(self) -> bool:
            if self.headers.get("authorization") != f"Bearer {KEY}":
                vendor.wrong.append("no key")
                self.document({"error": {"message": "Incorrect API key", "code": "invalid_api_key"}}, status=401)
                return True
            if vendor.status is not None:
                self.document({"error": {"message": "we are broken"}}, status=vendor.status)
            return vendor.status is not None

        def _unknown(self, file_id: str) -> bool:
            if file_id in vendor.files:
                return False
            self.document({"error": {"message": f"No such File object: {file_id}", "param": "id"}}, status=404)
            return True

    class Server(ThreadingHTTPServer):
        request_queue_size = 64

    return Server(("127.0.0.1", 0), Handler)


def entry(url: str, **more: object) -> dict[str, object]:
    """A provider of the run config."""
    config = {"base_url": f"{url}/v1", "api_key": KEY, "max_file_bytes": LIMIT_BYTES, **more}
    return {"provider_id": "files", "provider_type": "remote::openai", "config": config}


@asynccontextmanager
async def subject(folder: Path, request: pytest.FixtureRequest) -> AsyncIterator[Subject]:
    vendor = Vendor()

    async def kept() -> list[str]:
        parts = (folder / "state" / "files" / "files" / "parts").rglob("*")
        return sorted([*vendor.files, *(path.name for path in parts if path.is_file())])

    with running(server_of(vendor)) as server:
        yield over_service(entry(url_of(server)), kept)
    assert vendor.wrong == []
