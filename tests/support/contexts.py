"""What a provider that runs models here uses of its context, where a test constructs it without a stack."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any


def model_context(state_dir: Path) -> Any:
    """In place of a `ProviderContext`, with its folders."""
    return SimpleNamespace(models_dir=None, state_dir=state_dir, cache_dir=state_dir, list_changed=lambda: None)
