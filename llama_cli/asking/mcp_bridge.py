"""Passes messages of the Model Context Protocol between a program's pipe and a server's `/mcp`, in both generations.

https://modelcontextprotocol.io/specification: over a pipe a message is a line; over HTTP each message of the client is
a POST, and what answers it is JSON or a stream of events. Knows where a message says what HTTP wants in headers, and no
method's meaning.
"""

from __future__ import annotations

import base64
import json
import re
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import suppress
from typing import Any

from llama_cli.asking import ask
from llama_cli.asking.ask import ServerReply
from llama_cli.exits import Failure

_PATH = "/mcp"
_LIMIT_S = 3600.0
"""Between two reads: a tool may take long, and says nothing while it does."""
_MOST_AT_ONCE = 32
_NAMED_BY = {"tools/call": "name", "prompts/get": "name", "resources/read": "uri"}
"""The parameter that the header `Mcp-Name` repeats, by method."""
_VERSION_KEY = "io.modelcontextprotocol/protocolVersion"
_PLAIN = re.compile(r"[\x21-\x7e]([\x20-\x7e]*[\x21-\x7e])?")
_PARSE_ERROR, _SERVER_ERROR = -32700, -32000


class Bridge:
    """url: of the server. write: called with each line for the program, by one thread at a time."""

    def __init__(self, url: str, write: Callable[[str], None]) -> None:
        self._url = url
        self._write = write
        self._writing = threading.Lock()
        self._room = threading.BoundedSemaphore(_MOST_AT_ONCE)
        self._version: str | None = None
        """What a handshake agreed on, in the generation that has one."""
        self._failure: Exception | None = None

    def run(self, lines: Iterable[bytes]) -> None:
        """Pass on each line until there are no more and all have their answers. Requests go on beside each other; what
        has no answer is passed on in its place. Raises what `write` raises.
        """
        asked: list[threading.Thread] = []
        for line in lines:
            self._raise_failure()
            if not line.strip():
                continue
            try:
                message = json.loads(line)
                if not isinstance(message, dict):
                    raise ValueError("no object")
            except (ValueError, RecursionError):
                self._tell({"jsonrpc": "2.0", "id": None, "error": _error(_PARSE_ERROR, "this is no JSON object")})
                continue
            if "id" not in message or message.get("method") == "initialize":
                self._pass(line, message)
                continue
            asked = [thread for thread in asked if thread.is_alive()]
            self._room.acquire()
            thread = threading.Thread(target=self._pass_beside, args=(line, message), daemon=True)
            asked.append(thread)
            thread.start()
        for thread in asked:
            thread.join()
        self._raise_failure()

    def _raise_failure(self) -> None:
        if self._failure is not None:
            raise self._failure

    def _pass_beside(self, line: bytes, message: Mapping[str, Any]) -> None:
        try:
            self._pass(line, message)
        except Exception as failure:  # raised where the command runs
            self._failure = failure
        finally:
            self._room.release()

    def _pass(self, line: bytes, message: Mapping[str, Any]) -> None:
        id = message.get("id")
        is_answered = id is None or _is_answer(message)
        try:
            with ask.asked(
                self._url, _PATH, method="POST", body=line, headers=self._headers(message), timeout_s=_LIMIT_S
            ) as reply:
                for answer in _messages(reply):
                    self._learn(message, answer)
                    is_answered = is_answered or _is_answer(answer)
                    self._tell({**answer, "id": id} if not _is_answer(message) and _has_no_id(answer) else answer)
                if not is_answered:
                    raise reply.instead_of("answer of MCP", b"")
        except Failure as failure:
            if not is_answered:
                words = f"{failure.message}: {failure.hint}" if failure.hint else failure.message
                self._tell({"jsonrpc": "2.0", "id": id, "error": _error(_SERVER_ERROR, words)})

    def _headers(self, message: Mapping[str, Any]) -> dict[str, str]:
        headers = {"content-type": "application/json", "accept": "application/json, text/event-stream"}
        parameters = message.get("params")
        parameters = parameters if isinstance(parameters, dict) else {}
        meta = parameters.get("_meta")
        version = meta.get(_VERSION_KEY) if isinstance(meta, dict) else None
        if not isinstance(version, str):
            return headers | ({"mcp-protocol-version": _in_a_header(self._version)} if self._version else {})
        method = str(message.get("method", ""))
        headers |= {"mcp-protocol-version": _in_a_header(version), "mcp-method": _in_a_header(method)}
        name = parameters.get(_NAMED_BY.get(method, ""))
        return headers | ({"mcp-name": _in_a_header(name)} if isinstance(name, str) else {})

    def _learn(self, message: Mapping[str, Any], answer: Mapping[str, Any]) -> None:
        if message.get("method") == "initialize" and isinstance(result := answer.get("result"), dict):
            version = result.get("protocolVersion")
            self._version = version if isinstance(version, str) else None

    def _tell(self, message: Mapping[str, Any]) -> None:
        with self._writing:
            self._write(json.dumps(message, separators=(",", ":")))


def _messages(reply: ServerReply) -> Iterator[dict[str, Any]]:
    """What a server answers. Raises Failure for what is no message, and for a stream that breaks off."""
    if reply.kind == "text/event-stream":
        data: list[str] = []
        for line in reply.lines():
            if line.startswith("data:"):
                data.append(line[5:].removeprefix(" "))
            elif not line and data:
                yield from _parsed(reply, "\n".join(data).encode())
                data.clear()
        return
    body = reply.read()
    if body.strip():
        yield from _parsed(reply, body)
    elif reply.status // 100 != 2:
        raise ask.refusal(reply, body)


def _parsed(reply: ServerReply, body: bytes) -> Iterator[dict[str, Any]]:
    document = None
    with suppress(ValueError, RecursionError):
        document = json.loads(body)
    if not isinstance(document, dict) or document.get("jsonrpc") != "2.0":
        raise ask.refusal(reply, body) if reply.status // 100 != 2 else reply.instead_of("message of MCP", body)
    yield document


def _is_answer(message: Mapping[str, Any]) -> bool:
    """Whether it answers a request of the other side, which says nothing to that."""
    return "id" in message and "method" not in message and ("result" in message or "error" in message)


def _has_no_id(answer: Mapping[str, Any]) -> bool:
    """Whether it is an error for what the server could not read; whoever asked waits for its own id."""
    return "method" not in answer and answer.get("id") is None


def _in_a_header(value: str) -> str:
    """As the specification has it for what a header cannot hold."""
    if _PLAIN.fullmatch(value) and not value.startswith("=?base64?"):
        return value
    return f"=?base64?{base64.b64encode(value.encode(errors='replace')).decode()}?="


def _error(code: int, message: str) -> dict[str, Any]:
    return {"code": code, "message": message}
