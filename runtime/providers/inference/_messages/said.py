"""What an answer's blocks say, and how it ended, as OpenAI has a message, its end and its token counts.

https://platform.claude.com/docs/en/api/messages/create,
https://platform.claude.com/docs/en/build-with-claude/handling-stop-reasons,
https://platform.claude.com/docs/en/build-with-claude/prompt-caching#tracking-cache-performance (read November 2026)
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from runtime.clock import wall_time
from runtime.ids import new_id
from runtime.sse import Json

_ENDS = {
    "end_turn": "stop",
    "stop_sequence": "stop",
    "tool_use": "tool_calls",
    "max_tokens": "length",
    "model_context_window_exceeded": "length",
    "pause_turn": "length",
    "refusal": "content_filter",
}
"""Anthropic's reasons and OpenAI's; others are passed on. A turn that was paused is one that has more to say: it goes
on when the message is sent back.
"""
_TIERS = {"standard": "default"}
_COUNTS = ("input_tokens", "output_tokens", "cache_read_input_tokens", "cache_creation_input_tokens")


def head_of(message: Json, model: str) -> Json:
    """What an answer and each chunk of a streamed one have in common. model: by the name in the request."""
    head: Json = {
        "id": f"chatcmpl-{message['id']}" if message.get("id") else new_id("chatcmpl-"),
        "created": int(wall_time()),
        "model": model,
    }
    tier = (message.get("usage") or {}).get("service_tier")
    return head | ({"service_tier": _TIERS.get(tier, tier)} if isinstance(tier, str) else {})


def end_of(reason: Any, *, as_tool: bool) -> str:
    """as_tool: whether the tool that was called stands for the answer. Raises TypeError for what is no reason."""
    if not isinstance(reason, str):
        raise TypeError(f"a reason to stop is expected, not {type(reason).__name__}")
    return "stop" if as_tool and reason == "tool_use" else _ENDS.get(reason, reason)


def refusal_in(holder: Json) -> str | None:
    """Why an answer was refused, in the words of Anthropic's classifiers; None where they say nothing."""
    details = holder.get("stop_details")
    words = details.get("explanation") if isinstance(details, dict) else None
    return words if isinstance(words, str) and words else None


def counts_in(usage: Any) -> Json:
    """The counts that are given. In a stream the later ones, which are of all so far, replace the earlier ones."""
    given = usage if isinstance(usage, dict) else {}
    found = {name: given[name] for name in _COUNTS if isinstance(given.get(name), int)}
    thought = (given.get("output_tokens_details") or {}).get("thinking_tokens")
    return found | ({"thinking_tokens": thought} if thought is not None else {})


def usage_of(counts: Json) -> Json:
    """Anthropic counts what it read from its cache, and what it wrote there, apart from the rest of the prompt."""
    cached, kept = counts.get("cache_read_input_tokens", 0), counts.get("cache_creation_input_tokens", 0)
    read, written = counts["input_tokens"] + cached + kept, counts["output_tokens"]
    usage: Json = {"prompt_tokens": read, "completion_tokens": written, "total_tokens": read + written}
    if cached or kept:
        usage["prompt_tokens_details"] = {"cached_tokens": cached, "cache_write_tokens": kept}
    if "thinking_tokens" in counts:
        usage["completion_tokens_details"] = {"reasoning_tokens": counts["thinking_tokens"]}
    return usage


def annotations_of(citations: Iterable[Json], start: int, end: int) -> list[Json]:
    """Pages that a text was drawn from. start, end: of the text in the whole answer, in characters."""
    return [
        {
            "type": "url_citation",
            "url_citation": {
                "start_index": start, "end_index": end, "url": one["url"], "title": one.get("title") or "",
            },
        }
        for one in citations
        if one.get("type") == "web_search_result_location"
    ]  # fmt: skip
