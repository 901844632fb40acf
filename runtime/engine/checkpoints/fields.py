"""Fields of a checkpoint's own configuration: each of the right kind, or an error that names the file and the field.

Knows mappings and kinds of values; not which fields a format has.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from runtime.engine.checkpoints.model_config import SUPPORTED_ARCHITECTURES, CheckpointInvalid, ModelConfig

NUMBER = (int, float)


def read_field(
    source: Mapping[str, Any], key: str, kind: type | tuple[type, ...], path: Path, default: Any = None
) -> Any:
    """The value of `key`, or `default` where it is missing or null. path: the file, for messages.

    Raises CheckpointInvalid where it is missing and there is no default, or where it is not of `kind`.
    """
    value = source.get(key)
    if value is None:
        value = default
    if value is None:
        raise CheckpointInvalid(f"`{path}` does not have `{key}`.")
    if not isinstance(value, kind) or (isinstance(value, bool) and kind is not bool):
        raise CheckpointInvalid(f"`{path}` says that `{key}` is {value!r}, which is not possible.")
    return value


def checked_config(config: ModelConfig, path: Path) -> ModelConfig:
    """The same config. Raises CheckpointInvalid, naming every problem, where no model can have this shape."""
    problems = config.problems()
    if problems:
        raise CheckpointInvalid(f"`{path}` describes an impossible model: {'; '.join(problems)}.")
    return config


def unsupported_architecture(path: Path, architecture: object, hint: str | None = None) -> CheckpointInvalid:
    """The error for a model of another architecture than ours, for the caller to raise."""
    supported = ", ".join(f"`{name}`" for name in SUPPORTED_ARCHITECTURES)
    return CheckpointInvalid(
        f"`{path}` is a model of architecture `{architecture}`, which this engine does not run.",
        hint=hint or f"supported: {supported}",
    )
