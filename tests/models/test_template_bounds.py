"""Chat templates come with downloaded models: what they refuse or do wrong ends in a 400, and soon."""

from __future__ import annotations

from typing import Any

import pytest

from runtime.engine.text.chat_template import ChatTemplate
from runtime.engine.text.special_tokens import SpecialTokens
from runtime.errors import RequestError

MESSAGES: list[dict[str, Any]] = [{"role": "user", "content": "hi"}]


@pytest.mark.parametrize(
    ("source", "words"),
    [
        ("{{ raise_exception('No system messages, please.') }}", "No system messages, please."),
        ("{% for i in range(99999) %}{% for j in range(99999) %}{{ messages }}{% endfor %}{% endfor %}", "without end"),
        ("{% for i in range(10 ** 9) %}x{% endfor %}", "cannot render"),
        ("{{ messages[7].content }}", "cannot render"),
    ],
)
def test_a_template_that_refuses_or_fails_is_a_400_with_its_words(source: str, words: str) -> None:
    with pytest.raises(RequestError, match=words) as failed:
        ChatTemplate(source, name="m").render(MESSAGES, special=SpecialTokens({}))
    assert failed.value.param == "messages"


def test_a_long_chat_is_no_endless_one() -> None:
    long = [{"role": "user", "content": "x" * 2_000_000}]
    template = ChatTemplate("{% for m in messages %}{{ m.content }}{{ m.content }}{% endfor %}", name="m")
    assert len(str(template.render(long, special=SpecialTokens({})))) == 4_000_000
