"""Where watsonx's tokens come from: each kind of its regions has a place of its own."""

from __future__ import annotations

import json
from typing import Any
from urllib.parse import parse_qsl

import pytest

from runtime import discovery
from runtime.conformance.contexts import provider_context
from runtime.discovery import load
from runtime.errors import UpstreamError
from runtime.http.client import HttpClient
from runtime.http.timeouts import Timeouts
from runtime.http.transport import Outgoing
from tests.support.answers import Answering

SPEC = next(spec for spec in discovery.built_in().specs if spec.provider_type == "remote::watsonx")
LIST = {"resources": [{"model_id": "m", "functions": [{"id": "text_chat"}]}]}


class Ibm:
    """asked: the address and what was given, of each request for a token; listed: the headers of those for models."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, dict[str, str]]] = []
        self.listed: list[str] = []
        self.refuses = False

    def answer(self, request: Outgoing, timeouts: Timeouts) -> tuple[int, Any]:
        if "foundation_model_specs" in request.url:
            self.listed.append(request.headers["authorization"])
            return 200, LIST
        assert isinstance(request.body, bytes) and (timeouts.total_s or 60) <= 30
        is_form = request.headers["content-type"] == "application/x-www-form-urlencoded"
        given = dict(parse_qsl(request.body.decode())) if is_form else json.loads(request.body)
        self.asked.append((request.url, given))
        if self.refuses:
            return 400, {"errorCode": "BXNIM0415E", "errorMessage": "Provided API key could not be found."}
        return 200, {"access_token": "a-token", "expires_in": 3600} if is_form else {"token": "a-token"}


def watsonx(ibm: Ibm, **settings: Any) -> Any:
    config = load(SPEC.config or "", package=SPEC.module)(project_id="p", **settings)
    http = HttpClient("acme", transport=Answering(ibm.answer))
    key = config.api_key.get_secret_value() if config.api_key is not None else None
    return load(SPEC.adapter, package=SPEC.module)(config, provider_context(SPEC, http=http, key=key))


@pytest.mark.parametrize(
    ("settings", "place", "given"),
    [
        ({}, "https://iam.cloud.ibm.com/identity/token", "apikey"),
        ({"base_url": "https://eu-de.ml.cloud.ibm.com"}, "https://iam.cloud.ibm.com/identity/token", "apikey"),
        (
            {"iam_url": "https://private.iam.cloud.ibm.com/"},
            "https://private.iam.cloud.ibm.com/identity/token",
            "apikey",
        ),
        (
            {"base_url": "https://us-east-1.aws.wxai.ibm.com"},
            "https://account-iam.platform.saas.ibm.com/api/2.0/apikeys/token",
            "apikey",
        ),
        (
            {"base_url": "https://hub.example/", "username": "ada"},
            "https://hub.example/icp4d-api/v1/authorize",
            "api_key",
        ),
    ],
    ids=["Dallas", "Frankfurt", "private", "Amazon's cloud", "a cluster"],
)
async def test_a_key_is_exchanged_where_its_region_is(settings: dict[str, Any], place: str, given: str) -> None:
    ibm = Ibm()
    (model,) = await watsonx(ibm, api_key="the-key", **settings).list_models()
    assert (model.provider_model_id, ibm.listed) == ("m", ["Bearer a-token"])
    ((url, form),) = ibm.asked
    assert (url, form[given]) == (place, "the-key")


async def test_a_refused_key_is_not_shown() -> None:
    ibm = Ibm()
    ibm.refuses = True
    with pytest.raises(UpstreamError) as raised:
        await watsonx(ibm, api_key="the-very-secret-key").list_models()
    assert raised.value.code == "upstream_refused_key"
    assert "could not be found" in raised.value.message and "the-very-secret-key" not in raised.value.words
