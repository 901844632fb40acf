"""Finds who calls AWS: the credentials and the region of a provider.

In this order: the key of its config; the profile that its config names; AWS's variables, with a key or with a token for
a role; the profile that `AWS_PROFILE` names, or `default`; the role of the container, or of the machine. A role of its
config is then taken on. https://docs.aws.amazon.com/sdkref/latest/guide/standardized-credentials.html
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Mapping
from pathlib import Path

from runtime.errors import Unavailable
from runtime.http.client import HttpClient
from runtime.http.expiring import Expiring
from runtime.providers._vendors.aws.config import AwsConfig
from runtime.providers._vendors.aws.credentials import Credentials
from runtime.providers._vendors.aws.machine import of_container, of_machine
from runtime.providers._vendors.aws.profiles import Profile, files_of_profiles, read_profiles, static_credentials
from runtime.providers._vendors.aws.roles import Role, by_credentials, by_token
from runtime.providers._vendors.aws.sign_on import by_sign_on, is_signed_on_for

_MOST_PROFILES = 5
"""Of a chain in which each takes its key from the next."""
_HINT = (
    "set `aws_access_key_id` and `aws_secret_access_key` in its config, `AWS_ACCESS_KEY_ID` and"
    " `AWS_SECRET_ACCESS_KEY`, or run `aws configure`"
)
_ELSEWHERE = ("credential_process", "login_session")
"""Settings of a profile whose key only Amazon's own programs get."""


