"""Run configs as tests look at them."""

from __future__ import annotations

from runtime.config.run_config import ProviderEntry, RunConfig


def providers_of(config: RunConfig) -> list[ProviderEntry]:
    """Its providers, of whichever API."""
    return [entry for entries in config.providers.values() for entry in entries]
