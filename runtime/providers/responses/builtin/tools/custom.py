"""`custom`: what the caller runs, and the model calls with text.

A model whose provider has custom tools is told of it as it is. Others are told of a function with one argument,
`input`; a regular expression is that argument's pattern then, where the provider holds arguments to their schema. A
grammar in Lark's form fits in no schema.

When items are read again, a `custom_tool_call` is a call of the assistant's message with one argument, `input`, and a
`custom_tool_call_output` stands behind the message with its call.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from runtime.apis.inference.abilities import Abilities, AbilitiesRequest
from runtime.apis.responses.tools.custom import KIND, CustomTool, Grammar
from runtime.errors import NotSupported
from runtime.providers.responses.builtin.custom_input import INPUT, arguments_of, input_of
from runtime.providers.responses.builtin.offering import Asked, Function, Offer, ToolHandler
from runtime.providers.responses.builtin.transcript import Transcript
from runtime.sse import Json

NAME = KIND.name


@dataclass(frozen=True, kw_only=True)
class Custom(Function):
    """For a provider that has custom tools. definition: as these have it."""

    def told(self, name: str) -> Json:
        return {"type": NAME, NAME: {**self.definition, "name": name}}

    def chosen(self, name: str) -> Json:
        return {"type": NAME, NAME: {"name": name}}


async def offer(given: CustomTool, where: str, asked: Asked) -> Offer:
    """See `Offering`. Raises NotSupported for a grammar that the model's provider cannot be held to."""
    can = await _abilities(asked)
    form = given.get("format") or {"type": "text"}
    described: Json = {"description": given["description"]} if given.get("description") else {}
    if can.custom_tools:
        definition = described | ({} if form["type"] == "text" else {"format": _nested(form)})
        return Offer(functions=[Custom(kind=NAME, name=given["name"], definition=definition)])
    argument: Json = {"type": "string", "description": "What the tool is called with."}
    definition = {**described}
    if form["type"] == "grammar":
        if form["syntax"] != "regex" or not can.strict_functions:
            raise NotSupported(
                f"`{where}.format` is a grammar in `{form['syntax']}`, which the provider of `{asked.request.model}`"
                " cannot be held to",
                hint="describe it in `description`, and check what the tool is called with",
                param="tools",
            )
        argument["pattern"] = f"^(?:{form['definition']})$"
        definition["strict"] = True
    definition["parameters"] = {
        "type": "object",
        "properties": {INPUT: argument},
        "required": [INPUT],
        "additionalProperties": False,
    }
    return Offer(functions=[Function(kind=NAME, name=given["name"], definition=definition)])


def as_provider_has_it(tools: Sequence[Json], messages: Sequence[Json]) -> list[Json]:
    """The messages with calls of the custom tools among `tools` in their own form."""
    names = {tool[NAME]["name"] for tool in tools if tool["type"] == NAME}
    return [_with_text(message, names) if names and message.get("tool_calls") else message for message in messages]


def _with_text(message: Json, names: set[str]) -> Json:
    calls = []
    for call in message["tool_calls"]:
        name = call["function"]["name"]
        text = input_of(call["function"]["arguments"]) if name in names else None
        given = {"type": NAME, NAME: {"name": name, "input": text}}
        calls.append(call if text is None else {key: call[key] for key in call if key != "function"} | given)
    return {**message, "tool_calls": calls}


async def _abilities(asked: Asked) -> Abilities:
    try:
        return await asked.apis.inference.get_abilities(AbilitiesRequest(model=asked.request.model))
    except NotSupported:
        return Abilities()


def _nested(form: Grammar) -> Json:
    """A grammar as chat completions have it."""
    return {"type": "grammar", "grammar": {"syntax": form["syntax"], "definition": form["definition"]}}


def _recall(item: Json, transcript: Transcript) -> None:
    if item["type"] == "custom_tool_call":
        transcript.call(item, arguments_of(item["input"]))
    else:
        transcript.answer(item)


TOOL = ToolHandler(kind=KIND, offer=offer, recall=_recall)
