"""Functions in chats of models whose template has no place for them: described in the system message, in our words.

    system     the functions as JSON, and how to write a call
    assistant  calls of earlier turns, in that way
    user       results of calls, between `<tool_response>` and `</tool_response>`

Knows messages and dialects; no templates, no tokens.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from runtime.engine.text.tool_dialects import Dialect

_PROMPT = """\
You can call functions. Each line is one, in JSON, with a JSON Schema of its parameters:
<tools>
{functions}
</tools>
To call a function, write its name and its arguments as JSON, in exactly this way:
{example}"""
_EXAMPLE = ("name_of_the_function", '{"name_of_a_parameter": "value"}')


def needs_tool_prompt(messages: Iterable[Mapping[str, Any]]) -> bool:
    """Whether a chat has calls or results, which such a template would leave out."""
    return any(message.get("tool_calls") or message.get("role") == "tool" for message in messages)


def with_tool_prompt(
    messages: Sequence[Mapping[str, Any]], tools: Sequence[Mapping[str, Any]], dialect: Dialect, *, knows_results: bool
) -> list[dict[str, Any]]:
    """Messages without calls, results and tools of their own: all of it is in their text.

    messages: normalised. knows_results: whether the template takes the role `tool`, which then stays.
    """
    written: list[dict[str, Any]] = []
    for message in messages:
        made = dict(message)
        calls = made.pop("tool_calls", None) or []
        if calls:
            text = dialect.written([_call(call) for call in calls])
            made["content"] = "\n".join(filter(None, [made["content"], text]))
        if made["role"] == "tool" and not knows_results:
            text = f"<tool_response>\n{made['content']}\n</tool_response>"
            made = {"role": "user", "content": text}
            # Many templates want turns of the user and the assistant to alternate.
            if written and written[-1]["role"] == "user":
                written[-1]["content"] += f"\n{text}"
                continue
        written.append(made)
    return _with_system(written, _described(tools, dialect)) if tools else written


def _described(tools: Sequence[Mapping[str, Any]], dialect: Dialect) -> str:
    functions = "\n".join(json.dumps(tool, ensure_ascii=False) for tool in tools)
    return _PROMPT.format(functions=functions, example=dialect.written([_EXAMPLE]))


def _with_system(messages: list[dict[str, Any]], text: str) -> list[dict[str, Any]]:
    first = messages[0] if messages else {}
    if first.get("role") != "system":
        return [{"role": "system", "content": text}, *messages]
    return [{**first, "content": f"{first['content']}\n\n{text}"}, *messages[1:]]


def _call(call: Mapping[str, Any]) -> tuple[str, str]:
    function = call["function"]
    arguments = function.get("arguments")
    return function["name"], arguments if isinstance(arguments, str) else json.dumps(arguments, ensure_ascii=False)
