"""Writes values as YAML. Imported only where something is written: what it needs takes a while to load."""

from __future__ import annotations

from typing import Any

import yaml

_DUMPER: Any = getattr(yaml, "CSafeDumper", yaml.SafeDumper)
"""libyaml's is five times as fast."""


def as_yaml(value: Any, **options: Any) -> str:
    """A value as YAML, its keys in their order. options: PyYAML's own."""
    return str(yaml.dump(value, None, _DUMPER, sort_keys=False, allow_unicode=True, **options))
