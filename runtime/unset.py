"""Settings that a run.yaml may leave to a variable: `${env.X:=}` gives an empty text where X is not set."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import BeforeValidator, SecretStr


def none_for_empty(value: Any) -> Any:
    """None for an empty text, and anything else as it is."""
    return None if value == "" else value


OptionalText = Annotated[str | None, BeforeValidator(none_for_empty)]
OptionalSecret = Annotated[SecretStr | None, BeforeValidator(none_for_empty)]
