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
    assert code == 1 and "1 error" in said and "3 passed" in said
    assert "json.messages[0].content: recorded 'WORD', asked 'another word'" in said
    assert "pytest --llama-stack-mode record 'test_app.py::test_it_survives'" in said
    files = "".join(path.read_text() for path in project.rglob("*.json"))
    assert KEY not in files


def test_a_stack_that_does_not_start_fails_the_test_with_its_reason(project: Path, home: Home) -> None:
    code, said = run(project, home, "-k", "survives")
    assert code == 1 and "the stack did not start" in said and "there are no recordings at" in said


def test_below_exec_that_stack_is_used(project: Path, home: Home, vendor: Vendor) -> None:
    asking = {"VENDOR_KEY": KEY, "VENDOR_URL": vendor.url}
    tests = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-n", "0", "--rootdir", str(project)]
    done = home(
        "stack", "exec", str(project / "run.yaml"), "-q", "--record", str(project / "recs"), "--",
        *tests, "-c", str(project / "pytest.ini"), str(project), **asking,
    )  # fmt: skip
    assert done.code == 0, done.out + done.err
    assert (project / "recs/test_app.py/test_it_survives").is_dir()
