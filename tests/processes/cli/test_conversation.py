"""`llama chat` on a real terminal, as a person uses it: pastes, stops, other models, files; what is seen and sent.

A server at wire level says what it was asked, word by word, and knows when a client has left.
"""

from __future__ import annotations

import json
import os
import re
import select
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from tests.support.descendants import children
from tests.support.screen import CTRL_C, CTRL_D, ESCAPE, SIZES, UP, Screen
from tests.support.small_server import SmallHandler, running, url_of
from tests.support.stack_home import TREE, clean_environment

pytestmark = pytest.mark.e2e

PROMPT = "> "
MODELS = ["p/first", "p/second"]


class Scripted(ThreadingHTTPServer):
    """Answers with the last question, in three pieces; `think` thinks first until `thought` is set, `wait` waits after
    the first piece until its client is gone, `refuse` is refused. asked: the bodies; left: set when that happened;
    hangs: it does not say what it serves.
    """

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.asked: list[Any] = []
        self.left = threading.Event()
        self.thought = threading.Event()
        self.hangs = False

    @property
    def url(self) -> str:
        return url_of(self)


class Handler(SmallHandler):
    server: Scripted

    def do_GET(self) -> None:
        if self.server.hangs:
            select.select([self.connection], [], [], 30)
            return
        self.document({"data": [{"id": name, "model_type": "llm"} for name in MODELS]})

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["content-length"])))
        self.server.asked.append(body)
        text = body["messages"][-1]["content"]
        if text == "refuse":
            self.document({"error": {"message": "too many at once"}}, status=429)
            return
        if not body.get("stream"):
            choice = {"message": {"content": f"{len(body['messages'])}: {text}"}, "finish_reason": "stop"}
            self.document({"choices": [choice]})
            return
        self.send_response(200)
        self.send_header("content-type", "text/event-stream")
        self.end_headers()
        if "think" in text:
            self.event({"reasoning_content": "Let me see."})
            self.server.thought.wait(30)
        self.event({"content": f"{body['model']} has "})
        if "wait" in text:
            select.select([self.connection], [], [], 30)
            self.server.left.set()
            return
        self.event({"content": f"read **{len(body['messages'])}** "})
        self.event({"content": f"messages: {text}"}, "stop")
        self.wfile.write(b"data: [DONE]\n\n")

    def event(self, delta: dict[str, str], finish: str | None = None) -> None:
        choice = {"index": 0, "delta": delta, "finish_reason": finish}
        self.wfile.write(b"data: %b\n\n" % json.dumps({"choices": [choice]}).encode())


@pytest.fixture
def server() -> Iterator[Scripted]:
    with running(Scripted()) as scripted:
        yield scripted
        scripted.thought.set()


@pytest.fixture
def environment(server: Scripted, tmp_path: Path) -> dict[str, str]:
    return clean_environment() | {
        "LLAMA_HOME": str(tmp_path / "home"), "LLAMA_STACK_URL": server.url, "PYTHONPATH": str(TREE), "LANG": "C.UTF-8",
    }  # fmt: skip


def command(*arguments: str) -> list[str]:
    return [sys.executable, "-m", "llama_cli.main", "chat", *arguments]


class Talk:
    """A person in a conversation."""

    def __init__(self, screen: Screen, name: str = "begun") -> None:
        self.screen = screen
        screen.wait_for_line(PROMPT)
        screen.shot(name)

    def says(self, text: str, name: str) -> str:
        """What is seen after a line was entered, without the line."""
        self.screen.enter(text)
        self.screen.wait_for_line(PROMPT)
        self.screen.shot(name)
        return "\n".join(self.screen.fresh.splitlines()[1:-1])


