"""What a line of a batch costs beside the same chat asked over HTTP, and how long a batch takes.

Run: `.venv/bin/python -m scripts.bench.batches [--rounds N] [--lines N]`. The server is `runtime.server` of this
environment, with SQLite and files on this disk. A batch counts from its creation, which reads the whole file, until its
output file is written; the upload of the file does not. The mock upstream answers in another process that does not
count.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable

import httpx

from scripts.bench import in_chats, load, measure, servers
from scripts.bench.gateway import CHAT, PATH
from scripts.bench.in_chats import cpu_us
from scripts.bench.servers import Server

_BODY = {"model": "openai/burst", **CHAT}
_WORK = load.Work(path=PATH, body=_BODY)
_AT_ONCE, _POLL_S, _LIMIT_S = 16, 0.2, 300.0
_LINE, _HTTP = "line of a batch", "chat over HTTP"
_BUDGETS = {_LINE: "1.2 chats over HTTP"}


def main() -> None:
    parser = in_chats.arguments(__doc__)
    parser.add_argument("--lines", type=int, default=10_000)
    options = parser.parse_args()
    settings = {"max_concurrent_requests_per_batch": _AT_ONCE}
    providers = {
        "files": [{"provider_id": "localfs", "provider_type": "inline::localfs"}],
        "batches": [{"provider_id": "builtin", "provider_type": "inline::builtin", "config": settings}],
    }
    with in_chats.bench() as bench:
        ours = bench.serve({"inference": [servers.openai_provider(bench.upstream)], **providers})
        client = bench.stack.enter_context(httpx.Client(base_url=f"http://127.0.0.1:{ours.port}/v1", timeout=60))
        input_file_id = _uploaded(client, options.lines)
        took_s: list[float] = []
        subjects: dict[str, Callable[[], float]] = {
            _HTTP: lambda: cpu_us(ours, 2000, _WORK, connections=_AT_ONCE),
            _LINE: lambda: _batch_us(ours, client, input_file_id, options.lines, took_s),
        }
        found = bench.compare(subjects, _BUDGETS, rounds=options.rounds, about=f"{options.lines} lines; ")
        beside = measure.ratios(found[_LINE], found[_HTTP])
        print(f"\nA line of a batch is {measure.spread(beside)} chats over HTTP.")
        print(f"{options.lines} lines take {measure.spread(took_s[1:], 1)} s, {_AT_ONCE} at once.")


def _uploaded(client: httpx.Client, count: int) -> str:
    line = {"method": "POST", "url": PATH, "body": _BODY}
    text = "\n".join(json.dumps({"custom_id": f"line-{number}", **line}) for number in range(count))
    files = {"file": ("in.jsonl", text.encode())}
    file_id: str = client.post("/files", data={"purpose": "batch"}, files=files).raise_for_status().json()["id"]
    return file_id


def _batch_us(server: Server, client: httpx.Client, input_file_id: str, count: int, took_s: list[float]) -> float:
    """Microseconds of the server's CPU for each line. took_s: gets how long it took."""
    began = time.perf_counter()
    cost = cpu_us(server, count, lambda: _run(client, input_file_id, count))
    took_s.append(time.perf_counter() - began)
    return cost


def _run(client: httpx.Client, input_file_id: str, count: int) -> None:
    """Raises RuntimeError where not every line is answered."""
    asked = {"input_file_id": input_file_id, "endpoint": PATH, "completion_window": "24h"}
    batch = client.post("/batches", json=asked).raise_for_status().json()
    until = time.perf_counter() + _LIMIT_S
    while batch["status"] in ("validating", "in_progress", "finalizing") and time.perf_counter() < until:
        time.sleep(_POLL_S)
        batch = client.get(f"/batches/{batch['id']}").raise_for_status().json()
    if batch["status"] != "completed" or batch["request_counts"]["completed"] != count:
        raise RuntimeError(f"the batch is `{batch['status']}`: {batch['request_counts']}")


if __name__ == "__main__":
    main()
