"""Finds who calls OCI, as the provider's config says: a profile of `oci setup config`, the machine, or the resource
that this runs as.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Literal

from runtime.clock import utc_now
from runtime.errors import Unavailable
from runtime.http.client import HttpClient
from runtime.http.expiring import Expiring
from runtime.http.transport import Outgoing
from runtime.providers._vendors._machines import NoMachine
from runtime.providers._vendors.oci.credentials import Credentials
from runtime.providers._vendors.oci.instance import of_instance
from runtime.providers._vendors.oci.profiles import files_of, of_profile
from runtime.providers._vendors.oci.resource import of_resource
from runtime.providers._vendors.oci.signature import signed

Kind = Literal["instance_principal", "config_file", "resource_principal"]


class OciSignature:
    """An `Auth`: signs each request as whoever the config says. file, profile: of `config_file`. env: the variables of
    this process.
    """

    def __init__(
        self,
        kind: Kind,
        http: HttpClient,
        *,
        provider_id: str,
        file: Path,
        profile: str,
        env: Mapping[str, str] = os.environ,
    ) -> None:
        self._kind = kind
        self._http = http.for_credentials(f"{provider_id} (its credentials)")
        self._provider_id = provider_id
        self._file = file
        self._profile = profile
        self._env = env
        self._found = Expiring(self._find, whose=provider_id)
        self._files: list[Path] | None = None
        self._no_machine = NoMachine()

    @property
    def hint(self) -> str:
        """For a refusal: whose the signature was."""
        if (found := self._found.known) is None:
            return "set `oci_auth_type` and what goes with it in its config"
        return f"it is that of {found.source}, whose rights may not allow this; or the clock here is wrong"

    async def apply(self, request: Outgoing) -> Outgoing:
        """Raises Unavailable where there is nothing to sign with. Called each time it is sent, so that each has its
        date.
        """
        return signed(request, await self._found.get(await self._stamp()), at=utc_now())

    async def renew(self, refused: Outgoing) -> bool:
        """After a refusal: whether there are other credentials now. Raises as `apply` does."""
        known = self._found.known
        if known is None or refused.key is None or refused.key.value != known.key_id:
            return False
        return (await self._found.renewed(await self._stamp())).key_id != known.key_id

    async def _find(self) -> Credentials:
        if self._kind == "config_file":
            self._files = await asyncio.to_thread(files_of, self._file, self._profile)
            return await asyncio.to_thread(of_profile, self._file, self._profile)
        if self._kind == "resource_principal":
            return await asyncio.to_thread(of_resource, self._env)
        if not self._no_machine.is_believed:
            if (found := await of_instance(self._http, self._env)) is not None:
                return found
            self._no_machine.found()
        raise Unavailable(
            f"provider `{self._provider_id}` has no credentials of OCI: this is no machine of Oracle's",
            hint="set `oci_auth_type` to `config_file` in its config (`OCI_AUTH_TYPE`) and run `oci setup config`, or"
            " set `api_key`",
        )

    async def _stamp(self) -> tuple[int, ...]:
        """Another one after a file of the profile has changed. Raises Unavailable."""
        if self._kind != "config_file":
            return ()
        if self._files is None:
            self._files = await asyncio.to_thread(files_of, self._file, self._profile)
        return tuple(map(_changed_ns, self._files))


def _changed_ns(file: Path) -> int:
    try:
        return file.stat().st_mtime_ns
    except OSError:
        return 0
