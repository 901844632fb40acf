"""What shields read of a message: nothing that it says passes unseen."""

from __future__ import annotations

from typing import Any

import pytest

from runtime.apis.safety.assessing import AssessRequest
from runtime.providers.safety._message_content import MessageContent, read_content, write_content

PICTURE = "data:image/png;base64,AA=="


def read(**message: Any) -> MessageContent:
    """As it is after it has passed the door."""
    return read_content(AssessRequest(shield_id="s", messages=[{"role": "assistant", **message}]).messages[0])


@pytest.mark.parametrize(
    ("call", "text"),
    [
        ({"id": "1", "type": "function", "function": {"name": "f", "arguments": '{"a": 1}'}}, 'f({"a": 1})'),
        ({"id": "1", "type": "custom", "custom": {"name": "g", "input": "free"}}, "g(free)"),
        (
            {"call_id": "1", "tool_name": "f", "arguments": {"a": "bomb"}},
            '{"call_id":"1","tool_name":"f","arguments":{"a":"bomb"}}',
        ),
        ({"type": "portal", "portal": "a bomb"}, '{"type":"portal","portal":"a bomb"}'),
    ],
)
def test_calls_of_any_form_are_read(call: dict[str, Any], text: str) -> None:
    assert read(content="", tool_calls=[call]) == MessageContent(text=text)


def test_parts_are_read_wherever_they_are() -> None:
    parts = [{"type": "text", "text": " a "}, {"type": "image_url", "image_url": {"url": PICTURE}}, {"type": "other"}]
    found = read(content=parts, refusal="no", function_call={"name": "f", "arguments": "{}"})
    assert found == MessageContent(text="a\nno\nf({})", images=(PICTURE,), unread=("other",))
    assert read(content=None).is_empty and not read(content=[{"type": "other"}]).is_empty


@pytest.mark.parametrize(("context", "text"), [("bomb", "hi\nbomb"), ([{"text": "bomb"}], 'hi\n[{"text":"bomb"}]')])
def test_the_context_of_older_clients_is_read(context: Any, text: str) -> None:
    assert read(content="hi", context=context).text == text
    assert read(content="hi", context=None).text == "hi"


def test_what_is_read_can_be_written_again() -> None:
    for text, images in (("a", ()), ("a", (PICTURE,)), ("", (PICTURE, PICTURE))):
        found = read_content({"content": write_content(text, images)})
        assert found == MessageContent(text=text, images=images)
