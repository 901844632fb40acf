"""Signs a provider's requests to one service of AWS."""

from __future__ import annotations

from runtime.clock import utc_now
from runtime.http.transport import Outgoing
from runtime.providers._vendors.aws.identity import AwsIdentity
from runtime.providers._vendors.aws.signature import signed


class AwsSignature:
    """An `Auth`. service: its name in signatures, such as `bedrock`."""

    def __init__(self, identity: AwsIdentity, service: str) -> None:
        self._identity = identity
        self._service = service

    @property
    def hint(self) -> str:
        return self._identity.hint

    async def apply(self, request: Outgoing) -> Outgoing:
        """Raises Unavailable where no credentials are found. Called each time it is sent, so that each has its date."""
        credentials = await self._identity.credentials()
        region = await self._identity.region()
        return signed(request, credentials, region=region, service=self._service, at=utc_now())