@pytest.fixture(params=SIZES, ids=lambda size: f"{size[0]}x{size[1]}")
def screen(request: pytest.FixtureRequest, environment: dict[str, str], tmp_path: Path) -> Iterator[Screen]:
    columns, lines = request.param
    kept = request.config.getoption("--screens")
    folder = Path(kept).absolute() / f"chat-{columns}x{lines}" if kept else tmp_path / "screens"
    with Screen(command(), environment, cwd=tmp_path, columns=columns, lines=lines, kept=folder) as shown:
        yield shown


def test_a_conversation(screen: Screen, server: Scripted, tmp_path: Path) -> None:
    talk = Talk(screen)
    assert f"talking to p/first at {server.url}" in screen.fresh
    assert talk.says("hello", "an answer") == "p/first has read 1 messages: hello"

    screen.enter("")
    screen.paste("one\n  two\nthree")
    screen.wait_for("three$")
    talk.says("", "a paste")
    assert [body["messages"][-1]["content"] for body in server.asked] == ["hello", "one\n  two\nthree"]

    assert talk.says("/model secnd", "no such model").endswith("hint: did you mean `p/second`?")
    assert talk.says("/model second", "another model") == "p/second answers now"
    assert talk.says("/system be brief", "a system message") == "be brief"
    assert talk.says("why", "the other model answers") == "p/second has read 6 messages: why"
    assert server.asked[-1]["messages"][0] == {"role": "system", "content": "be brief"}

    assert "saved: talk.json" in talk.says("/save talk.json", "saved")
    talk.says("/clear", "cleared")
    assert talk.says("what", "after clearing").startswith("p/second has read 2 messages")
    assert talk.says("/load talk.json", "loaded") == "p/second answers; 3 questions so far, the last: why"
    assert talk.says("more", "after loading").startswith("p/second has read 8 messages")

    for wrong in ("/file", "/load"):
        assert talk.says(f"{wrong} nonesuch", "no such file").startswith("error: there is no file `nonesuch`")
    (tmp_path / "notes.txt").write_text("remember\n")
    assert "goes with your next question" in talk.says("/file notes.txt", "a file")
    talk.says("and?", "with a file")
    assert server.asked[-1]["messages"][-1]["content"] == "`notes.txt`:\n```\nremember\n```\n\nand?"
    assert talk.says("refuse", "refused") == "error: too many at once"
    screen.enter("/exit")
    assert screen.wait_until_it_ends() == 0
    assert screen.cut() == []


def test_an_answer_is_stopped_and_what_came_of_it_stays(screen: Screen, server: Scripted, tmp_path: Path) -> None:
    talk = Talk(screen)
    screen.enter("wait")
    screen.wait_for("p/first has")
    screen.type("typed meanwhile")
    screen.type(CTRL_C)
    screen.wait_for_line(PROMPT)
    screen.shot("stopped")
    assert server.left.wait(30)  # the server has nobody to work for any more
    assert "(cut short)" in screen.fresh
    screen.enter("")
    screen.wait_for_line(PROMPT)
    talk.says("go on", "after a stop")
    assert server.asked[-1]["messages"][1] == {"role": "assistant", "content": "p/first has "}
    kept = json.loads((tmp_path / "home" / "chat" / "last.json").read_text())
    assert kept["messages"][1]["interrupted"] is True
    screen.type(CTRL_C)
    screen.wait_for("Ctrl-C again ends, as Ctrl-D and /exit do")
    screen.wait_for_line(PROMPT)
    screen.type("half a line")
    screen.wait_for_line("> half a line")
    screen.type(CTRL_C)
    screen.wait_for_line(PROMPT)
    screen.type(CTRL_C)
    screen.wait_for(r"(?s)Ctrl-C again ends.*Ctrl-C again ends")  # something was typed in between
    screen.wait_for_line(PROMPT)
    screen.type(CTRL_D)
    assert screen.wait_until_it_ends() == 0


