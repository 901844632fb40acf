"""Short texts that a chat model writes for vector stores."""

from __future__ import annotations

from runtime.context import RequestContext, current, serving
from runtime.providers.vector_stores.builtin.chatting import Chat
from runtime.sse import Reply


class Refusing:
    """An inference whose answers a shield has stopped."""

    async def chat_completion(self, request: object) -> Reply:
        message = {"role": "assistant", "content": None, "refusal": "No."}
        violation = {"shield_id": "bombs", "user_message": "No."}
        return Reply.of({"choices": [{"index": 0, "message": message}], "violation": violation})


async def test_what_a_shield_stops_is_no_text_and_it_is_told() -> None:
    chat = Chat(Refusing(), None)  # type: ignore[arg-type]  # a part of one, and none
    with serving(RequestContext()):
        assert await chat.says("small", "About?", max_tokens=5) == ""
        assert current().warnings == ["the shield `bombs` has stopped what `small` was asked or has answered"]
