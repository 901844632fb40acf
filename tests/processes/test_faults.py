"""Faults as a user asks for them: on a command line, by a seed, in a request; met by OpenAI's own client."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import openai
import pytest

from tests.support.stack_home import Home, Served
from tests.support.stacks import openai_at
from tests.support.upstreams import Vendor, vendor_server

pytestmark = pytest.mark.e2e

HELLO: dict[str, Any] = {"model": "vendor/vendor-model", "messages": [{"role": "user", "content": "Hi"}]}


@pytest.fixture(scope="module")
def vendor() -> Iterator[Vendor]:
    with vendor_server(Vendor(keys=frozenset({"sk-configured-secret"}))) as running:
        yield running


@pytest.fixture(scope="module")
def run_yaml(vendor: Vendor, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One provider of inference, so that little is built."""
    file = tmp_path_factory.mktemp("faults") / "faulty.yaml"
    providers = {"inference": [openai_at(vendor.url)]}
    file.write_text(json.dumps({"version": 2, "distro_name": "faulty", "providers": providers}))
    return file


def told(server: Served, retries: int = 0, **headers: str) -> tuple[int, str | None, str | None]:
    """What OpenAI's client sees: the status, which faults were injected, and how often the stack has sent again."""
    client = openai.OpenAI(base_url=f"{server.url}/v1", api_key="none", max_retries=retries)
    try:
        answer = client.chat.completions.with_raw_response.create(**HELLO, extra_headers=headers)
        status, found = answer.status_code, answer.headers
    except openai.APIStatusError as error:
        status, found = error.status_code, error.response.headers
    return status, found.get("x-llama-injected"), found.get("x-llama-retries")


def test_an_application_meets_the_faults_of_a_run_and_the_same_after_a_restart(home: Home, run_yaml: Path) -> None:
    with home.served(str(run_yaml), "--inject", "vendor: 503 40%, 429 10%", "--inject-seed", "3") as server:
        first = [told(server) for _ in range(12)]
        restarted = home("stack", "restart", server.id)
        assert restarted.code == 0 and "with injected faults" in restarted.err
        assert [told(server) for _ in range(12)] == first
        assert {status for status, *_ in first} == {200, 503}
        assert ("vendor 503" in {told for _, told, _ in first}) and ("1" in {retries for *_, retries in first})
        lines = [json.loads(line) for line in server.log().splitlines()]
    injected = [line for line in lines if line["message"] == "fault injected"]
    assert {"request_id", "provider", "fault", "seed", "ordinal"} <= injected[0].keys()
    assert {(line["provider"], line["seed"]) for line in injected} == {("inference/vendor", 3)}


def test_its_client_sends_again_what_the_stack_may_not(home: Home, run_yaml: Path, vendor: Vendor) -> None:
    with home.served(str(run_yaml), "--inject", "header") as server:
        asked = len(vendor.seen)
        assert told(server) == (200, None, None)
        assert told(server, **{"X-LlamaStack-Inject": "vendor: 500"}) == (502, "vendor 500", None)
        assert told(server, **{"X-LlamaStack-Inject": "vendor: 429 first 1"}) == (200, "vendor 429", "1")
        assert told(server, **{"X-LlamaStack-Inject": "vndor: 500"}) == (400, None, None)
        assert len([path for path, *_ in vendor.seen[asked:] if path.endswith("completions")]) == 2


def test_what_makes_no_sense_is_refused_before_anything_is_built(home: Home, run_yaml: Path) -> None:
    for inject, words in (("vendor: 42", "`42` is no fault"), ("vndor: 429", "did you mean `vendor`?")):
        refused = home("stack", "run", str(run_yaml), "--port", "0", "--inject", inject)
        assert (refused.code, refused.out) == (2, "") and words in refused.err


def test_a_command_meets_them_in_a_stack_of_its_own(home: Home, run_yaml: Path) -> None:
    asks = (
        "import httpx, os; print(httpx.post(os.environ['OPENAI_BASE_URL'] + '/chat/completions', json=%r).status_code)"
    )
    words = ("--", sys.executable, "-c", asks % HELLO)
    met = home("stack", "exec", str(run_yaml), "--inject", "vendor: timeout", *words)
    assert (met.code, met.out) == (0, "504\n"), met.err
    assert home("stack", "exec", str(run_yaml), "--inject", "vendor: tiemout", *words).code == 125
