"""The plugin of pytest, in a project of its own: recordings named after tests, and tests that fail aloud."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.stack_home import Home
from tests.support.upstreams import Vendor, vendor_server

pytestmark = pytest.mark.e2e

KEY = "sk-plugin-canary-0123456789"
RUN_YAML = """\
version: 2
distro_name: plugged
apis: [inspect, inference]
providers:
  inference:
  - provider_id: ${env.VENDOR_KEY:+vendor}
    provider_type: remote::openai
    config: {base_url: "${env.VENDOR_URL:=http://127.0.0.1:9/v1}", api_key: "${env.VENDOR_KEY:=}"}
"""
TESTS = """
import openai
import pytest


def asked(word):
    said = [{"role": "user", "content": word}]
    return openai.OpenAI(max_retries=0).chat.completions.create(model="vendor/vendor-model", messages=said)


@pytest.mark.parametrize("word", ["one", "two"])
def test_it_answers(llama_stack, word):
    assert "from the vendor" in asked(word).choices[0].message.content


def test_it_survives(llama_stack):
    try:
        asked("WORD")
    except openai.APIError:
        pass
"""

OF_ALL_KINDS = """
import os
import unittest

import openai
import pytest
import runtime  # of this project

from test_app import asked


def survives(word):
    try:
        return asked(word)
    except openai.APIError:
        return "sorry"


@pytest.mark.parametrize("word", [pytest.param("one", id="é" * 1500), pytest.param("two", id="a/b::c ?#[\\n" * 500)])
def test_long(llama_stack, word):
    asked(word)


@pytest.mark.xfail(strict=True)
def test_expected(llama_stack):
    survives("NEW")


def test_hidden(llama_stack):
    assert survives("NEW") != "sorry"


class Test(unittest.TestCase):
    @pytest.fixture(autouse=True)
    def stack(self, llama_stack):
        pass

    def test_of_unittest(self):
        survives("NEW")


@pytest.fixture
def asks_at_its_end(llama_stack):
    yield
    survives("NEW")


def test_end(asks_at_its_end):
    pass


def test_keys(llama_stack):
    assert "OPENAI_ADMIN_KEY" not in os.environ


@pytest.fixture(scope="module")
def filled(llama_stack_session):
    client = openai.OpenAI(base_url=llama_stack_session.openai_base_url, api_key="none", max_retries=0)
    try:
        client.chat.completions.create(model="vendor/vendor-model", messages=[{"role": "user", "content": "NEW"}])
    except openai.APIError:
        pass


def test_last(filled):
    assert "LLAMA_STACK_URL" not in os.environ
