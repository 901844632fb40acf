"""What the banner tells to export for clients must not make the next start a provider of itself."""

from __future__ import annotations

import pytest

from tests.support.stack_home import Home, reserved_port

pytestmark = pytest.mark.e2e


def test_a_server_whose_upstream_is_itself_says_so_and_lists_nothing_of_it(home: Home) -> None:
    with reserved_port() as port:
        environment = {"OPENAI_BASE_URL": f"http://127.0.0.1:{port}/v1", "OPENAI_API_KEY": "none"}
        with home.served("remote", "--port", str(port), **environment) as server:
            health = server.health("openai")
            assert health["state"] == "degraded" and "leads back to this server" in health["message"]
            assert [name for name in server.models() if name.startswith("openai/")] == []
            error = server.chat("openai/anything", status=503)
            assert error["code"] == "upstream_is_this_stack"
            assert "leads back to this server" in home("stack", "status", server.id, "--json").out
