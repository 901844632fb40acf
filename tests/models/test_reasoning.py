"""Reasoning before an answer, cut at every place."""

from __future__ import annotations

from collections.abc import Iterable

import pytest

from runtime.engine.text.answer_parts import CallArguments, CallStart, Content, Part, Reasoning
from runtime.engine.text.answer_reader import AnswerReader
from runtime.engine.text.chat_template import ChatTemplate
from runtime.engine.text.reasoning import ReasoningReader
from runtime.engine.text.special_tokens import SpecialTokens
from runtime.engine.text.tool_calls import CallReader
from runtime.engine.text.tool_dialects import HERMES


def read(pieces: Iterable[str], *, is_open: bool = False) -> tuple[str, str, str]:
    """Reasoning, content, and the arguments of calls of `f`."""
    reader = AnswerReader(ReasoningReader(is_open=is_open), CallReader(HERMES, {"f"}))
    parts: list[Part] = [part for piece in pieces for part in reader.push(piece)] + reader.finish()
    found = {Reasoning: "", Content: "", CallArguments: ""}
    for part in parts:
        if not isinstance(part, CallStart):
            found[type(part)] += part.text
    return found[Reasoning], found[Content], found[CallArguments]


@pytest.mark.parametrize(
    ("answer", "is_open", "expected"),
    [
        ("<think>\nLet me <b>\n</think>\n\nYes.", False, ("Let me <b>", "Yes.", "")),
        ("Let me\n\n</think>\n\nYes. </think>", True, ("Let me", "Yes. </think>", "")),
        ("No thought: <think>", False, ("", "No thought: <think>", "")),
        ("<thin", False, ("", "<thin", "")),
        ("<think>cut </thi", False, ("cut </thi", "", "")),
        ("<think>\n\n</think>\n\nYes", False, ("", "Yes", "")),
        ("cut", True, ("cut", "", "")),
        ("", True, ("", "", "")),
        ("a</think>", True, ("a", "", "")),
        ("  text ", False, ("", "  text ", "")),
        (
            'I call <tool_call>.</think>\n<tool_call>\n{"name": "f", "arguments": {}}\n</tool_call>',
            True,
            ("I call <tool_call>.", "", "{}"),
        ),
    ],
)
def test_reasoning_is_split_off_wherever_the_answer_is_cut(
    answer: str, is_open: bool, expected: tuple[str, str, str]
) -> None:
    assert read([answer], is_open=is_open) == expected
    assert read(answer, is_open=is_open) == expected
    for at in range(1, len(answer)):
        assert read([answer[:at], answer[at:]], is_open=is_open) == expected, answer[:at]


def test_reasoning_is_shown_as_it_arrives() -> None:
    reader = ReasoningReader(is_open=False)
    assert reader.push("<think>") == []
    assert reader.push("One ") == [Reasoning("One")]
    assert reader.push("two</") == [Reasoning(" two")]
    assert reader.push("think>\n") == []
    assert reader.push("\nYes") == [Content("Yes")]


def test_a_template_tells_whether_a_model_reasons_and_whether_the_prompt_begins_it() -> None:
    source = "{% for m in messages %}{{ m.content.split('</think>')[-1] }}{% endfor %}{{ '<think>\n' if open }}"
    template = ChatTemplate(source, name="t")
    assert template.reasons and not ChatTemplate("plain", name="t").reasons
    for is_open in (True, False):
        prompt = template.render(
            [{"role": "user", "content": "a"}], special=SpecialTokens({}), variables={"open": is_open}
        )
        assert prompt.opens_reasoning == is_open
