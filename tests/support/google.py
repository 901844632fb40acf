"""Google's servers that give tokens, at wire level: for signed assertions, refresh tokens and other providers' tokens,
in the name of a service account, and to a machine of Google's.

Each checks what is documented: https://developers.google.com/identity/protocols/oauth2/service-account#httprest,
https://cloud.google.com/iam/docs/reference/sts/rest/v1/TopLevel/token,
https://cloud.google.com/iam/docs/reference/credentials/rest/v1/projects.serviceAccounts/generateAccessToken and
https://cloud.google.com/compute/docs/metadata/querying-metadata, read November 2026.
"""

from __future__ import annotations

import json
import time
from base64 import b64encode, urlsafe_b64decode
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from aiohttp import web
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding, rsa

EMAIL, KEY_ID = "llama@my-project.iam.gserviceaccount.com", "key-1"
AUDIENCE = "//iam.googleapis.com/projects/1/locations/global/workloadIdentityPools/pool/providers/github"
AUDIENCE_OF_ASSERTIONS = "https://oauth2.googleapis.com/token"
"""Always, says Google, whichever address the assertion is sent to."""
SCOPE = "https://www.googleapis.com/auth/cloud-platform"
IAM_SCOPE = "https://www.googleapis.com/auth/iam"
"""Enough to take on a service account."""
REFRESH_TOKEN, SUBJECT_TOKEN = "1//refresh", "the-token-of-another"
_JWT_GRANT = "urn:ietf:params:oauth:grant-type:jwt-bearer"
_EXCHANGE_GRANT = "urn:ietf:params:oauth:grant-type:token-exchange"
_ACCOUNT = f"/v1/projects/-/serviceAccounts/{EMAIL}:generateAccessToken"


