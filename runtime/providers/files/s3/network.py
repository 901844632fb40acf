"""The `network` block of `remote::s3`: what obstore can take of it, which talks to the bucket."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from pydantic import ValidationInfo, field_validator

from runtime.http.network import LimitSettings, Network, TimeoutSettings
from runtime.http.tls import TlsSettings

_NOT_TAKEN = {
    "tls": ("min_version", "ciphers", "client_cert", "client_key", "client_key_password"),
    "timeout": ("first_byte",),
    "limits": ("max_connections",),
}


class S3Network(Network):
    """As of other providers, without what obstore cannot do. It retries failures of the server too, and trusts the
    system's certificate authorities beside the one that `tls.verify` names.
    """

    @field_validator(*_NOT_TAKEN)
    @classmethod
    def _can_be_taken(
        cls, section: TlsSettings | TimeoutSettings | LimitSettings | None, info: ValidationInfo
    ) -> TlsSettings | TimeoutSettings | LimitSettings | None:
        assert info.field_name is not None, "it is a field's"
        given: dict[str, Any] = section.model_dump(exclude_none=True) if section is not None else {}
        if given.get("min_version") == "TLSv1.2":
            del given["min_version"]  # older ones it does not speak
        lost = [name for name in _NOT_TAKEN[info.field_name] if name in given]
        if isinstance(verify := given.get("verify"), Path) and verify.is_dir():
            lost.append("verify (a folder)")
        if lost:
            raise ValueError(
                f"obstore, which talks to the bucket, cannot do this: {', '.join(f'`{name}`' for name in lost)}"
            )
        return section
