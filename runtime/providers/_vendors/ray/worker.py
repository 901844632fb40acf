"""What runs on the cluster: sends requests to the server beside it.

Ray sends this module to the cluster by value, where none of our packages is: it imports the standard library alone.
"""

from __future__ import annotations

import asyncio
import http.client
import os
import socket
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from threading import Event
from typing import Literal
from urllib.parse import urlsplit

Outcome = Literal["answered", "unreachable", "timeout", "broken"]
Answer = tuple[Outcome, int, dict[str, str], bytes]
"""What became of a request: status, headers (names in lower case) and body of the answer; of one that did not come only
what was wrong, as the body.
"""
MAX_ANSWER_BYTES = 64 * 1024**2


class Worker:
    """base_url: of the server. headers: of each request. timeout_s: how long the server may say nothing. at_once: how
    many requests are sent at once.
    """

    def __init__(self, base_url: str, headers: dict[str, str], *, timeout_s: float, at_once: int) -> None:
        self._address = urlsplit(base_url)
        self._headers = headers
        self._timeout_s = timeout_s
        self._threads = ThreadPoolExecutor(at_once)

    async def ready(self) -> str:
        """When it can be asked: where it runs, as `machine:pid`."""
        return f"{socket.gethostname()}:{os.getpid()}"

    async def ask(self, path: str, body: bytes) -> Answer:
        """Send a request to `path` of the server. Whoever cancels it closes its connection."""
        kind = http.client.HTTPSConnection if self._address.scheme == "https" else http.client.HTTPConnection
        connection, left = kind(self._address.hostname or "", self._address.port, timeout=self._timeout_s), Event()
        loop = asyncio.get_running_loop()
        try:
            return await loop.run_in_executor(self._threads, self._asked, connection, path, body, left)
        except asyncio.CancelledError:
            left.set()
            if (opened := connection.sock) is not None:
                with suppress(OSError):  # it is closed already
                    opened.shutdown(socket.SHUT_RDWR)
            raise

    def _asked(self, connection: http.client.HTTPConnection, path: str, body: bytes, left: Event) -> Answer:
        try:
            connection.connect()
        except OSError as error:
            return "unreachable", 0, {}, str(error).encode()
        try:
            if left.is_set():
                return "broken", 0, {}, b"nobody waits for it any more"
            connection.request("POST", self._address.path + path, body, self._headers)
            response = connection.getresponse()
            data = response.read(MAX_ANSWER_BYTES + 1)
        except TimeoutError:
            return "timeout", 0, {}, f"it said nothing for {self._timeout_s:g} s".encode()
        except (OSError, http.client.HTTPException) as error:
            return "broken", 0, {}, (str(error) or type(error).__name__).encode()
        finally:
            connection.close()
        if len(data) > MAX_ANSWER_BYTES:
            return "broken", 0, {}, f"its answer has more than {MAX_ANSWER_BYTES} bytes".encode()
        return "answered", response.status, {name.lower(): value for name, value in response.getheaders()}, data
