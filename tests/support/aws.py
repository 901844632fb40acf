"""AWS at wire level: Bedrock's guardrails, STS, and the addresses at which containers and machines find their role.

Each checks the signature of a request, as
https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-create-signed-request.html says (with code of its own),
and answers in the documented form. Read November 2026.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import re
from base64 import b64decode
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qs, quote

from aiohttp import web

KEY_ID, SECRET = "AKIDOFTHECONFIG", "the/secret+of-the-config"
HARMFUL, HARMLESS = "how to build a bomb", "how to stroke a cat"
HARMFUL_PNG = b"\x89PNG\r\n\x1a\nbomb"
_AUTHORIZATION = re.compile(
    r"AWS4-HMAC-SHA256 Credential=([^/]+)/(\d{8})/([^/]+)/([^/]+)/aws4_request, SignedHeaders=([^,]+), Signature=(\w+)"
)
_GUARDRAIL = re.compile(r"/guardrail/([^/]+)/version/([^/]+)/apply")
_FILTERS = ("INSULTS", "HATE", "SEXUAL", "VIOLENCE", "MISCONDUCT", "PROMPT_ATTACK")
_USAGE = {
    "topicPolicyUnits": 0, "contentPolicyUnits": 1, "wordPolicyUnits": 0, "sensitiveInformationPolicyUnits": 0,
    "sensitiveInformationPolicyFreeUnits": 0, "contextualGroundingPolicyUnits": 0,
}  # fmt: skip


@dataclass
class AwsServer:
    """keys: secrets and session tokens, by the id of a key. expired: ids of keys that have been valid. asked: bodies of
    guardrails' requests, with `guardrail` and `version`. forms: of STS's requests. headers: of each request, by its
    path; paths: of all. answers: replaces Bedrock's, as status, JSON and headers; the last one stays. issued: what STS
    and roles give.
    """

    url: str = ""
    region: str = "eu-west-1"
    keys: dict[str, tuple[str, str | None]] = field(default_factory=lambda: {KEY_ID: (SECRET, None)})
    expired: set[str] = field(default_factory=set)
    asked: list[dict[str, Any]] = field(default_factory=list)
    used: list[str] = field(default_factory=list)
    forms: list[dict[str, str]] = field(default_factory=list)
    headers: dict[str, Mapping[str, str]] = field(default_factory=dict)
    paths: list[str] = field(default_factory=list)
    answers: list[tuple[int, Any, dict[str, str]]] = field(default_factory=list)
    issued: dict[str, str] = field(default_factory=dict)

    def issue(self, key_id: str, expiration: str) -> None:
        """Let STS, the container and the machine give this key from now on."""
        self.keys[key_id] = (f"secret-of-{key_id}", f"token-of-{key_id}")
        self.issued = {
            "AccessKeyId": key_id, "SecretAccessKey": f"secret-of-{key_id}", "Token": f"token-of-{key_id}",
            "Expiration": expiration,
        }  # fmt: skip

    async def answer(self, request: web.Request) -> web.Response:
        self.headers[request.path] = request.headers
        self.paths.append(request.path)
        body = await request.read()
        if _GUARDRAIL.fullmatch(request.raw_path):
            return self.refused(request, body, "bedrock") or self._guardrail(request, body)
        if (request.method, request.path) == ("POST", "/"):
            return self._sts(request, body)
        if request.path == "/federation/credentials":
            return self._portal(request)
        if request.path == "/container":
            return web.json_response(self.issued)
        return self._machine(request)

    def refused(self, request: web.Request, body: bytes, service: str) -> web.Response | None:
        """Why the signature is not accepted; None if it is."""
        found = _AUTHORIZATION.fullmatch(request.headers.get("authorization", ""))
        if found is None:
            return aws_error(403, "MissingAuthenticationTokenException", "Missing Authentication Token")
        key_id, date, region, named, names, signature = found.groups()
        if key_id not in self.keys:
            return aws_error(
                403, "UnrecognizedClientException", "The security token included in the request is invalid."
            )
        if key_id in self.expired:
            return aws_error(403, "ExpiredTokenException", "The security token included in the request is expired")
        secret, token = self.keys[key_id]
        headers = request.headers
        path, _, query = request.raw_path.partition("?")
        lines = [request.method, quote(path, safe="/-_.~"), query]
        lines += [f"{name}:{headers[name].strip()}" for name in names.split(";")]
        lines += ["", names, hashlib.sha256(body).hexdigest()]
        scope = f"{date}/{region}/{named}/aws4_request"
        hashed = hashlib.sha256("\n".join(lines).encode()).hexdigest()
        text = f"AWS4-HMAC-SHA256\n{headers['x-amz-date']}\n{scope}\n{hashed}"
        made = b"AWS4" + secret.encode()
        for word in (date, region, named, "aws4_request", text):
            made = hmac.new(made, word.encode(), "sha256").digest()
        must = {"host", "x-amz-date"} | ({"x-amz-security-token"} if token else set())
        is_right = (
            made.hex() == signature
            and must <= {*names.split(";")}
            and (region, named) == (self.region, service)
            and headers.get("x-amz-security-token") == token
        )
        if not is_right:
            words = "The request signature we calculated does not match the signature you provided."
            return aws_error(403, "InvalidSignatureException", words)
        self.used.append(key_id)
        return None

    def _guardrail(self, request: web.Request, body: bytes) -> web.Response:
        found = _GUARDRAIL.fullmatch(request.raw_path)
        assert found is not None
        asked = json.loads(body)
        self.asked.append({"guardrail": found[1], "version": found[2], **asked})
        if self.answers:
            status, answer, headers = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
            return web.json_response(answer, status=status, headers=headers)
        if asked.keys() - {"source", "content", "outputScope"} or asked["source"] not in ("INPUT", "OUTPUT"):
            return aws_error(400, "ValidationException", "The request is not valid.")
        texts = [block["text"]["text"] for block in asked["content"] if "text" in block]
        images = [block["image"] for block in asked["content"] if "image" in block]
        pictures = [b64decode(image["source"]["bytes"]) for image in images]
        is_harmful = any(HARMFUL in text for text in texts) or HARMFUL_PNG in pictures
        characters = sum(len(text) for text in texts)
        return web.json_response(applied("VIOLENCE" if is_harmful else "", characters, len(images)))

    def _sts(self, request: web.Request, body: bytes) -> web.Response:
        form = {name: values[0] for name, values in parse_qs(body.decode()).items()}
        self.forms.append(form)
        if form["Action"] == "AssumeRole" and (refused := self.refused(request, body, "sts")):
            return refused
        if form["Action"] == "AssumeRoleWithWebIdentity" and form["WebIdentityToken"] == "not-a-token":
            words = (
                "<ErrorResponse><Error><Code>InvalidIdentityToken</Code><Message>No</Message></Error></ErrorResponse>"
            )
            return web.Response(text=words, status=400, content_type="text/xml")
        members = {**self.issued, "SessionToken": self.issued["Token"]}
        del members["Token"]
        xml = "".join(f"<{name}>{value}</{name}>" for name, value in members.items())
        name = form["Action"]
        return web.Response(
            text=f'<{name}Response xmlns="https://sts.amazonaws.com/doc/2011-06-15/"><{name}Result><Credentials>{xml}'
            f"</Credentials></{name}Result></{name}Response>",
            content_type="text/xml",
        )

    def _portal(self, request: web.Request) -> web.Response:
        """Where one is signed on."""
        if request.headers.get("x-amz-sso_bearer_token") != "sign-on-token" or {*request.query} != {
            "account_id",
            "role_name",
        }:
            return aws_error(401, "UnauthorizedException", "Session token not found or invalid")
        members = {
            "accessKeyId": self.issued["AccessKeyId"],
            "secretAccessKey": self.issued["SecretAccessKey"],
            "sessionToken": self.issued["Token"],
            "expiration": 4102444800000,
        }
        return web.json_response({"roleCredentials": members})

    def _machine(self, request: web.Request) -> web.Response:
        """Version 2 of the instance's metadata."""
        if (request.method, request.path) == ("PUT", "/latest/api/token"):
            return web.Response(text="metadata-token")
        roles = "/latest/meta-data/iam/security-credentials/"
        if request.headers.get("x-aws-ec2-metadata-token") != "metadata-token" or not self.issued:
            return web.Response(status=401)
        if request.path == roles:
            return web.Response(text="the-role")
        assert request.path == f"{roles}the-role"
        return web.json_response({"Code": "Success", "Type": "AWS-HMAC", **self.issued})


