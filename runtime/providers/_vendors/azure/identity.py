"""Finds who calls Azure: a token of Entra ID for one of its services.

In this order: an application's secret; an application whose token another issuer writes into a file, as in Kubernetes;
the identity of the app or machine that this runs on; the user who has run `az login`. Each is looked for in the config,
then in the variables that Azure's own libraries read.
https://learn.microsoft.com/en-us/entra/identity-platform/v2-oauth2-client-creds-grant-flow (read November 2026)

This is our own, on our own HTTP client, because Azure's library for it has a client of its own, which knows none of the
provider's settings for proxies, certificates and timeouts.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

from pydantic import SecretStr

from runtime.errors import Unavailable
from runtime.http.client import HttpClient
from runtime.http.oauth import exchanged
from runtime.http.tokens import Token
from runtime.providers._vendors._machines import NoMachine
from runtime.providers._vendors._token_files import read_token
from runtime.providers._vendors.azure.cli import token_of_user
from runtime.providers._vendors.azure.machine import token_of_app, token_of_machine

PUBLIC_AUTHORITY = "https://login.microsoftonline.com"
_ASSERTION = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
HINT = (
    "set `tenant_id`, `client_id` and `client_secret` in its config, or AZURE_TENANT_ID, AZURE_CLIENT_ID and"
    " AZURE_CLIENT_SECRET, or run `az login`"
)


@dataclass(frozen=True, kw_only=True)
class Application:
    """What a config says of an application. scope: of the tokens, such as
    `https://cognitiveservices.azure.com/.default`.
    """

    scope: str
    tenant_id: str | None = None
    client_id: str | None = None
    client_secret: SecretStr | None = None

    @property
    def resource(self) -> str:
        """What the scope is of, as machines and the command line ask for it."""
        return self.scope.removesuffix("/.default")


class AzureIdentity:
    """Who a provider calls Azure as. env: the variables of this process."""

    def __init__(
        self, application: Application, http: HttpClient, *, provider_id: str, env: Mapping[str, str] = os.environ
    ) -> None:
        self._application = application
        self._http = http.for_credentials(f"{provider_id} (its credentials)")
        self._provider_id = provider_id
        self._env = env
        self._no_machine = NoMachine()

    async def token(self) -> Token:
        """A new one. Raises Unavailable where nothing says who this is, and where Azure gives none."""
        given, env = self._application, self._env
        tenant = given.tenant_id or env.get("AZURE_TENANT_ID")
        client = given.client_id or env.get("AZURE_CLIENT_ID")
        secret = given.client_secret.get_secret_value() if given.client_secret else env.get("AZURE_CLIENT_SECRET")
        file = env.get("AZURE_FEDERATED_TOKEN_FILE")
        if tenant and client and secret:
            return await self._of_application(tenant, client, {"client_secret": secret})
        if tenant and client and file:
            proof = await asyncio.to_thread(read_token, Path(file))
            return await self._of_application(
                tenant, client, {"client_assertion_type": _ASSERTION, "client_assertion": proof}
            )
        self._check_is_nobody_else(tenant, client, secret)
        found = await token_of_app(self._http, env, given.resource, client)
        if found is None and not self._no_machine.is_believed:
            found = await token_of_machine(self._http, env, given.resource, client)
            if found is None:
                self._no_machine.found()
        found = found or await token_of_user(given.resource, env, tenant)
        if found is None:
            raise Unavailable(f"provider `{self._provider_id}` has no identity of Azure", hint=HINT)
        return found

    def _check_is_nobody_else(self, tenant: str | None, client: str | None, secret: str | None) -> None:
        """Raises Unavailable where an application is meant: nobody else's token is sent in its place."""
        if secret:
            named = {"tenant_id": tenant, "client_id": client}
            missing = " and ".join(f"`{name}`" for name, value in named.items() if not value)
            raise Unavailable(f"provider `{self._provider_id}` has a `client_secret` without {missing}", hint=HINT)
        if tenant and client and self._env.get("AZURE_CLIENT_CERTIFICATE_PATH"):
            words = "AZURE_CLIENT_CERTIFICATE_PATH names a certificate, by which no tokens are got here"
            raise Unavailable(f"provider `{self._provider_id}`: {words}", hint=HINT)

    async def _of_application(self, tenant: str, client: str, proof: Mapping[str, str]) -> Token:
        authority = (self._env.get("AZURE_AUTHORITY_HOST") or PUBLIC_AUTHORITY).rstrip("/")
        url = f"{authority}/{quote(tenant, safe='')}/oauth2/v2.0/token"
        form = {
            "grant_type": "client_credentials",
            "client_id": client,
            "scope": self._application.scope,
            **proof,
        }
        return await exchanged(self._http, url, form, f"the application `{client}`")
