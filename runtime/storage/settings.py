"""What the settings of every backend and every reference to one have in common. Imports pydantic, no driver."""

from __future__ import annotations

import re
from collections.abc import Collection
from typing import Annotated, Any, ClassVar, Self

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    PlainSerializer,
    SecretStr,
    model_validator,
)

from runtime.durations import duration, parse_age, parse_duration
from runtime.storage.server_url import check_url, host_of

_TABLE_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_]{0,39}")
_LONGEST_S = 36_500 * 86_400.0
NAMESPACE_SEPARATOR = "\x1f"
"""Ends a namespace in a key: the unit separator, since names may contain `:` and `/`."""


class Section(BaseModel):
    """A part of a run config: unknown keys are refused, and null means the same as leaving a key out.

    It is defined here, below `runtime.config`, so that the sections of storage can use it too.
    """

    model_config = ConfigDict(extra="forbid", defer_build=True, allow_inf_nan=False)

    @model_validator(mode="before")
    @classmethod
    def _without_nulls(cls, data: Any) -> Any:
        return {key: value for key, value in data.items() if value is not None} if isinstance(data, dict) else data


def _without_separator(namespace: str) -> str:
    if NAMESPACE_SEPARATOR in namespace:
        raise ValueError("a namespace cannot contain the character U+001F")
    return namespace


def _is_table_name(name: str) -> str:
    if not _TABLE_NAME.fullmatch(name):
        raise ValueError("a table's name has letters, digits and `_`, at most 40, and begins with a letter")
    return name


def _seconds(value: Any) -> Any:
    return parse_duration(value) if isinstance(value, str) else value


def _age(value: Any) -> Any:
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return value
    return parse_age(str(value))


Duration = Annotated[
    float, Field(gt=0, le=_LONGEST_S), BeforeValidator(_seconds), PlainSerializer(duration, return_type=str)
]
"""Seconds, given as `90s` or `30d`; a bare number is seconds."""
Age = Annotated[float, Field(gt=0, le=_LONGEST_S), BeforeValidator(_age), PlainSerializer(duration, return_type=str)]
"""Seconds after which something is deleted, given as `30d`; a bare number is refused."""
TableName = Annotated[str, AfterValidator(_is_table_name)]
Namespace = Annotated[str, AfterValidator(_without_separator)]


class BackendConfig(Section):
    """The settings of one backend in a run config; each type has its own fields."""

    type: str


class KeyValueConfig(BackendConfig):
    """A backend that holds keys and values."""

    namespace: Namespace | None = Field(None, description="Put before every key of this backend.")


class KeyValueServerConfig(KeyValueConfig):
    """A backend that holds keys and values in a server of its own, which its parts name, or its `url` alone."""

    called: ClassVar[str]
    parts: ClassVar[tuple[str, ...]]
    """The settings that `url` stands for."""
    schemes: ClassVar[tuple[str, ...]]

    host: str = Field("localhost", min_length=1, description="The server.")
    port: int
    password: SecretStr | None = Field(None, description="The user's password.")
    tls: bool = Field(False, description="Whether the connection is encrypted, and the server's certificate checked.")
    url: SecretStr | None = None
    ca_cert_path: str | None = Field(
        None, min_length=1, description="A file with the certificates of authorities to check the server's with."
    )

    @model_validator(mode="after")
    def _is_one_place(self) -> Self:
        check_address(self, "url", parts=self.parts, schemes=self.schemes)
        return self

    def place(self) -> str:
        """The server, for messages: without user and password."""
        where = f"{self.host}:{self.port}" if self.url is None else host_of(self.url.get_secret_value())
        return f"the {self.called} server at {where}"


def check_address(settings: BackendConfig, url: str, *, parts: Collection[str], schemes: Collection[str]) -> None:
    """Raises ValueError if the setting called `url`, a SecretStr, has none of the schemes or cannot be told apart, or
    if some of the `parts` that it stands for are given beside it.
    """
    given: SecretStr | None = getattr(settings, url)
    if given is None:
        return
    if also := [f"`{name}`" for name in parts if name in settings.model_fields_set]:
        raise ValueError(f"`{url}` says it all: leave out {', '.join(also)}")
    if not given.get_secret_value().startswith(tuple(f"{scheme}://" for scheme in schemes)):
        raise ValueError(f"`{url}` does not begin with {' or '.join(f'`{scheme}://`' for scheme in schemes)}")
    check_url(given.get_secret_value(), called=url)
