"""What a request to AWS is signed with. Imports nothing that finds it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from runtime.http.transport import Key


@dataclass(frozen=True, kw_only=True)
class Credentials:
    """A key of AWS. session_token: of a temporary one. source: where they are from, for messages: `the profile
    `work``. expires_at: seconds since 1970; None for those that do not expire, or do not say when.
    """

    access_key_id: str
    secret_access_key: str = field(repr=False)
    session_token: str | None = field(default=None, repr=False)
    source: str = field(default="", compare=False)
    expires_at: float | None = field(default=None, compare=False)

    def as_key(self) -> Key:
        """For the request that is signed with them; no part of it is sent."""
        return Key(value=self.secret_access_key)


def from_answer(given: Mapping[str, Any], source: str) -> Credentials | None:
    """Those of an answer in JSON with AWS's members: `AccessKeyId`, `SecretAccessKey`, `Token` or `SessionToken`, and
    `Expiration`, an ISO 8601 date or seconds since 1970. None if they are not there.
    """
    access_key_id, secret = given.get("AccessKeyId"), given.get("SecretAccessKey")
    if not (isinstance(access_key_id, str) and isinstance(secret, str) and access_key_id and secret):
        return None
    token = given.get("Token") or given.get("SessionToken")
    return Credentials(
        access_key_id=access_key_id,
        secret_access_key=secret,
        session_token=token if isinstance(token, str) else None,
        source=source,
        expires_at=moment(given.get("Expiration")),
    )


def moment(value: Any) -> float | None:
    """Seconds since 1970 of a date as AWS writes it, ISO 8601 or those seconds; None for anything else."""
    if isinstance(value, int | float) and not isinstance(value, bool):
        return float(value)
    try:
        found = datetime.fromisoformat(str(value))
    except ValueError:
        return None
    return found.timestamp() if found.tzinfo is not None else None
