"""The command line as a process: on a real terminal, and with standard streams that are closed, full or left.

A server that answers nothing but what would steer a terminal stands in for every hostile model, log and server.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from http.server import ThreadingHTTPServer
from pathlib import Path
from typing import NamedTuple

import pytest

from llama_cli.exits import ExitCode
from tests.support.screen import on_a_terminal
from tests.support.small_server import SmallHandler, running, url_of
from tests.support.terminal import HOSTILE, steering

ROOT = Path(__file__).parents[3]
LLAMA = [sys.executable, "-m", "llama_cli.main"]
REDRAWN = re.compile(r"(\x1b\[\d+A|\r)?\r\x1b\[[JK]")
"""How we take back what was drawn for a moment, such as that an answer is waited for: from where the cursor waits,
which for a line of progress is its start.
"""
ANSWER = ["line one\n\tline two \x1b", "[2J", HOSTILE, "\N{LLAMA} llama"]
"""The pieces of an answer; an escape sequence is cut in two."""


class Hostile(SmallHandler):
    def do_GET(self) -> None:
        self.send(json.dumps({"data": [{"id": HOSTILE, "model_type": "llm"}]}))

    def do_POST(self) -> None:
        asked = json.loads(self.rfile.read(int(self.headers["content-length"])))
        deltas = [{"choices": [{"index": 0, "delta": {"content": piece}}]} for piece in ANSWER]
        end = {"choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]}
        if asked["messages"][-1]["content"] == "refuse":
            self.send(json.dumps({"error": {"message": HOSTILE + "\nhint: " + HOSTILE}}), status=400)
        elif asked.get("stream"):
            self.send("".join(f"data: {json.dumps(event)}\n\n" for event in (*deltas, end)) + "data: [DONE]\n\n")
        else:
            choice = {"message": {"role": "assistant", "content": "".join(ANSWER)}, "finish_reason": "stop"}
            self.send(json.dumps({"choices": [choice]}))

    def send(self, text: str, *, status: int = 200) -> None:
        kind = "text/event-stream" if text.startswith("data:") else "application/json"
        self.answer(text.encode(), status=status, kind=kind)


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    with running(ThreadingHTTPServer(("127.0.0.1", 0), Hostile)) as server:
        yield url_of(server)


@pytest.fixture
def environment(url: str, tmp_path: Path) -> dict[str, str]:
    """That of a user with one server, which has crashed, whose record and log hold what they should not."""
    log = tmp_path / "x.log"
    entry = {"time": "2026-01-01T00:00:00Z", "level": "error", "message": HOSTILE, "path": HOSTILE}
    log.write_text(json.dumps(entry) + "\n" + HOSTILE.replace("\udce9", "") + "\n")
    servers = tmp_path / "home" / "servers"
    servers.mkdir(parents=True)
    record = {"id": "x", "name": "x", "state": "failed", "pid": 1, "reason": HOSTILE, "url": url, "log_file": str(log)}
    (servers / "x.json").write_text(json.dumps(record))
    unwanted = ("NO_COLOR", "FORCE_COLOR", "CI", "PYTHONUNBUFFERED")
    kept = {name: value for name, value in os.environ.items() if name not in unwanted}
    return kept | {
        "LLAMA_HOME": str(tmp_path / "home"),
        "LLAMA_STACK_URL": url,
        "TERM": "xterm-256color",
        "COLUMNS": "300",
        "PYTHONPATH": str(ROOT),
    }


@pytest.mark.parametrize(
    ("arguments", "code", "shown"),
    [
        (["stack", "logs", "x"], 0, r"\x1b]0;a title\x07"),
        (["stack", "logs", "x", "-f", "--json"], 0, r"\u202eexe."),
        (["stack", "ps", "--all"], 0, r"\x1b]0;a title\x07"),
        (["stack", "ps", "--all", "--json"], 0, r"\u009b"),
        (["stack", "status", "x"], 7, r"\x1b]0;a title\x07"),
        (["stack", "show", HOSTILE.replace("\0", "")], 2, r"\x1b]0;a title\x07"),
        (["chat", "hi"], 0, "line one\n    line two \\x1b[2J"),
        (["chat", "hi", "--raw"], 0, "line one\n\tline two \\x1b[2J"),
        (["chat", "hi", "--no-stream"], 0, "line one\n\tline two \\x1b[2J"),
        (["chat", "hi", "--json"], 0, r"line two \u001b[2J"),
        (["chat", "refuse"], 1, r"hint: \x1b]0;a title\x07"),
    ],
    ids=lambda value: " ".join(value[:4]) if isinstance(value, list) else "",
)
def test_nothing_steers_a_real_terminal(
    arguments: list[str], code: int, shown: str, environment: dict[str, str]
) -> None:
    seen = on_a_terminal([*LLAMA, *arguments], environment)
    assert steering(REDRAWN.sub("", seen.text)) == set()
    assert (seen.code, shown in seen.text) == (code, True), seen.text


def test_an_answer_in_a_pipe_is_what_the_model_said(environment: dict[str, str]) -> None:
    done = ended(["chat", "hi"], "", environment)
    assert done == (0, "".join(ANSWER).replace("\udce9", "\ufffd") + "\n", "")


SPEAKING = [
    ["stack", "list-apis"],
    ["stack", "list-apis", "--json"],
    ["stack", "ps", "--help"],
    ["stack"],
    ["--version"],
    ["stack", "logs", "x", "-f"],
    ["chat", "hi"],
    ["chat", "hi", "--json"],
]
"""Commands that have data to print."""


class Ended(NamedTuple):
    code: int
    out: str
    err: str


def ended(arguments: list[str], redirections: str, environment: dict[str, str]) -> Ended:
    """As a shell starts it, with its streams elsewhere."""
    done = subprocess.run(
        ["sh", "-c", f'exec "$@" {redirections}', "sh", *LLAMA, *arguments],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        env=environment,
        timeout=60,
        check=False,
    )
    return Ended(done.returncode, done.stdout.decode(), done.stderr.decode())


@pytest.mark.parametrize("arguments", SPEAKING, ids=" ".join)
@pytest.mark.parametrize(("output", "why"), [(">&-", "it is closed"), ("> /dev/full", "No space left on device")])
def test_data_that_nobody_gets_is_an_error(
    arguments: list[str], output: str, why: str, environment: dict[str, str]
) -> None:
    if "full" in output and not Path("/dev/full").is_char_device():
        pytest.skip("this system has no /dev/full")
    done = ended(arguments, output, environment)
    assert (done.code, done.err) == (ExitCode.FAILED, f"error: cannot write to standard output: {why}\n")


@pytest.mark.parametrize("arguments", SPEAKING, ids=" ".join)
def test_where_nobody_can_be_informed_nor_asked_the_work_is_done(
    arguments: list[str], environment: dict[str, str]
) -> None:
    expected = ended(arguments, "", environment)
    assert (expected.code, expected.err) == (0, "")
    for redirections in ("<&-", "2>&-", "<&- 2>&-", "2> /dev/full" if Path("/dev/full").exists() else "2>&-"):
        assert ended(arguments, redirections, environment) == expected


@pytest.mark.parametrize("redirections", [">&- 2>&-", "<&- >&- 2>&-", "2> /dev/full >&-"])
def test_its_code_is_all_that_is_left(redirections: str, environment: dict[str, str]) -> None:
    assert ended(["stack", "list-apis"], redirections, environment).code == ExitCode.FAILED
    assert ended(["stack", "show", "nowhere"], redirections, environment).code == ExitCode.USAGE
    assert ended(["stack", "stop", "--all", "--json"], redirections, environment).code in (0, 1)


@pytest.mark.parametrize(
    ("locale", "shown"),
    [
        ({"LANG": "C", "LC_ALL": ""}, "caf\u00e9 \ufffd"),
        ({"PYTHONIOENCODING": "ascii"}, "caf\u00e9 \ufffd"),
        ({"LC_ALL": "POSIX", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}, "caf\ufffd\ufffd \ufffd"),
    ],
)
def test_what_is_printed_is_utf8_in_every_locale(
    locale: dict[str, str], shown: str, environment: dict[str, str]
) -> None:
    done = ended(["stack", "show", "caf\u00e9 \udcff"], "", environment | locale)
    assert (done.code, done.out) == (ExitCode.USAGE, "")
    assert f"`{shown}` is not a file" in done.err
