"""Signature Version 4. The expected ones are those that botocore 1.44.8 makes of the same requests."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from runtime.http.transport import Outgoing
from runtime.providers._vendors.aws.credentials import Credentials
from runtime.providers._vendors.aws.signature import signed

AT = datetime(2026, 11, 27, 22, tzinfo=UTC)
JSON = {"content-type": "application/json"}
FORM = {"content-type": "application/x-www-form-urlencoded; charset=utf-8"}
ARN = "arn%3Aaws%3Abedrock%3Aus-east-1%3A123456789012%3Aguardrail%2Fabc"
BEDROCK = "https://bedrock-runtime.{}.amazonaws.com/guardrail/{}/version/{}/apply"


def credentials(token: str | None = None) -> Credentials:
    return Credentials(
        access_key_id="AKIDEXAMPLE", secret_access_key="wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY", session_token=token
    )


@pytest.mark.parametrize(
    ("request_", "place", "token", "expected"),
    [
        (
            Outgoing(
                method="POST", url=BEDROCK.format("eu-west-1", "abc123", "DRAFT"), headers=JSON,
                body=b'{"source":"INPUT"}',
            ),
            ("eu-west-1", "bedrock"), None, "390de709080ab34164267de764aac9f6eb3fced44744f732986161ccea8c4b38",
        ),
        (
            Outgoing(method="POST", url=BEDROCK.format("us-east-1", ARN, "3"), headers=JSON, body=b"{}"),
            ("us-east-1", "bedrock"), "tok/en+1==", "6523e9654edd8a6dc1f815b1fb1c61873404bf18f30dec28582ac711179cefc2",
        ),
        (
            Outgoing(
                method="POST", url="http://127.0.0.1:8123/", headers=FORM,
                body=b"Action=AssumeRole&Version=2011-06-15",
            ),
            ("us-east-1", "sts"), None, "65224a037b61c9393e1448067e98f63fbe0df111e4d78c5b2366c0854aa26923",
        ),
        (
            Outgoing(method="GET", url="https://example.amazonaws.com/a?b=2&a=x%20y&c="),
            ("us-east-1", "service"), None, "d07d9373bef604a24031fee343d2d34c4c7e7991f5bcc3ff136a7c579858e03e",
        ),
    ],
    ids=["a body", "an ARN and a token", "a port", "a query"],
)  # fmt: skip
def test_it_is_the_signature_that_amazons_own_client_makes(
    request_: Outgoing, place: tuple[str, str], token: str | None, expected: str
) -> None:
    region, service = place
    sent = signed(request_, credentials(token), region=region, service=service, at=AT)
    assert sent.headers["x-amz-date"] == "20261127T220000Z"
    assert sent.headers["authorization"].endswith(f"Signature={expected}")
    assert sent.headers.get("x-amz-security-token") == token
    assert (sent.url, sent.body) == (request_.url, request_.body)


def test_other_headers_are_not_signed_since_a_proxy_may_change_them() -> None:
    plain = Outgoing(method="GET", url="https://example.amazonaws.com/")
    more = plain.with_headers({"x-request-id": "1", "traceparent": "2"})
    ours = [
        signed(one, credentials(), region="r", service="s", at=AT).headers["authorization"] for one in (plain, more)
    ]
    assert ours[0] == ours[1]


def test_the_secret_is_nowhere_in_what_is_sent_or_shown() -> None:
    sent = signed(Outgoing(method="GET", url="https://x.example/"), credentials("tok"), region="r", service="s", at=AT)
    assert "wJalr" not in str(sent.headers) + repr(sent) + repr(credentials("tok")) + repr(sent.key)
