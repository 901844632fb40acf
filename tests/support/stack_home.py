"""A Llama home of its own, the command line in it, and servers started with it that leave nothing behind.

Knows how a user types `llama`, and what belongs in the environment of a test. Knows no test; nothing is replaced: the
distribution is built from the package index and its own interpreter serves.
"""

from __future__ import annotations

import json
import os
import re
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple
from uuid import uuid4

import httpx
import psutil

import llama_cli
from runtime import discovery

TREE = Path(llama_cli.__file__).parents[1]
RUN_S = 300.0
"""The longest any command may take; a first build downloads."""


class Result(NamedTuple):
    """What a command did. out is its data, err what it says to a human."""

    code: int
    out: str
    err: str


def clean_environment() -> dict[str, str]:
    """This process's environment without what turns providers on or chooses a home: a test says itself what is set."""
    of_providers = set()
    for spec in discovery.built_in().specs:
        of_providers |= {spec.key_env, spec.enabled_by, *re.findall(r"env\.([A-Z0-9_]+)", repr(spec.sample_config))}
    ours = re.compile(r"(LLAMA|OGX|INFERENCE|SQLITE_STORE|MAX_)[A-Z_]*|(NO|FORCE)_COLOR|COLUMNS|LINES|CI|PYTHONPATH")
    return {name: value for name, value in os.environ.items() if name not in of_providers and not ours.fullmatch(name)}


def uv_cache() -> Path:
    """Where uv keeps what it has downloaded: for commands that are given another home."""
    fallback = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "uv"
    return Path(os.environ.get("UV_CACHE_DIR") or fallback)


@contextmanager
def reserved_port() -> Iterator[int]:
    """A port that nobody else is given meanwhile: nothing listens on it until something that was told it does."""
    with socket.socket() as holder:
        # Servers set this too, and may then bind what is bound already as long as nobody listens.
        holder.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        holder.bind(("127.0.0.1", 0))
        yield holder.getsockname()[1]


def is_running(pid: int) -> bool:
    """Whether a process is there and has not ended: one whose parent has not asked for its end yet holds nothing."""
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


@dataclass(frozen=True, kw_only=True)
class Stack:
    """A stack that answers at `url`, wherever it runs."""

    url: str

    def get(self, path: str, *, status: int = 200) -> Any:
        """The JSON at a path. Fails the test where the status is another."""
        return _json(httpx.get(self.url + path, timeout=60), status)

    def post(self, path: str, body: Any, *, status: int = 200, headers: Mapping[str, str] | None = None) -> Any:
        return _json(httpx.post(self.url + path, json=body, headers=headers, timeout=120), status)

    def delete(self, path: str, *, status: int = 204) -> Any:
        return _json(httpx.delete(self.url + path, timeout=60), status)

    def chat(self, model: str, text: str = "Hello", *, status: int = 200, **fields: Any) -> Any:
        """One greedy chat completion of at most 8 tokens; for another status, its error."""
        body = {"model": model, "messages": [{"role": "user", "content": text}], "max_tokens": 8, "temperature": 0}
        headers = fields.pop("headers", None)
        answer = self.post("/v1/chat/completions", body | fields, status=status, headers=headers)
        return answer if status == 200 else answer["error"]

    def models(self) -> list[str]:
        return [model["id"] for model in self.get("/v1/models")["data"]]

    def model_of_type(self, model_type: str) -> str | None:
        """The first model of a type, `llm` or `embedding`."""
        found = (model["id"] for model in self.get("/v1/models")["data"] if model["model_type"] == model_type)
        return next(found, None)

    def health(self, provider_id: str) -> dict[str, Any]:
        """The live health of one provider."""
        rows = self.get("/v1/providers")["data"]
        found: dict[str, Any] = next(row["health"] for row in rows if row["provider_id"] == provider_id)
        return found


@dataclass(frozen=True, kw_only=True)
class Served(Stack):
    """A server that was started here. ready: the document of `--ready-file`."""

    home: Home
    ready: Mapping[str, Any]

    @property
    def id(self) -> str:
        return str(self.ready["id"])

    @property
    def pid(self) -> int:
        return int(self.ready["pid"])

    @property
    def record(self) -> dict[str, Any]:
        stated: dict[str, Any] = json.loads((self.home.folder / "servers" / f"{self.id}.json").read_text())
        return stated

    def log(self) -> str:
        return Path(self.ready["log_file"]).read_text()

    def kill(self) -> None:
        """`kill -9`, and wait until it is gone."""
        process = psutil.Process(self.pid)
        process.kill()
        psutil.wait_procs([process], timeout=30)


class Home:
    """A Llama home. environment: what every command in it sees. llama: how the command line is called."""

    def __init__(
        self, folder: Path, *, environment: Mapping[str, str] | None = None, llama: Sequence[str] | None = None
    ) -> None:
        self.folder = folder
        self.llama = list(llama) if llama else [sys.executable, "-m", "llama_cli.main"]
        self.environment = dict(clean_environment() if environment is None else environment)
        self.environment["LLAMA_HOME"] = str(folder)
        if not llama:
            self.environment["PYTHONPATH"] = str(TREE)

    def start(self, *arguments: str, cwd: Path | None = None, **environment: str) -> subprocess.Popen[str]:
        """`llama ARGUMENTS` with pipes in all three places, in a session of its own."""
        return subprocess.Popen(
            [*self.llama, *arguments], env=self.environment | environment, cwd=cwd or self._cwd(), text=True,
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, start_new_session=True,
        )  # fmt: skip

    def __call__(self, *arguments: str, stdin: str = "", cwd: Path | None = None, **environment: str) -> Result:
        """Run `llama ARGUMENTS` to its end."""
        process = self.start(*arguments, cwd=cwd, **environment)
        try:
            out, err = process.communicate(stdin, timeout=RUN_S)
        except BaseException:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()
            raise
        return Result(process.returncode, out, err)

    @contextmanager
    def served(self, target: str, *options: str, **environment: str) -> Iterator[Served]:
        """A server on a free port, with a state of its own unless `--port` is among the options; stopped at the end."""
        ready = self.folder / f"ready-{uuid4().hex}.json"
        port = () if "--port" in options else ("--port", "0")
        arguments = ("stack", "run", target, "--detach", "--ready-file", str(ready), *port, *options)
        result = self(*arguments, **environment)
        assert result.code == 0, f"exit code {result.code}: {result.err}"
        facts = json.loads(ready.read_text())
        server = Served(home=self, ready=facts, url=facts["url"])
        try:
            yield server
        finally:
            self.stop(server.id)

    def stop(self, server_id: str) -> None:
        """End a server if it runs, and hold it to leaving no process behind."""
        path = self.folder / "servers" / f"{server_id}.json"
        if not path.exists():  # stopped already: what was for this one start is gone
            return
        pid = json.loads(path.read_text())["pid"]
        if pid is None or not is_running(pid):
            return
        ended = self("stack", "stop", server_id, "--timeout", "5s")
        assert ended.code == 0, ended.err
        assert not is_running(pid), f"server {pid} is still there: {psutil.Process(pid)}"

    def _cwd(self) -> Path:
        """An empty folder: nothing that lies beside a user must matter."""
        folder = self.folder / "cwd"
        folder.mkdir(parents=True, exist_ok=True)
        return folder


def _json(answer: httpx.Response, status: int) -> Any:
    assert answer.status_code == status, f"{answer.status_code}: {answer.text}"
    return answer.json() if answer.content else None
