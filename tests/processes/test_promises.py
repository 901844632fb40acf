"""What users are promised whatever happens: no network needed, nothing acknowledged is lost, no secret is written."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support import offline_session
from tests.support.stack_home import Home, reserved_port
from tests.support.upstreams import Vendor, vendor_server

pytestmark = pytest.mark.e2e

SECRET = "sk-secret-4f1d9c7be2a85360"
OFFLINE_SESSION = Path(offline_session.__file__)


@pytest.mark.netns
@pytest.mark.smollm2
def test_starter_chats_and_embeds_without_a_network(home: Home, loopback_only: list[str]) -> None:
    built = home("stack", "build", "starter")
    assert built.code == 0, built.err
    done = subprocess.run(
        [*loopback_only, sys.executable, str(OFFLINE_SESSION), "starter"],
        env=home.environment, capture_output=True, text=True, check=False, timeout=240,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-3000:]
    told = json.loads(done.stdout)
    assert told["chat"]["choices"][0]["message"]["content"]
    assert len(told["embeddings"]["data"][0]["embedding"]) == 384
    # 0100007F is 127.0.0.1 in the kernel's tables; zeros are the other end of a socket that listens.
    assert {place.partition(":")[0] for place in told["sockets"]} <= {"0100007F", "00000000"}
    assert told["unreachable"] == 0, "something tried to reach another machine"


def test_the_count_of_unreachable_addresses_counts(loopback_only: list[str]) -> None:
    """Otherwise the zero above would prove nothing."""
    code = f"""if True:
        import socket, sys
        sys.path.insert(0, {str(OFFLINE_SESSION.parent)!r})
        from offline_session import unreachable
        try:
            socket.create_connection(("192.0.2.1", 80))
        except OSError:
            print(unreachable())
    """
    done = subprocess.run([*loopback_only, sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "1"


def test_a_registration_that_was_acknowledged_survives_kill_9(home: Home) -> None:
    with vendor_server(Vendor(keys=frozenset({SECRET}))) as vendor, reserved_port() as port:
        keys = {"OPENAI_API_KEY": SECRET, "OPENAI_BASE_URL": vendor.url}
        built = home("stack", "build", "remote", "--name", "survives")
        assert built.code == 0, built.err
        body = {"model_id": "kept", "provider_id": "openai", "provider_model_id": "vendor-model"}
        with home.served("survives", "--port", str(port), **keys) as server:
            server.post("/v1/models", body)
            server.post("/v1/models", body | {"model_id": "removed"})
            server.delete("/v1/models/removed")
            server.kill()
            [row] = [row for row in json.loads(home("stack", "ps", "--all", "--json").out) if row["id"] == "survives"]
            assert row["state"] == "crashed"
        with home.served("survives", "--port", str(port), **keys) as again:
            assert again.url == server.url
            assert again.chat("kept")["model"] == "kept"
            assert again.get("/v1/models/kept")["provider_resource_id"] == "vendor-model"
            again.get("/v1/models/removed", status=404)
            again.kill()
            restarted = home("stack", "restart", "survives", **keys)
            assert restarted.code == 0, restarted.err
            assert again.chat("kept")["model"] == "kept"


def test_a_key_in_the_environment_is_written_nowhere_and_shown_nowhere(tmp_path: Path) -> None:
    home = Home(tmp_path / "home")
    callers = "sk-callers-90ab12cd34ef5678"
    wrong = "sk-wrong-1122334455667788"
    with vendor_server(Vendor(keys=frozenset({SECRET, callers}))) as vendor:
        keys = {"OPENAI_API_KEY": SECRET, "OPENAI_BASE_URL": vendor.url}
        with home.served("remote", "--log-level", "debug", "--env", "OPENAI_API_KEY", **keys) as server:
            server.chat("openai/vendor-model", "a prompt that is nobody's business")
            header = {"X-LlamaStack-Provider-Data": json.dumps({"openai_api_key": wrong})}
            said = [server.chat("openai/vendor-model", status=401, headers=header)]
            server.chat(
                "openai/vendor-model", headers={"X-LlamaStack-Provider-Data": f'{{"openai_api_key": "{callers}"}}'}
            )
            said += [
                server.get(path)
                for path in ("/v1/providers", "/v1/providers/openai", "/v1/models", "/v1/inspect/routes")
            ]
            commands = (
                ("stack", "show", "remote"), ("stack", "show", "remote", "--json"), ("stack", "status", server.id),
                ("stack", "ps", "--json"), ("stack", "logs", server.id), ("stack", "list", "--json"),
                ("stack", "run", "remote", "--port", "0", "--dry-run", "--json"),
            )  # fmt: skip
            for command in commands:
                result = home(*command, **keys)
                assert result.code == 0, (command, result.err)
                said.append(result.out + result.err)
            restarted = home("stack", "restart", server.id, **keys)
            assert restarted.code == 0, restarted.err
            said.append(restarted.out + restarted.err)
        without = home("stack", "restart", server.id)
        said.append(without.out + without.err)
        home.stop(server.id)
    secrets = (SECRET, callers, wrong, "a prompt that is nobody's business")
    for words in said:
        assert not any(secret in json.dumps(words) for secret in secrets), words
    assert any("vendor-model" in json.dumps(words) for words in said)
    read = 0
    for folder, names, files in os.walk(home.folder):
        # What uv installed is the same for everybody, and large.
        names[:] = [name for name in names if name != ".venvs"]
        for file in files:
            data = Path(folder, file).read_bytes()
            read += 1
            assert not any(secret.encode() in data for secret in secrets), Path(folder, file)
    assert read > 5
