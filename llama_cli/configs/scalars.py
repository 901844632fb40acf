"""A value of a run config on one line, as YAML would have it."""

from __future__ import annotations

from typing import Any


def on_one_line(value: Any) -> str:
    """A scalar, or a list or mapping in brackets. Line breaks and control characters are escaped."""
    import yaml

    style = '"' if isinstance(value, str) and not value.isprintable() else None
    text = yaml.safe_dump(
        value, default_style=style, default_flow_style=True, width=10**6, allow_unicode=True, sort_keys=False
    )
    return text.rstrip("\n").removesuffix("\n...")
