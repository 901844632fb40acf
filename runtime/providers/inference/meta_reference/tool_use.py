"""The functions of a request, and which of them an answer may or must call.

https://platform.openai.com/docs/guides/function-calling
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from runtime.engine.text.answer_grammar import Function
from runtime.engine.text.json_schema import enforceable
from runtime.errors import NotSupported, RequestError

_NAME = re.compile(r"[A-Za-z0-9_.-]{1,64}")
_MOST, _MOST_CHARACTERS = 128, 262_144  # tools as at OpenAI, and their schemas together
_NO_PARAMETERS = {"type": "object", "properties": {}, "additionalProperties": False}


@dataclass(frozen=True, kw_only=True)
class ToolUse:
    """tools: what the model is told. callable: names of the functions that it may call; none where it may call no
    function. required: the answer is a call. several: it may be more than one.
    """

    tools: Sequence[Mapping[str, Any]] = ()
    callable: frozenset[str] = frozenset()
    required: bool = False
    several: bool = True
    positions: Mapping[str, int] = field(default_factory=dict)

    def functions(self) -> tuple[list[Function], list[str]]:
        """The callable functions with their parameters in the form that decoding enforces, and what of these schemas
        is not enforced, in words. Takes up to a second for each.

        Raises RequestError for a schema that is wrong or, where it is `strict`, cannot be enforced as a whole.
        """
        found: list[Function] = []
        warnings: list[str] = []
        if (size := len(json.dumps(self.tools, default=str))) > _MOST_CHARACTERS:
            raise RequestError(f"`tools` has {size} characters; at most {_MOST_CHARACTERS} are taken.", param="tools")
        for name, at in self.positions.items():
            if name not in self.callable:
                continue
            described = self.tools[at]["function"]
            param = f"tools[{at}].function.parameters"
            given = described.get("parameters")
            enforced = enforceable(_object_schema(given, param), param, lenient=not described.get("strict"))
            found.append(Function(name, enforced.schema))
            warnings += [f"not enforced in the arguments of `{name}`: {reason}" for reason in enforced.ignored]
        return found, warnings


def tool_use(tools: Sequence[Mapping[str, Any]] | None, choice: Any, parallel: bool | None) -> ToolUse:
    """What a request says of tools. choice, parallel: its `tool_choice` and `parallel_tool_calls`.

    Raises RequestError, naming the place, for what is wrong, NotSupported for tools that are not functions.
    """
    positions = _positions(tools or ())
    mode, names = _choice(choice)
    if not positions:
        if mode in ("none", "auto"):
            return ToolUse()
        raise RequestError("`tool_choice` asks for a call, but there are no `tools`.", param="tool_choice")
    for name in names or ():
        if name not in positions:
            raise RequestError(f"`tool_choice` names `{name}`, which is not among `tools`.", param="tool_choice")
    if mode == "none":
        return ToolUse()
    is_named = mode == "function"
    return ToolUse(
        tools=tools or (),
        callable=frozenset(positions if names is None else names),
        required=is_named or mode == "required",
        several=parallel is not False and not is_named,
        positions=positions,
    )


def _positions(tools: Sequence[Mapping[str, Any]]) -> dict[str, int]:
    """Where each function is, by its name."""
    if len(tools) > _MOST:
        raise RequestError(f"`tools` has {len(tools)} entries; at most {_MOST} are taken.", param="tools")
    found: dict[str, int] = {}
    for at, tool in enumerate(tools):
        if not isinstance(tool, Mapping) or tool.get("type") != "function":
            kind = tool.get("type") if isinstance(tool, Mapping) else tool
            raise NotSupported(
                f"`tools[{at}]` is of type `{kind}`; this model calls functions only.", param=f"tools[{at}].type"
            )
        described = tool.get("function")
        if not isinstance(described, Mapping):
            raise RequestError(f"`tools[{at}]` needs a `function`.", param=f"tools[{at}].function")
        name = described.get("name")
        if not isinstance(name, str) or _NAME.fullmatch(name) is None:
            raise RequestError(
                "A function's name has 1 to 64 letters, digits, underscores, dots or dashes.",
                param=f"tools[{at}].function.name",
            )
        if name in found:
            raise RequestError(f"`tools` has two functions `{name}`.", param=f"tools[{at}].function.name")
        found[name] = at
    return found


def _choice(choice: Any) -> tuple[str, list[str] | None]:
    """The mode (none, auto, required or function) and the names that are allowed; None for all."""
    match choice:
        case None:
            return "auto", None
        case "none" | "auto" | "required":
            return choice, None
        case {"type": "function", "function": {"name": str(name)}} | {"type": "function", "name": str(name)}:
            return "function", [name]
        case {"type": "allowed_tools", "allowed_tools": {"mode": "auto" | "required" as mode, "tools": [*tools]}}:
            return mode, _allowed(tools)
    raise RequestError(
        "`tool_choice` is `none`, `auto`, `required`, a function or `allowed_tools`.",
        hint='a function is `{"type": "function", "function": {"name": "..."}}`',
        param="tool_choice",
    )


def _allowed(tools: Sequence[Any]) -> list[str]:
    """The names in `allowed_tools`, at least one."""
    names: list[str] = []
    for at, tool in enumerate(tools):
        match tool:
            case {"type": "function", "function": {"name": str(name)}} | {"type": "function", "name": str(name)}:
                names.append(name)
            case _:
                raise RequestError(
                    'A tool in `allowed_tools` is `{"type": "function", "function": {"name": "..."}}`.',
                    param=f"tool_choice.allowed_tools.tools[{at}]",
                )
    if not names:
        raise RequestError(
            "`tool_choice` allows no tool; name at least one, or choose `none`.",
            param="tool_choice.allowed_tools.tools",
        )
    return names


def _object_schema(given: Any, param: str) -> Any:
    """The schema of a function's parameters, which are an object."""
    if given is None or given == {}:
        return _NO_PARAMETERS
    if isinstance(given, dict) and given.get("type", "object") != "object":
        raise RequestError(f"`{param}` is of type `{given['type']}`; parameters are an object.", param=f"{param}.type")
    return {"type": "object", **given} if isinstance(given, dict) else given
