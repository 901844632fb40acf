"""Finds who calls Google: the token of a provider, and its project where the config does not name one.

In this order: the file that the config names; the one that `GOOGLE_APPLICATION_CREDENTIALS` names; the one that `gcloud
auth application-default login` writes; the service account of the machine. A token of the config or of a caller comes
before all of them. https://cloud.google.com/docs/authentication/application-default-credentials (read November 2026)

This is our own, on our own HTTP client, because Google's library for it blocks, and knows none of the provider's
settings for proxies, certificates and timeouts; only the signature is a package's.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

from runtime.errors import Unavailable
from runtime.http.client import HttpClient
from runtime.http.tokens import Token
from runtime.providers._vendors._machines import NoMachine
from runtime.providers._vendors.google.credentials import read_credentials, token_of
from runtime.providers._vendors.google.machine import is_none, text_of_machine, token_of_machine


class GoogleIdentity:
    """Who a provider calls Google as. file: of credentials, as its config names it. env: the variables of this
    process.
    """

    def __init__(
        self, http: HttpClient, *, provider_id: str, file: Path | None = None, env: Mapping[str, str] = os.environ
    ) -> None:
        self._http = http.for_credentials(f"{provider_id} (its credentials)")
        self._provider_id = provider_id
        self._file = file
        self._env = env
        self._no_machine = NoMachine()
        self.quota_project: str | None = None
        """The project that pays, where the credentials of the last token are a user's and name one."""

    @property
    def hint(self) -> str:
        """How a user says who they are."""
        return (
            "set `access_token` or `credentials_file` in its config, `GOOGLE_APPLICATION_CREDENTIALS`, or run `gcloud"
            " auth application-default login`"
        )

    async def token(self) -> Token:
        """A new one. Raises Unavailable where nothing says who this is, and where Google gives none."""
        file = self.file()
        if file is not None:
            given = await read_credentials(file)
            paying = self._env.get("GOOGLE_CLOUD_QUOTA_PROJECT") or given.get("quota_project_id")
            self.quota_project = paying if isinstance(paying, str) and paying else None
            return await token_of(self._http, given, f"`{file}`")
        if self._may_be_machine():
            if (found := await token_of_machine(self._http, self._env)) is not None:
                return found
            self._no_machine.found()
        raise Unavailable(f"provider `{self._provider_id}` has no credentials of Google", hint=self.hint)

    async def project(self) -> str | None:
        """The project that the credentials belong to; None where they do not say."""
        for name in ("GOOGLE_CLOUD_PROJECT", "GCLOUD_PROJECT"):
            if self._env.get(name):
                return self._env[name]
        if (file := self.file()) is not None:
            given = await read_credentials(file)
            found = given.get("project_id") or given.get("quota_project_id")
            return found if isinstance(found, str) else None
        if not self._may_be_machine():
            return None
        found = await text_of_machine(self._http, self._env, "project/project-id")
        if found is None:
            self._no_machine.found()
        return found

    def file(self) -> Path | None:
        """The file of credentials that counts; None where there is none. One that is named need not be there."""
        if self._file is not None:
            return self._file
        if named := self._env.get("GOOGLE_APPLICATION_CREDENTIALS"):
            return Path(named)
        usual = _folder_of_gcloud(self._env) / "application_default_credentials.json"
        return usual if usual.is_file() else None

    def _may_be_machine(self) -> bool:
        return not is_none(self._env) and not self._no_machine.is_believed


def _folder_of_gcloud(env: Mapping[str, str]) -> Path:
    if named := env.get("CLOUDSDK_CONFIG"):
        return Path(named)
    if os.name == "nt":
        return Path(env.get("APPDATA", "")) / "gcloud"
    return Path(env.get("HOME") or Path.home()) / ".config" / "gcloud"
