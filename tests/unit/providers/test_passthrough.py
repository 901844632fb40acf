"""Headers that callers bring for the server behind, and those that they must not set."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from runtime.conformance.stacks import run_config
from runtime.conformance.upstream import CHAT_MODEL, Upstream
from runtime.providers.inference.passthrough.config import PassthroughConfig
from tests.support.stacks import serving

CHAT = {"model": f"p/{CHAT_MODEL}", "messages": [{"role": "user", "content": "hi"}]}
FORWARD = {"tenant": "X-Tenant", "maas_token": "Authorization", "shard": "x-shard"}


def provider(upstream: Upstream, **config: Any) -> dict[str, Any]:
    config = {"base_url": upstream.url, "forward_headers": FORWARD, **config}
    return {"provider_id": "p", "provider_type": "remote::passthrough", "config": config}


def bringing(**data: Any) -> dict[str, str]:
    return {"x-llamastack-provider-data": json.dumps(data)}


async def test_the_fields_that_are_named_are_sent_on_as_they_are(tmp_path: Path, upstream: Upstream) -> None:
    async with serving(run_config(provider(upstream)), tmp_path) as served:
        headers = bringing(tenant="acme", shard=3, maas_token="Token abc", other="secret")
        assert (await served.client.post("/v1/chat/completions", CHAT, headers=headers)).status == 200
        sent = upstream.seen[-1].headers
        assert (sent["x-tenant"], sent["x-shard"], sent["authorization"]) == ("acme", "3", "Token abc")
        assert "secret" not in str(dict(sent))
        assert (await served.client.post("/v1/chat/completions", CHAT)).status == 200
        assert "x-tenant" not in upstream.seen[-1].headers and "authorization" not in upstream.seen[-1].headers


async def test_a_configured_key_goes_before_a_caller_s_authorization(tmp_path: Path, upstream: Upstream) -> None:
    async with serving(run_config(provider(upstream, api_key="sk-ours")), tmp_path) as served:
        headers = bringing(maas_token="Token abc", tenant="acme")
        assert (await served.client.post("/v1/chat/completions", CHAT, headers=headers)).status == 200
        assert upstream.seen[-1].headers["authorization"] == "Bearer sk-ours"
        assert upstream.seen[-1].headers["x-tenant"] == "acme"


async def test_a_refused_token_of_a_caller_is_the_caller_s(tmp_path: Path, upstream: Upstream) -> None:
    upstream.key = "sk-right"
    async with serving(run_config(provider(upstream)), tmp_path) as served:
        headers = bringing(maas_token="Bearer sk-wrong")
        answer = await served.client.post("/v1/chat/completions", CHAT, headers=headers)
        assert (answer.status, answer.error["code"]) == (401, "invalid_api_key")
        headers = bringing(maas_token="Bearer sk-right")
        assert (await served.client.post("/v1/chat/completions", CHAT, headers=headers)).status == 200


async def test_a_caller_does_not_choose_the_server(tmp_path: Path, upstream: Upstream) -> None:
    async with serving(run_config(provider(upstream)), tmp_path) as served:
        same = bringing(passthrough_url=f"{upstream.url}/")
        assert (await served.client.post("/v1/chat/completions", CHAT, headers=same)).status == 200
        before = len(upstream.seen)
        for wanted in ("http://169.254.169.254/v1", 5):
            headers = bringing(passthrough_url=wanted)
            answer = await served.client.post("/v1/chat/completions", CHAT, headers=headers)
            assert (answer.status, answer.error["param"]) == (400, "passthrough_url")
        assert len(upstream.seen) == before


@pytest.mark.parametrize("value", ["a\r\nx-evil: 1", "schlüssel", ["a"], {"a": "b"}])
async def test_a_value_that_no_header_can_hold_is_refused(tmp_path: Path, upstream: Upstream, value: Any) -> None:
    async with serving(run_config(provider(upstream)), tmp_path) as served:
        before = len(upstream.seen)
        answer = await served.client.post("/v1/chat/completions", CHAT, headers=bringing(tenant=value))
        assert (answer.status, answer.error["param"]) == (400, "tenant")
        assert len(upstream.seen) == before


@pytest.mark.parametrize(
    ("config", "message"),
    [
        ({"forward_headers": {"a": "Host"}}, "must not set `Host`"),
        ({"forward_headers": {"a": "X-Forwarded-For"}}, "must not set `X-Forwarded-For`"),
        ({"forward_headers": {"a": "transfer-encoding"}}, "must not set `transfer-encoding`"),
        ({"forward_headers": {"a": "x-llamastack-provider-data"}}, "must not set"),
        ({"forward_headers": {"a": "X Y"}}, "is not the name of a header"),
        ({"forward_headers": {"a": ""}}, "is not the name of a header"),
        ({"forward_headers": {"__user": "x-user"}}, "begins with `__`"),
        ({"forward_headers": {"a": "X-Debug"}, "extra_blocked_headers": ["x-debug"]}, "must not set `X-Debug`"),
    ],
)
def test_a_header_that_callers_must_not_set_is_a_config_error(config: dict[str, Any], message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        PassthroughConfig.model_validate(config)