"""

OF_UNITTEST = "Test::test_of_unittest"


@pytest.fixture(scope="module")
def vendor() -> Iterator[Vendor]:
    with vendor_server(Vendor(keys=frozenset({KEY}))) as server:
        yield server


@pytest.fixture
def project(tmp_path: Path) -> Path:
    (tmp_path / "run.yaml").write_text(RUN_YAML)
    (tmp_path / "test_app.py").write_text(TESTS)
    (tmp_path / "pytest.ini").write_text("[pytest]\nllama_stack = run.yaml\nllama_stack_recordings = recs\n")
    return tmp_path


def run(project: Path, home: Home, *options: str, **variables: str) -> tuple[int, str]:
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-n", "0", *options],
        cwd=project, env={**home.environment, **variables}, capture_output=True, text=True, check=False, timeout=200,
    )  # fmt: skip
    return done.returncode, done.stdout + done.stderr


def test_tests_are_recorded_replayed_and_fail_for_what_was_not_recorded(
    project: Path, home: Home, vendor: Vendor
) -> None:
    asking = {"VENDOR_KEY": KEY, "VENDOR_URL": vendor.url}
    code, said = run(project, home, "--llama-stack-mode", "record", **asking)
    assert code == 0, said
    names = {os.fspath(path.parent.relative_to(project / "recs")) for path in (project / "recs").rglob("*POST*.json")}
    assert names == {
        "test_app.py/test_it_answers[one]",
        "test_app.py/test_it_answers[two]",
        "test_app.py/test_it_survives",
    }
    asked = len(vendor.seen)
    code, said = run(project, home)
    assert (code, len(vendor.seen)) == (0, asked), said
    (project / "test_app.py").write_text(TESTS.replace("WORD", "another word"))
    code, said = run(project, home)
    assert code == 1 and "1 failed, 2 passed" in said
    assert "json.messages[0].content: recorded 'WORD', asked 'another word'" in said
    assert "record anew: pytest --llama-stack-mode record test_app.py::test_it_survives\n" in said
    files = "".join(path.read_text() for path in project.rglob("*.json"))
    assert KEY not in files


def test_tests_of_all_kinds_are_named_and_say_what_was_not_recorded(project: Path, home: Home, vendor: Vendor) -> None:
    (project / "tests" / "runtime").mkdir(parents=True)
    (project / "tests/runtime/__init__.py").touch()
    (project / "test_app.py").rename(project / "tests/test_app.py")
    kinds = project / "tests/test_kinds.py"
    kinds.write_text(OF_ALL_KINDS.replace("NEW", "old"))
    asking = {"VENDOR_KEY": KEY, "VENDOR_URL": vendor.url, "OPENAI_ADMIN_KEY": KEY}
    options = ("test_kinds.py", "-k", "not expected and not hidden", "--llama-stack-mode", "record")
    code, said = run(project / "tests", home, *options, **asking)
    assert code == 0, said
    assert len(list((project / "recs/tests/test_kinds.py").glob("test_long*"))) == 2
    kinds.write_text(OF_ALL_KINDS)
    code, said = run(project / "tests", home, "test_kinds.py", OPENAI_ADMIN_KEY=KEY)
    assert code == 1 and "2 failed, 5 passed, 1 xfailed, 2 errors" in said, said
    assert "- llama_stack -" in said and "`tests/test_kinds.py::test_hidden` was not recorded" in said
    assert said.count("recorded 'old', asked 'NEW'") == 4
    named = {line.rpartition(" ")[2] for line in said.splitlines() if line.startswith("record anew: ")}
    assert named == {"record", *(f"tests/test_kinds.py::{one}" for one in ("test_end", "test_hidden", OF_UNITTEST))}


def test_a_stack_that_does_not_start_fails_the_tests_with_its_reason(project: Path, home: Home) -> None:
    code, said = run(project, home)
    assert code == 1 and said.count("the stack did not start:\nerror: there are no recordings at") == 3
    assert "3 errors in " in said and "another exception" not in said


def test_a_stack_that_is_gone_is_told_with_the_failure(project: Path, home: Home, vendor: Vendor) -> None:
    tests = """
import json, os, signal

def test_it_ends(llama_stack):
    pid = json.load(open(os.environ["LLAMA_HOME"] + "/servers/plugged.json"))["pid"]
    os.kill(pid, signal.SIGKILL)
    while open(f"/proc/{pid}/stat").read().split()[2] != "Z": pass
    assert False
"""
    (project / "test_app.py").write_text(tests)
    asking = {"VENDOR_KEY": KEY, "VENDOR_URL": vendor.url}
    code, said = run(project, home, "--llama-stack-mode", "record", **asking)
    assert code == 1 and said.count("the stack at http://127.0.0.1:") >= 2, said


def test_what_cannot_be_recorded_fails_the_test(project: Path, home: Home, vendor: Vendor) -> None:
    (project / "recs").mkdir()
    (project / "recs/test_app.py").symlink_to("nowhere")  # where a folder has to be
    asking = {"VENDOR_KEY": KEY, "VENDOR_URL": vendor.url}
    code, said = run(project, home, "-k", "survives", "--llama-stack-mode", "record", **asking)
    assert code == 1 and said.count("not everything was recorded: `") == 2 and "1 failed, 2 deselected" in said, said


def test_below_exec_that_stack_is_used(project: Path, home: Home, vendor: Vendor) -> None:
    asking = {"VENDOR_KEY": KEY, "VENDOR_URL": vendor.url}
    tests = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-n", "0", "--rootdir", str(project)]
    done = home(
        "stack", "exec", str(project / "run.yaml"), "-q", "--record", str(project / "recs"), "--",
        *tests, "-c", str(project / "pytest.ini"), str(project), **asking,
    )  # fmt: skip
    assert done.code == 0, done.out + done.err
    assert (project / "recs/test_app.py/test_it_survives").is_dir()
    done = home(
        "stack", "exec", str(project / "run.yaml"), "-q", "--replay", str(project / "recs"), "--",
        *tests, "-n", "2", "-c", str(project / "pytest.ini"), str(project),
    )  # fmt: skip
    assert done.code == 1 and done.out.count("leave `llama stack exec` out") == 3
