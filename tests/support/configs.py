"""Run configs as tests look at them."""

from __future__ import annotations

from typing import Any

from runtime.config.run_config import ProviderEntry, RunConfig


def providers_of(config: RunConfig) -> list[ProviderEntry]:
    """Its providers, of whichever API."""
    return [entry for entries in config.providers.values() for entry in entries]


def resources_of(config: RunConfig) -> dict[str, list[dict[str, Any]]]:
    """What it registers, by kind, as its file has it."""
    return {kind: [entry.values for entry in entries] for kind, entries in config.registered_resources.items()}
