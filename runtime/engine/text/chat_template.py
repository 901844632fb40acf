"""Chat templates: OpenAI chat messages and tools, rendered to a model's prompt by the Jinja template it ships.

Knows messages and Jinja; not token ids. Text from users is shielded before it is rendered (why: `special_tokens.py`).
Templates come with downloaded models, so they run in a sandbox.
The functions and filters that they may use: https://huggingface.co/docs/transformers/chat_templating_writing
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from typing import Any, NoReturn

import jinja2
from jinja2 import nodes
from jinja2.ext import Extension
from jinja2.parser import Parser
from jinja2.sandbox import ImmutableSandboxedEnvironment

from runtime.clock import local_now
from runtime.engine.checkpoints.model_config import CheckpointInvalid
from runtime.engine.text.chat_messages import Message, normalised_messages, shorten_ids
from runtime.engine.text.reasoning import END_THINK, THINK
from runtime.engine.text.special_tokens import SpecialTokens, choose_mark
from runtime.engine.text.tool_dialects import HERMES, LLAMA_JSON, Dialect, find_dialect, takes_several_calls
from runtime.engine.text.tool_prompt import needs_tool_prompt, with_tool_prompt
from runtime.errors import RequestError

Tool = Mapping[str, Any]

# Templates compare the strings under these keys with words of their own.
_KEYWORD_KEYS = frozenset({"role", "type"})


@dataclass(frozen=True)
class Rendered:
    """A prompt as text. mark: keeps users' text from being read as a special token; it is not part of the prompt."""

    text: str
    mark: str

    def __str__(self) -> str:
        return self.text.replace(self.mark, "")

    @property
    def opens_reasoning(self) -> bool:
        """Whether the answer continues reasoning that the prompt has begun."""
        return self.text.rstrip().endswith(THINK)


class ChatTemplate:
    """One compiled template.

    source: Jinja. tool_source: the template for requests with tools, where a model ships two. name: its origin, for
    messages. bos_token, eos_token: their spellings. now: the clock from which templates read today's date.
    Raises CheckpointInvalid for a template that does not compile.
    """

    def __init__(
        self,
        source: str,
        *,
        name: str,
        tool_source: str | None = None,
        bos_token: str = "",
        eos_token: str = "",
        now: Callable[[], datetime] = local_now,
    ) -> None:
        self.name = name
        self._tokens = {"bos_token": bos_token, "eos_token": eos_token}
        self._now = now
        self._plain = _Compiled(source, name)
        self._with_tools = _Compiled(tool_source, name) if tool_source else self._plain

    @property
    def reasons(self) -> bool:
        """Whether the model writes reasoning before its answers."""
        return END_THINK in self._plain.source

    @property
    def dialect(self) -> Dialect:
        """How the model is to write calls: as its template does, else as our own prompt says."""
        return self._own_dialect or (LLAMA_JSON if "<|start_header_id|>" in self._plain.source else HERMES)

    @cached_property
    def _own_dialect(self) -> Dialect | None:
        """The template's own; None where it has no place for tools, or writes calls in a way that we cannot read."""
        if not self._with_tools.uses("tools"):
            return None
        return find_dialect(self._probed)

    @property
    def knows_tools(self) -> bool:
        """False: a system message of ours describes them to the model."""
        return self._own_dialect is not None

    @cached_property
    def takes_several_calls(self) -> bool:
        """Whether an answer may have several calls: the template must be able to write them in the next request."""
        return self._own_dialect is None or takes_several_calls(self._probed)

    def _probed(self, messages: Sequence[Message], tools: Sequence[Tool]) -> str:
        return str(self._rendered(messages, tools, special=SpecialTokens({}), add_generation_prompt=False))

    def uses(self, variable: str) -> bool:
        """Whether the template reads a variable of this name."""
        return self._plain.uses(variable) or self._with_tools.uses(variable)

    def render(
        self,
        messages: Sequence[Message],
        tools: Sequence[Tool] | None = None,
        *,
        special: SpecialTokens,
        add_generation_prompt: bool = True,
        variables: Mapping[str, Any] | None = None,
    ) -> Rendered:
        """The prompt for OpenAI chat `messages`; their text parts are joined with newlines.

        tools: OpenAI function tools; where the template has no place for them, a system message describes them.
        special: the tokens that text in the request must not become. variables: other names for the template, such as
        `enable_thinking`. Raises RequestError for messages that the model cannot take.
        """
        describes = (
            self._own_dialect is None
            if tools
            else "tool_calls" not in self._plain.source and needs_tool_prompt(messages)
        )
        return self._rendered(
            messages,
            tools,
            special=special,
            add_generation_prompt=add_generation_prompt,
            variables=variables,
            describes=describes,
        )

    def _rendered(
        self,
        messages: Sequence[Message],
        tools: Sequence[Tool] | None,
        *,
        special: SpecialTokens,
        add_generation_prompt: bool,
        variables: Mapping[str, Any] | None = None,
        describes: bool = False,
    ) -> Rendered:
        """describes: write calls, results and tools into the text of messages."""
        compiled = self._with_tools if tools and not describes else self._plain
        try:
            made: list[dict[str, Any]] = normalised_messages(messages, compiled.uses_word("developer"))
            if compiled.wants_short_ids:
                shorten_ids(made)
            if describes:
                knows_results = compiled.uses_word("tool")
                made = with_tool_prompt(made, tools or (), self.dialect, knows_results=knows_results)
            request = {**(variables or {}), "messages": made, "tools": list(tools) if tools and not describes else None}
            return self._render(compiled, request, special, add_generation_prompt)
        except _Refused as refusal:
            raise RequestError(str(refusal), param="messages") from refusal
        except _RENDERING_ERRORS as error:
            # What a template computes depends on the request alone, so another request may succeed.
            raise RequestError(
                f"The chat template of this model cannot render these messages: {error}.", param="messages"
            ) from error

    def _render(
        self,
        compiled: _Compiled,
        request: Mapping[str, Any],
        special: SpecialTokens,
        add_generation_prompt: bool,
    ) -> Rendered:
        """request: the values from the request, by the names in the template."""
        mark = choose_mark([compiled.source, *_strings(request)])

        def refuse(message: str) -> NoReturn:
            raise _Refused(str(message).replace(mark, ""))

        names = {
            **{name: _shielded(value, special, mark) for name, value in request.items()},
            **self._tokens,
            "documents": None,
            "add_generation_prompt": add_generation_prompt,
            "strftime_now": lambda format: self._now().strftime(format),
            "raise_exception": refuse,
            _MARK: mark,
        }
        room = _CHARACTERS_AT_LEAST + _TIMES_THE_REQUEST * sum(map(len, _strings(names)))
        return Rendered("".join(_bounded(compiled.template.generate(names), room)), mark)


