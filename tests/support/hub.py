"""A Hugging Face hub on this machine with a CDN on another port, and Meta's download server: at wire level, with
faults that a test asks for.

Held to the hub's own library by `tests/processes/cli/test_download.py`.
"""

from __future__ import annotations

import hashlib
import json
import random
import re
import ssl
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import ThreadingHTTPServer
from typing import Any, ClassVar
from urllib.parse import parse_qs, unquote, urlsplit

from tests.support.small_server import SmallHandler, running

SIGNATURE = "Policy=abc&Signature=d~e_&Key-Pair-Id=K1"
GOOD_TOKEN = "hf_good"
_LFS = (".safetensors", ".gguf", ".bin", ".pth", ".model")


WEIGHTS = random.Random(7).randbytes(100_000)
TINY = {
    "config.json": b'{"model_type": "llama"}',
    "model.safetensors": WEIGHTS,
    "original/consolidated.00.pth": b"the same weights once more",
    "pytorch_model.bin": b"and once more",
    ".gitattributes": b"*.bin filter=lfs",
    "assets/a file.txt": b"",
}


@dataclass
class Repo:
    """files: by path. is_gated: only for those with the good token. sha: of its only commit."""

    files: dict[str, bytes]
    is_gated: bool = False
    sha: str = "c0ffee" + "0" * 34


@dataclass
class Asked:
    """One request as it came."""

    place: str
    path: str
    headers: dict[str, str]


@dataclass
class Hub:
    """repos: by name. meta: files of Meta's server by path. asked: every request, in order.

    statuses: answers of status with headers, by a part of the path, each given once, 0 for the usual one. breaks: after
    so many bytes the connection ends, each once. wrong: paths whose bytes are others than the checksum says.
    without_ranges: the CDN sends all, whatever is asked for. bytes_per_s: how fast the CDN is. listed: what it says of
    every repository.
    """

    repos: dict[str, Repo] = field(default_factory=dict)
    meta: dict[str, bytes] = field(default_factory=dict)
    asked: list[Asked] = field(default_factory=list)
    statuses: dict[str, list[tuple[int, dict[str, str]]]] = field(default_factory=dict)
    breaks: dict[str, list[int]] = field(default_factory=dict)
    wrong: set[str] = field(default_factory=set)
    without_ranges: bool = False
    bytes_per_s: float | None = None
    listed: dict[str, Any] | None = None
    url: str = ""
    cdn: str = ""

    @property
    def meta_url(self) -> str:
        """The signed address, as it comes by mail."""
        return f"{self.cdn}/meta/*?{SIGNATURE}"

    def of(self, place: str, part: str = "") -> list[Asked]:
        """What one of the two servers was asked for."""
        return [each for each in self.asked if each.place == place and part in each.path]


