"""Asks a running server over HTTP with nothing but the standard library.

Knows how a reply, a stream of events and an error of ours look, and when one of them is whole: what ends early is a
failure, never an answer. Knows no route.
"""

from __future__ import annotations

import codecs
import http.client
import io
import json
import os
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import ExitStack, closing, contextmanager, suppress
from typing import Any

from llama_cli.asking.reach import KEY_VARIABLE, no_address, way_to
from llama_cli.exits import BY_STATUS, ExitCode, Failure
from llama_cli.terminal.progress import waiting
from runtime import PROBE, __version__

_PIECE = 65_536
_QUOTED = 200
_NOT_OURS = (404, 405, 501)
"""What a server of another kind answers on our paths."""

_IS_DOWN = "unavailable_error"
"""The type of a server's own 503, of ours and of llama.cpp's."""
_BY_STATUS = {**BY_STATUS, 404: ExitCode.FAILED, 501: ExitCode.FAILED}
"""The exit code for a server's refusal: a name that it does not know need not be one that was typed."""


class Refusal(Failure):
    """A server's answer that is no success. status: its HTTP status; kind: the type of its error, such as
    `upstream_error`, and param: the field of the request that was wrong, where it states them.
    """

    def __init__(
        self, message: str, *, status: int, kind: str | None = None, param: str | None = None, hint: str | None = None
    ) -> None:
        code = _BY_STATUS.get(status, ExitCode.FAILED if status // 100 == 4 else ExitCode.NETWORK)
        if kind not in (None, _IS_DOWN) and status >= 500:  # it is well itself, and these are a vendor's words
            code = ExitCode.NETWORK
        super().__init__(message, hint=hint, code=code)
        self.status = status
        self.kind = kind
        self.param = param


class ServerReply:
    """The open reply to a request. Reading raises Failure (NETWORK) where the server stops in the middle of it.

    Only reading does: what its reader meets elsewhere, such as a closed pipe on our own side, is no fault of the
    server's. kind: the content type, None where none is stated; status, reason, headers: as they came; warnings: what
    the server says of the request.
    """

    def __init__(self, url: str, path: str, response: http.client.HTTPResponse) -> None:
        self._url = url
        self._path = path
        self._response = response
        self.status, self.reason = response.status, response.reason
        self.headers = list(response.headers.items())
        self.kind = response.headers.get_content_type() if response.headers.get("content-type") else None
        self.warnings = [text.strip() for text in response.headers.get_all("x-llama-warnings") or () if text.strip()]

    def read(self) -> bytes:
        return b"".join(self.pieces())

    def json(self) -> Any:
        """All of it, as one document. Raises Failure (NETWORK) for what is no JSON, and for an error in JSON."""
        data = self.read()
        document = _parsed(data)
        if document is None:
            raise self.instead_of("JSON", data)
        return document

    def lines(self) -> Iterator[str]:
        """Line by line as they arrive, without their ends: LF, CR or both."""
        decoder = io.IncrementalNewlineDecoder(codecs.getincrementaldecoder("utf-8-sig")("replace"), translate=True)
        rest = ""
        for piece in self.pieces():
            *whole, rest = (rest + decoder.decode(piece)).split("\n")
            yield from whole
        yield rest + decoder.decode(b"", final=True).rstrip("\n")

    def instead_of(self, wanted: str, data: bytes) -> Failure:
        """The failure that a reply is whose status says success and which is something else."""
        said = " ".join(data[:_PIECE].decode("utf-8", "replace").split())[:_QUOTED]
        kind = f" of type {self.kind}" if self.kind else ""
        what = f"with something{kind} that is no {wanted}: `{said}`" if said else f"with nothing in place of {wanted}"
        return Failure(f"{self._url}{self._path} answered {what}", code=ExitCode.NETWORK)

    def broken_off(self, how: str) -> Failure:
        """The failure that its early end is; how: what the server did."""
        hint = "see what became of it with `llama stack ps` and `llama stack logs`"
        return Failure(f"{self._url} {how}", hint=hint, code=ExitCode.NETWORK)

    def pieces(self) -> Iterator[bytes]:
        """The bytes of the body as they arrive. Raises Failure (NETWORK) for an early end, which `http.client` itself
        takes for the end in several of its ways to read.
        """
        left = self._response.length  # None for chunks, and where the reply ends with its connection
        while left != 0:
            piece = self._piece(left)
            if not piece:
                return
            if left is not None:
                left -= len(piece)
            yield piece

    def _piece(self, left: int | None) -> bytes:
        try:
            piece = self._response.read1(_PIECE if left is None else min(_PIECE, left))
            if not piece and left is not None:
                raise http.client.IncompleteRead(b"", left)
        except (OSError, http.client.HTTPException) as error:
            # Python's own words for a reply that is cut short are about how it reads them.
            why = "" if isinstance(error, http.client.HTTPException) else f" ({error or type(error).__name__})"
            raise self.broken_off(f"stopped in the middle of an answer{why}") from error
        return piece


@contextmanager
def request(
    url: str, path: str, body: Mapping[str, Any] | None = None, *, timeout_s: float = 10.0, is_look: bool = False
) -> Iterator[ServerReply]:
    """Send GET, or POST where there is a body, and give the open reply, its status a success. Whatever is sent without
    a body, or is_look, is a look at how the server is, and says so: a server of ours on this machine keeps it out of
    its log.

    url: the server's address, with or without `/v1` at its end; path: begins with `/v1/`. timeout_s: between two reads.
    Raises Failure: UNHEALTHY where nothing answers, USAGE for what is no address; Refusal for any other status.
    """
    data, headers = None, {"accept": "application/json, text/event-stream"}
    if body is not None:
        data = json.dumps(body, ensure_ascii=False).encode(errors="replace")  # half a surrogate pair is no text
        headers["content-type"] = "application/json"
    if body is None or is_look:
        headers["user-agent"] = PROBE
    method = "GET" if data is None else "POST"
    with asked(url, path, method=method, body=data, headers=headers, timeout_s=timeout_s) as reply:
        if reply.status // 100 != 2:
            raise _refused(reply)
        yield reply


@contextmanager
def asked(
    url: str,
    path: str,
    *,
    method: str,
    body: bytes | Iterable[bytes] | None = None,
    headers: Mapping[str, str] | None = None,
    timeout_s: float,
) -> Iterator[ServerReply]:
    """Send any request and give the open reply, whatever its status.

    url, path, timeout_s: as for `request`. headers: beside our own, or in place of them; names in lower case; without a
    `content-length`, a body of several pieces goes in chunks. Raises Failure as `request` does where no answer comes.
    """
    way = way_to(url)
    sent = {"user-agent": f"llama/{__version__}", **_key(), **way.headers(), **(headers or {})}
    with ExitStack() as stack:
        try:
            connection = stack.enter_context(closing(way.connection(timeout_s)))
            connection.connect()
            # Who refuses a large body answers and closes before all of it is sent: that answer says why.
            with suppress(BrokenPipeError, ConnectionResetError):
                connection.request(method, way.target(path), body, sent)
            response = stack.enter_context(closing(connection.getresponse()))
        except (UnicodeError, http.client.InvalidURL) as error:
            # A blank, characters that no address has, or a part of the host's name that is too long.
            raise no_address(url) from error
        except (OSError, http.client.HTTPException) as error:
            raise way.broken(error) from error
        if response.status == 407 and way.proxy.url is not None:
            raise way.refused_by_the_proxy()
        yield ServerReply(url, path, response)


def get(url: str, path: str, *, timeout_s: float = 10.0) -> Any:
    """The JSON of a GET. Raises Failure as `request` and `ServerReply.json` do."""
    with waiting(f"asking {url}"), request(url, path, timeout_s=timeout_s) as reply:
        return reply.json()


def listed(url: str, path: str, *, by: str, timeout_s: float = 10.0) -> list[dict[str, Any]]:
    """The objects in `data`, each named in its field `by`. Raises Failure as `get` does, and without such a list."""
    with waiting(f"asking {url}"), request(url, path, timeout_s=timeout_s) as reply:
        document = reply.json()
        rows = document.get("data") if isinstance(document, dict) else None
        if isinstance(rows, list) and all(isinstance(row, dict) and isinstance(row.get(by), str) for row in rows):
            return rows
        raise reply.instead_of(f"list of objects with `{by}`", json.dumps(document).encode())


def events(reply: ServerReply, *, is_whole: Callable[[], bool] = lambda: False) -> Iterator[dict[str, Any]]:
    """The JSON of each server-sent event until `[DONE]`; is_whole: whether the events so far are a whole answer, for
    servers that send no `[DONE]`.

    Raises Failure for a stream that ends before that, for an event that is an error, and for what is no stream.
    """
    if reply.kind == "application/json":
        raise reply.instead_of("stream of events", json.dumps(reply.json()).encode())
    if reply.kind == "text/html":
        raise reply.instead_of("stream of events", reply.read())
    data: list[str] = []
    for line in reply.lines():
        if line.startswith("data:"):
            data.append(line[5:].removeprefix(" "))
            if data == ["[DONE]"]:
                return
        elif not line and data:
            event = _parsed("\n".join(data).encode())
            if not isinstance(event, dict):
                raise reply.instead_of("event of a completion", "\n".join(data).encode())
            yield event
            data.clear()
    if data or not is_whole():
        raise reply.broken_off("closed the stream before its answer was whole")


def _parsed(data: bytes) -> Any:
    """A document; None for what is no JSON. Raises Failure (NETWORK) for `{"error": ...}` as OpenAI words it, or with
    but a text: beside other fields, that is a fact of what failed, such as a run of an evaluation.
    """
    document = _document(data)
    error = document.get("error") if isinstance(document, dict) else None
    if error and (isinstance(error, dict) or len(document) == 1):
        message, hint, _ = _of_error(error)
        raise Failure(message or "the server failed in the middle of an answer", hint=hint, code=ExitCode.NETWORK)
    return document


def _document(data: bytes) -> Any:
    try:
        return json.loads(data)
    except (ValueError, RecursionError):
        return None


def _of_error(error: Any) -> tuple[str, str | None, str | None]:
    """Message, hint and type of an error as OpenAI words it, or of one that is but a text."""
    stated = error if isinstance(error, dict) else {"message": error}
    message, _, hint = str(stated.get("message") or "").partition("\nhint: ")
    kind = stated.get("type")
    return message, hint or None, kind if isinstance(kind, str) else None


def _key() -> dict[str, str]:
    """The header with the user's key, where one is set."""
    key = os.environ.get(KEY_VARIABLE)
    if key and not (key.isascii() and key.isprintable()):
        hint = "look for a line feed or a quote that was copied with it"
        raise Failure(f"`{KEY_VARIABLE}` holds characters that no key has", hint=hint, code=ExitCode.ACCESS)
    return {"authorization": f"Bearer {key}"} if key else {}


def _refused(reply: ServerReply) -> Refusal:
    """The failure that a status is which is no success, in the server's own words where it has some."""
    data = b""
    with suppress(Failure):  # what came before it broke off says enough
        for piece in reply.pieces():
            data += piece
            if len(data) >= _PIECE:
                break
    return refusal(reply, data)


def refusal(reply: ServerReply, data: bytes) -> Refusal:
    """The same, of a reply whose body was read."""
    document = _document(data)
    stated = document.get("error") if isinstance(document, dict) else None
    message, hint, kind = _of_error(stated) if stated else ("", None, None)
    if not message:
        quoted = " ".join(data.decode("utf-8", "replace").split())[:_QUOTED]
        if reply.status in _NOT_OURS:
            hint = "is it a server of Llama Stack? `llama stack ps` lists those that run here"
        message = f"the server answered {reply.status} {reply.reason}{f': {quoted}' if quoted else ''}"
    if reply.status in (401, 403):
        hint = hint or f"set `{KEY_VARIABLE}`"
    param = stated.get("param") if isinstance(stated, dict) else None
    return Refusal(message, status=reply.status, kind=kind, param=param if isinstance(param, str) else None, hint=hint)
