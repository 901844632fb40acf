"""Asks a running server over HTTP with nothing but the standard library.

Knows how an answer, a stream of events and an error of ours look. Knows no route.
"""

from __future__ import annotations

import http.client
import json
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any
from urllib.parse import urlsplit

from llama_cli.console import ExitCode, Failure
from runtime import __version__

KEY_VARIABLE = "LLAMA_STACK_API_KEY"
"""Where the key of a server that wants one is taken from; the OpenAI one is the vendor's and is not handed to any
server.
"""


class Answer:
    """The open answer to a request. Reading raises Failure (NETWORK) where the server stops in the middle of it.

    Only reading does: what its reader meets elsewhere, such as a closed pipe on our own side, is none of the server's.
    """

    def __init__(self, url: str, response: http.client.HTTPResponse) -> None:
        self._url = url
        self._response = response

    def read(self) -> bytes:
        with self._told():
            return self._response.read()

    def lines(self) -> Iterator[bytes]:
        """Line by line as they arrive, with their ends."""
        while True:
            with self._told():
                line = self._response.readline()
            if not line:
                return
            yield line

    @contextmanager
    def _told(self) -> Iterator[None]:
        try:
            yield
        except (OSError, http.client.HTTPException) as error:
            raise Failure(f"{self._url} stopped in the middle of an answer: {error}", code=ExitCode.NETWORK) from error


@contextmanager
def request(url: str, path: str, body: Mapping[str, Any] | None = None, *, timeout_s: float = 10.0) -> Iterator[Answer]:
    """Send GET, or POST where there is a body, and give the open answer, its status 200.

    url: the server's address, with or without `/v1` at its end; path: begins with `/v1/`. timeout_s: between two reads.
    Raises Failure: UNHEALTHY where nothing answers, ACCESS for 401 and 403, USAGE for the other 4xx, NETWORK for 5xx.
    """
    scheme, host, port, prefix = _parts(url)
    kind = http.client.HTTPSConnection if scheme == "https" else http.client.HTTPConnection
    try:
        connection = kind(host, port, timeout=timeout_s)
    except http.client.InvalidURL as error:
        raise _no_address(url) from error
    headers = {"user-agent": f"llama/{__version__}", "accept": "application/json, text/event-stream"}
    if key := os.environ.get(KEY_VARIABLE):
        if not (key.isascii() and key.isprintable()):
            raise Failure(
                f"`{KEY_VARIABLE}` holds characters that no key has",
                hint="look for a line feed or a quote that was copied with it",
                code=ExitCode.ACCESS,
            )
        headers["authorization"] = f"Bearer {key}"
    data = None
    if body is not None:
        data = json.dumps(body, ensure_ascii=False).encode(errors="replace")  # half a surrogate pair is no text
        headers["content-type"] = "application/json"
    try:
        try:
            connection.request("GET" if data is None else "POST", prefix + path, data, headers)
            answer = connection.getresponse()
        except (UnicodeError, http.client.InvalidURL) as error:
            # A blank, characters that no address has, or a part of the host's name that is too long.
            raise _no_address(url) from error
        except (OSError, http.client.HTTPException) as error:
            raise Failure(
                f"nothing answers at {url}: {error}",
                hint="see what runs with `llama stack ps`",
                code=ExitCode.UNHEALTHY,
            ) from error
        if answer.status != 200:
            raise _refused(answer)
        yield Answer(url, answer)
    finally:
        connection.close()


def get(url: str, path: str, *, timeout_s: float = 10.0) -> Any:
    """The JSON of a GET. Raises Failure as `request` does."""
    with request(url, path, timeout_s=timeout_s) as answer:
        return json.loads(answer.read())


def events(answer: Answer) -> Iterator[Any]:
    """The JSON of each server-sent event, until `[DONE]` or the end. Raises Failure for an event that is an error."""
    data: list[str] = []
    for raw in answer.lines():
        line = raw.decode("utf-8", "replace").rstrip("\r\n")
        if line.startswith("data:"):
            data.append(line[5:].removeprefix(" "))
        elif not line and data:
            text = "\n".join(data)
            data.clear()
            if text == "[DONE]":
                return
            event = json.loads(text)
            if isinstance(event, dict) and isinstance(event.get("error"), dict):
                raise Failure(
                    str(event["error"].get("message") or "the server failed in the middle of an answer"),
                    code=ExitCode.NETWORK,
                )
            yield event


def _parts(url: str) -> tuple[str, str, int | None, str]:
    """Scheme, host, port and the path before `/v1`. Raises Failure for what is no address of a server."""
    try:
        parts = urlsplit(url if "://" in url else f"http://{url}")
        port = parts.port
    except ValueError:  # a port that is no number, a bracket that is not closed
        parts, port = urlsplit(""), None
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise _no_address(url)
    return parts.scheme, parts.hostname, port, parts.path.rstrip("/").removesuffix("/v1")


def _no_address(url: str) -> Failure:
    return Failure(
        f"`{url}` is not the address of a server",
        hint="write it as in `http://127.0.0.1:8321`",
        code=ExitCode.USAGE,
    )


def _refused(answer: http.client.HTTPResponse) -> Failure:
    text = answer.read(65_536).decode("utf-8", "replace")
    hint = None
    try:
        message = str(json.loads(text)["error"]["message"])
        message, _, hint = message.partition("\nhint: ")
    except (ValueError, KeyError, TypeError):
        message = f"the server answered {answer.status} {answer.reason}" + (
            f": {text[:200].strip()}" if text.strip() else ""
        )
    if answer.status in (401, 403):
        return Failure(message, hint=hint or f"set `{KEY_VARIABLE}`", code=ExitCode.ACCESS)
    if answer.status == 503:
        return Failure(message, hint=hint or None, code=ExitCode.UNHEALTHY)
    code = ExitCode.USAGE if answer.status < 500 else ExitCode.NETWORK
    return Failure(message, hint=hint or None, code=code)
