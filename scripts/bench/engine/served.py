"""A model behind a server: chats over HTTP, answered as streams, and what they cost the server's process tree."""

from __future__ import annotations

import http.client
import json
import time
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

from scripts.bench import load, measure
from scripts.bench.engine.prompts import Messages
from scripts.bench.engine.settings import MODEL
from scripts.bench.servers import Server

_LIMIT_S = 180.0


@dataclass(frozen=True, kw_only=True)
class Answer:
    """first_s: seconds from the request to the first text. Counts are the server's own, in tokens."""

    prompt_tokens: int
    tokens: int
    first_s: float


@dataclass(frozen=True)
class Served:
    """A server that answers."""

    server: Server

    def generate(self, chats: Sequence[Messages], answer: int, **fields: Any) -> tuple[list[Answer], float]:
        """All chats at once. Returns the answers, and CPU seconds of the server's process tree meanwhile.

        Of its threads, to the nanosecond: those of the servers compared live as long as they do.
        """
        before = measure.threads_cpu_s(self.server.pid)
        with ThreadPoolExecutor(len(chats)) as pool:
            answers = list(pool.map(lambda chat: self.answer(chat, answer, **fields), chats))
        return answers, measure.threads_cpu_s(self.server.pid) - before

    def answer(self, chat: Messages, answer: int, **fields: Any) -> Answer:
        """One chat, greedily, up to `answer` tokens. fields: of the request, besides. Raises WrongAnswer."""
        body: dict[str, Any] = {
            "model": MODEL,
            "messages": chat,
            "max_tokens": answer,
            "temperature": 0,
            "stream": True,
            "stream_options": {"include_usage": True},
            **fields,
        }
        connection = http.client.HTTPConnection("127.0.0.1", self.server.port, timeout=_LIMIT_S)
        try:
            began = time.perf_counter()
            connection.request("POST", "/v1/chat/completions", json.dumps(body), {"content-type": "application/json"})
            return _read(connection.getresponse(), began)
        finally:
            connection.close()


def _read(response: http.client.HTTPResponse, began: float) -> Answer:
    if response.status != 200:
        raise load.WrongAnswer(f"{response.status}: {response.read()[:500]!r}")
    first_s, usage = None, None
    for line in response:
        # Most lines are passed over unread: the client shares the machine with the server.
        if first_s is not None and b'"usage"' not in line:
            continue
        if line.startswith(b"data: {"):
            event: dict[str, Any] = json.loads(line[6:])
            usage = event.get("usage") or usage
            if first_s is None and _has_text(event):
                first_s = time.perf_counter() - began
    if first_s is None or usage is None:
        raise load.WrongAnswer(f"a stream without {'text' if first_s is None else 'usage'}")
    return Answer(prompt_tokens=usage["prompt_tokens"], tokens=usage["completion_tokens"], first_s=first_s)


def _has_text(event: Mapping[str, Any]) -> bool:
    return any(choice["delta"].get("content") for choice in event["choices"])
