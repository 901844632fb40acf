"""What a user chose for a server, as its record keeps it. Data alone."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, kw_only=True)
class Choices:
    """What the user chose for this server; written to its record, so that `restart` can do the same again.

    target: what was named, a file as an absolute path. environment_names: variables given by `--env` and `--env-file`,
    never their values.
    state: an absolute path; own_state: with a state folder of its own, as servers on `--port 0` have.
    offline: build from what is cached on this machine.
    """

    target: str
    host: str | None = None
    port: int | None = None
    providers: str | None = None
    models: tuple[str, ...] = ()
    aliases: tuple[str, ...] = ()
    require: tuple[str, ...] = ()
    require_gpu: bool = False
    log_level: str | None = None
    state: str | None = None
    offline: bool = False
    environment_names: tuple[str, ...] = ()
    detach: bool = False

    @property
    def own_state(self) -> bool:
        return self.port == 0 and self.state is None

    @classmethod
    def from_options(cls, options: Mapping[str, Any]) -> Choices:
        known: dict[str, Any] = {
            name: tuple(value) if isinstance(value, list) else value
            for name, value in options.items()
            if name in cls.__dataclass_fields__
        }
        return cls(**known)