class AwsIdentity:
    """Who a provider calls AWS as. env: the variables of this process. usual_region: where nothing says it."""

    def __init__(
        self,
        config: AwsConfig,
        http: HttpClient,
        *,
        provider_id: str,
        env: Mapping[str, str] = os.environ,
        usual_region: str | None = None,
    ) -> None:
        self._config = config
        self._usual_region = usual_region
        self._http = http.for_credentials(f"{provider_id} (its credentials)")
        self._provider_id = provider_id
        self.env = env
        self._found = Expiring(self._find, whose=provider_id)

    @property
    def hint(self) -> str:
        """For a refusal: whose the credentials are."""
        if (found := self._found.known) is None:
            return _HINT
        return f"it is that of {found.source}; it may have expired, or its rights may not allow this"

    async def region(self) -> str:
        """Raises Unavailable where nothing says it."""
        env = self.env
        found = self._config.region_name or env.get("AWS_REGION") or env.get("AWS_DEFAULT_REGION")
        if not found:
            found = (await self._profile(self._profile_name())).get("region") or self._usual_region
        if not found:
            raise Unavailable(
                f"provider `{self._provider_id}` does not know its region of AWS",
                hint="set `region_name` in its config, or `AWS_REGION`",
            )
        return found

    async def credentials(self) -> Credentials:
        """Those that were found before, unless they are about to expire or the files of profiles have changed. Raises
        Unavailable where there are none, and what the client of STS and roles raises.
        """
        return await self._found.get(self._stamp_of_files())

    async def _find(self) -> Credentials:
        config, env = self._config, self.env
        file = config.aws_web_identity_token_file or env.get("AWS_WEB_IDENTITY_TOKEN_FILE")
        role = self._role(config.aws_role_arn or "")
        if role is not None and file and config.aws_access_key_id is None:
            return await by_token(self._http, role, Path(file), region=await self.region(), env=env)
        found = await self._base()
        if found is None:
            raise Unavailable(f"provider `{self._provider_id}` has no credentials of AWS", hint=_HINT)
        if role is not None:
            return await by_credentials(self._http, role, found, region=await self.region(), env=env)
        return found

    async def _base(self) -> Credentials | None:
        """Before a role of the config is taken on."""
        config, env = self._config, self.env
        if config.aws_access_key_id is not None and config.aws_secret_access_key is not None:
            token = config.aws_session_token
            return Credentials(
                access_key_id=config.aws_access_key_id.get_secret_value(),
                secret_access_key=config.aws_secret_access_key.get_secret_value(),
                session_token=token.get_secret_value() if token is not None else None,
                source="its config",
            )
        if config.profile_name is not None:
            return await self._of_profile(config.profile_name)
        if found := _of_variables(env):
            return found
        role, file = self._role(env.get("AWS_ROLE_ARN", "")), env.get("AWS_WEB_IDENTITY_TOKEN_FILE")
        if role is not None and file:
            return await by_token(self._http, role, Path(file), region=await self.region(), env=env)
        return (
            await self._of_profile(self._profile_name())
            or await of_container(self._http, env)
            or await of_machine(self._http, env)
        )

    async def _of_profile(self, name: str, *, depth: int = 0) -> Credentials | None:
        """None for one that says nothing of a key. A profile with a role takes it on with another's key."""
        profile = await self._profile(name)
        source = f"the profile `{name}`"
        arn, other = profile.get("role_arn"), profile.get("source_profile")
        if not arn or other == name:
            found = static_credentials(profile, source)
            if found is None and is_signed_on_for(profile):
                return await by_sign_on(self._http, name, profile, env=self.env)
            if found is None and any(profile.get(setting) for setting in _ELSEWHERE):
                raise Unavailable(
                    f"the key of {source} is one that only Amazon's own programs get",
                    hint=f"put it into variables: `eval $(aws configure export-credentials --profile {name} --format"
                    " env)`",
                )
            return found
        if depth >= _MOST_PROFILES:
            raise Unavailable(f"{source} takes its key from another profile, which takes it from another, without end")
        role = self._role(arn, profile)
        assert role is not None
        region = await self.region()
        if file := profile.get("web_identity_token_file"):
            return await by_token(self._http, role, Path(file), region=region, env=self.env)
        base = await self._of_profile(other, depth=depth + 1) if other else await self._of_source(profile)
        if base is None:
            raise Unavailable(f"{source} has a role, and nothing that says with which key it is taken on")
        return await by_credentials(self._http, role, base, region=region, env=self.env)

    async def _of_source(self, profile: Profile) -> Credentials | None:
        """What its `credential_source` names."""
        match profile.get("credential_source"):
            case "Environment":
                return _of_variables(self.env)
            case "EcsContainer":
                return await of_container(self._http, self.env)
            case "Ec2InstanceMetadata":
                return await of_machine(self._http, self.env)
        return None

    def _role(self, arn: str, profile: Profile | None = None) -> Role | None:
        given = profile or {}
        config, env = self._config, self.env
        named = given.get("role_session_name") or config.aws_role_session_name or env.get("AWS_ROLE_SESSION_NAME")
        if not arn:
            return None
        return Role(
            arn=arn,
            session_name=named or Role.session_name,
            duration_s=config.session_ttl,
            external_id=given.get("external_id", ""),
        )

    def _profile_name(self) -> str:
        return self._config.profile_name or self.env.get("AWS_PROFILE") or "default"

    async def _profile(self, name: str) -> Profile:
        """Empty for `default` where there is none."""
        profiles = await asyncio.to_thread(read_profiles, self.env)
        if name not in profiles and name != "default":
            known = ", ".join(f"`{other}`" for other in sorted(profiles)[:10])
            raise Unavailable(
                f"AWS's files have no profile `{name}`, which provider `{self._provider_id}` is to use",
                hint=f"they have {known}" if known else "`aws configure --profile NAME` makes one",
            )
        return profiles.get(name, {})

    def _stamp_of_files(self) -> tuple[int, ...]:
        """Another one after either file has changed."""
        return tuple(_changed_ns(file) for file in files_of_profiles(self.env))


def _of_variables(env: Mapping[str, str]) -> Credentials | None:
    access_key_id, secret = env.get("AWS_ACCESS_KEY_ID"), env.get("AWS_SECRET_ACCESS_KEY")
    if not (access_key_id and secret):
        return None
    return Credentials(
        access_key_id=access_key_id,
        secret_access_key=secret,
        session_token=env.get("AWS_SESSION_TOKEN") or None,
        source="the variable `AWS_ACCESS_KEY_ID`",
    )


def _changed_ns(file: Path) -> int:
    try:
        return file.stat().st_mtime_ns
    except OSError:
        return 0
