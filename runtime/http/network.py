"""The network settings of one provider: the `network` block beside a remote provider's other settings.

TLS, proxies, timeouts, connection limits and extra headers, under the same names as in llama-stack and ogx. Imports no
HTTP library.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Annotated, Any, Self

from pydantic import AliasChoices, BeforeValidator, Field, SecretStr, field_validator, model_validator

from runtime.addresses import is_proxy_address
from runtime.http.retries import Retries
from runtime.http.timeouts import Timeouts
from runtime.http.tls import File, Settings, TlsSettings
from runtime.unset import none_for_empty

_HEADER_NAME = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]+")
_OUR_HEADERS = {"content-length", "transfer-encoding", "connection"}


def sendable(headers: Mapping[str, SecretStr]) -> dict[str, SecretStr]:
    """The headers with names in lower case. Raises ValueError for an invalid one, without quoting its value."""
    for name, value in headers.items():
        if not _HEADER_NAME.fullmatch(name) or name.lower() in _OUR_HEADERS:
            raise ValueError(f"`{name}` cannot be set as a header")
        if not (value.get_secret_value().isascii() and value.get_secret_value().isprintable()):
            raise ValueError(f"the value of `{name}` contains a special character, such as a line break")
    return {name.lower(): value for name, value in headers.items()}


def _proxy(value: Any) -> Any:
    """Raises ValueError for what is not the address of a proxy, without quoting it."""
    if not isinstance(value, str):
        return value
    address = value.strip()
    if address.lower() in ("", "none"):
        return ""
    has_place = "://" in address or ":" in address or "." in address  # a word alone is a switch that is none here
    address = address if "://" in address else f"http://{address}"
    if not (has_place and is_proxy_address(address)):
        raise ValueError("must be the address of an HTTP proxy, as in `http://proxy.example:3128`, or `none`")
    return address


ProxyAddress = Annotated[str | None, BeforeValidator(_proxy)]
Seconds = Annotated[float | None, BeforeValidator(none_for_empty), Field(gt=0, allow_inf_nan=False)]


class ProxySettings(Settings):
    url: ProxyAddress = Field(
        None,
        repr=False,
        description="Proxy for all requests, as `http://user:password@host:port`; `none` or empty for no proxy; by "
        "default that of the environment.",
    )
    http: ProxyAddress = Field(None, repr=False, description="Proxy for addresses with `http://`; by default `url`.")
    https: ProxyAddress = Field(None, repr=False, description="Proxy for addresses with `https://`; by default `url`.")
    cacert: File = Field(
        None,
        description="File of a certificate authority to trust as well behind the proxy, PEM, where it opens TLS; by "
        "default none.",
    )
    no_proxy: list[str] = Field(
        [], description="Servers that are reached directly: names, addresses, networks, `*`; by default none."
    )

    @field_validator("no_proxy", mode="before")
    @classmethod
    def _listed(cls, value: Any) -> Any:
        """Also accepts the form of the environment variable: a text with commas."""
        return value.replace(",", " ").split() if isinstance(value, str) else value or []

    @model_validator(mode="after")
    def _url_or_both(self) -> Self:
        if self.url and (self.http or self.https):
            raise ValueError("give either `url` or `http` and `https`")
        return self

    def setting_for(self, scheme: str) -> tuple[str, str | None]:
        """The name of the setting for addresses of this scheme, and the proxy: empty for no proxy, None to use that of
        the environment.
        """
        own = {"http": self.http, "https": self.https}.get(scheme)
        return ("url", self.url) if own is None else (scheme, own)


class TimeoutSettings(Settings):
    connect: Seconds = Field(None, description="Longest wait for a connection, in seconds; by default the provider's.")
    first_byte: Seconds = Field(
        None,
        description="Longest wait for the first byte of the answer's body, in seconds; by default as long as `read`, "
        "or the provider's.",
    )
    read: Seconds = Field(
        None,
        validation_alias=AliasChoices("read", "between_bytes"),
        description="Longest silence of the server after that, and while it reads the request, in seconds; by default "
        "the provider's.",
    )
    total: Seconds = Field(
        None,
        description="Longest duration of a call, its answer included, in seconds, each time that it is sent. By "
        "default no limit.",
    )

    def over(self, timeouts: Timeouts) -> Timeouts:
        """These timeouts; those of `timeouts` where one is not set."""
        first_byte_s = self.first_byte or (None if self.read else timeouts.first_byte_s)
        return Timeouts(
            connect_s=self.connect or timeouts.connect_s,
            read_s=self.read or timeouts.read_s,
            first_byte_s=first_byte_s,
            total_s=self.total or timeouts.total_s,
        )


class RetrySettings(Settings):
    times: int = Field(
        2,
        ge=0,
        le=10,
        description="How often a request is sent again that the server cannot have worked on: it was not reached, or "
        "its answer is 429, or 503 with `retry-after`; of those that it refused, at most 64 wait at once. By default "
        "2; 0 for never.",
    )
    within: float = Field(
        5.0,
        ge=0,
        allow_inf_nan=False,
        description="Longest time for that, in seconds; by default 5. A longer wait that the server asks for is left "
        "to the caller.",
    )

    def as_retries(self) -> Retries:
        return Retries(times=self.times, within_s=self.within)


class LimitSettings(Settings):
    max_connections: int | None = Field(
        None,
        ge=1,
        description="Most connections at once; further calls wait for one, for `read`. By default no limit.",
    )
    max_keepalive_connections: int | None = Field(
        None, ge=0, description="0: no connection is used again. Other numbers set no limit; nor does the default."
    )
    keepalive_expiry: float | None = Field(
        None,
        ge=0,
        allow_inf_nan=False,
        description="How long a connection lies idle before it is closed, in seconds; by default 4, behind TLS 15.",
    )


class Network(Settings):
    tls: TlsSettings | None = Field(None, description="TLS; by default verified with the system's authorities.")
    proxy: ProxySettings | None = Field(None, description="Proxies; by default what the environment names.")
    timeout: TimeoutSettings | None = Field(
        None,
        validation_alias=AliasChoices("timeout", "timeouts"),
        description="Limits by phase, or one number of seconds for `connect` and `read`; they come before the "
        "provider's own. By default the provider's.",
    )
    retries: RetrySettings | None = Field(
        None,
        validation_alias=AliasChoices("retries", "max_retries"),
        description="When a request is sent again, or one number for `times`; by default twice within 5 seconds.",
    )
    headers: dict[str, SecretStr] = Field(
        {}, description="Headers for every request, which the provider's key comes before; by default none."
    )
    limits: LimitSettings | None = Field(None, description="Limits on connections; by default none.")

    @field_validator("timeout", mode="before")
    @classmethod
    def _from_number(cls, value: Any) -> Any:
        if isinstance(value, str):
            try:
                value = float(value) if value.strip() else None
            except ValueError:
                return value
        is_number = isinstance(value, int | float) and not isinstance(value, bool)
        return {"connect": value, "read": value} if is_number else value

    @field_validator("retries", mode="before")
    @classmethod
    def _from_times(cls, value: Any) -> Any:
        if isinstance(value, str):
            value = value.strip() or None
        return {"times": value} if isinstance(value, int | str) and not isinstance(value, bool) else value

    @field_validator("headers", mode="before")
    @classmethod
    def _no_headers(cls, value: Any) -> Any:
        return {} if value is None else value

    @field_validator("headers", mode="after")
    @classmethod
    def _can_be_sent(cls, headers: dict[str, SecretStr]) -> dict[str, SecretStr]:
        return sendable(headers)