@pytest.mark.parametrize("term", ["xterm-256color", "dumb"])
def test_ctrl_c_twice_ends(server: Scripted, environment: dict[str, str], term: str) -> None:
    with Screen(command(), environment | {"TERM": term}) as screen:
        talk = Talk(screen)
        for _ in range(2):
            screen.type(CTRL_C)
            screen.wait_for("Ctrl-C again ends")
            talk.says("hello", "in between")  # after which the next one is the first again
        screen.type(CTRL_C)
        screen.wait_for("Ctrl-C again ends")
        screen.wait_for_line(PROMPT)
        screen.type(CTRL_C)
        assert screen.wait_until_it_ends() == 130


def test_what_is_pasted_while_an_answer_comes_is_one_question(server: Scripted, environment: dict[str, str]) -> None:
    with Screen(command(), environment) as screen:
        talk = Talk(screen)
        screen.enter("think")
        screen.wait_for("thinking")
        screen.paste("one\ntwo\nthree")
        server.thought.set()
        screen.wait_for_line(r"\. three")
        talk.says("", "pasted meanwhile")
        assert [body["messages"][-1]["content"] for body in server.asked] == ["think", "one\ntwo\nthree"]
        screen.type(CTRL_D)
        screen.wait_until_it_ends()
        assert not screen.takes_pastes


def test_a_job_in_the_background_answers(server: Scripted, environment: dict[str, str]) -> None:
    shell = ["sh", "-c", 'set -m; "$@" & wait $!; echo "ended with $?"', "sh", *command("hello")]
    with Screen(shell, environment) as screen:
        screen.wait_for("ended with 0", limit_s=20)
        assert "p/first has read 1 messages: hello" in screen.fresh


def test_answers_that_go_elsewhere_leave_the_editor_its_width(
    server: Scripted, environment: dict[str, str], tmp_path: Path
) -> None:
    into_a_file = ["sh", "-c", f'exec "$@" >{tmp_path}/out', "sh", *command()]
    with Screen(into_a_file, environment, columns=40) as screen:
        Talk(screen)
        screen.type("four and " * 6)
        screen.wait_for_line(r"\. ur and four and ")
        assert [line for line in screen.visible if "four" in line] == [
            "> four and four and four and four and fo", ". ur and four and",
        ]  # fmt: skip


def test_several_lines_can_be_typed(screen: Screen, server: Scripted) -> None:
    talk = Talk(screen)
    for keys in ('"""first\rsecond"""', f"first{ESCAPE}\rsecond", "first\\\rsecond"):
        screen.type(keys)
        screen.wait_for("second")
        talk.says("", "several lines")
        assert server.asked[-1]["messages"][-1]["content"] == "first\nsecond"
        talk.says("/clear", "cleared")


def test_commands_and_models_are_completed_and_history_is_kept(server: Scripted, environment: dict[str, str]) -> None:
    with Screen(command("--model", "p/first"), environment) as screen:
        talk = Talk(screen)
        screen.type("/mo")
        screen.wait_for("let another one answer")
        screen.type("\t")
        screen.wait_for_line("> /model")
        screen.type(" sec\t")
        screen.wait_for_line("> /model p/second")
        assert talk.says("", "completed") == "p/second answers now"
        talk.says("a question", "asked")
        screen.enter("/exit")
        screen.wait_until_it_ends()
    with Screen(command(), environment) as screen:
        Talk(screen)
        screen.type(UP + UP)
        screen.wait_for_line("> a question")
    with Screen(command("--continue"), environment) as screen:
        talk = Talk(screen)
        assert "1 question so far, the last: a question" in screen.fresh
        assert talk.says('"""/exit"""', "quoted").endswith("has read 3 messages: /exit")


def test_a_server_that_hangs_keeps_nobody_from_typing(server: Scripted, environment: dict[str, str]) -> None:
    with Screen(command("--model", "p/first"), environment) as screen:
        Talk(screen)
        server.hangs = True
        screen.type("/model sec\t")
        screen.type(CTRL_C + "something else")
        screen.wait_for_line("> something else", limit_s=8)
        assert "asking" not in screen.received  # a sign of life beside the keys would be drawn over them


