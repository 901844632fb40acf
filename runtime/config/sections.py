"""The sections of a run config about the server itself: names, types and defaults."""

from __future__ import annotations

import ipaddress
import re
from typing import Any

from pydantic import Field, field_validator, model_validator

from runtime.storage.settings import Section

DEFAULT_PORT = 8321
_LEAST_S, _DAY_S = 0.01, 86_400.0
_HOST_NAME = re.compile(r"[A-Za-z0-9._-]+")
LOG_LEVELS = ("debug", "info", "warning", "error", "critical")


class CorsConfig(Section):
    """Which pages may call the server from a browser. `cors: true` stands for any port of this machine."""

    allow_origins: list[str] = Field(default_factory=list, description="Such as `https://app.example`; `*`: any.")
    allow_origin_regex: str | None = Field(None, description="Origins that this matches as a whole may call too.")
    allow_methods: list[str] = Field(default_factory=lambda: ["OPTIONS"], description="Methods; `*`: any.")
    allow_headers: list[str] = Field(default_factory=list, description="Headers that a page may send; `*`: any.")
    allow_credentials: bool = Field(False, description="Whether a page may send cookies and `authorization`.")
    expose_headers: list[str] = Field(default_factory=list, description="Headers of answers that a page may read.")
    max_age: int = Field(600, ge=0, description="Seconds a browser may remember the answer.")

    @field_validator("allow_origin_regex")
    @classmethod
    def _is_an_expression(cls, value: str | None) -> str | None:
        try:
            re.compile(value or "")
        except re.error as error:
            raise ValueError(f"not a regular expression: {error}") from error
        return value

    @model_validator(mode="after")
    def _no_credentials_for_everyone(self) -> CorsConfig:
        if self.allow_credentials and "*" in self.allow_origins:
            raise ValueError("`allow_credentials` cannot go with the origin `*`: name the origins")
        return self

    @classmethod
    def this_machine(cls) -> CorsConfig:
        return cls(
            allow_origin_regex=r"https?://(localhost|127\.0\.0\.1)(:\d+)?", allow_methods=["*"], allow_headers=["*"]
        )


class ServerConfig(Section):
    """Where and how the server listens."""

    port: int = Field(DEFAULT_PORT, ge=0, le=65535, description="0: any free port.")
    host: str = Field("127.0.0.1", description="The address it listens on; `0.0.0.0` and `::` are all of them.")
    tls_certfile: str | None = Field(None, description="Its certificate, a PEM file: it then speaks HTTPS.")
    tls_keyfile: str | None = Field(None, description="The key of `tls_certfile`, a PEM file.")
    tls_cafile: str | None = Field(None, description="Clients must show a certificate of this authority.")
    allowed_hosts: list[str] = Field(
        default_factory=list,
        description="Host names that requests may use for the server, besides this machine's own. By default none "
        "while it listens only for this machine; otherwise any, but for browsers only addresses and this machine's "
        "name.",
    )
    cors: CorsConfig | None = Field(
        None, description="Which web pages may call it: `true` is those of this machine; `false`, or a mapping."
    )
    workers: int = Field(1, ge=1, description="Processes that serve; this version has one.")
    insecure: bool | None = Field(
        None,
        description="`true` lets other machines in without proof of who they are. `false` refuses to start without "
        "TLS, as ogx 1.5 does by default. Left out: this machine only, unless clients show a certificate.",
    )
    max_connections: int = Field(
        2048,
        ge=1,
        description="How many connections it has at most; one more is answered with 503. Each takes two of the files "
        "that the system lets a process open.",
    )
    client_timeout_seconds: float = Field(
        75,
        ge=_LEAST_S,
        le=_DAY_S,
        description="How long a client may send nothing in the middle of a request, or keep a connection without one.",
    )
    client_min_bytes_per_second: float = Field(
        240,
        ge=0,
        description="How slowly the body of a request may come, on average after the first `client_timeout_seconds`; "
        "slower is answered with 408. `0`: as slowly as one likes.",
    )
    registry_refresh_interval_seconds: float = Field(
        300, ge=_LEAST_S, le=_DAY_S, description="How often providers are asked for their models."
    )

    @field_validator("cors", mode="before")
    @classmethod
    def _cors_by_switch(cls, value: Any) -> Any:
        if isinstance(value, bool):
            return CorsConfig.this_machine() if value else None
        return value

    @field_validator("allowed_hosts")
    @classmethod
    def _names_alone(cls, hosts: list[str]) -> list[str]:
        for host in hosts:
            if not (_HOST_NAME.fullmatch(host) or _is_ipv6(host)):
                raise ValueError(f"`{host}` is not a host name: write it without scheme, port, path and `*`")
        return hosts

    @field_validator("host")
    @classmethod
    def _address_or_name(cls, host: str) -> str:
        """`0` is short for all addresses. Another number alone would be one of 32 bits, which nobody means."""
        is_name = _HOST_NAME.fullmatch(host) and (host == "0" or not host.isdigit())
        if not (is_name or _is_ipv6(host)):
            raise ValueError(f"`{host}` is neither an address nor a host name: write it as in `0.0.0.0`")
        return host

    @model_validator(mode="after")
    def _whole_tls(self) -> ServerConfig:
        if bool(self.tls_certfile) != bool(self.tls_keyfile):
            raise ValueError("`tls_certfile` and `tls_keyfile` go together")
        if self.tls_cafile and not self.tls_certfile:
            raise ValueError("`tls_cafile` needs `tls_certfile` and `tls_keyfile`")
        if self.insecure is False and not self.tls_certfile:
            raise ValueError("`insecure: false` needs `tls_certfile` and `tls_keyfile`")
        return self


class LoggingConfig(Section):
    """How much is logged, by category; `all` means every category. `server/log_levels.py` lists the others."""

    category_levels: dict[str, str] = Field(
        default_factory=dict,
        description="The level of each category, as in `all: warning`: " + ", ".join(LOG_LEVELS) + ".",
    )

    @field_validator("category_levels")
    @classmethod
    def _levels_that_exist(cls, value: dict[str, str]) -> dict[str, str]:
        for category, level in value.items():
            if level.lower() not in LOG_LEVELS:
                raise ValueError(f"`{category}` has no level `{level}`: the levels are {', '.join(LOG_LEVELS)}")
        return {category: level.lower() for category, level in value.items()}


class MetricsConfig(Section):
    """Where metrics are read. `true` is with the API, `false` nowhere."""

    enabled: bool = Field(True, description="`false`: there are none.")
    port: int | None = Field(
        None, ge=0, le=65535, description="Also on a port of their own, that serves nothing else; 0: any free port."
    )
    host: str = Field("127.0.0.1", description="The address of that port; whoever reaches it reads them.", min_length=1)


class TelemetryConfig(Section):
    """What is told of what happens. `providers` has who keeps it."""

    enabled: bool | None = Field(
        None, description="`false`: nothing is, whatever is configured. Otherwise what is configured."
    )
    metrics: MetricsConfig | None = Field(
        None,
        description="Figures for Prometheus at `/metrics`: `true`, `false`, or a mapping. Left out: where there is a "
        "provider of `telemetry`, or `LLAMA_STACK_METRICS_ENDPOINT_ENABLED` is set.",
    )

    @field_validator("metrics", mode="before")
    @classmethod
    def _by_switch(cls, value: Any) -> Any:
        return {"enabled": value} if isinstance(value, bool) else value


def _is_ipv6(host: str) -> bool:
    try:
        return ipaddress.ip_address(host.removeprefix("[").removesuffix("]")).version == 6
    except ValueError:
        return False
