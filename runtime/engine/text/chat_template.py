"""Chat templates: OpenAI chat messages and tools, rendered to a model's prompt by the Jinja template it ships.

Knows messages and Jinja; not token ids. Text from users is shielded before it is rendered (why: `special_tokens.py`).
Templates come with downloaded models, so they run in a sandbox.
The functions and filters that they may use: https://huggingface.co/docs/transformers/chat_templating_writing
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from typing import Any, NoReturn

import jinja2
from jinja2 import nodes
from jinja2.ext import Extension
from jinja2.parser import Parser
from jinja2.sandbox import ImmutableSandboxedEnvironment

from runtime.engine.model_config import CheckpointInvalid
from runtime.engine.text.special_tokens import SpecialTokens, choose_mark
from runtime.errors import NotSupported, RequestError

Message = Mapping[str, Any]
Tool = Mapping[str, Any]

ROLES = ("system", "developer", "user", "assistant", "tool")

# Templates compare the strings under these keys with words of their own.
_KEYWORD_KEYS = frozenset({"role", "type"})

# Meta folders carry no template. https://www.llama.com/docs/model-cards-and-prompt-formats
LLAMA_2_TEMPLATE = """\
{%- if messages[0].role == 'system' -%}
    {%- set system = '<<SYS>>\n' + messages[0].content + '\n<</SYS>>\n\n' -%}
    {%- set turns = messages[1:] -%}
{%- else -%}
    {%- set system = '' -%}
    {%- set turns = messages -%}
{%- endif -%}
{%- for message in turns -%}
    {%- if message.role != ('assistant' if loop.index0 % 2 else 'user') -%}
        {{- raise_exception('After an optional system message, user and assistant messages must alternate.') -}}
    {%- endif -%}
    {%- if message.role == 'user' -%}
        {{- bos_token + '[INST] ' + ((system if loop.first else '') + message.content).strip() + ' [/INST]' -}}
    {%- else -%}
        {{- ' ' + message.content.strip() + ' ' + eos_token -}}
    {%- endif -%}
{%- endfor -%}
"""
_HEADER_TEMPLATE = """\
{{- bos_token -}}
{%- for message in messages -%}
    {{- 'HEADER_START' + ('ipython' if message.role == 'tool' else message.role) + 'HEADER_END\n\n' -}}
    {{- message.content.strip() + 'END_OF_TURN' -}}
{%- endfor -%}
{%- if add_generation_prompt -%}
    {{- 'HEADER_STARTassistantHEADER_END\n\n' -}}
{%- endif -%}
"""


def _with_headers(start: str, end: str, end_of_turn: str) -> str:
    spelt = _HEADER_TEMPLATE.replace("HEADER_START", start).replace("HEADER_END", end)
    return spelt.replace("END_OF_TURN", end_of_turn)


LLAMA_3_TEMPLATE = _with_headers("<|start_header_id|>", "<|end_header_id|>", "<|eot_id|>")
LLAMA_4_TEMPLATE = _with_headers("<|header_start|>", "<|header_end|>", "<|eot|>")


@dataclass(frozen=True)
class Rendered:
    """A prompt as text. mark: keeps users' text from being read as a special token; it is not part of the prompt."""

    text: str
    mark: str

    def __str__(self) -> str:
        return self.text.replace(self.mark, "")


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
        now: Callable[[], datetime] = datetime.now,
    ) -> None:
        self.name = name
        self._tokens = {"bos_token": bos_token, "eos_token": eos_token}
        self._now = now
        self._plain = _Compiled(source, name)
        self._with_tools = _Compiled(tool_source, name) if tool_source else self._plain

    @property
    def supports_tools(self) -> bool:
        return self._with_tools.uses("tools")

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

        tools: OpenAI function tools. special: the tokens that text in the request must not become. variables: other
        names for the template, such as `enable_thinking`.
        Raises RequestError for messages that the model cannot take, NotSupported for tools where its template has no
        place for them.
        """
        if tools and not self.supports_tools:
            raise NotSupported("The chat template of this model has no place for tools.", param="tools")
        compiled = self._with_tools if tools else self._plain
        try:
            return self._render(compiled, messages, tools, special, add_generation_prompt, variables or {})
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
        messages: Sequence[Message],
        tools: Sequence[Tool] | None,
        special: SpecialTokens,
        add_generation_prompt: bool,
        variables: Mapping[str, Any],
    ) -> Rendered:
        request = {
            **variables,
            "messages": _normalised(messages, compiled.uses_word("developer")),
            "tools": list(tools) if tools else None,
        }
        mark = choose_mark([compiled.source, *_strings(request)])

        def refuse(message: str) -> NoReturn:
            raise _Refused(str(message).replace(mark, ""))

        names = {
            **self._tokens,
            "documents": None,
            "add_generation_prompt": add_generation_prompt,
            "strftime_now": lambda format: self._now().strftime(format),
            "raise_exception": refuse,
            _MARK: mark,
            **{name: _shielded(value, special, mark) for name, value in request.items()},
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
        self._words = {node.value for node in parsed.find_all(nodes.Const) if isinstance(node.value, str)}

    def uses(self, variable: str) -> bool:
        return variable in self._names

    def uses_word(self, word: str) -> bool:
        return word in self._words


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


def _normalised(messages: Sequence[Message], knows_developer: bool) -> list[dict[str, Any]]:
    """Messages as templates expect them: content as text, known roles, tool arguments as objects, no empty fields."""
    if not messages:
        raise RequestError("`messages` is empty; a chat needs at least one message.", param="messages")
    return [_Position(f"messages[{at}]").normalised(message, knows_developer) for at, message in enumerate(messages)]


@dataclass(frozen=True)
class _Position:
    """A message's place in the request, for error messages."""

    path: str

    def normalised(self, message: Message, knows_developer: bool) -> dict[str, Any]:
        role = message.get("role")
        if role not in ROLES:
            known = ", ".join(f"`{role}`" for role in ROLES)
            raise RequestError(f"`{role}` is not a role; take one of {known}.", param=f"{self.path}.role")
        if role == "developer" and not knows_developer:
            role = "system"  # the older name of the same role, which every template knows
        result = {key: value for key, value in message.items() if value is not None and value != []}
        result |= {"role": role, "content": self.text(message)}
        if calls := result.get("tool_calls"):
            result["tool_calls"] = [self.tool_call(call, at) for at, call in enumerate(calls)]
        return result

    def text(self, message: Message) -> str:
        content = message.get("content")
        if isinstance(content, str):
            return content
        if content is None and message.get("role") == "assistant":
            return ""
        if not isinstance(content, Sequence):
            raise RequestError("A message's content is a string or a list of parts.", param=f"{self.path}.content")
        return "\n".join(self.part(part, f"{self.path}.content[{at}]") for at, part in enumerate(content))

    def part(self, part: object, path: str) -> str:
        match part:
            case str():
                return part
            case {"type": "text", "text": str(text)} | {"type": "refusal", "refusal": str(text)}:
                return text
            case {"type": str(kind)} if kind != "text":
                raise RequestError(f"This model reads text; it cannot take a part of type `{kind}`.", param=path)
        raise RequestError('A content part looks like `{"type": "text", "text": "..."}`.', param=path)

    def tool_call(self, call: Any, at: int) -> dict[str, Any]:
        match call:
            case {"function": {"name": str()} as function}:
                arguments = function.get("arguments")
            case _:
                path = f"{self.path}.tool_calls[{at}]"
                raise RequestError("A tool call needs a `function` with a `name`.", param=path)
        if isinstance(arguments, str):
            # Earlier output of a model need not be JSON; the template then shows it as it is.
            with suppress(ValueError, RecursionError):
                arguments = json.loads(arguments or "{}")
        return {**call, "function": {**function, "arguments": arguments}}


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
