"""A database at wire level: a local server that checks requests as the vendor documents them and answers so, with an
exact search behind it. A vendor is a class with `answer`.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from functools import partial
from http.server import ThreadingHTTPServer
from pathlib import Path
from typing import Any, Protocol
from urllib.parse import parse_qsl, urlsplit

import numpy as np

from runtime.conformance.vector_io.asking import Array
from runtime.conformance.vector_io.subject import Kind, Subject, adapter
from tests.conformance.vector_io.subject import built_in
from tests.support.small_server import SmallHandler, running, url_of
from tests.support.stack_home import reserved_port

KEY = "the key of a test"


class Refused(Exception):
    """The request is answered with an error. body: the vendor's own."""

    def __init__(self, status: int, body: Any = None, *, headers: Mapping[str, str] | None = None) -> None:
        super().__init__(status, body)
        self.status, self.body, self.headers = status, body, headers or {}


@dataclass(frozen=True, kw_only=True)
class Asked:
    """A request. headers: names in lower case."""

    method: str
    path: str
    query: Mapping[str, str]
    headers: Mapping[str, str]
    body: bytes

    def json(self) -> Any:
        """Refused unless it is said to be JSON."""
        expect(self.headers.get("content-type") == "application/json", "a JSON body")
        return json.loads(self.body)


class Vendor(Protocol):
    def answer(self, asked: Asked) -> Any:
        """The body, JSON unless it is bytes, which come as `content_type` says; None for none. Raises Refused. Called
        once at a time.
        """
        ...


def expect(is_so: bool, what: str) -> None:
    """Refused, as a request that is not documented."""
    if not is_so:
        raise Refused(400, {"error": f"the request is not as documented: {what}"})


def expect_members(given: Any, shape: Mapping[str, type | tuple[type, ...]], *, optional: tuple[str, ...] = ()) -> None:
    """An object with just these members, of these types."""
    expect(isinstance(given, dict), f"an object with {sorted(shape)}")
    expect(shape.keys() - {*optional} <= given.keys() <= shape.keys(), f"{sorted(given)} are not {sorted(shape)}")
    for name, value in given.items():
        expect(isinstance(value, shape[name]) and (not isinstance(value, bool) or shape[name] is bool), name)


@dataclass
class Rows:
    """The vectors of a collection by number, each with its group."""

    dimension: int
    _rows: dict[int, tuple[int, Array]] = field(default_factory=dict)
    _matrix: Array | None = None

    def put(self, number: int, group: int, vector: list[float]) -> None:
        expect(len(vector) == self.dimension, f"a vector of {self.dimension} numbers")
        self._rows[number], self._matrix = (group, np.array(vector, "<f4")), None

    def remove(self, groups: set[int] | None, *, most: int | None = None) -> int:
        """How many were. groups: None for all. most: at once."""
        gone = [number for number, (group, _) in self._rows.items() if groups is None or group in groups][:most]
        for number in gone:
            del self._rows[number]
        self._matrix = None
        return len(gone)

    def forget(self, numbers: set[int]) -> None:
        self._rows = {number: row for number, row in self._rows.items() if number not in numbers}
        self._matrix = None

    def search(self, vector: list[float], limit: int, groups: set[int] | None) -> list[tuple[int, float]]:
        """Numbers and cosines, the nearest first."""
        expect(len(vector) == self.dimension, f"a vector of {self.dimension} numbers")
        if not self._rows:
            return []
        if self._matrix is None:
            self._matrix = np.stack([row for _, row in self._rows.values()])
        cosines = self._matrix @ np.array(vector, "<f4")
        of_all = zip(self._rows.items(), cosines.tolist(), strict=True)
        found = [(number, near) for (number, (group, _)), near in of_all if groups is None or group in groups]
        return sorted(found, key=lambda pair: -pair[1])[:limit]

    def read(self, numbers: list[int]) -> list[tuple[int, int, list[float]]]:
        """Numbers, groups and vectors of those that are there."""
        there = [(number, *self._rows[number]) for number in numbers if number in self._rows]
        return [(number, group, row.tolist()) for number, group, row in there]


class WireHandler(SmallHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def _answer(self) -> None:
        body = self.rfile.read(int(self.headers.get("content-length") or 0))
        address = urlsplit(self.path)
        asked = Asked(
            method=self.command,
            path=address.path,
            query=dict(parse_qsl(address.query, keep_blank_values=True)),
            headers={name.lower(): value for name, value in self.headers.items()},
            body=body,
        )
        server: Any = self.server
        try:
            with server.one_at_a_time:
                self._send(200, server.vendor.answer(asked), {})
        except Refused as refused:
            self._send(refused.status, refused.body, refused.headers)

    do_GET = do_HEAD = do_PUT = do_POST = do_DELETE = _answer  # http.server's names

    def _send(self, status: int, body: Any, headers: Mapping[str, str]) -> None:
        vendor = self.server.vendor  # type: ignore[attr-defined]  # of the server below
        kind = getattr(vendor, "content_type", "application/octet-stream")
        content = body if isinstance(body, bytes) else b"" if body is None else json.dumps(body).encode()
        self.send_response(status)
        self.send_header("content-type", kind if isinstance(body, bytes) else "application/json")
        self.send_header("content-length", str(len(content)))
        for name, value in headers.items():
            self.send_header(name, value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(content)


@contextmanager
def serving(vendor: Vendor) -> Iterator[str]:
    """The address of a server that answers as this vendor."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), WireHandler)
    server.vendor, server.one_at_a_time = vendor, threading.Lock()  # type: ignore[attr-defined]
    with running(server):
        yield url_of(server)


def wire(provider_type: str, vendor: Callable[[], Vendor], config: Callable[[str], dict[str, Any]]) -> Kind:
    """A server for each folder. config: the provider's, of a server's address."""
    spec = built_in(provider_type)

    @contextmanager
    def started(folder: Path) -> Iterator[Subject]:
        addresses: dict[Path, str] = {}
        with ExitStack() as stack, reserved_port() as nobody:

            def config_of(place: Path) -> dict[str, Any]:
                if place not in addresses:
                    addresses[place] = stack.enter_context(serving(vendor()))
                return config(addresses[place])

            down = config(f"http://127.0.0.1:{nobody}")
            yield Subject(spec=spec, config=config_of, broken=partial(adapter, spec, down))

    return Kind(spec=spec, start=started, abilities=frozenset({"exact"}))
