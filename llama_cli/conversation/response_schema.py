"""A JSON Schema that an answer has to fit: how it is given and asked for, and whether the answer does.

The server may hold the model to it, or not: what it answers is looked at here in any case.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from typing import Any

from llama_cli.conversation.answers import Answer
from llama_cli.exits import Failure
from runtime.config.text import as_meant, read_text, shown
from runtime.errors import ConfigInvalid, RequestError

_OPTION = "--schema"
_SHOWN = 200


class ResponseSchema:
    """given: JSON as it is, or a file that holds it. Raises Failure (USAGE) for what is no schema, NotFound,
    AccessDenied.
    """

    def __init__(self, given: str) -> None:
        is_file = not given.lstrip().startswith("{")
        text = _read(given) if is_file else given
        where = f"`{shown(given)}`" if is_file else "what was given"
        try:
            schema = json.loads(text)
        except ValueError as error:
            hint = "check it with `python -m json.tool`"
            raise Failure.of_option(_OPTION, f"{where} is no JSON: {error}", hint=hint) from error
        if not isinstance(schema, dict):
            raise Failure.of_option(_OPTION, f"{where} is no JSON Schema, which is an object")
        self._schema = schema
        self._wrong = _check(schema, where)

    @property
    def response_format(self) -> dict[str, Any]:
        """As a chat completion is asked for it."""
        title = re.sub(r"[^\w-]+", "_", str(self._schema.get("title") or ""), flags=re.ASCII)[:64].strip("_")
        return {"type": "json_schema", "json_schema": {"name": title or "answer", "schema": self._schema}}

    def parsed(self, answer: Answer) -> Any:
        """The JSON that an answer is. Raises Failure for one that is none, and for one that does not fit."""
        said = " ".join(answer.last.split())[:_SHOWN]
        hint = "it was cut: `--max-tokens` allows more" if answer.finish_reason == "length" else None
        try:
            found = json.loads(answer.last)
        except ValueError as error:
            message = f"the model answered with something that is no JSON: `{said}`"
            raise Failure(message if said else "the model said nothing", hint=hint) from error
        if (wrong := self._wrong(found)) is not None:
            raise Failure(f"the answer does not fit the schema: {wrong}; it is `{said}`", hint=hint)
        return found


def _read(name: str) -> str:
    try:
        return read_text(as_meant(name), what="schema")
    except ConfigInvalid as error:
        raise Failure.of_unreadable(error, option=_OPTION) from error


def _check(schema: Mapping[str, Any], where: str) -> Callable[[Any], str | None]:
    """What says what is wrong with an answer."""
    from runtime.apis._json_schema import fitting

    try:
        return fitting(dict(schema), param=_OPTION)
    except RequestError as error:
        raise Failure.of_option(_OPTION, f"{where} cannot be used: {error.message.partition(': ')[2]}") from error
