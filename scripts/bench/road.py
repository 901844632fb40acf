"""Which files, and how many of their lines, one request runs through in our process.

Run: `.venv/bin/python -m scripts.bench.road`. A stack with one OpenAI-compatible provider and a local upstream, all in
one process; the fourth request is traced, from the first middleware until its log line waits to be written: a streamed
chat that is not kept, one that is, and a streamed response that searches a file. Counts product files, and of each the
lines that are neither blank nor comment; not what other threads do.
"""

from __future__ import annotations

import asyncio
import json
import sys
import tempfile
import tokenize
from collections import defaultdict
from collections.abc import Awaitable, Callable
from pathlib import Path
from types import FrameType
from typing import Any

from aiohttp import web

from runtime.conformance.asgi import Client
from runtime.conformance.form import HEADERS, field, file, form
from runtime.conformance.stacks import run_config, serving
from runtime.conformance.upstream import CHAT_MODEL, EMBEDDING_MODEL, Upstream, upstream_server
from runtime.conformance.upstream.scripted import Script, calls, says
from runtime.server import logs
from runtime.server.masking import Hidden
from tests.support.stacks import openai_at

_PRODUCT = Path(__file__).parents[2] / "runtime"
_CHAT = {"model": f"vendor/{CHAT_MODEL}", "stream": True, "messages": [{"role": "user", "content": "hello"}]}
_RESPONSE = {"model": f"vendor/{CHAT_MODEL}", "stream": True, "input": "Who grazes?"}
_SILENT = (tokenize.COMMENT, tokenize.NL, tokenize.NEWLINE, tokenize.INDENT, tokenize.DEDENT, tokenize.ENDMARKER)
_ROUNDS = 3  # opens connections, fills caches
_KEEPING: dict[str, Any] = {
    "files": [{"provider_id": "localfs", "provider_type": "inline::localfs"}],
    "file_processors": [{"provider_id": "auto", "provider_type": "inline::auto"}],
    "vector_io": [{"provider_id": "faiss", "provider_type": "inline::faiss"}],
}
_NOTES = b"A llama grazes on the heights."


async def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        log = logs.set_up("info", file=Path(folder, "log"), stderr=False, hidden=Hidden())
        async with upstream_server() as vendor:
            async with serving(run_config(openai_at(vendor.url)), Path(folder, "chats")) as served:
                for store in (False, True):
                    executed = await _traced(served.client, "/v1/chat/completions", _CHAT | {"store": store})
                    _show(executed, f"a streamed chat, {'kept' if store else 'not kept'}")
            providers = {"inference": [openai_at(vendor.url)], **_KEEPING}
            async with serving(run_config(providers=providers), Path(folder, "responses")) as served:
                tools = [{"type": "file_search", "vector_store_ids": [await _filled(served.client)]}]
                vendor.misbehaves = _searching(vendor)
                executed = await _traced(served.client, "/v1/responses", _RESPONSE | {"tools": tools})
                _show(executed, "a streamed response with file_search")
        log.stop()


def _searching(vendor: Upstream) -> Callable[[web.Request], Awaitable[web.StreamResponse]]:
    """A vendor whose model searches once for each answer."""
    search = calls(("call_1", "file_search", json.dumps({"query": "Who grazes?"})))
    script = Script(*[said for _ in range(_ROUNDS + 1) for said in (search, says("A ", "llama."))])

    async def answered(request: web.Request) -> web.StreamResponse:
        is_chat = request.path.endswith("/chat/completions")
        return await (script(request) if is_chat else vendor._answer(request, await request.read()))

    return answered


async def _traced(client: Client, path: str, asked: dict[str, Any]) -> dict[str, set[int]]:
    """The lines that a request runs through, by file."""
    executed: dict[str, set[int]] = defaultdict(set)

    def line(frame: FrameType, event: str, _: Any) -> Any:
        if event == "line":
            executed[frame.f_code.co_filename].add(frame.f_lineno)
        return line

    def call(frame: FrameType, _event: str, _: Any) -> Any:
        return line if frame.f_code.co_filename.startswith(str(_PRODUCT)) else None

    for _ in range(_ROUNDS):
        await client.post(path, asked)
    sys.settrace(call)
    answer = await client.post(path, asked)
    sys.settrace(None)
    assert answer.status == 200 and (b"[DONE]" in answer.body or b"response.completed" in answer.body), answer.body
    return executed


async def _filled(client: Client) -> str:
    """The id of a vector store with a file in it."""
    body = form(field("purpose", "assistants"), file(_NOTES, filename="notes.txt"))
    kept = (await client.request("POST", "/v1/files", headers=HEADERS, body=body)).json()
    made = (await client.post("/v1/vector_stores", {"embedding_model": f"vendor/{EMBEDDING_MODEL}"})).json()
    store_id: str = made["id"]
    attached = (await client.post(f"/v1/vector_stores/{store_id}/files", {"file_id": kept["id"]})).json()
    while attached["status"] == "in_progress":
        await asyncio.sleep(0.01)
        attached = (await client.get(f"/v1/vector_stores/{store_id}/files/{kept['id']}")).json()
    assert attached["status"] == "completed", attached
    return store_id


def _show(executed: dict[str, set[int]], which: str) -> None:
    counted = {name: _lines(name) for name in sorted(executed)}
    for name, lines in counted.items():
        print(f"{lines:5} {len(executed[name]):4} executed  {Path(name).relative_to(_PRODUCT)}")
    executes = sum(map(len, executed.values()))
    print(f"{which}: {len(counted)} files, {sum(counted.values())} lines, {executes} executed\n")


def _lines(path: str) -> int:
    """Lines that are neither blank nor comment."""
    found: set[int] = set()
    with tokenize.open(path) as source:
        for token in tokenize.generate_tokens(source.readline):
            if token.type not in _SILENT:
                found.update(range(token.start[0], token.end[0] + 1))
    return len(found)


if __name__ == "__main__":
    asyncio.run(main())
