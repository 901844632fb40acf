"""What an adapter is given, where a test constructs it without a stack: its client, its key and its tasks."""

from __future__ import annotations

from pathlib import Path
from typing import Any, cast

from runtime.http.client import HttpClient
from runtime.provider import ProviderContext, Tasks
from runtime.spec import Spec

NOTHING: Any = None
"""In place of what these adapters never ask for."""


def provider_context(
    spec: Spec,
    *,
    http: HttpClient | None = None,
    key: str | None = None,
    provider_id: str = "acme",
    state_dir: Path | None = None,
) -> ProviderContext:
    """key: the configured one."""
    return ProviderContext(
        provider_id=provider_id,
        spec=spec,
        http=http or HttpClient(provider_id),
        storage=NOTHING,
        state_dir=cast(Path, state_dir),
        tasks=Tasks(provider_id),
        stack=NOTHING,
        find_api=NOTHING,
        find_optional_api=NOTHING,
        find_jobs=NOTHING,
        find_loop=lambda headers: False,
        configured_key=key,
    )
