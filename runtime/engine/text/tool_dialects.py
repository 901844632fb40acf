"""How models write calls of functions, one dialect each. Knows text; not tokens, not how a call is read or constrained.

A dialect is found by letting a model's chat template write a call. Known ones: Hermes and Qwen (`<tool_call>`), Mistral
(`[TOOL_CALLS]`), Llama 3 (bare JSON, perhaps after `<|python_tag|>`, or `<function=name>`), Llama 4 and others
(`[name(argument=value)]`). https://www.llama.com/docs/model-cards-and-prompt-formats,
https://huggingface.co/docs/transformers/chat_extras
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, Literal

from runtime.errors import StackError

PYTHON_TAG = "<|python_tag|>"


@dataclass(frozen=True, kw_only=True)
class Dialect:
    """The text around calls: trigger, opening, calls with `between` in between, closing.

    trigger: where calls begin; empty where they begin the answer. layout: `json` is an object with `name` and
    arguments, `tag` is `name>{...}`, `pythonic` is `name(argument=value)`. key: the arguments' name in such an object.
    """

    trigger: str = ""
    opening: str = ""
    between: str
    closing: str = ""
    layout: Literal["json", "tag", "pythonic"] = "json"
    key: str = "arguments"

    def head(self, name: str) -> str:
        """What a call has before its arguments."""
        heads = {"json": f'{{"name": "{name}", "{self.key}": ', "tag": f"{name}>", "pythonic": f"{name}("}
        return heads[self.layout]

    @property
    def tail(self) -> str:
        """What a call has after its arguments."""
        return {"json": "}", "tag": "", "pythonic": ")"}[self.layout]

    def written(self, calls: Sequence[tuple[str, str]]) -> str:
        """Calls as text. calls: names and JSON arguments. Only for layouts whose arguments are JSON."""
        made = [self.head(name) + arguments + self.tail for name, arguments in calls]
        return self.trigger + self.opening + self.between.join(made) + self.closing


def _wrapped(begin: str, end: str) -> Dialect:
    return Dialect(trigger=begin, opening="\n", between=f"\n{end}\n{begin}\n", closing=f"\n{end}")


HERMES = _wrapped("<tool_call>", "</tool_call>")
LLAMA_JSON = Dialect(between="; ", key="parameters")
_TAGS = Dialect(trigger="<function=", between="</function>\n<function=", closing="</function>", layout="tag")
_PYTHONIC = Dialect(opening="[", between=", ", closing="]", layout="pythonic")

# In no template; an id as Mistral wants it.
_NAME, _ARGUMENT, _WORD, _IDS = "Qzfn", "Qzarg", "Qzuq", ("Qz1234567", "Qz7654321")
_TOOLS: list[dict[str, Any]] = [
    {
        "type": "function",
        "function": {
            "name": _NAME,
            "description": _WORD,
            "parameters": {"type": "object", "properties": {_ARGUMENT: {"type": "integer", "description": _WORD}}},
        },
    }
]
_JSON = re.compile(rf'\{{\s*(?:"type": "function", )?"name":\s*"{_NAME}",\s*"(arguments|parameters)":\s*\{{')


Render = Callable[[Sequence[dict[str, Any]], Sequence[dict[str, Any]]], str]


def _probe(calls: int) -> list[dict[str, Any]]:
    """A chat whose last message has up to two calls."""
    function = {"name": _NAME, "arguments": {_ARGUMENT: 7}}
    made = [{"id": id, "type": "function", "function": function} for id in _IDS[:calls]]
    return [{"role": "user", "content": _WORD}, {"role": "assistant", "content": "", "tool_calls": made}]


def takes_several_calls(render: Render) -> bool:
    """Whether a chat template writes a message with two calls: that of Llama 3.1 refuses it."""
    try:
        render(_probe(2), _TOOLS)
    except StackError:
        return False
    return True


def find_dialect(render: Render) -> Dialect | None:
    """The dialect in which a chat template writes calls; None where it writes none that we know.

    render: messages and tools to text. Its StackError counts as no dialect.
    """
    text = ""
    with suppress(StackError):
        text = render(_probe(1), _TOOLS)
    answer = text[max(0, text.rfind(_WORD)) :]
    if f"<function={_NAME}>" in answer:
        return _TAGS
    if f"{_NAME}({_ARGUMENT}=" in answer:
        return _PYTHONIC
    found = _JSON.search(answer)
    if found is None:
        return None
    before = answer[: found.start()]
    if HERMES.trigger in before:
        return _wrapped(HERMES.trigger, "</tool_call>")
    if (at := before.find("[TOOL_CALLS]")) >= 0:
        opening = before[at + len("[TOOL_CALLS]") :]
        return Dialect(trigger="[TOOL_CALLS]", opening=opening, between=", ", closing="]", key=found[1])
    return Dialect(between="; ", key=found[1])
