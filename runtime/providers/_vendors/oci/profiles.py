"""The file of `oci setup config` and `oci session authenticate`: `~/.oci/config`.
https://docs.oracle.com/en-us/iaas/Content/API/Concepts/sdkconfig.htm (read November 2026)
"""

from __future__ import annotations

from collections.abc import Mapping
from configparser import Error as UnreadableFile
from configparser import RawConfigParser
from pathlib import Path

from runtime.errors import Unavailable
from runtime.http.tokens import expiry_of
from runtime.providers._vendors.oci.credentials import Credentials, read_key

_DEFAULT = "DEFAULT"
_HINT = "`oci setup config` makes one"
_MOST_BYTES = 256 * 1024


def of_profile(file: Path, name: str) -> Credentials:
    """The key of a profile: a user's, or that of a session with a token. What a profile does not say is as in
    `DEFAULT`. Raises Unavailable.
    """
    settings = _profile(file, name)
    source = f"the profile `{name}` of `{file}`"
    passphrase = settings.get("pass_phrase") or settings.get("passphrase")
    key = read_key(_pem(settings, file, source), source, passphrase=passphrase)
    if named := settings.get("security_token_file"):
        token = _read(_beside(file, named), f"the token of {source}").decode("ascii", "replace").strip()
        hint = f"`oci session authenticate --profile-name {name}` gets a new one"
        if not token.isprintable() or not token:
            raise Unavailable(f"the token of {source} is none", hint=hint)
        return Credentials(key_id=f"ST${token}", key=key, source=source, expires_at=expiry_of(token))
    missing = [one for one in ("tenancy", "user", "fingerprint") if not settings.get(one)]
    if missing:
        raise Unavailable(f"{source} lacks {', '.join(f'`{one}`' for one in missing)}", hint=_HINT)
    key_id = "/".join(settings[one] for one in ("tenancy", "user", "fingerprint"))
    return Credentials(key_id=key_id, key=key, source=source)


def files_of(file: Path, name: str) -> list[Path]:
    """The files that the credentials of a profile are made of. Raises Unavailable for a file that cannot be read."""
    settings = _profile(file, name)
    return [file, *(_beside(file, settings[one]) for one in ("key_file", "security_token_file") if settings.get(one))]


def _profile(file: Path, name: str) -> Mapping[str, str]:
    parser = RawConfigParser(strict=False, default_section=_DEFAULT)
    try:
        parser.read_string(_read(file, "the file of OCI's profiles").decode("utf-8"), source=str(file))
    except (UnicodeError, UnreadableFile) as error:  # an error of its parser quotes lines, which may have keys
        words = f"the file of OCI's profiles `{file}` cannot be read: {type(error).__name__}"
        raise Unavailable(words, hint=_HINT) from None
    if name != _DEFAULT and not parser.has_section(name):
        known = ", ".join(f"`{other}`" for other in [_DEFAULT, *parser.sections()][:10])
        raise Unavailable(f"`{file}` has no profile `{name}`", hint=f"it has {known}")
    return dict(parser[name])


def _pem(settings: Mapping[str, str], file: Path, source: str) -> bytes:
    if content := settings.get("key_content"):
        return content.replace("\\n", "\n").encode()
    if not (named := settings.get("key_file")):
        raise Unavailable(f"{source} has no `key_file`", hint=_HINT)
    return _read(_beside(file, named), f"the key of {source}")


def _beside(file: Path, named: str) -> Path:
    """A path of the file's, which may be below the home folder."""
    path = Path(named).expanduser()
    return path if path.is_absolute() else file.parent / path


def _read(file: Path, what: str) -> bytes:
    try:
        with file.open("rb") as opened:
            return opened.read(_MOST_BYTES)
    except OSError as error:
        raise Unavailable(f"{what} cannot be read: `{file}`: {error.strerror}", hint=_HINT) from None
