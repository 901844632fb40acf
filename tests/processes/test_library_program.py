"""Programs that have the stack as a library, each in a process of its own: what they import, what stays theirs, and how
they end.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.support.stack_home import TREE

pytestmark = pytest.mark.e2e

LIMIT_S = 120.0
OPENS = """
import os, sys
from runtime.client import LlamaStackAsLibraryClient
client = LlamaStackAsLibraryClient(os.environ["CONFIG"], state_dir="state")
assert client.http_client().get("/v1/health").json()["status"] == "OK"
"""


@pytest.fixture
def program(tmp_path: Path) -> Callable[..., subprocess.CompletedProcess[str]]:
    """Runs a program's text with a run config in a folder of its own."""
    config = {"version": 2, "distro_name": "library", "providers": {"inference": []}}
    config["providers"] |= {"files": [{"provider_id": "localfs", "provider_type": "inline::localfs"}]}  # type: ignore[operator]
    (tmp_path / "run.yaml").write_text(json.dumps(config))  # JSON is YAML

    def run(text: str, *before: str, **environment: str) -> subprocess.CompletedProcess[str]:
        file = tmp_path / "program.py"
        file.write_text(text)
        return subprocess.run(
            [sys.executable, *before, str(file), "an argument"], cwd=tmp_path, check=False, timeout=LIMIT_S,
            env={**os.environ, "PYTHONPATH": str(TREE), "CONFIG": str(tmp_path / "run.yaml"), **environment},
            capture_output=True, text=True,
        )  # fmt: skip

    return run


def test_the_process_stays_the_programs(program: Callable[..., Any]) -> None:
    """Its loggers, signals, variables, threads of torch and mask of files; a program may have set any of them."""
    done = program(
        """
import json, logging, os, signal, sys, threading, warnings

def settings():
    numbers = [number for number in signal.valid_signals() if number not in (signal.SIGKILL, signal.SIGSTOP)]
    mask = os.umask(0o22)
    os.umask(mask)
    return {
        "signals": {str(number): repr(signal.getsignal(number)) for number in numbers},
        "handlers": [repr(handler) for handler in logging.getLogger().handlers],
        "levels": {
            name: logger.level for name, logger in sorted(logging.root.manager.loggerDict.items())
            if isinstance(logger, logging.Logger) and logger.level
        },
        "level": logging.getLogger().level,
        "variables": dict(os.environ),
        "mask": mask,
        "hooks": [repr(hook) for hook in (sys.excepthook, threading.excepthook, warnings.showwarning)],
        "path": sys.path,
        "folder": os.getcwd(),
    }

logging.basicConfig(level=logging.WARNING)
before = settings()
"""
        + OPENS
        + """
client.close()
after = settings()
print(json.dumps({name: [before[name], after[name]] for name in before if before[name] != after[name]}))
print(json.dumps([name for name in ("torch", "transformers", "uvicorn", "openai") if name in sys.modules]))
print(json.dumps([thread.name for thread in threading.enumerate() if not thread.daemon]))
"""
    )
    assert done.returncode == 0, done.stderr
    assert [json.loads(line) for line in done.stdout.splitlines()] == [{}, [], ["MainThread"]]


KEEPS = """
import httpx2
at = client.http_client(httpx2)
file = at.post("/v1/files", files={"file": ("a.txt", b"kept")}, data={"purpose": "assistants"}).json()["id"]
"""


@pytest.mark.parametrize(
    ("ends", "code"), [("", 0), ("sys.exit(3)", 3), ("raise LookupError", 1), ("os.kill(os.getpid(), 9)", -9)]
)
def test_a_program_that_closes_nothing_ends_and_loses_nothing(
    program: Callable[..., Any], ends: str, code: int
) -> None:
    done = program(OPENS + KEEPS + ends)
    assert done.returncode == code
    assert "not closed" not in done.stderr and "after shutdown" not in done.stderr
    done = program(OPENS + 'print([file["filename"] for file in client.http_client().get("/v1/files").json()["data"]])')
    assert (done.returncode, done.stdout) == (0, "['a.txt']\n"), done.stderr


