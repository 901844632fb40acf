"""Passes on what a server answers: pretty on a terminal, as it comes in a pipe, or into a file.

Knows JSON, streams of events, and the pages of lists as OpenAI tells them (`has_more`, `last_id`). Knows no route.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Mapping
from contextlib import AbstractContextManager, ExitStack
from dataclasses import dataclass, field, replace
from typing import Any, NoReturn
from urllib.parse import quote

from llama_cli.asking import ask, routes
from llama_cli.asking.ask import ServerReply
from llama_cli.exits import ExitCode, Failure
from llama_cli.terminal import console, words
from llama_cli.terminal.progress import working
from runtime.config.user_file import UserFile

_LIMIT_S = 600.0
_TEXT = ("text/", "application/json", "application/yaml", "application/xml", "application/javascript")


@dataclass(frozen=True, kw_only=True)
class Asked:
    """A request. url: of the server; path: with its query; pieces, headers: as for `ask.asked`."""

    url: str
    method: str
    path: str
    pieces: Iterable[bytes] | None = None
    headers: Mapping[str, str] = field(default_factory=dict)

    def reply(self) -> AbstractContextManager[ServerReply]:
        """Send it. Raises Failure as `ask.asked` does."""
        return ask.asked(
            self.url, self.path, method=self.method, body=self.pieces, headers=self.headers, timeout_s=_LIMIT_S
        )


def pass_on(asked: Asked, *, include: bool, output: str | None) -> None:
    """Send a request and print its answer. include: with status and headers; output: a file to write it to, `-` for
    standard output as it comes. Raises Failure, by its status, for what is no success.
    """
    file = UserFile(output, option="--output") if output is not None and output != "-" else None
    with ExitStack() as stack:
        with working(f"asking {asked.url}"):
            reply = stack.enter_context(asked.reply())
        if include or asked.method == "HEAD":
            console.out(f"HTTP/1.1 {reply.status} {reply.reason}")
            for name, value in reply.headers:
                console.out(f"{name}: {value}")
            console.out("")
        if reply.status // 100 != 2:
            _refuse(reply, asked)
        if file is not None:
            _save(reply, file)
        elif reply.kind == "text/event-stream" and output is None:
            _print_events(reply)
        elif console.settings.json or (console.is_terminal(sys.stdout) and output is None):
            _print_whole(reply)
        else:
            _print_as_it_comes(reply, is_raw=output == "-")


def all_pages(asked: Asked) -> Any:
    """The first page of a list with the rows of all its pages; what is no list as it is. Raises Failure."""
    rows: list[Any] = []
    page_asked, last = asked, None
    with working(f"asking {asked.url}") as step:
        while True:
            with page_asked.reply() as reply:
                if reply.status // 100 != 2:
                    _refuse(reply, page_asked)
                page = reply.json()
            if not (isinstance(page, dict) and isinstance(page.get("data"), list)):
                return page
            rows += page["data"]
            step.done = len(rows)
            last, before = page.get("last_id"), last
            if last and last == before:
                raise Failure(f"{asked.path} gives the same page again and again", code=ExitCode.NETWORK)
            if not (page.get("has_more") and page["data"] and last):
                return {**page, "data": rows}
            after = f"{'&' if '?' in asked.path else '?'}after={quote(str(last), safe='')}"
            page_asked = replace(asked, path=asked.path + after)


def print_json(document: Any) -> None:
    """On one line in a pipe, unless `--json` asks for a document as all commands print it."""
    if console.settings.json or console.is_terminal(sys.stdout):
        console.document(document)
    else:
        console.event(document)


def _refuse(reply: ServerReply, asked: Asked) -> NoReturn:
    """The server's own words go where an answer would have gone, for a program that reads them there."""
    data = reply.read()
    failure = ask.refusal(reply, data)
    if console.settings.json:
        failure.facts |= {"status": reply.status, "response": _document(data)}
    elif data and not console.is_terminal(sys.stdout):
        console.write_bytes(data.rstrip(b"\n") + b"\n")
    if reply.status in (404, 405) and (hint := routes.nearest_to(asked.method, asked.path, asked.url)):
        failure.hint, failure.code = hint, ExitCode.USAGE
    raise failure


def _save(reply: ServerReply, file: UserFile) -> None:
    size_bytes = 0

    def counted() -> Iterable[bytes]:
        nonlocal size_bytes
        for piece in reply.pieces():
            size_bytes += len(piece)
            yield piece

    if not file.write(counted()):
        raise Failure(f"nobody reads {file.name}")
    console.say(f"{words.size(size_bytes)} are in {file.name}")
    if console.settings.json:
        console.document({"file": file.name.strip("`"), "size_bytes": size_bytes, "type": reply.kind})


def _print_events(reply: ServerReply) -> None:
    """Each event as it arrives. A completion's stream ends with `[DONE]`, others with their last event."""
    last: dict[str, Any] | None = None

    def is_whole() -> bool:
        return last is not None and "choices" not in last

    for event in ask.events(reply, is_whole=is_whole):
        last = event
        console.event(event)


def _print_whole(reply: ServerReply) -> None:
    """For a reader, or as one JSON document."""
    data = reply.read()
    document = _document(data)
    if document is not None or (console.settings.json and not data):
        console.document(document)
    elif console.settings.json:
        raise reply.instead_of("JSON", data)
    elif data and not (reply.kind or "").startswith(_TEXT):
        message = f"the answer is {words.size(len(data))} of {reply.kind or 'an unknown type'}, nothing to read"
        raise Failure(message, hint="add `--output FILE`", code=ExitCode.USAGE)
    elif data:
        console.out(data.decode(errors="replace"))


def _print_as_it_comes(reply: ServerReply, *, is_raw: bool) -> None:
    """is_raw: without a line feed at the end of a text that has none."""
    last = b""
    for last in reply.pieces():
        console.write_bytes(last)
    if last and not last.endswith(b"\n") and not is_raw and (reply.kind or "").startswith(_TEXT):
        console.write_bytes(b"\n")


def _document(data: bytes) -> Any:
    """None for what is no JSON."""
    try:
        return json.loads(data)
    except (ValueError, RecursionError):
        return None
