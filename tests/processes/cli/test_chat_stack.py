"""`llama chat`, `complete` and `embed` with a stack of their own: a real one, of which nothing is left, however they
end.
"""

from __future__ import annotations

import json
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil
import pytest

from tests.support.light_stack import RUN_YAML, light, nothing_is_left, servers, vendor
from tests.support.screen import CTRL_C, CTRL_D, Screen
from tests.support.stack_home import Home
from tests.support.upstreams import Vendor

__all__ = ["light", "vendor"]

pytestmark = pytest.mark.e2e

PROMPT = "> "
SAID = "from the vendor, vendor-model"


@contextmanager
def conversation(home: Home, *options: str) -> Iterator[tuple[Screen, psutil.Process]]:
    """At its first prompt; and the server that it has started."""
    environment = {**home.environment, "LANG": "C.UTF-8"}
    with Screen([*home.llama, "chat", "--distro", "light", *options], environment, columns=120) as screen:
        screen.wait_for_line(PROMPT)
        [record] = servers(home)
        yield screen, psutil.Process(json.loads(record.read_text())["pid"])


def test_a_stack_is_there_for_one_answer(light: Home, tmp_path: Path) -> None:
    assert light("chat", "Hello", "--distro", "light", "-q") == (0, f"{SAID}\n", "")
    answer = light("chat", "Hello", "--distro", "light", "--json", LLAMA_STACK_URL="http://127.0.0.1:9")
    assert json.loads(answer.out)["content"] == SAID, "it comes before a server that the environment names"
    (tmp_path / "run.yaml").write_text(RUN_YAML)
    for given, stdin in ((str(tmp_path / "run.yaml"), ""), ("-", RUN_YAML)):
        result = light("chat", "Hello", "--config", given, "-q", stdin=stdin)
        assert (result.code, result.out) == (0, f"{SAID}\n"), result.err
    assert nothing_is_left(light)


def test_what_fails_leaves_nothing_either(light: Home) -> None:
    refused = light("chat", "Hello", "--distro", "light", "-m", "nonesuch")
    assert refused.code == 2 and "nonesuch" in refused.err
    unlisted = light("embed", "a", "--distro", "light")
    assert unlisted.code == 7 and "that makes embeddings" in unlisted.err
    unsaid = light("complete", "a", "--distro", "light", "-m", "vendor/vendor-model")
    assert unsaid.code not in (0, 2) and "no such route" in unsaid.err
    assert nothing_is_left(light)


def test_without_a_server_the_ways_to_one_are_named(light: Home) -> None:
    for words in (["chat", "Hello"], ["complete", "It is"], ["embed", "a"]):
        result = light(*words)
        assert (result.code, result.err.partition("\n")[0]) == (7, "error: no server is running")
        for way in ("llama stack run starter", "--distro starter", "--url"):
            assert way in result.err


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--distro", "light", "--config", "x"], "`--config`"),
        (["--distro", "light", "--url", "http://127.0.0.1:9"], "`--url`"),
        (["--config", ""], "an empty name"),
        (["--distro", "nonesuch"], "`nonesuch`"),
        (["--config", "-", "--file", "-"], "use `-` once"),
    ],
)
def test_what_cannot_be_started_is_usage(light: Home, options: list[str], words: str) -> None:
    result = light("chat", "Hello", *options)
    assert (result.code, words in result.err) == (2, True), result.err
    assert nothing_is_left(light)


@pytest.mark.parametrize("how", ["Ctrl-D", "Ctrl-C", "SIGTERM", "SIGHUP"])
def test_a_stack_ends_with_its_conversation(light: Home, how: str) -> None:
    with conversation(light) as (screen, server):
        screen.enter("Hello")
        screen.wait_for_line(PROMPT)
        assert SAID in screen.fresh
        if how == "Ctrl-C":
            screen.type(CTRL_C)
            screen.wait_for("Ctrl-C again ends")
            screen.wait_for_line(PROMPT)
            assert server.is_running(), "one is no end"
            screen.type(CTRL_C)
        elif how == "Ctrl-D":
            screen.type(CTRL_D)
        else:
            screen.process.send_signal(signal.Signals[how])
        code = screen.wait_until_it_ends()
    assert code == {"Ctrl-D": 0, "Ctrl-C": 130}.get(how, 143)
    assert not server.is_running() and nothing_is_left(light)


def test_nothing_outlives_a_conversation_that_is_killed(light: Home) -> None:
    with conversation(light) as (screen, server):
        screen.process.kill()
        screen.wait_until_it_ends()
        _, alive = psutil.wait_procs([server], timeout=60)
    assert alive == []
    assert light("stack", "ps", "-q").code == 0
    assert nothing_is_left(light)


def test_a_stack_that_is_gone_is_told_as_the_reason(light: Home) -> None:
    with conversation(light) as (screen, server):
        server.kill()
        psutil.wait_procs([server], timeout=60)
        screen.enter("Hello")
        screen.wait_for_line(PROMPT)
        assert "nothing answers" in screen.fresh
        screen.type(CTRL_D)
        assert screen.wait_until_it_ends() == 0
    assert nothing_is_left(light)


def test_a_start_that_is_interrupted_leaves_nothing(light: Home) -> None:
    process = light.start("chat", "Hello", "--distro", "light", VENDOR_URL="http://127.0.0.1:9")
    assert process.stdin is not None
    process.stdin.close()  # it reads all that comes with the question first
    process.stdin = None
    while not servers(light):
        assert process.poll() is None
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=60)
    assert (process.returncode, err.splitlines()[-1]) == (130, "error: interrupted")
    assert nothing_is_left(light)


def test_what_was_recorded_is_replayed_with_no_vendor(light: Home, vendor: Vendor, tmp_path: Path) -> None:
    words = ("chat", "Hello", "--distro", "light", "-q")
    recordings = {"LLAMA_STACK_TEST_RECORDING_DIR": str(tmp_path / "recordings")}
    recorded = light(*words, LLAMA_STACK_TEST_INFERENCE_MODE="record", **recordings)
    assert (recorded.code, recorded.out) == (0, f"{SAID}\n"), recorded.err
    asked = len(vendor.seen)
    nowhere = {"VENDOR_URL": vendor.url, "OPENAI_API_KEY": ""}
    replayed = light(*words, LLAMA_STACK_TEST_INFERENCE_MODE="replay", **recordings, **nowhere)
    assert (replayed.code, replayed.out, len(vendor.seen)) == (0, f"{SAID}\n", asked), replayed.err
    other = light("chat", "Other", *words[2:], LLAMA_STACK_TEST_INFERENCE_MODE="replay", **recordings, **nowhere)
    assert other.code not in (0, 2) and "record" in other.err
    assert nothing_is_left(light)
