"""What an answer must look like, as a grammar: a form for its text, calls of functions, reasoning before both.

Knows llguidance's Lark dialect (https://github.com/guidance-ai/llguidance/blob/main/docs/syntax.md) and how models
write calls; not how a grammar is compiled, and no requests.
"""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from runtime.engine.requests.grammar import GrammarInvalid
from runtime.engine.text.reasoning import END_THINK, THINK
from runtime.engine.text.special_tokens import SpecialTokens
from runtime.engine.text.tool_dialects import PYTHON_TAG, Dialect

_GRAMMAR_BYTES, _GRAMMAR_RULES = 65_536, 500
# What a grammar of a request may not have: these build other grammars, or automata whose size nothing bounds.
_UNBOUNDED = re.compile(r"%(?!ignore\b|import\b)\w+|@|&|~(?!\s*\d)")
# Otherwise llguidance looks ahead for all text that must come: for seconds where that is long, without end in
# `start: /x+/ "x"`.
_NO_LOOKING_AHEAD = '%llguidance {"no_forcing": true}'
# Strings, regular expressions (which may have line breaks), special tokens and comments, as llguidance reads them: a
# difference would hide what is not allowed.
_QUOTED = re.compile(r'"(?:[^"\\\n]|\\.)*"|/(?:[^/\\]|\\.)+/|<[^<>\s]+>|(?:#|//)[^\n]*')


@dataclass(frozen=True, kw_only=True)
class TextForm:
    """A form for the text of an answer. rules: Lark rules, the first of which is `text`. grammar: instead of them, a
    whole Lark grammar whose first rule is `start`. param: the field of the request that asks for it, for errors.
    """

    rules: str = ""
    grammar: str = ""
    param: str


def schema_form(schema: dict[str, Any], param: str) -> TextForm:
    """JSON of a schema from `json_schema.enforceable`."""
    return TextForm(rules=f"text: %json {json.dumps(schema)}", param=param)


def regex_form(pattern: str, param: str) -> TextForm:
    """Text that matches a regular expression as a whole, in the syntax of Rust's `regex`."""
    from llguidance import regex_to_lark

    return TextForm(rules=f"text: PATTERN\nPATTERN: /{regex_to_lark(pattern, 'd')}/", param=param)


def choice_form(choices: Sequence[str], param: str) -> TextForm:
    """One of several texts."""
    return TextForm(rules="text: CHOICE\nCHOICE: " + " | ".join(map(json.dumps, choices)), param=param)


def lark_form(grammar: str, param: str) -> TextForm:
    """Text of a Lark grammar from a request. Raises GrammarInvalid for one that nothing bounds."""
    bare = _QUOTED.sub(" ", grammar)
    unbounded = _UNBOUNDED.search(bare)
    for is_wrong, words in (
        (len(grammar) > _GRAMMAR_BYTES, f"has more than {_GRAMMAR_BYTES} characters"),
        (bare.count(":") > _GRAMMAR_RULES, f"has more than {_GRAMMAR_RULES} rules"),
        (unbounded is not None, f"uses `{unbounded and unbounded[0]}`, which is not allowed here"),
    ):
        if is_wrong:
            raise GrammarInvalid(f"`{param}` {words}.", param=param)
    return TextForm(grammar=grammar, param=param)


@dataclass(frozen=True)
class Function:
    """A function that may be called. parameters: a schema from `json_schema.enforceable`."""

    name: str
    parameters: dict[str, Any]


@dataclass(frozen=True, kw_only=True)
class CallForm:
    """Which functions an answer may call. required: it consists of calls. several: there may be more than one."""

    dialect: Dialect
    functions: Sequence[Function]
    required: bool = False
    several: bool = True


@dataclass(frozen=True, kw_only=True)
class AnswerForm:
    """What an answer must look like. text: None for any text; calls: None for no calls.

    reasons: whether reasoning may come first. is_open: whether the prompt has already opened it.
    """

    text: TextForm | None = None
    calls: CallForm | None = None
    reasons: bool = False
    is_open: bool = False


def answer_grammar(form: AnswerForm, special: SpecialTokens) -> str | None:
    """The grammar for `Grammars.compile`; None where every answer will do.

    Raises GrammarInvalid where a function's parameters cannot be written in the model's dialect.
    """
    if form.text is None and form.calls is None:
        return None
    spell = _Speller(special)
    rules = [_NO_LOOKING_AHEAD, f"start: {_before(form, spell)}answer"]
    if form.reasons:
        rules += [spell.up_to("thought", END_THINK), r"_SPACE: /\s{1,8}/"]
    text, calls = form.text, form.calls
    if text is not None and text.grammar:
        if calls is not None:
            raise GrammarInvalid("A grammar of your own cannot be combined with tools.", param=text.param)
        return json.dumps(
            {
                "grammars": [
                    {"lark_grammar": "\n".join([*rules, "answer: @own"])},
                    {"name": "own", "lark_grammar": text.grammar},
                ]
            }
        )
    if calls is None:
        assert text is not None
        rules += ["answer: text", text.rules]
    else:
        rules += _calls(calls, text, spell)
    return "\n".join(rules)


def _before(form: AnswerForm, spell: _Speller) -> str:
    if not form.reasons:
        return ""
    return "thought _SPACE? " if form.is_open else f"({spell.literal(THINK)} thought _SPACE?)? "


