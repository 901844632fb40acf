"""Azure's servers that give tokens, at wire level: Entra ID to applications, and those of an app and of a machine.

Each checks what is documented: https://learn.microsoft.com/en-us/entra/identity-platform/v2-oauth2-client-creds-grant-flow,
https://learn.microsoft.com/en-us/azure/app-service/overview-managed-identity#rest-endpoint-reference and
https://learn.microsoft.com/en-us/entra/identity/managed-identities-azure-resources/how-to-use-vm-token, read November
2026.
"""

from __future__ import annotations

import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from aiohttp import web

TENANT, CLIENT, SECRET, PROOF = "tenant-1", "client-1", "s3cret~of.the-app", "eyJ.proof.of-the-cluster"
SCOPE, RESOURCE = "https://cognitiveservices.azure.com/.default", "https://cognitiveservices.azure.com"
HEADER = "header-of-the-app"
_ASSERTION = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"


@dataclass
class AzureServer:
    """url: where it listens. paths: of all requests. issued: every token that it gave. has_machine: whether the
    machine's address is one of Azure's; has_identity: whether the machine has an identity; refuses: the status with
    which it says nothing for now.
    """

    url: str = ""
    paths: list[str] = field(default_factory=list)
    issued: list[str] = field(default_factory=list)
    has_machine: bool = True
    has_identity: bool = True
    refuses: int | None = None

    def app(self) -> web.Application:
        app = web.Application()
        app.router.add_post("/{tenant}/oauth2/v2.0/token", self._of_application)
        app.router.add_get("/msi/token", self._of_app)
        app.router.add_get("/metadata/identity/oauth2/token", self._of_machine)
        return app

    async def _of_application(self, request: web.Request) -> web.Response:
        self.paths.append(request.path)
        form = dict(await request.post())
        if request.match_info["tenant"] != TENANT or form.get("client_id") != CLIENT:
            return _refused("unauthorized_client", "AADSTS700016: the application was not found")
        wanted = {"grant_type": "client_credentials", "client_id": CLIENT, "scope": SCOPE}
        by_secret = {**wanted, "client_secret": SECRET}
        by_proof = {**wanted, "client_assertion_type": _ASSERTION, "client_assertion": PROOF}
        if form not in (by_secret, by_proof):
            return _refused("invalid_client", "AADSTS7000215: Invalid client secret provided")
        return web.json_response({"token_type": "Bearer", "expires_in": 3599, "access_token": self._token()})

    async def _of_app(self, request: web.Request) -> web.Response:
        self.paths.append(request.path)
        if request.headers.get("x-identity-header") != HEADER or request.query["api-version"] != "2019-08-01":
            return web.json_response({"statusCode": 400, "message": "no such identity"}, status=400)
        assert request.query["resource"] == RESOURCE
        ends = str(int(time.time()) + 86_400)
        return web.json_response(
            {"access_token": self._token(), "expires_on": ends, "resource": RESOURCE, "token_type": "Bearer"}
        )

    async def _of_machine(self, request: web.Request) -> web.Response:
        self.paths.append(request.path)
        if not self.has_machine:
            return web.Response(status=404, text="nginx")
        if self.refuses is not None:
            return web.json_response({"error": "busy", "error_description": "Too many requests"}, status=self.refuses)
        if request.headers.get("metadata") != "true" or request.query["resource"] != RESOURCE:
            return _refused("invalid_request", "Required metadata header not specified")
        if not self.has_identity or request.query.get("client_id", CLIENT) != CLIENT:
            return _refused("invalid_request", "Identity not found")
        ends = str(int(time.time()) + 3599)
        return web.json_response(
            {"access_token": self._token(), "expires_in": "3599", "expires_on": ends, "token_type": "Bearer"}
        )

    def _token(self) -> str:
        self.issued.append(f"token-{len(self.issued) + 1}")
        return self.issued[-1]


def _refused(code: str, why: str) -> web.Response:
    body: dict[str, Any] = {"error": code, "error_description": why}
    return web.json_response(body, status=401 if code == "invalid_client" else 400)


@asynccontextmanager
async def azure_server() -> AsyncIterator[AzureServer]:
    server = AzureServer()
    runner = web.AppRunner(server.app())
    try:
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        server.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
        yield server
    finally:
        await runner.cleanup()