# A template writes the request and words of its own. One that never ends must not fill the memory.
_CHARACTERS_AT_LEAST, _TIMES_THE_REQUEST = 1_000_000, 16


def _bounded(pieces: Iterator[str], room: int) -> Iterator[str]:
    for piece in pieces:
        room -= len(piece)
        if room < 0:
            raise _Refused("The chat template of this model writes without end for these messages.")
        yield piece


class _Refused(Exception):
    """A template called `raise_exception`, with this message."""


_MARK = "__mark"

# Errors of a template, or of a request nested too deeply for it; any other error is a bug of ours.
_RENDERING_ERRORS = (
    jinja2.TemplateError,
    TypeError,
    ValueError,
    AttributeError,
    LookupError,
    ArithmeticError,
    RecursionError,
)


class _Compiled:
    def __init__(self, source: str, name: str) -> None:
        self.source = source
        environment = ImmutableSandboxedEnvironment(
            trim_blocks=True, lstrip_blocks=True, extensions=["jinja2.ext.loopcontrols", _Generation]
        )
        environment.filters["tojson"] = _to_json
        try:
            self.template = environment.from_string(source)
        except jinja2.TemplateError as error:
            raise CheckpointInvalid(f"The chat template of `{name}` does not compile: {error}.") from error
        parsed = environment.parse(source)
        self._names = {node.name for node in parsed.find_all(nodes.Name)}
        # `tool_call.id|length != 9`: Mistral's templates refuse other ids, as OpenAI's and ours are.
        self.wants_short_ids = any(
            isinstance(node.expr, nodes.Filter) and node.expr.name == "length" and _is_nine(node.ops)
            for node in parsed.find_all(nodes.Compare)
        )
        self._words = {node.value for node in parsed.find_all(nodes.Const) if isinstance(node.value, str)}

    def uses(self, variable: str) -> bool:
        return variable in self._names

    def uses_word(self, word: str) -> bool:
        return word in self._words


def _is_nine(operands: Sequence[nodes.Operand]) -> bool:
    return any(isinstance(one.expr, nodes.Const) and one.expr.value == 9 for one in operands)


class _Generation(Extension):
    """`{% generation %}` marks the model's own text for training; it does not change a prompt."""

    tags = {"generation"}  # noqa: RUF012 - Jinja declares it without ClassVar

    def parse(self, parser: Parser) -> list[nodes.Node]:
        next(parser.stream)
        return parser.parse_statements(("name:endgeneration",), drop_needle=True)


@jinja2.pass_context
def _to_json(
    context: jinja2.runtime.Context,
    value: object,
    ensure_ascii: bool = False,
    indent: int | None = None,
    separators: tuple[str, str] | None = None,
    sort_keys: bool = False,
) -> str:
    """JSON as in the models' training: unlike Jinja's own filter it escapes nothing for HTML."""
    text = json.dumps(value, ensure_ascii=False, indent=indent, separators=separators, sort_keys=sort_keys)
    if not ensure_ascii:
        return text
    kept = str(context.get(_MARK) or "")
    return "".join(c if c.isascii() or c == kept else json.dumps(c)[1:-1] for c in text)


def _shielded(value: Any, special: SpecialTokens, mark: str, is_keyword: bool = False) -> Any:
    """`value` with every string in it shielded, keys too: callers choose the names of a tool's parameters."""
    if isinstance(value, str):
        return special.shield(value, mark, is_keyword=is_keyword)
    if isinstance(value, Mapping):
        return {
            _shielded(key, special, mark, True): _shielded(inner, special, mark, key in _KEYWORD_KEYS)
            for key, inner in value.items()
        }
    if isinstance(value, list | tuple):
        return [_shielded(inner, special, mark) for inner in value]
    return value


def _strings(value: Any) -> list[str]:
    """Every string in `value`, keys included."""
    if isinstance(value, str):
        return [value]
    if isinstance(value, Mapping):
        return [text for pair in value.items() for part in pair for text in _strings(part)]
    if isinstance(value, list | tuple):
        return [text for inner in value for text in _strings(inner)]
    return []
