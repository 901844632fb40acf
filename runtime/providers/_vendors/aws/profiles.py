"""The files of `aws configure`: `~/.aws/credentials` and `~/.aws/config`.
https://docs.aws.amazon.com/sdkref/latest/guide/file-format.html (read November 2026)
"""

from __future__ import annotations

from collections.abc import Mapping
from configparser import Error as UnreadableFile
from configparser import RawConfigParser
from pathlib import Path

from runtime.errors import Unavailable
from runtime.providers._vendors.aws.credentials import Credentials

_USUAL = ("~/.aws/config", "~/.aws/credentials")
Profile = Mapping[str, str]


def files_of_profiles(env: Mapping[str, str]) -> tuple[Path, Path]:
    """The file of settings and that of credentials."""
    named = (env.get("AWS_CONFIG_FILE"), env.get("AWS_SHARED_CREDENTIALS_FILE"))
    config, credentials = (Path(name or usual).expanduser() for name, usual in zip(named, _USUAL, strict=True))
    return config, credentials


def read_profiles(env: Mapping[str, str]) -> dict[str, dict[str, str]]:
    """Every profile by its name, with what the session says that it signs on to; what both files say of one is as in
    the file of credentials. Raises Unavailable for a
    file that cannot be read.
    """
    config, credentials = files_of_profiles(env)
    found: dict[str, dict[str, str]] = {}
    sessions: dict[str, dict[str, str]] = {}
    for section, settings in _sections(config).items():
        kind, _, name = section.partition(" ")
        name = name.strip(" \"'")
        if section == "default" or (kind == "profile" and name):
            found.setdefault(name or section, {}).update(settings)
        elif kind == "sso-session":
            sessions[name] = settings
    for section, settings in _sections(credentials).items():
        found.setdefault(section, {}).update(settings)
    return {name: {**sessions.get(profile.get("sso_session", ""), {}), **profile} for name, profile in found.items()}


def static_credentials(profile: Profile, source: str) -> Credentials | None:
    """The key that a profile has itself."""
    access_key_id, secret = profile.get("aws_access_key_id"), profile.get("aws_secret_access_key")
    if not (access_key_id and secret):
        return None
    token = profile.get("aws_session_token") or None
    return Credentials(access_key_id=access_key_id, secret_access_key=secret, session_token=token, source=source)


def _sections(file: Path) -> dict[str, dict[str, str]]:
    parser = RawConfigParser(strict=False, default_section="\0")
    try:
        parser.read_string(file.read_text(encoding="utf-8"), source=str(file))
    except FileNotFoundError:
        return {}
    except (OSError, UnicodeError, UnreadableFile) as error:
        reason = error.strerror if isinstance(error, OSError) else type(error).__name__
        raise Unavailable(
            f"the file of AWS's profiles `{file}` cannot be read: {reason}", hint="`aws configure` makes a new one"
        ) from None  # an error of its parser quotes lines, which may have keys
    return {section: dict(parser[section]) for section in parser.sections()}