def _calls(form: CallForm, text: TextForm | None, spell: _Speller) -> list[str]:
    dialect = form.dialect
    trigger = f"{spell.literal(dialect.trigger)} " if dialect.trigger else ""
    if not trigger and PYTHON_TAG in spell.special.ids:
        trigger = f"{spell.literal(PYTHON_TAG)}? "
    if form.required:
        rules = [f"answer: {trigger}calls"]
    elif text is not None:
        rules = [f"answer: text | {trigger}calls", text.rules]
    elif dialect.trigger:
        rules = ["answer: ANYTHING | before calls", "ANYTHING: /(?s:.*)/", spell.up_to("before", dialect.trigger)]
    else:
        rules = [f"answer: OTHER | {trigger}calls", f"OTHER: /(?s:.*)/ & ~/{_beginning_of_call(form)}(?s:.*)/"]
    # A call begins with one long literal: a short one would be taken for the beginning of other text.
    rest = f" ({spell.literal(dialect.between)} call)*" if form.several else ""
    rules.append(f"calls: first{rest}{spell.after(dialect.closing)}")
    for rule, opening in [("first", dialect.opening), ("call", "")][: 2 if form.several else 1]:
        rules.append(f"{rule}: " + " | ".join(f"{rule}_{number}" for number in range(len(form.functions))))
        for number, function in enumerate(form.functions):
            head = _heads(function.name, dialect, opening, spell)
            rules.append(f"{rule}_{number}: {head} arguments_{number}{spell.after(dialect.tail)}")
    for number, function in enumerate(form.functions):
        rules += _arguments(number, function, dialect)
    return rules


_TYPE = '{"type": "function", '


def _heads(name: str, dialect: Dialect, opening: str, spell: _Speller) -> str:
    """What a call of the function `name` begins with."""
    head = spell.literal(opening + dialect.head(name))
    if dialect.trigger or dialect.layout != "json":
        return head
    return f"({head} | {spell.literal(opening + dialect.head(name).replace('{', _TYPE, 1))})"  # models add that


def _arguments(number: int, function: Function, dialect: Dialect) -> list[str]:
    if dialect.layout == "pythonic":
        return [f"arguments_{number}: with_{number}_0", *_keywords(number, function)]
    return [f"arguments_{number}: %json {json.dumps(function.parameters)}"]


def _keywords(number: int, function: Function) -> list[str]:
    """`name=value` for each parameter in its order, with JSON values; optional ones may be left out.

    Rule `with_N_I` has the parameters from the I-th on, and no comma before the first; `then_N_I` has one.
    """
    schema = function.parameters
    required = set(schema.get("required", ()))
    shared = {key: schema[key] for key in ("$defs", "definitions", "x-guidance") if key in schema}
    properties = list(schema.get("properties", {}).items())
    if merging := sorted({"$ref", "allOf", "anyOf", "oneOf"} & schema.keys()):
        raise GrammarInvalid(
            f"The parameters of `{function.name}` cannot be written in this model's calls: they have `{merging[0]}`.",
            hint="list them in `properties`",
            param="tools",
        )
    rules = []
    for at, (name, one) in enumerate(properties):
        if not name.isidentifier():
            raise GrammarInvalid(
                f"The parameter `{name}` of `{function.name}` cannot be written in this model's calls.",
                hint="name it with letters, digits and underscores",
                param="tools",
            )
        pair, after = f"pair_{number}_{at}", f"{number}_{at + 1}"
        whole = {**one, **shared} if isinstance(one, dict) else shared
        rules.append(f'{pair}: "{name}=" %json {json.dumps(whole)}')
        skipped = ("", "") if name in required else (f" | with_{after}", f" | then_{after}")
        rules.append(f"with_{number}_{at}: {pair} then_{after}{skipped[0]}")
        rules.append(f'then_{number}_{at}: ", " {pair} then_{after}{skipped[1]}')
    last = len(properties)
    return [*rules, f'with_{number}_{last}: ""', f'then_{number}_{last}: ""']


def _beginning_of_call(form: CallForm) -> str:
    """A regular expression for text that can only be a call."""
    if form.dialect.layout == "pythonic":
        names = "|".join(re.escape(function.name) for function in form.functions)
        return rf"\s*\[\s*({names})\("
    return r"\s*\{\s*" + r'("name"|"type"\s*:\s*"function")\s*[:,]'


class _Speller:
    """Text in a grammar, with the model's special tokens in it as tokens."""

    def __init__(self, special: SpecialTokens) -> None:
        self.special = special

    def literal(self, text: str) -> str:
        pieces = (f"<[{piece}]>" if isinstance(piece, int) else json.dumps(piece) for piece in self.special.split(text))
        return " ".join(pieces)

    def after(self, text: str) -> str:
        """A literal after something; nothing for no text."""
        return f" {self.literal(text)}" if text else ""

    def up_to(self, rule: str, end: str) -> str:
        """A rule for any text up to the first `end`."""
        if end in self.special.ids:
            return f"{rule}: /(?s:.*)/ {self.literal(end)}"
        escaped = re.escape(end).replace("/", r"\/")
        return f"{rule}[lazy]: /(?s:.*){escaped}/"
