"""The resource that this runs as, such as a function or a container instance: its token and key are in variables, or in
files that they name, which are replaced before they expire.
https://docs.oracle.com/en-us/iaas/Content/Functions/Tasks/functionsaccessingociresources.htm (read November 2026)
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from runtime.errors import Unavailable
from runtime.http.tokens import expiry_of
from runtime.providers._vendors.oci.credentials import Credentials, read_key

_PREFIX = "OCI_RESOURCE_PRINCIPAL_"
_VERSION = "2.2"


def of_resource(env: Mapping[str, str]) -> Credentials:
    """Raises Unavailable where this is no such resource, or one of another kind."""
    version = env.get(f"{_PREFIX}VERSION")
    if version != _VERSION:
        found = f"`{_PREFIX}VERSION` is {version}, not {_VERSION}" if version else f"`{_PREFIX}VERSION` is not set"
        raise Unavailable(
            f"this is no resource of OCI's whose identity can be used: {found}",
            hint="set `oci_auth_type` to `instance_principal` or `config_file`",
        )
    source = "this resource"
    token = _value(env, "RPST").strip()
    named = env.get(f"{_PREFIX}PRIVATE_PEM_PASSPHRASE")
    passphrase = _value(env, "PRIVATE_PEM_PASSPHRASE").strip() if named else None
    key = read_key(_value(env, "PRIVATE_PEM").encode(), source, passphrase=passphrase)
    return Credentials(key_id=f"ST${token}", key=key, source=source, expires_at=expiry_of(token))


def _value(env: Mapping[str, str], name: str) -> str:
    """The value of a variable, or the content of the file that it names by an absolute path."""
    variable = _PREFIX + name
    if not (given := env.get(variable)):
        raise Unavailable(f"the resource's identity is not whole: `{variable}` is not set")
    if not given.startswith("/"):
        return given
    try:
        return Path(given).read_text(encoding="ascii")
    except (OSError, UnicodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is no text"
        raise Unavailable(f"the file that `{variable}` names cannot be read: `{given}`: {reason}") from None