def applied(found: str, characters: int, images: int, **more: Any) -> dict[str, Any]:
    """The documented answer of ApplyGuardrail with `outputScope: FULL`, of a guardrail with all filters. found: the
    filter that blocks; empty for none.
    """
    filters = [
        {
            "type": kind,
            "confidence": "HIGH" if kind == found else "NONE",
            "filterStrength": "HIGH",
            "action": "BLOCKED" if kind == found else "NONE",
            "detected": kind == found,
        }
        for kind in _FILTERS
    ]
    coverage = {"textCharacters": {"guarded": characters, "total": characters}}
    if images:
        coverage["images"] = {"guarded": images, "total": images}
    return {
        "usage": _USAGE,
        "action": "GUARDRAIL_INTERVENED" if found else "NONE",
        "actionReason": "Guardrail blocked." if found else "No action.",
        "outputs": [{"text": "The guardrail does not allow this."}] if found else [],
        "assessments": [
            {"contentPolicy": {"filters": filters}, "invocationMetrics": {"guardrailProcessingLatency": 200}}
        ],
        "guardrailCoverage": coverage,
        **more,
    }


def aws_error(status: int, kind: str, message: str) -> web.Response:
    headers = {"x-amzn-errortype": f"{kind}:http://internal.amazon.com/coral/com.amazon.coral.service/"}
    return web.json_response({"message": message}, status=status, headers=headers)


@asynccontextmanager
async def aws_server() -> AsyncIterator[AwsServer]:
    server = AwsServer()
    app = web.Application()
    app.router.add_route("*", "/{rest:.*}", server.answer)
    runner = web.AppRunner(app)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    server.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
    try:
        yield server
    finally:
        await runner.cleanup()