@dataclass
class GoogleServer:
    """url: where it listens. paths: of all requests. issued: every token that it gave. lives_s: how long they are
    valid. is_machine: whether the metadata server is there. has_account: whether the machine has a service account.
    """

    url: str = ""
    paths: list[str] = field(default_factory=list)
    issued: list[str] = field(default_factory=list)
    lives_s: int = 3599
    is_machine: bool = True
    has_account: bool = True
    key: rsa.RSAPrivateKey = field(default_factory=lambda: rsa.generate_private_key(65537, 2048))

    @property
    def token_url(self) -> str:
        return f"{self.url}/token"

    @property
    def service_account(self) -> dict[str, Any]:
        """The file of its key."""
        pem = self.key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
        return {
            "type": "service_account", "project_id": "my-project", "private_key_id": KEY_ID,
            "private_key": pem.decode(), "client_email": EMAIL, "token_uri": self.token_url,
        }  # fmt: skip

    @property
    def user(self) -> dict[str, Any]:
        """What `gcloud auth application-default login` writes, and where its token is."""
        return {
            "type": "authorized_user", "client_id": "c", "client_secret": "s", "refresh_token": REFRESH_TOKEN,
            "quota_project_id": "paying-project", "token_uri": self.token_url,
        }  # fmt: skip

    def federation(self, source: dict[str, Any], **more: Any) -> dict[str, Any]:
        return {
            "type": "external_account", "audience": AUDIENCE, "token_url": f"{self.url}/sts",
            "subject_token_type": "urn:ietf:params:oauth:token-type:jwt", "credential_source": source, **more,
        }  # fmt: skip

    @property
    def impersonation_url(self) -> str:
        return self.url + _ACCOUNT

    async def serve(self, request: web.Request) -> web.StreamResponse:
        self.paths.append(request.path)
        if request.path.startswith("/computeMetadata/v1/"):
            return self._metadata(request)
        if request.path == "/subject":
            if request.headers.get("authorization") != "bearer request-token":
                return web.Response(status=401)
            return web.json_response({"value": SUBJECT_TOKEN})
        if request.path == _ACCOUNT:
            return await self._impersonated(request)
        form = {name: str(value) for name, value in (await request.post()).items()}
        error = self._error_of(request, form)
        if error:
            return web.json_response({"error": "invalid_grant", "error_description": error}, status=400)
        return self._given()

    def _error_of(self, request: web.Request, form: dict[str, str]) -> str:
        match request.path, form.get("grant_type"):
            case "/token", "refresh_token":
                wanted = {"client_id": "c", "client_secret": "s", "refresh_token": REFRESH_TOKEN}
                return "" if wanted.items() <= form.items() else "Token has been expired or revoked."
            case "/token", grant if grant == _JWT_GRANT:
                return self._error_in(form["assertion"])
            case "/sts", grant if grant == _EXCHANGE_GRANT:
                return _error_of_exchange(request, form)
        return f"no such grant at {request.path}: {form.get('grant_type')}"

    def _error_in(self, assertion: str) -> str:
        signed, _, signature = assertion.rpartition(".")
        header, claims = (json.loads(_decoded(part)) for part in signed.split("."))
        self.key.public_key().verify(_decoded(signature), signed.encode(), padding.PKCS1v15(), hashes.SHA256())
        if header != {"alg": "RS256", "typ": "JWT", "kid": KEY_ID}:
            return f"Invalid JWT header: {header}"
        if (claims["iss"], claims["scope"], claims["aud"]) != (EMAIL, SCOPE, AUDIENCE_OF_ASSERTIONS):
            return f"Invalid JWT: {claims}"
        if abs(claims["iat"] - time.time()) > 60 or not 0 < claims["exp"] - claims["iat"] <= 3600:
            return "Invalid JWT: Token must be a short-lived token (60 minutes) and in a reasonable timeframe."
        return ""

    async def _impersonated(self, request: web.Request) -> web.StreamResponse:
        if request.headers.get("authorization", "").removeprefix("Bearer ") not in self.issued:
            return web.json_response({"error": {"code": 401, "status": "UNAUTHENTICATED"}}, status=401)
        body = await request.json()
        if {name: value for name, value in body.items() if value is not None} != {
            "scope": [SCOPE],
            "lifetime": "3600s",
        }:
            return web.json_response({"error": {"code": 400, "message": f"wrong: {body}"}}, status=400)
        self.issued.append(f"token-{len(self.issued) + 1}")
        until = datetime.fromtimestamp(time.time() + self.lives_s, UTC)
        return web.json_response({"accessToken": self.issued[-1], "expireTime": f"{until:%Y-%m-%dT%H:%M:%SZ}"})

    def _metadata(self, request: web.Request) -> web.StreamResponse:
        if not self.is_machine:
            return web.Response(text="a page of a hotel's network")
        if request.headers.get("metadata-flavor") != "Google":
            return web.Response(status=403)
        flavor = {"metadata-flavor": "Google"}
        match request.path.removeprefix("/computeMetadata/v1/"):
            case "instance/zone":
                return web.Response(text="projects/1/zones/europe-west1-b", headers=flavor)
            case "project/project-id":
                return web.Response(text="machine-project", headers=flavor)
            case "instance/service-accounts/default/token" if self.has_account:
                return self._given()
        return web.Response(status=404, headers=flavor)

    def _given(self) -> web.Response:
        self.issued.append(f"token-{len(self.issued) + 1}")
        return web.json_response(
            {"access_token": self.issued[-1], "expires_in": self.lives_s, "token_type": "Bearer"},
            headers={"metadata-flavor": "Google"},
        )


def _error_of_exchange(request: web.Request, form: dict[str, str]) -> str:
    wanted = {
        "audience": AUDIENCE, "subject_token": SUBJECT_TOKEN,
        "requested_token_type": "urn:ietf:params:oauth:token-type:access_token",
        "subject_token_type": "urn:ietf:params:oauth:token-type:jwt",
    }  # fmt: skip
    if not wanted.items() <= form.items() or form.get("scope") not in (SCOPE, IAM_SCOPE):
        return f"Invalid value: {form}"
    client = request.headers.get("authorization")
    if client is not None and client != f"Basic {b64encode(b'client:secret').decode()}":
        return "invalid_client"
    return ""


def _decoded(part: str) -> bytes:
    return urlsafe_b64decode(part + "=" * (-len(part) % 4))


@asynccontextmanager
async def google_server() -> AsyncIterator[GoogleServer]:
    server = GoogleServer()
    app = web.Application()
    app.router.add_route("*", "/{path:.*}", server.serve)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    host, port = runner.addresses[0][:2]
    server.url = f"http://{host}:{port}"
    try:
        yield server
    finally:
        await runner.cleanup()
