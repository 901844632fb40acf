"""What a cloud would read with this server's credentials, a caller may not name."""

from __future__ import annotations

from typing import Any

import pytest

from runtime import discovery
from runtime.conformance.contexts import provider_context
from runtime.context import RequestContext, serving
from runtime.errors import AccessDenied
from runtime.providers.inference._readable import check_readable

SPEC = next(spec for spec in discovery.built_in().specs if spec.provider_type == "remote::openai")
IN_S3 = {"messages": [{"content": [{"image": {"source": {"s3Location": {"uri": "s3://data/folder/a.png"}}}}]}]}
IN_GS = {"contents": [{"parts": [{"text": "see"}, {"fileData": {"fileUri": "gs://data/folder/a.png"}}]}]}


def check(body: Any, *allowed: str) -> None:
    check_readable(body, allowed=allowed, keys=provider_context(SPEC, key="sk-ours").keys)


@pytest.mark.parametrize("body", [IN_S3, IN_GS, {"a": [{"uri": " S3://data/x"}]}])
def test_an_object_is_not_read_for_a_caller(body: Any) -> None:
    with pytest.raises(AccessDenied, match="with the credentials of this server") as raised:
        check(body)
    assert "readable_addresses" in (raised.value.hint or "")


@pytest.mark.parametrize("body", [IN_S3, IN_GS])
def test_the_config_allows_beginnings(body: Any) -> None:
    check(body, "s3://data/folder/", "gs://data/folder/")
    with pytest.raises(AccessDenied):
        check(body, "s3://other/", "gs://other/", "")


@pytest.mark.parametrize("end", ["../secret", "a/../../secret", ".."])
def test_no_way_leads_out_of_what_is_allowed(end: str) -> None:
    with pytest.raises(AccessDenied):
        check({"uri": f"s3://data/folder/{end}"}, "s3://data/folder/")


@pytest.mark.parametrize("body", [IN_S3, IN_GS])
def test_a_caller_s_own_key_reads_what_it_may(body: Any) -> None:
    with serving(RequestContext(provider_data={"openai_api_key": "sk-theirs"})):
        check(body)


@pytest.mark.parametrize(
    "body",
    [
        {"text": "s3://data/x"},
        {"contents": [{"parts": [{"fileData": {"fileUri": "https://example.com/a.png"}}]}]},
        {"messages": [{"content": [{"image": {"source": {"bytes": "AAAA"}}}]}]},
        [],
    ],
)
def test_everything_else_is_sent(body: Any) -> None:
    check(body)
