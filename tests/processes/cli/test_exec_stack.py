"""`llama stack exec` with a real stack: libraries find it, it alone has the keys, and nothing of it is left."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import psutil
import pytest

from tests.support.light_stack import light, nothing_is_left, servers, vendor
from tests.support.stack_home import Home

__all__ = ["light", "vendor"]

pytestmark = pytest.mark.e2e

ASKS = """
import os
from openai import OpenAI

client = OpenAI()
asked = client.chat.completions.create(
    model=os.environ["LLAMA_STACK_MODEL"], messages=[{"role": "user", "content": "Hello"}]
)
print(client.api_key, asked.model, asked.choices[0].message.content)
raise SystemExit(3)
"""
WAITS = """
import os, sys
from urllib.request import urlopen

print(os.getpid(), os.environ["LLAMA_STACK_URL"], flush=True)
sys.stdin.readline()
print(urlopen(os.environ["OPENAI_BASE_URL"] + "/models").status)
"""


def begin(home: Home, script: str, **environment: str) -> subprocess.Popen[str]:
    return home.start("stack", "exec", "light", "--", sys.executable, "-c", script, **environment)


def line_of(process: subprocess.Popen[str]) -> list[str]:
    """The words of the next line that the command prints."""
    assert process.stdout is not None
    return process.stdout.readline().split()


def test_a_library_finds_the_stack_and_the_stack_alone_has_the_keys(light: Home) -> None:
    result = light("stack", "exec", "light", "-q", "--", sys.executable, "-c", ASKS)
    said = "none vendor/vendor-model from the vendor, vendor-model\n"
    assert (result.out, result.err, result.code) == (said, "", 3)
    assert nothing_is_left(light)


def test_a_command_that_fails_shows_what_the_stack_has_warned_of(light: Home, tmp_path: Path) -> None:
    copied = tmp_path / "server.log"
    result = light("stack", "exec", "light", "--log-file", str(copied), "--", "false", VENDOR_URL="http://127.0.0.1:9")
    assert result.code == 1
    said, warning = result.err.splitlines()[-2:]
    assert said.startswith("the last warnings of the log of `light`, ") and said.endswith("/logs/light.log")
    assert " warning provider degraded " in warning and "provider_id=vendor" in warning
    messages = [json.loads(line)["message"] for line in copied.read_text().splitlines()]
    assert {"serving", "provider degraded", "draining"} <= set(messages)
    assert messages.count("serving") == 1, "an earlier start of that id has written into the same log"
    # It has logged to its file alone.
    assert (light.folder / "distributions/light/logs/light.stderr").read_text() == ""


def test_nothing_outlives_an_exec_that_is_killed(light: Home) -> None:
    process = begin(light, WAITS)
    command = psutil.Process(int(line_of(process)[0]))
    [record] = servers(light)
    server = psutil.Process(json.loads(record.read_text())["pid"])
    process.kill()
    _, alive = psutil.wait_procs([command, server], timeout=60)
    assert alive == []
    process.communicate()
    assert light("stack", "ps", "-q").code == 0
    assert nothing_is_left(light)


def test_many_at_once_do_not_meet(light: Home) -> None:
    many = [begin(light, WAITS) for _ in range(8)]
    assert len({line_of(process)[1] for process in many}) == 8
    assert {path.stem for path in servers(light)} == {"light", *(f"light-{number}" for number in range(2, 9))}
    for process in many:
        out, err = process.communicate("\n", timeout=120)
        assert (out, process.returncode) == ("200\n", 0), err
    assert nothing_is_left(light)


@pytest.mark.parametrize(("its_code", "code", "label"), [(7, 7, "warning"), (0, 125, "error")])
def test_a_log_that_cannot_be_copied_hides_no_failure(its_code: int, code: int, label: str, light: Home) -> None:
    result = light("stack", "exec", "light", "--log-file", "/dev/full", "--", "sh", "-c", f"exit {its_code}")
    assert (result.code, nothing_is_left(light)) == (code, True)
    assert f"{label}: cannot write the log to `/dev/full`: No space left on device\n" in result.err
