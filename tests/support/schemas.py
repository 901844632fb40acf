"""Documents of `--json` held against their schemas in `llama_cli/schemas`. A schema is read, and looked at, once."""

from __future__ import annotations

import json
from datetime import datetime, timedelta
from functools import cache
from pathlib import Path
from typing import Any

from jsonschema import Draft202012Validator, FormatChecker

import llama_cli

SCHEMAS = Path(llama_cli.__file__).parent / "schemas"
_FORMATS = FormatChecker()


@_FORMATS.checks("date-time", raises=(ValueError, AssertionError))
def _is_utc(value: object) -> bool:
    """ISO 8601 in UTC; what is no text is another rule's business."""
    return not isinstance(value, str) or datetime.fromisoformat(value).utcoffset() == timedelta(0)


@cache
def schema(name: str) -> Any:
    """The schema of that name, as in `stack-ps`."""
    return json.loads((SCHEMAS / f"{name}.json").read_text())


def conform(document: Any, name: str) -> None:
    """Raises jsonschema's ValidationError where a document is not what the schema of that name says."""
    _validator(name).validate(document)


@cache
def _validator(name: str) -> Draft202012Validator:
    Draft202012Validator.check_schema(schema(name))
    return Draft202012Validator(schema(name), format_checker=_FORMATS)
