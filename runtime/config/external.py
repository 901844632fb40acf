"""What a run config names from outside this package: modules of providers, and folders of files that describe them.

Knows names; `reading_external` finds them in a file, and `runtime.external` what stands behind them.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from runtime.discovery import World


@dataclass(frozen=True, kw_only=True)
class NamedProvider:
    """A provider that is on. module: the requirement of the package that brings it, empty where none is named. path,
    line: where it stands.
    """

    api: str
    provider_type: str
    module: str = ""
    path: str = ""
    line: int | None = None


@dataclass(frozen=True, kw_only=True)
class External:
    """distro_name: of the run config, as far as it gives one. providers: all that are on. providers_dir, apis_dir: the
    folders that describe more. packages: its additional packages, each of which may bring providers. file: its name in
    messages.
    """

    distro_name: str = ""
    providers: tuple[NamedProvider, ...] = ()
    providers_dir: Path | None = None
    apis_dir: Path | None = None
    packages: tuple[str, ...] = ()
    file: str | None = None

    @property
    def is_empty(self) -> bool:
        """Whether everything that it uses is part of this package."""
        return not (
            self.providers_dir or self.apis_dir or self.packages or any(provider.module for provider in self.providers)
        )


FindWorld = Callable[[External], World]
"""The APIs and providers that exist for a run config that names these."""
