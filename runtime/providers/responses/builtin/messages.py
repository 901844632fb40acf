"""A conversation's items as the messages of a chat: what the model reads.

Only what an item says counts, not its id or status: so the same history gives the same messages, whether it is kept in
responses, in a conversation or by the caller. Items are as they were checked by `runtime.apis.responses.items`, without
references.

    reasoning, message of the assistant     go on with an assistant's message
    message of anybody else                 the same
    compaction                              what a system says, first of all, in place of everything before it but
                                            messages of users, systems and developers
    items of a tool                         what its file in `tools/` makes of them: calls of the assistant's message,
                                            outputs behind it, or nothing
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

from runtime.apis.responses.items import kind_of
from runtime.errors import RequestError
from runtime.providers.responses.builtin.tools import TOOLS
from runtime.providers.responses.builtin.transcript import Transcript, answered
from runtime.sse import Json

COMPACTED = (
    "The conversation so far was summarised. Of what went before the summary, only the user's messages are left, below."
    " The summary:\n\n"
)
_RECALL = {item.name: tool.recall for tool in TOOLS for item in tool.kind.items}


def messages_of(
    items: Iterable[Json],
    *,
    opened: Callable[[str], str | None],
    name_of: Callable[[str, str], str] = lambda label, name: name,
) -> list[Json]:
    """opened: what is in an encrypted content; None for one that cannot be read: a thought is then left out. name_of:
    what the model calls a tool, by its server's label and its name there. Raises RequestError for the output of a call
    that is not there, and for a compaction that cannot be read.
    """
    transcript = Transcript(name_of)
    for item in items:
        kind = kind_of(item)
        if kind == "message" and item["role"] != "assistant":
            transcript.add(item["role"], item["content"])
        elif kind == "message":
            transcript.say(item["content"])
        elif kind == "reasoning":
            if thought := _thought(item, opened):
                transcript.think(thought)
        elif kind == "compaction" and item["encrypted_content"]:  # one that a shield has stopped has nothing
            transcript.compact(COMPACTED + _summary(item, opened))
        elif kind in _RECALL:
            _RECALL[kind](item, transcript)
    return transcript.messages()


def check_answered(messages: Sequence[Json]) -> None:
    """Raises RequestError for a call without an output, which providers refuse, each in its own words."""
    for place, message in enumerate(messages):
        calls = message.get("tool_calls")
        known = answered(messages, place) if calls else frozenset()
        for call in calls or ():
            if call["id"] not in known:
                raise RequestError(
                    f"The call `{call['id'][:100]}` of `{call['function']['name'][:100]}` has no output",
                    hint="send a `function_call_output` with its `call_id`",
                    param="input",
                )


def _thought(item: Json, opened: Callable[[str], str | None]) -> str:
    if text := "".join(part["text"] for part in item.get("content") or ()):
        return text
    sealed = item.get("encrypted_content")
    return (opened(sealed) if sealed else None) or ""


def _summary(item: Json, opened: Callable[[str], str | None]) -> str:
    summary = opened(item["encrypted_content"])
    if summary is None:
        raise RequestError(
            f"The compaction `{str(item.get('id'))[:100]}` cannot be read: it was not made here, or it was changed",
            hint="send the items that it stands for, or name its response as `previous_response_id`",
            param="input",
        )
    return summary
