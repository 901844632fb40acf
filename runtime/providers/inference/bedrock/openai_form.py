"""Chats by OpenAI's protocol, which Bedrock has for some models.
https://docs.aws.amazon.com/bedrock/latest/userguide/inference-chat-completions.html,
https://docs.aws.amazon.com/bedrock/latest/userguide/bedrock-mantle.html (read November 2026)
"""

from __future__ import annotations

from functools import partial

from runtime.apis.inference.protocol import ChatCompletionRequest
from runtime.http.client import HttpClient
from runtime.http.transport import json_request
from runtime.providers.inference._openai_compatible.answer_fields import AnswerFields
from runtime.providers.inference._openai_compatible.outgoing_fields import MessageFields, apply_rules, fit_chat
from runtime.providers.inference._openai_compatible.rules import METADATA_IF_KEPT, NO_ANSWER_FIELDS, NO_SIGNATURES
from runtime.providers.inference._openai_compatible.spec import Chat
from runtime.providers.inference._openai_compatible.streams import FinishReasons, as_events, choices_of
from runtime.sse import EventStream, Json, Reply

_CHAT = Chat(reasoning_field="reasoning", developers=True, rules=(METADATA_IF_KEPT, *NO_ANSWER_FIELDS, NO_SIGNATURES))


class OpenAIForm:
    """Asks at an address with OpenAI's protocol. Raises RequestError for what cannot be honoured, and what `HttpClient`
    raises.
    """

    def __init__(self, provider_id: str) -> None:
        self._provider_id = provider_id
        self._messages = MessageFields(_CHAT)
        self._answers = AnswerFields(_CHAT, provider_id=provider_id)

    async def chat(
        self, http: HttpClient, base_url: str, request: ChatCompletionRequest, body: Json
    ) -> Reply | EventStream:
        """base_url: with its version. body: the request's fields; its messages may still be JSON."""
        self._messages.read(body)
        fit_chat(_CHAT, body, provider_id=self._provider_id)
        apply_rules(_CHAT.rules, body, provider_id=self._provider_id)
        outgoing = json_request(f"{base_url}/chat/completions", body)
        if not request.stream:
            return self._answers.of_reply(await http.reply(outgoing, objects="choices"))
        whole = partial(as_events, with_usage=request.wants_usage)
        stream = await http.stream(outgoing, ending=FinishReasons(choices_of(request)), whole=whole)
        return self._answers.of_stream(stream, wants_usage=request.wants_usage)
