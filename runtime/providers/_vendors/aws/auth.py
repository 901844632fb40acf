"""Authenticates a provider's requests to one service of AWS: by a signature, or by a key where the service has keys."""

from __future__ import annotations

from runtime.clock import utc_now
from runtime.http.keys import ProviderKeys
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


class KeyOrSignature:
    """An `Auth`: a key is sent as it is, `Authorization: Bearer KEY`; without one the request is signed."""

    def __init__(self, keys: ProviderKeys, identity: AwsIdentity, service: str) -> None:
        keys.configured()  # an invalid key is found before any request
        self._keys = keys
        self._signature = AwsSignature(identity, service)

    @property
    def hint(self) -> str:
        return self._keys.how_to_give if self._keys.configured() is not None else self._signature.hint

    async def apply(self, request: Outgoing) -> Outgoing:
        """Raises as `AwsSignature` does, and AuthenticationError for a caller's key that is none."""
        key = self._keys.get()
        if key is None:
            return await self._signature.apply(request)
        return request.with_headers({"authorization": f"Bearer {key.value}"}, key=key)
