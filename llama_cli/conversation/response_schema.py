"""A JSON Schema that an answer has to fit: how it is given, asked for, and read in the answer."""

from __future__ import annotations

import json
import re
from typing import Any

from llama_cli.conversation.answers import Answer
from llama_cli.exits import ExitCode, Failure
from runtime.config.text import as_meant, read_text, shown

_OPTION = "--schema"


def response_format(given: str) -> dict[str, Any]:
    """OpenAI's `response_format` for a schema: JSON as it is, or a file that holds it. Raises Failure (USAGE)."""
    is_file = not given.lstrip().startswith("{")
    text = read_text(as_meant(given), what="schema") if is_file else given
    where = f"`{shown(given)}`" if is_file else "what was given"
    try:
        schema = json.loads(text)
    except ValueError as error:
        raise Failure.of_option(
            _OPTION, f"{where} is no JSON: {error}", hint="check it with `python -m json.tool`"
        ) from error
    if not isinstance(schema, dict):
        raise Failure.of_option(_OPTION, f"{where} is no JSON Schema, which is an object")
    title = re.sub(r"[^\w-]+", "_", str(schema.get("title") or ""), flags=re.ASCII)[:64].strip("_")
    return {"type": "json_schema", "json_schema": {"name": title or "answer", "schema": schema}}


def parsed(answer: Answer) -> Any:
    """The JSON that an answer is. Raises Failure for one that is none."""
    try:
        return json.loads(answer.content)
    except ValueError as error:
        said = " ".join(answer.content.split())[:200]
        hint = "it was cut: `--max-tokens` allows more" if answer.finish_reason == "length" else None
        message = f"the model answered with something that is no JSON: `{said}`" if said else "the model said nothing"
        raise Failure(message, hint=hint, code=ExitCode.FAILED) from error
