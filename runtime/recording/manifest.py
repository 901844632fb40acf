"""What a folder of recordings says of the stack that they were made with, so that the same one can be replayed without
what turned it on: `stack.json`.

    {"schema": 1, "variables": {"OPENAI_API_KEY": "replay"}, "providers": {"inference/local": {"methods": [...]}}}

variables: those that the run config refers to and that were set, with a word in place of what is secret or a place on
that machine. providers: of those that a replay stands in for, the methods that they have and what they list.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import msgspec

from runtime.config.home import atomic_write
from runtime.recording import documents
from runtime.recording.layout import laid_out
from runtime.recording.names import MANIFEST
from runtime.redaction import is_secret, redact_text

PLACEHOLDER = "replay"
_MODE = 0o644
_HIDDEN = re.compile(
    r"(KEY|TOKEN|SECRET|PASSWORD|CREDENTIALS?)S?\Z|(?:\A|_)(ACCOUNT|TENANT|ORG|ORGANIZATION|TENANCY|PROJECT|COMPARTMENT)(_|\Z)",
    re.IGNORECASE,
)
"""Variables with a secret, or with whose account it is."""
_decode = msgspec.json.Decoder().decode


class Manifest:
    """variables, providers: as above."""

    def __init__(self, variables: Mapping[str, str], providers: Mapping[str, Mapping[str, Any]]) -> None:
        self.variables = dict(variables)
        self.providers = {name: dict(facts) for name, facts in providers.items()}

    @classmethod
    def read(cls, folder: Path) -> Manifest | None:
        """That of a folder; None where it has none. Raises RecordingError for one that cannot be used."""
        path = folder / MANIFEST
        try:
            value = _decode(path.read_bytes())
        except FileNotFoundError:
            return None
        except (OSError, ValueError) as error:
            raise documents.RecordingError(
                f"`{path}` cannot be read: {error}", hint="restore it, or remove it and record again"
            ) from error
        given = value if isinstance(value, dict) else {}
        documents.check_schema(given.get("schema"), path)
        variables, providers = given.get("variables", {}), given.get("providers", {})
        is_fine = isinstance(variables, dict) and isinstance(providers, dict)
        if not (is_fine and all(map(_are_facts, providers.values()))):
            raise documents.RecordingError(f"`{path}` is damaged", hint="restore it, or remove it and record again")
        return cls({str(name): str(value) for name, value in variables.items()}, providers)

    def write(self, folder: Path) -> None:
        """Raises OSError. Nothing is written where the same is there."""
        shown = {
            "schema": documents.SCHEMA,
            "variables": dict(sorted(self.variables.items())),
            "providers": dict(sorted(self.providers.items())),
        }
        data, path = laid_out(shown, lambda _: ""), folder / MANIFEST
        if not path.exists() or path.read_bytes() != data:
            atomic_write(path, data, mode=_MODE)


def _are_facts(value: Any) -> bool:
    """Whether they say what a provider has and lists."""
    if not isinstance(value, dict):
        return False
    methods, models = value.get("methods", []), value.get("models", [])
    are_lists = isinstance(methods, list) and isinstance(models, list)
    return are_lists and all(isinstance(one, str) for one in methods) and all(map(_is_model, models))


def _is_model(value: Any) -> bool:
    named = isinstance(value, dict) and isinstance(value.get("provider_model_id"), str)
    return named and value.keys() <= {"provider_model_id", "model_type", "metadata"}


def recorded_variables(names: Mapping[str, str], *, secrets: Iterable[str] = ()) -> dict[str, str]:
    """What is kept of variables and their values: that they were set, and the value itself where it is an address, a
    model's name or a switch. secrets: what the settings that read them have of secrets.
    """
    known = {secret for secret in secrets if secret}
    return {name: _recorded(name, value, known) for name, value in names.items() if not _is_place(value)}


def _recorded(name: str, value: str, known: set[str]) -> str:
    is_hidden = is_secret(name) or _HIDDEN.search(name) or any(secret in value for secret in known)
    return PLACEHOLDER if is_hidden else redact_text(value)


def _is_place(value: str) -> bool:
    """Whether a value is a path of this machine."""
    return not value or value.startswith(("/", "~", "./", "../", "file:", "sqlite:")) or "\\" in value