class _Server(ThreadingHTTPServer):
    hub: Hub
    place: str
    daemon_threads = True

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that leaves in the middle is no news."""


class _Handler(SmallHandler):
    server: _Server
    protocol_version: ClassVar[str] = "HTTP/1.1"

    def do_HEAD(self) -> None:
        self.do_GET()

    def do_GET(self) -> None:
        hub = self.server.hub
        headers = {name.lower(): value for name, value in self.headers.items()}
        hub.asked.append(Asked(self.server.place, self.path, headers))
        for part, answers in hub.statuses.items():
            if part in self.path and answers:
                status, more = answers.pop(0)
                if status:
                    self._say(status, b"for now not", more)
                    return
        path = unquote(urlsplit(self.path).path)
        if self.server.place == "cdn":
            self._cdn(path)
        elif found := re.fullmatch(r"/api/models/([^/]+/[^/]+)(?:/revision/(.+))?", path):
            self._info(found[1], found[2] or "main")
        elif found := re.fullmatch(r"/([^/]+/[^/]+)/resolve/([^/]+)/(.+)", path):
            self._resolve(found[1], found[2], found[3])
        else:
            self._say(404, b"")

    def _repo(self, name: str, revision: str) -> Repo | None:
        repo = self.server.hub.repos.get(name)
        token = self.headers.get("Authorization", "").removeprefix("Bearer ")
        if repo is None:
            self._say(404 if token else 401, b"", {"X-Error-Code": "RepoNotFound"})
        elif repo.is_gated and token != GOOD_TOKEN:
            self._say(403 if token else 401, b"", {"X-Error-Code": "GatedRepo"})
        elif revision not in ("main", repo.sha):
            self._say(404, b"", {"X-Error-Code": "RevisionNotFound"})
        else:
            return repo
        return None

    def _info(self, name: str, revision: str) -> None:
        if (repo := self._repo(name, revision)) is None:
            return
        siblings = []
        for path, data in repo.files.items():
            git = hashlib.sha1(b"blob %d\0" % len(data) + data).hexdigest()
            sibling: dict[str, Any] = {"rfilename": path, "size": len(data), "blobId": git}
            if path.endswith(_LFS):
                sha256 = hashlib.sha256(data).hexdigest()
                sibling["lfs"] = {"sha256": sha256, "size": len(data), "pointerSize": 130}
            siblings.append(sibling if "blobs" in parse_qs(urlsplit(self.path).query) else {"rfilename": path})
        facts = {"id": name, "modelId": name, "sha": repo.sha, "gated": repo.is_gated, "siblings": siblings}
        facts = self.server.hub.listed or facts
        self._say(200, json.dumps(facts).encode(), {"Content-Type": "application/json"})

    def _resolve(self, name: str, revision: str, path: str) -> None:
        if (repo := self._repo(name, revision)) is None:
            return
        data = repo.files.get(path)
        if data is None:
            self._say(404, b"", {"X-Error-Code": "EntryNotFound"})
            return
        more = {"X-Repo-Commit": repo.sha}
        if not path.endswith(_LFS):
            more["ETag"] = f'"{hashlib.sha1(b"blob %d" % len(data) + bytes(1) + data).hexdigest()}"'
            self._send(path, data, more)
            return
        sha256 = hashlib.sha256(data).hexdigest()
        more |= {"X-Linked-Etag": f'"{sha256}"', "X-Linked-Size": str(len(data))}
        target = f"{self.server.hub.cdn}/lfs/{name}/{path}?signature=s3cret"
        self._say(302, b"", {**more, "Location": target})

    def _cdn(self, path: str) -> None:
        hub = self.server.hub
        if path.startswith("/meta/"):
            data = hub.meta.get(path.removeprefix("/meta/"))
            is_allowed = data is not None and urlsplit(self.path).query == SIGNATURE
        else:
            _, _, owner, name, inside = path.split("/", 4)
            data = hub.repos[f"{owner}/{name}"].files.get(inside)
            is_allowed = data is not None and "signature=s3cret" in self.path and "Authorization" not in self.headers
        if not is_allowed or data is None:
            self._say(403, b"<Error>AccessDenied</Error>")
            return
        self._send(path, data, {})

    def _send(self, path: str, data: bytes, headers: dict[str, str]) -> None:
        hub = self.server.hub
        if any(path.endswith(wrong) for wrong in hub.wrong):
            data = bytes(byte ^ 1 for byte in data)
        asked = re.fullmatch(r"bytes=(\d+)-(\d*)", self.headers.get("Range", ""))
        status, first, last = 200, 0, len(data) - 1
        if asked and not hub.without_ranges:
            status, first, last = 206, int(asked[1]), min(int(asked[2] or last), last)
            headers = {**headers, "Content-Range": f"bytes {first}-{last}/{len(data)}"}
            if first >= len(data):
                self._say(416, b"", {"Content-Range": f"bytes */{len(data)}"})
                return
        part = data[first : last + 1]
        limits = next((left for ending, left in hub.breaks.items() if path.endswith(ending) and left), [])
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(part)))
        self.end_headers()
        if self.command == "HEAD":
            return
        if limits:
            self.wfile.write(part[: limits.pop(0)])
            self.close_connection = True
            return
        if hub.bytes_per_s is None:
            self.wfile.write(part)
            return
        for at in range(0, len(part), 65536):
            self.wfile.write(part[at : at + 65536])
            time.sleep(65536 / hub.bytes_per_s)

    def _say(self, status: int, body: bytes, headers: dict[str, str] | None = None) -> None:
        self.send_response(status)
        for name, value in (headers or {}).items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)


@contextmanager
def running_hub(context: ssl.SSLContext | None = None) -> Iterator[Hub]:
    """Both servers, on ports of their own, for as long as the block runs. context: with which the hub speaks TLS."""
    hub = Hub()
    servers = []
    for place in ("hub", "cdn"):
        server = _Server(("127.0.0.1", 0), _Handler)
        server.hub, server.place = hub, place
        scheme = "http"
        if context is not None and place == "hub":
            scheme = "https"
            server.socket = context.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
        setattr(hub, "url" if place == "hub" else "cdn", f"{scheme}://127.0.0.1:{server.server_port}")
        servers.append(server)
    with running(servers[0]), running(servers[1]):
        yield hub