@pytest.mark.parametrize("how", ["NO_COLOR", "--color"])
def test_the_editor_has_no_color_where_none_is_wanted(how: str, server: Scripted, environment: dict[str, str]) -> None:
    arguments, more = ([], {"NO_COLOR": "1"}) if how == "NO_COLOR" else (["--color", "never"], {})
    with Screen(command(*arguments), environment | more) as screen:
        Talk(screen)
        screen.type("/mo")
        screen.wait_for("let another one answer")
        assert re.search(r"\x1b\[[\d;]*[34]\d", screen.received) is None


def test_thinking_is_told_and_shown_if_wanted(server: Scripted, environment: dict[str, str]) -> None:
    for options, seen in ([], "thinking"), (["--show-reasoning"], "Let me see."):
        server.thought.clear()
        with Screen(command("think", *options), environment) as screen:
            screen.wait_for(seen)
            server.thought.set()
            assert screen.wait_until_it_ends() == 0
            text = screen.fresh
        assert "p/first answers" in text and "p/first has read 1 messages: think" in text
        assert ("Let me see." in text, "thinking" in text) == (bool(options), False)


def test_json_is_an_object_an_answer_also_on_a_terminal(
    server: Scripted, environment: dict[str, str], tmp_path: Path
) -> None:
    into_a_file = ["sh", "-c", f'exec "$@" >{tmp_path}/out', "sh", *command("--json")]
    with Screen(into_a_file, environment) as screen:
        talk = Talk(screen)
        for text in ("one", "two", "refuse"):
            talk.says(text, "json")
        screen.type(CTRL_D)
        assert screen.wait_until_it_ends() == 0
    answers = [json.loads(line) for line in (tmp_path / "out").read_text().splitlines()]
    assert [answer.get("content") for answer in answers] == ["1: one", "3: two", None]
    assert answers[2]["error"]["code"] == 6


def test_a_single_answer_that_is_stopped_says_so(server: Scripted, environment: dict[str, str], tmp_path: Path) -> None:
    process = subprocess.Popen(
        command("wait"), env=environment, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    assert process.stdout is not None
    assert os.read(process.stdout.fileno(), 100) == b"p/first has "
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=30)
    assert (process.returncode, out, err) == (130, b"", b"error: interrupted\n")
    assert server.left.wait(30)
    kept = json.loads((tmp_path / "home" / "chat" / "last.json").read_text())
    assert kept["messages"][1] == {"role": "assistant", "content": "p/first has ", "interrupted": True}


def test_a_conversation_that_is_terminated_leaves_the_terminal_as_it_was(
    server: Scripted, environment: dict[str, str]
) -> None:
    shell = ["sh", "-c", '"$@"; echo "ended with $?"; stty -a', "sh", *command()]
    for text, seen in ("", PROMPT), ("wait", "p/first has"):
        with Screen(shell, environment) as screen:
            talk = Talk(screen)
            if text:
                screen.enter(text)
                talk.screen.wait_for(seen)
            [chat] = children(screen.process.pid)
            chat.terminate()
            screen.wait_until_it_ends()
            assert "ended with 143" in screen.fresh
            assert {"icanon", "echo", "isig"} <= {*screen.fresh.split()}


def test_a_dumb_terminal_takes_lines(server: Scripted, environment: dict[str, str]) -> None:
    with Screen(command(), environment | {"TERM": "dumb"}) as screen:
        talk = Talk(screen)
        assert talk.says("hello", "dumb").endswith("p/first has read **1** messages: hello")
        screen.enter("wait")
        screen.wait_for("p/first has")
        screen.type("typed meanwhile" + CTRL_C)
        screen.wait_for_line(PROMPT)
        assert screen.fresh.splitlines()[1:] == ["p/first has", "(cut short)", ">"]
        assert "\x1b[" not in screen.received.replace("\x1b[?2004h", "").replace("\x1b[?2004l", "")
        screen.type(CTRL_D)
        assert screen.wait_until_it_ends() == 0
