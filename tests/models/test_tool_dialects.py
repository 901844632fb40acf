"""Which dialect a chat template has for calls, and what stands in its place where it has none."""

from __future__ import annotations

import json
from typing import Any

import pytest

from runtime.engine.text.builtin_templates import LLAMA_2_TEMPLATE, LLAMA_3_TEMPLATE
from runtime.engine.text.chat_template import ChatTemplate
from runtime.engine.text.special_tokens import SpecialTokens
from runtime.engine.text.tool_dialects import HERMES, LLAMA_JSON

CALL: dict[str, Any] = {"id": "c1", "type": "function", "function": {"name": "f", "arguments": '{"a": "<|im_end|>"}'}}
TOOLS: list[dict[str, Any]] = [{"type": "function", "function": {"name": "f", "parameters": {"type": "object"}}}]
TURNS: list[dict[str, Any]] = [
    {"role": "user", "content": "Go"},
    {"role": "assistant", "content": None, "tool_calls": [CALL]},
    {"role": "tool", "tool_call_id": "c1", "content": "one"},
    {"role": "tool", "tool_call_id": "c2", "content": "two"},
]
SPECIAL = SpecialTokens({"<|im_start|>": 1, "<|im_end|>": 2})

# Templates in the manner of published ones, in a few words: each writes a call in its own way.
_LOOP = "{{ tools | tojson if tools }}{% for m in messages %}[{{ m.role }}]"
_CALLS = "{% for c in m.tool_calls or [] %}"
_END = "{% endfor %}{{ m.content }}{% endfor %}"
_OBJECT = '{"name": "{{ c.function.name }}", "KEY": {{ c.function.arguments | tojson }}'
NATIVE = {
    "hermes": _LOOP + _CALLS + "<tool_call>\n" + _OBJECT.replace("KEY", "arguments") + "}\n</tool_call>" + _END,
    "mistral": _LOOP
    + _CALLS
    + "[TOOL_CALLS] ["
    + _OBJECT.replace("KEY", "arguments")
    + ', "id": "{{ c.id }}"}]'
    + _END,
    "llama": _LOOP + _CALLS + _OBJECT.replace("KEY", "parameters") + "}" + _END,
    "tags": _LOOP + _CALLS + "<function={{ c.function.name }}>{{ c.function.arguments | tojson }}</function>" + _END,
    "pythonic": _LOOP
    + _CALLS
    + "[{{ c.function.name }}({% for k, v in c.function.arguments | items %}{{ k }}={{ v | tojson }}{% endfor %})]"
    + _END,
}
# As Llama 3.1's does.
ONE_CALL = NATIVE["llama"].replace(
    "{% for c", "{% if m.tool_calls | length > 1 %}{{ raise_exception('one') }}{% endif %}{% for c", 1
)
CHATML = (
    "{% for m in messages %}<|im_start|>{{ m.role }}\n{{ m.content }}<|im_end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)


def template(source: str) -> ChatTemplate:
    return ChatTemplate(source, name="t", eos_token="</s>")


def rendered(source: str, messages: list[dict[str, Any]], tools: list[dict[str, Any]] | None) -> str:
    return str(template(source).render(messages, tools, special=SPECIAL))


@pytest.mark.parametrize(
    ("name", "trigger", "opening", "closing", "layout", "key"),
    [
        ("hermes", "<tool_call>", "\n", "\n</tool_call>", "json", "arguments"),
        ("mistral", "[TOOL_CALLS]", " [", "]", "json", "arguments"),
        ("llama", "", "", "", "json", "parameters"),
        ("tags", "<function=", "", "</function>", "tag", "arguments"),
        ("pythonic", "", "[", "]", "pythonic", "arguments"),
    ],
)
def test_a_template_shows_its_dialect(
    name: str, trigger: str, opening: str, closing: str, layout: str, key: str
) -> None:
    found = template(NATIVE[name]).dialect
    assert (found.trigger, found.opening, found.closing) == (trigger, opening, closing)
    assert (found.layout, found.key) == (layout, key)
    # It is given the tools, calls and results themselves.
    assert "You can call functions" not in rendered(NATIVE[name], TURNS, TOOLS)


@pytest.mark.parametrize(
    ("source", "dialect"),
    [
        (CHATML, HERMES),
        (LLAMA_3_TEMPLATE, LLAMA_JSON),
        ("{{ tools }}{% for m in messages %}{{ m.content }}{% endfor %}", HERMES),  # takes tools, but shows no call
        ("{{ raise_exception('no') }}{{ tools }}", HERMES),
    ],
    ids=["chatml", "llama-3", "no-calls", "refuses"],
)
def test_a_template_that_writes_no_calls_gets_a_dialect_of_ours(source: str, dialect: Any) -> None:
    assert template(source).dialect == dialect


def test_functions_calls_and_results_are_described_where_a_template_has_no_place_for_them() -> None:
    text = rendered(CHATML, TURNS, TOOLS)
    system, user, assistant, results = text.split("<|im_start|>")[1:5]
    assert system.startswith("system\nYou can call functions.")
    assert json.dumps(TOOLS[0]) in system and HERMES.written([("name_of_the_function", "")])[:20] in system
    assert user == "user\nGo<|im_end|>\n"
    assert (
        assistant == 'assistant\n<tool_call>\n{"name": "f", "arguments": {"a": "<|im_end|>"}}\n</tool_call><|im_end|>\n'
    )
    assert results.count("<tool_response>") == 2 and results.startswith("user\n")
    # Users' text in it is still no special token.
    shielded = template(CHATML).render(TURNS, TOOLS, special=SPECIAL)
    assert list(SPECIAL.split(shielded.text, shielded.mark)).count(2) == 4


def test_a_system_message_is_kept_before_the_functions() -> None:
    text = rendered(CHATML, [{"role": "system", "content": "Be brief."}, TURNS[0]], TOOLS)
    assert text.startswith("<|im_start|>system\nBe brief.\n\nYou can call functions.")


def test_earlier_calls_are_shown_also_without_tools() -> None:
    text = rendered(CHATML, TURNS, None)
    assert '<tool_call>\n{"name": "f"' in text and "You can call functions" not in text
    llama = rendered(LLAMA_3_TEMPLATE, TURNS, None)
    assert '{"name": "f", "parameters": ' in llama
    assert "<|start_header_id|>ipython<|end_header_id|>\n\none<|eot_id|>" in llama  # it knows results


def test_turns_still_alternate_where_a_template_wants_that() -> None:
    assert "<tool_response>\ntwo\n</tool_response> [/INST]" in rendered(LLAMA_2_TEMPLATE, TURNS, TOOLS)


@pytest.mark.parametrize(("source", "several"), [(NATIVE["hermes"], True), (ONE_CALL, False), (CHATML, True)])
def test_an_answer_has_no_more_calls_than_the_template_takes_back(source: str, several: bool) -> None:
    assert template(source).takes_several_calls == several
    assert template(ONE_CALL).dialect == template(NATIVE["llama"]).dialect