def test_a_program_that_is_interrupted_while_a_stack_opens_has_none(program: Callable[..., Any]) -> None:
    """A vendor takes the connection and says nothing."""
    done = program(
        """
import json, os, pathlib, signal, socket, threading
from runtime.client import LlamaStackAsLibraryClient
from runtime.storage.state_folder import is_held

vendor = socket.create_server(("127.0.0.1", 0))
url = f"http://127.0.0.1:{vendor.getsockname()[1]}/v1"
provider = {"provider_id": "a", "provider_type": "remote::openai", "config": {"base_url": url, "api_key": "sk-none"}}
config = {"version": 2, "distro_name": "silent", "providers": {"inference": [provider]}}
pathlib.Path("silent.yaml").write_text(json.dumps(config))

def interrupt():
    global connection
    connection = vendor.accept()
    os.kill(os.getpid(), signal.SIGINT)

threading.Thread(target=interrupt, daemon=True).start()
try:
    LlamaStackAsLibraryClient("silent.yaml", state_dir="state", wait_s=60)
except KeyboardInterrupt:
    print("interrupted", is_held(pathlib.Path("state")))
"""
    )
    assert (done.returncode, done.stdout) == (0, "interrupted False\n"), done.stderr


def test_what_only_comes_by_default_is_made_when_it_is_asked_for(program: Callable[..., Any]) -> None:
    """Before that its models are not even imported. Nobody listens where its vendor is."""
    done = program(
        """
import gc, json, os, pathlib
before = gc.get_threshold()
vendor = {"provider_id": "a", "provider_type": "remote::openai"}
vendor["config"] = {"base_url": "http://127.0.0.1:9/v1", "api_key": "sk-none"}
pathlib.Path("vendor.yaml").write_text(
    json.dumps({"version": 2, "distro_name": "vendor", "providers": {"inference": [vendor]}})
)
os.environ["CONFIG"] = "vendor.yaml"
"""
        + OPENS
        + """
def made():
    return [name for name in ("agents", "prompts", "responses") if f"runtime.apis.{name}.protocol" in sys.modules]

at = client.http_client()
print([at.get(path).status_code for path in ("/v1/models", "/v1/models/none", "/v1/version")], made())
print(at.get("/v1/prompts").json()["data"], made())
print(gc.get_threshold() == before)
"""
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines() == ["[200, 404, 200] []", "[] ['agents', 'prompts', 'responses']", "True"]


IMPORTS = """
import os, sys
from llama_stack import LlamaStackAsLibraryClient
from llama_stack.core.library_client import AsyncLlamaStackAsLibraryClient
from llama_stack.distribution.library_client import LlamaStackAsLibraryClient as Older
from ogx.core.library_client import OGXAsLibraryClient
assert Older is OGXAsLibraryClient is LlamaStackAsLibraryClient
with LlamaStackAsLibraryClient(os.environ["CONFIG"], state_dir="state", skip_logger_removal=True) as client:
    client.initialize()
    print(__name__, sys.argv[1:], client.http_client().get("/v1/version").status_code)
"""


def test_a_program_for_llama_stack_runs_unchanged_where_that_is_asked_for(program: Callable[..., Any]) -> None:
    assert "No module named 'llama_stack'" in program(IMPORTS).stderr
    done = program(IMPORTS, "-m", "runtime.client")
    assert (done.returncode, done.stdout) == (0, "__main__ ['an argument'] 200\n"), done.stderr


def test_the_name_of_an_installed_package_is_not_taken(program: Callable[..., Any], tmp_path: Path) -> None:
    (tmp_path / "installed/llama_stack").mkdir(parents=True)
    (tmp_path / "installed/llama_stack/__init__.py").touch()
    done = program(IMPORTS, "-m", "runtime.client", PYTHONPATH=f"{TREE}{os.pathsep}{tmp_path / 'installed'}")
    assert done.returncode == 5 and "the package `llama_stack` is installed" in done.stderr


def test_a_process_that_is_forked_does_not_have_the_stack(program: Callable[..., Any]) -> None:
    """It is told so at once, ends at once, and does not hold the folder."""
    done = program(
        OPENS
        + f"""
import signal
at = client.http_client()
reads, writes = os.pipe()
if (child := os.fork()) == 0:
    signal.alarm({int(LIMIT_S) // 4})
    try:
        at.get("/v1/health")
    except Exception as error:
        print("asked:", error, flush=True)
    client.close()
    os.write(writes, b"closed")
    signal.pause()  # until it is killed: it lives on while its parent closes and opens
os.close(writes)
assert os.read(reads, 6) == b"closed"
assert at.get("/v1/health").status_code == 200
client.close()
LlamaStackAsLibraryClient(os.environ["CONFIG"], state_dir="state").close()
os.kill(child, signal.SIGKILL)
assert os.waitpid(child, 0)[1] == signal.SIGKILL
print("opened again")
"""
    )
    said, last = done.stdout.splitlines()[0], done.stdout.splitlines()[-1]
    assert said == "asked: the stack runs in the process that this one was forked from" and last == "opened again", done


CHATS = """
import http.server, json, os, pathlib, signal, sys, threading
from runtime.client import LlamaStackAsLibraryClient, turns

turns.LOOK_S = 60.0  # however slow the machine is, the main thread turns the event loop while it waits
seen, left = [], threading.Event()

class Vendor(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.answer({"object": "list", "data": [{"id": "m", "object": "model"}]})

    def do_POST(self):
        self.rfile.read(int(self.headers["content-length"]))
        thread.call(lambda: seen.append(threading.current_thread() is threading.main_thread()))
        if on_chat():
            message = {"role": "assistant", "content": "answered"}
            choices = [{"index": 0, "message": message, "finish_reason": "stop"}]
            self.answer({"id": "c", "object": "chat.completion", "created": 1, "model": "m", "choices": choices})
        elif not self.rfile.read(1):
            left.set()

    def answer(self, what):
        body = json.dumps(what).encode()
        self.send_response(200)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass

vendor = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Vendor)
threading.Thread(target=vendor.serve_forever, daemon=True).start()
url = f"http://127.0.0.1:{vendor.server_port}/v1"
provider = {"provider_id": "a", "provider_type": "remote::openai", "config": {"base_url": url, "api_key": "sk-none"}}
config = {"version": 2, "distro_name": "vendor", "providers": {"inference": [provider]}}
pathlib.Path("vendor.yaml").write_text(json.dumps(config))
client = LlamaStackAsLibraryClient("vendor.yaml", state_dir="state")
thread, at = client._llama_stack._running.thread, client.http_client()

def chat():
    for _ in range(20):
        at.get("/v1/health").raise_for_status()
    body = {"model": "a/m", "messages": [{"role": "user", "content": "Hello"}]}
    return at.post("/v1/chat/completions", json=body)
"""


def test_who_is_interrupted_in_a_chat_leaves_it_and_keeps_the_stack(program: Callable[..., Any]) -> None:
    done = program(
        CHATS
        + """
def on_chat():
    os.kill(os.getpid(), signal.SIGINT)

try:
    chat()
except KeyboardInterrupt:
    print(seen, left.wait(20), signal.getsignal(signal.SIGINT) is signal.default_int_handler)
print(at.get("/v1/models").json()["data"][0]["id"])
client.close()
"""
    )
    assert (done.returncode, done.stdout.splitlines()) == (0, ["[True] True True", "a/m"]), done.stderr


def test_a_stack_is_closed_by_another_thread_while_the_main_thread_waits(program: Callable[..., Any]) -> None:
    done = program(
        CHATS
        + """
closing = threading.Thread(target=client.close)

def on_chat():
    closing.start()

answer = chat()
print(seen, answer.status_code, answer.json()["error"]["message"])
closing.join()
"""
    )
    assert (done.returncode, done.stdout) == (0, "[True] 503 the stack is closing\n"), done.stderr


def test_a_process_that_another_thread_forks_meanwhile_has_its_own_signals(program: Callable[..., Any]) -> None:
    done = program(
        CHATS
        + """
def on_chat():
    if (child := os.fork()) == 0:
        try:
            at.get("/v1/health")
        except Exception as error:
            print("asked:", str(error).splitlines()[0])
        print("signals:", signal.getsignal(signal.SIGINT) is signal.default_int_handler, flush=True)
        os._exit(0)
    return os.waitpid(child, 0)[1] == 0

print(chat().json()["choices"][0]["message"]["content"], seen)
client.close()
"""
    )
    asked = "asked: the stack runs in the process that this one was forked from"
    assert done.stdout.splitlines() == [asked, "signals: True", "answered [True]"], done.stderr
