"""A small server that keeps the contract between `llama stack run` and `runtime.server`, with switches to misbehave.

It stands in where the real one cannot: ending in every way a server can end, at a chosen moment, in a tenth of a
second. The switches are variables of its environment (`FAKE_*`). Standard library only; started by a shell script
that plays a distribution's interpreter.
"""

from __future__ import annotations

import argparse
import fcntl
import json
import os
import signal
import subprocess
import sys
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any


class Record:
    """Locked for life, rewritten in place."""

    def __init__(self, path: str) -> None:
        self.fd = os.open(path, os.O_RDWR)
        fcntl.flock(self.fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        self.facts: dict[str, Any] = json.loads(os.pread(self.fd, 1 << 20, 0))

    def say(self, state: str, **facts: Any) -> None:
        self.facts |= {"state": state, "pid": os.getpid(), **facts}
        data = json.dumps(self.facts).encode()
        os.pwrite(self.fd, data, 0)
        os.ftruncate(self.fd, len(data))


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    last_body: Any = None

    def do_GET(self) -> None:
        health = json.loads(os.environ.get("FAKE_HEALTH", '{"status": "OK", "message": null}'))
        provider = {"provider_id": "vllm", "provider_type": "remote::vllm", "api": "inference", "config": {}}
        models = [{"id": "all-minilm", "model_type": "embedding"}, {"id": "llama/small", "model_type": "llm"}]
        answers: dict[str, Any] = {
            "/v1/health": {"status": "OK"},
            "/v1/models": {"object": "list", "data": models},
            **{f"/v1/models/{model['id']}": {**model, "provider_id": "vllm"} for model in models},
            "/v1/providers": {"data": [{**provider, "health": health}]},
            "/environment": dict(os.environ),
            "/arguments": sys.argv[1:],
            "/last-body": self.last_body,
        }
        if self.path in answers:
            self.answer(answers[self.path])
        else:
            self.answer({"error": {"message": "no such route\nhint: look again"}}, 404)

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["content-length"])))
        said = body["messages"][-1]["content"]
        self.most = min(body.get("max_completion_tokens", 1000), 1000)
        Handler.last_body = body
        if body["model"] == "route":
            self.answer({"error": {"message": "Model `route` is not served.\nhint: list all with GET /v1/models"}}, 404)
        elif body["model"] != "llama/small":
            self.answer({"error": {"message": f"Model `{body['model']}` is not served.\nhint: `llama/small` is"}}, 404)
        elif body.get("stream"):
            self.stream(said)
        else:
            choice = {"message": {"content": f"you said: {said}"}, "finish_reason": "stop"}
            self.answer({"choices": [choice], "usage": {"total_tokens": 7}})

    def stream(self, said: str) -> None:
        self.send_response(200)
        self.send_header("content-type", "text/event-stream")
        self.send_header("connection", "close")
        self.end_headers()
        events: list[Any] = [{"choices": [{"delta": {"content": part}}]} for part in ("you", " said: ", said)]
        if said == "break":
            events = [events[0], {"error": {"message": "the model fell over"}}]
        if said == "at length":
            # More than a pipe holds, so that it is still coming when its reader has gone.
            events += [{"choices": [{"delta": {"content": "and so on\n" * 100}}]}] * 1000
        if said == "wait":
            events = events[:1]
        is_cut = said == "too long"
        used = {"total_tokens": 7, "completion_tokens": self.most} if is_cut else {"total_tokens": 7}
        events += [{"choices": [{"delta": {}, "finish_reason": "length" if is_cut else "stop"}]}]
        events += [{"choices": [], "usage": used}]
        for event in events:
            self.wfile.write(f"data: {json.dumps(event)}\n\n".encode())
            if said == "wait":
                self.rfile.read(1)  # until the client leaves
                return
        self.wfile.write(b"data: [DONE]\n\n")

    def answer(self, value: Any, status: int = 200) -> None:
        data = json.dumps(value).encode()
        self.send_response(status)
        self.send_header("content-length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, format: str, *args: Any) -> None:
        pass


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("run_yaml")
    for name in ("state", "record-file", "log-file", "host", "log-level"):
        parser.add_argument(f"--{name}")
    parser.add_argument("--port", type=int)
    parser.add_argument("--parent-fd", type=int)
    parser.add_argument("--log-file-only", action="store_true")
    for name in ("model", "alias", "require", "without"):
        parser.add_argument(f"--{name}", action="append")
    parser.add_argument("--require-gpu", action="store_true")
    options = parser.parse_args()
    behaviour = os.environ.get("FAKE_BEHAVIOUR", "")
    if behaviour == "no-interpreter":
        sys.exit("ModuleNotFoundError: no module named nothing")
    record = Record(options.record_file)
    record.say("starting")
    with Path(options.log_file).open("a", encoding="utf-8") as log:
        for level, text, extra in (("info", "hello", {}), ("error", "provider down", {"request_id": "req_1"})):
            log.write(
                json.dumps({"time": "2026-01-01T00:00:00+00:00", "level": level, "message": text, **extra}) + "\n"
            )
    if behaviour == "never-ready":
        signal.pause()
    if behaviour.startswith("gets-"):  # as where somebody stops it while the interpreter loads
        os.kill(os.getpid(), signal.Signals[behaviour.removeprefix("gets-")])
    if behaviour == "drains-at-once":
        record.say("stopped", exit_code=0)
        sys.exit(0)
    if behaviour.startswith("fails-"):
        code = int(behaviour.removeprefix("fails-"))
        reason = os.environ.get("FAKE_REASON", "the reason it gave")
        record.say("failed", reason=reason, exit_code=code, hint=os.environ.get("FAKE_HINT"))
        if options.parent_fd is None:
            print(f"error: {reason}", file=sys.stderr)
        sys.exit(code)
    if behaviour == "with-child":
        child = subprocess.Popen([sys.executable, "-c", "import signal; signal.pause()"])
        record.facts["options"]["child"] = child.pid
    server = ThreadingHTTPServer((options.host or "127.0.0.1", options.port or 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    asked: list[float] = []
    wake, woken = os.pipe()
    signal.signal(signal.SIGTERM, lambda *_: (asked.append(time.monotonic()), os.write(woken, b"t")))
    signal.signal(signal.SIGINT, lambda *_: (asked.append(time.monotonic()), os.write(woken, b"t")))
    if options.parent_fd is not None:
        threading.Thread(target=lambda: (os.read(options.parent_fd, 1), os.write(woken, b"t")), daemon=True).start()
    port = server.server_address[1]
    off = [
        {"provider_type": provider_type, "variables": [variable]}
        for provider_type, variable in (("remote::openai", "OPENAI_API_KEY"), ("remote::vllm", "VLLM_URL"))
        if not os.environ.get(variable)
    ]
    said = {"state": "ready", "off": off, **json.loads(os.environ.get("FAKE_RECORD", "{}"))}
    record.say(host="127.0.0.1", port=port, url=f"http://127.0.0.1:{port}", **said)
    if behaviour == "crashes":
        os.kill(os.getpid(), signal.SIGKILL)
    os.read(wake, 1)
    if behaviour in ("drains-forever", "never-ends"):
        record.say("draining", reason="1 request is still running")
        while True:
            os.read(wake, 1)
            if behaviour == "drains-forever":
                break
    record.say("stopped", exit_code=0)
    os._exit(130 if len(asked) > 1 else 0)


if __name__ == "__main__":
    main()
