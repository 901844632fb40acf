"""Off, needs-key, ready, degraded: a provider's state never keeps the others from serving, and says what to do."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.support.stack_home import Home, Served, reserved_port
from tests.support.upstreams import Vendor, vendor_server

pytestmark = pytest.mark.e2e

OWN_KEY, CALLERS_KEY = "sk-of-the-server-0123456789", "sk-of-the-caller-0123456789"
CONFIG = """\
version: 2
distro_name: states
providers:
  inference:
  - provider_id: needs
    provider_type: remote::openai
    config:
      base_url: {url}
      api_key: ${{env.OPENAI_API_KEY:=}}
  - provider_id: has
    provider_type: remote::openai
    config:
      base_url: {url}
      api_key: {key}
  - provider_id: ${{env.VLLM_URL:+vllm}}
    provider_type: remote::vllm
    config:
      base_url: ${{env.VLLM_URL:=}}
"""


@pytest.fixture(scope="module")
def vendor() -> Iterator[Vendor]:
    with vendor_server(Vendor(keys=frozenset({OWN_KEY, CALLERS_KEY}))) as server:
        yield server


@pytest.fixture(scope="module")
def served(home: Home, vendor: Vendor, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    file = tmp_path_factory.mktemp("states") / "run.yaml"
    file.write_text(CONFIG.format(url=vendor.url, key=OWN_KEY))
    with home.served(str(file), OPENAI_API_KEY="") as server:
        yield server


def until(holds: Callable[[], bool], *, within_s: float) -> None:
    """Ask again until it holds; each question is a request to the server."""
    end = time.monotonic() + within_s
    while not holds():
        assert time.monotonic() < end, f"not so within {within_s} s"


def provider_data(**keys: str) -> dict[str, str]:
    return {"X-LlamaStack-Provider-Data": json.dumps(keys)}


def test_a_provider_that_is_off_is_named_with_its_variable_and_serves_nothing(served: Served) -> None:
    assert served.ready["off"] == [{"provider_type": "remote::vllm", "variables": ["VLLM_URL"]}]
    assert "vllm" not in [row["provider_id"] for row in served.get("/v1/providers")["data"]]
    assert served.chat("vllm/anything", status=404)["code"] == "model_not_found"


def test_a_provider_with_a_key_is_ready(served: Served) -> None:
    assert served.health("has")["state"] == "ready"
    assert "has/vendor-model" in served.models() and "needs/vendor-model" not in served.models()
    assert served.chat("has/vendor-model")["choices"][0]["message"]["content"] == "from the vendor, vendor-model"


def test_a_provider_without_its_key_says_how_to_give_one(served: Served) -> None:
    health = served.health("needs")
    assert (health["status"], health["state"]) == ("Error", "needs-key")
    error = served.chat("needs/vendor-model", status=401)
    for words in (health["message"], error["message"]):
        assert "OPENAI_API_KEY" in words and "X-LlamaStack-Provider-Data" in words


@pytest.mark.parametrize("name", ["openai_api_key", "needs_api_key"])
def test_a_request_that_brings_its_key_is_served_with_it(served: Served, vendor: Vendor, name: str) -> None:
    answer = served.chat("needs/vendor-model", headers=provider_data(**{name: CALLERS_KEY}))
    assert answer["model"] == "needs/vendor-model"
    path, headers, body = vendor.seen[-1]
    assert (path, headers["authorization"]) == ("/v1/chat/completions", f"Bearer {CALLERS_KEY}")
    assert body["model"] == "vendor-model"
    assert "x-llamastack-provider-data" not in headers


def test_a_wrong_key_of_the_caller_is_told_and_not_repeated(served: Served) -> None:
    error = served.chat("needs/vendor-model", status=401, headers=provider_data(openai_api_key="sk-wrong-0123456789"))
    assert "was not accepted" in error["message"] and "sk-wrong" not in error["message"]


def test_the_callers_key_is_not_kept_for_the_next_request(served: Served) -> None:
    served.chat("needs/vendor-model", headers=provider_data(openai_api_key=CALLERS_KEY))
    served.chat("needs/vendor-model", status=401)


def test_a_vendor_that_is_overloaded_is_unavailable_and_not_our_fault(served: Served, vendor: Vendor) -> None:
    vendor.status = 503
    try:
        error = served.chat("has/vendor-model", status=503)
    finally:
        vendor.status = None
    assert "`has` answered 503: overloaded" in error["message"]


@pytest.fixture
def nobody() -> Iterator[int]:
    """A port on which nobody listens."""
    with reserved_port() as port:
        yield port


def test_a_stack_whose_upstream_is_down_or_lost_says_so_and_recovers_with_it(home: Home, nobody: int) -> None:
    vendor = Vendor(keys=frozenset({OWN_KEY}), port=nobody)
    key = {"OPENAI_API_KEY": OWN_KEY, "OPENAI_BASE_URL": vendor.url}
    with home.served("remote", **key) as server:
        health = server.health("openai")
        assert health["status"] == "Error" and "cannot be reached" in health["message"]
        assert server.get("/v1/health")["status"] == "OK"
        error = server.chat("openai/vendor-model", status=503)
        assert "`openai` cannot be reached" in error["message"] and error["code"] == "upstream_unreachable"

        status = home("stack", "status", server.id, "--json", **key)
        assert "cannot be reached" in status.out
        said = json.loads(status.out)
        assert (said["state"], said["degraded"]) == state_of(home, server), "the two tell one truth"
        assert said["state"] == "degraded" and status.code == 7

        with vendor_server(vendor):
            assert server.chat("openai/vendor-model")["model"] == "openai/vendor-model"
            assert server.health("openai")["state"] == "ready"
            until(lambda: "openai/vendor-model" in server.models(), within_s=20)
            until(lambda: state_of(home, server) == ("ready", {}), within_s=20)
        assert server.chat("openai/vendor-model", status=503)["code"] == "upstream_unreachable"
        until(lambda: "cannot be reached" in state_of(home, server)[1].get("openai", ""), within_s=20)
        assert state_of(home, server)[0] == "degraded"
        with vendor_server(vendor):
            assert server.health("openai")["state"] == "ready"
            until(lambda: state_of(home, server) == ("ready", {}), within_s=20)


def state_of(home: Home, server: Served) -> tuple[str, dict[str, str]]:
    """What `ps` says of a server: its state, and why providers are degraded."""
    (row,) = [row for row in json.loads(home("stack", "ps", "--json").out) if row["id"] == server.id]
    return row["state"], row["degraded"]


def test_a_required_provider_that_is_down_or_off_ends_the_start_with_its_reason(home: Home, nobody: int) -> None:
    address = f"http://127.0.0.1:{nobody}/v1"
    down = home("stack", "run", "remote", "--port", "0", "--require", "vllm", VLLM_URL=address)
    assert down.code == 7, down.err
    assert "vllm" in down.err and "cannot be reached" in down.err and "Traceback" not in down.err
    off = home("stack", "run", "remote", "--port", "0", "--require", "vllm")
    assert off.code == 2, off.err  # a name on the command line that this stack does not have
    assert "vllm" in off.err and "VLLM_URL" in off.err
    unknown = home("stack", "run", "remote", "--port", "0", "--require", "vlm", VLLM_URL=address)
    assert unknown.code == 2 and "`vllm`" in unknown.err


def test_a_required_provider_that_answers_lets_it_start(home: Home, vendor: Vendor) -> None:
    key = {"OPENAI_API_KEY": OWN_KEY, "OPENAI_BASE_URL": vendor.url}
    with home.served("remote", "--require", "openai", **key) as server:
        assert server.ready["state"] == "ready"
        assert "openai/vendor-model" in server.ready["models"]


def test_a_bare_variable_that_is_unset_is_named_with_its_place_before_anything_is_installed(
    home: Home, tmp_path: Path
) -> None:
    file = tmp_path / "run.yaml"
    file.write_text(
        CONFIG.replace("states", "states-unset").format(url="http://127.0.0.1:1", key="${env.A_KEY_THAT_IS_UNSET}")
    )
    result = home("stack", "run", str(file), "--port", "0")
    assert result.code == 3, result.err
    assert "A_KEY_THAT_IS_UNSET" in result.err and "providers.inference[1].config.api_key" in result.err
    assert f"{file}:14: " in result.err
    assert not (home.folder / "distributions/states-unset/.venv").exists(), "installed before the problem was found"
