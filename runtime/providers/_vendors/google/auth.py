"""Requests to Google's cloud with a token: a caller's, the config's, or one of whoever the provider runs as."""

from __future__ import annotations

from runtime.http.keys import ProviderKeys
from runtime.http.tokens import TokenBearer
from runtime.http.transport import Outgoing
from runtime.providers._vendors.google.identity import GoogleIdentity


class GoogleBearer(TokenBearer):
    """A user's credentials also name the project that pays, which a service account has anyway.
    https://cloud.google.com/docs/quotas/set-quota-project (read November 2026)
    """

    def __init__(self, keys: ProviderKeys, identity: GoogleIdentity) -> None:
        super().__init__(keys, identity.token, hint=identity.hint)
        self._identity = identity
        self._has_own = keys.configured() is not None

    async def apply(self, request: Outgoing) -> Outgoing:
        """Raises Unavailable where there is no token."""
        sent = await super().apply(request)
        project = self._identity.quota_project
        if project is None or sent.key_is_callers or self._has_own:
            return sent
        return sent.with_headers({"x-goog-user-project": project})
