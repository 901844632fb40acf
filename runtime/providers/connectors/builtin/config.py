"""How MCP servers are asked, and what this stack identifies itself with."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, SecretStr, field_validator

from runtime.apis._names import ServerAddress
from runtime.similar import names_for

_Seconds = Annotated[float, Field(gt=0, allow_inf_nan=False)]


class _Section(BaseModel):
    model_config = ConfigDict(extra="forbid", defer_build=True)


class BearerToken(_Section):
    """One token for everybody."""

    type: Literal["bearer"]
    token: SecretStr = Field(description="Sent as `Authorization: Bearer`.")


class FixedHeaders(_Section):
    """The same headers for everybody."""

    type: Literal["headers"]
    headers: dict[str, SecretStr] = Field(min_length=1, description="What is sent with each request.")

    @field_validator("headers")
    @classmethod
    def _can_be_sent(cls, headers: dict[str, SecretStr]) -> dict[str, SecretStr]:
        from runtime.http.network import sendable  # which loads more than a plan needs without such headers

        return sendable(headers)


class _AtATokenEndpoint(_Section):
    token_url: ServerAddress = Field(description="The token endpoint.")
    client_id: str | None = Field(None, description="Who this stack is there. Default: it does not say.")
    client_secret: SecretStr | None = Field(None, description="Its secret, sent as HTTP Basic. Default: none.")
    scope: str | None = Field(None, description="What the token is for, separated by blanks. Default: not said.")
    audience: str | None = Field(None, description="Whom the token is for. Default: not said.")
    resource: str | None = Field(None, description="The address that it is for, RFC 8707. Default: not said.")


class ClientCredentials(_AtATokenEndpoint):
    """A token for this stack: OAuth 2.0 client credentials, RFC 6749, 4.4."""

    type: Literal["client_credentials"]
    client_id: str = Field(min_length=1, description="Who this stack is there.")


class TokenExchange(_AtATokenEndpoint):
    """A token in exchange for the caller's own: RFC 8693."""

    type: Literal["token_exchange"]
    subject_token_type: str = Field(
        "urn:ietf:params:oauth:token-type:access_token",
        description="What the caller's token is. Default: an access token.",
    )


Identity = Annotated[
    BearerToken | FixedHeaders | ClientCredentials | TokenExchange,
    Field(discriminator="type"),
]


class ConnectorsConfig(_Section):
    """How MCP servers are asked, and what this stack identifies itself with."""

    identities: dict[str, Identity] = Field(
        default_factory=dict,
        description="What this stack identifies itself with, by the names that connectors have in `identity`.",
    )
    allow_private_addresses: bool = Field(
        False,
        description="Whether servers that users name may be on this machine and in private networks. Those of the run"
        " config always may.",
    )
    idle_s: _Seconds = Field(60.0, description="How long an unused session stays open, in seconds.")
    max_sessions: int = Field(256, ge=1, le=100_000, description="The most sessions at once, for each process.")
    connect_timeout_s: _Seconds = Field(30.0, description="The longest wait for a session, in seconds.")
    call_timeout_s: _Seconds = Field(120.0, description="The longest time of a tool's call, in seconds.")
    list_timeout_s: _Seconds = Field(30.0, description="The longest time of listing a server's tools, in seconds.")
    tools_max_age_s: float = Field(
        300.0,
        ge=0,
        allow_inf_nan=False,
        description="How old a list of tools may be, in seconds; a server that says that its tools have changed is"
        " asked again before.",
    )
    max_tools: int = Field(1000, ge=1, le=100_000, description="The most tools of one server.")
    max_description_chars: int = Field(
        16_384, ge=1, description="The longest description of a tool, in characters; the rest is cut off."
    )
    max_result_bytes: int = Field(
        1024 * 1024,
        ge=1024,
        description="The most bytes of what a tool gives back; the rest is cut off, and the result says so.",
    )

    @field_validator("identities")
    @classmethod
    def _not_reserved(cls, identities: dict[str, Identity]) -> dict[str, Identity]:
        for name in identities:
            if name in ("none", "caller"):
                raise ValueError(f"`{name}` has a meaning of its own: give it another name")
        return identities

    def wrong_with(self, given: BaseModel) -> Iterator[tuple[str, str, str | None]]:
        """See `runtime.config.resources.ChecksResources`: an identity that is not here."""
        name = getattr(given, "identity", "none")
        if name not in ("none", "caller", *self.identities):
            known = ["none", "caller", *self.identities]
            yield "identity", f"there is no identity `{name}` in the provider's `identities`", names_for(name, known)
