"""Which files, and how many of their lines, one streamed chat runs through in our process.

Run: `.venv/bin/python -m scripts.bench.road`. A stack with one OpenAI-compatible provider and a local upstream, all in
one process; the fourth request is traced, from the first middleware until its log line waits to be written: of one that
is not kept, and of one that is. Counts product files, and of each the lines that are neither blank nor comment; not
what other threads do.
"""

from __future__ import annotations

import asyncio
import json
import sys
import tempfile
import tokenize
from collections import defaultdict
from pathlib import Path
from types import FrameType
from typing import Any

from aiohttp import web

from runtime.server import logs
from tests.support.stacks import openai_at, run_config, serving

_PRODUCT = Path(__file__).parents[2] / "runtime"
_CHAT = {"model": "vendor/m", "stream": True, "messages": [{"role": "user", "content": "hello"}]}
_SILENT = (tokenize.COMMENT, tokenize.NL, tokenize.NEWLINE, tokenize.INDENT, tokenize.DEDENT, tokenize.ENDMARKER)


async def main() -> None:
    executed: dict[str, set[int]] = defaultdict(set)

    def line(frame: FrameType, event: str, _: Any) -> Any:
        if event == "line":
            executed[frame.f_code.co_filename].add(frame.f_lineno)
        return line

    def call(frame: FrameType, _event: str, _: Any) -> Any:
        return line if frame.f_code.co_filename.startswith(str(_PRODUCT)) else None

    runner = web.AppRunner(_upstream())
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    url = f"http://127.0.0.1:{runner.addresses[0][1]}/v1"
    with tempfile.TemporaryDirectory() as folder:
        log = logs.set_up("info", file=Path(folder, "log"), stderr=False)
        async with serving(run_config(openai_at(url)), Path(folder)) as served:
            for store in (False, True):
                asked = _CHAT | {"store": store}
                for _ in range(3):  # opens connections, fills caches
                    await served.client.post("/v1/chat/completions", asked)
                executed.clear()
                sys.settrace(call)
                answer = await served.client.post("/v1/chat/completions", asked)
                sys.settrace(None)
                assert answer.body.endswith(b"[DONE]\n\n"), answer.body
                _show(executed, "kept" if store else "not kept")
        log.stop()
    await runner.cleanup()


def _show(executed: dict[str, set[int]], which: str) -> None:
    counted = {file: _lines(file) for file in sorted(executed)}
    for file, lines in counted.items():
        print(f"{lines:5} {len(executed[file]):4} executed  {Path(file).relative_to(_PRODUCT)}")
    executes = sum(map(len, executed.values()))
    print(f"{which}: {len(counted)} files, {sum(counted.values())} lines, {executes} executed\n")


def _upstream() -> web.Application:
    async def chat(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse(headers={"content-type": "text/event-stream"})
        await response.prepare(request)
        for reason in (None, None, None, "stop"):
            choice = {"index": 0, "delta": {"content": "x"}, "finish_reason": reason}
            chunk = {"id": "c", "object": "chat.completion.chunk", "created": 1, "model": "m", "choices": [choice]}
            await response.write(b"data: %b\n\n" % json.dumps(chunk).encode())
        await response.write(b"data: [DONE]\n\n")
        return response

    async def models(_: web.Request) -> web.Response:
        return web.json_response({"object": "list", "data": [{"id": "m", "object": "model"}]})

    app = web.Application()
    app.router.add_post("/v1/chat/completions", chat)
    app.router.add_get("/v1/models", models)
    return app


def _lines(file: str) -> int:
    """Lines that are neither blank nor comment."""
    found: set[int] = set()
    with tokenize.open(file) as source:
        for token in tokenize.generate_tokens(source.readline):
            if token.type not in _SILENT:
                found.update(range(token.start[0], token.end[0] + 1))
    return len(found)


if __name__ == "__main__":
    asyncio.run(main())
