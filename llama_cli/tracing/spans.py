"""What is read from a span as a server tells it: its times, whose it is, and what it states. Prints nothing."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from runtime.telemetry import conventions as names

Span = Mapping[str, Any]
_BESIDE = ("llama_stack.", "db.", "mcp.")
_SAID = {
    *(names.REQUEST_ID, names.API, names.API_OPERATION, names.PROVIDER_ID, names.PROVIDER_TYPE),
    *(names.OVERHEAD_MS, names.WAITED_MS, names.RESOURCE_ID, names.ASKED_FOR, names.RESOURCE_SOURCE),
    *(names.ERROR_CODE, names.ERROR_MESSAGE, names.ERROR_HINT, names.COST_USD),
}
"""What is told in words of its own."""


def began(span: Span) -> float:
    """Seconds since 1970."""
    return datetime.fromisoformat(span["start_time"]).timestamp()


def ended(span: Span) -> float:
    """The same; its beginning for one that states no end."""
    return datetime.fromisoformat(span["end_time"] or span["start_time"]).timestamp()


def took_s(span: Span) -> float:
    return max(0.0, ended(span) - began(span))


def fact(span: Span, name: str) -> Any:
    """An attribute, by its name; None where it states none."""
    return span["attributes"].get(name)


def listed(span: Span, name: str) -> list[str]:
    """An attribute of several texts; none where it states none."""
    stated = fact(span, name)
    return [str(one) for one in stated] if isinstance(stated, list) else []


def number(span: Span, name: str) -> int | float | None:
    """The same of what counts or measures; None for anything else, which an application can tell under any name."""
    value = fact(span, name)
    return value if isinstance(value, int | float) and not isinstance(value, bool) else None


def is_request(span: Span) -> bool:
    """Whether it is a request to the server itself."""
    return names.REQUEST_ID in span["attributes"]


def is_call(span: Span) -> bool:
    """Whether it is a call of a provider."""
    return names.PROVIDER_ID in span["attributes"]


def is_attempt(span: Span) -> bool:
    """Whether it is an attempt to get an answer from another server."""
    return names.SERVER_ADDRESS in span["attributes"] and names.METHOD in span["attributes"]


def is_tool(span: Span) -> bool:
    """Whether it is a tool that a model has called."""
    return fact(span, names.OPERATION) == "execute_tool" and not is_call(span)


def failed(span: Span) -> bool:
    """Also a request that was refused, which is no error of a server's."""
    return span["status"] == "error" or (number(span, names.STATUS) or 0) >= 400


def place(span: Span) -> str:
    """Where an attempt went: `api.groq.com`, and the port unless that is the usual one."""
    address, port = str(fact(span, names.SERVER_ADDRESS) or "an address that is none"), fact(span, names.SERVER_PORT)
    return address if port in (None, 0, 80, 443) else f"{address}:{port}"


def first_s(span: Span) -> float | None:
    """Seconds until the first piece of a stream, which is within its span; None for what is no stream."""
    stated = number(span, names.FIRST_CHUNK_S)
    return None if stated is None or stated < 0 else min(float(stated), took_s(span))


def tokens(span: Span) -> str:
    """`31 tokens in (24 cached), 10 out`; empty where none were counted."""
    asked, answered = number(span, names.INPUT_TOKENS), number(span, names.OUTPUT_TOKENS)
    cached, thought = number(span, names.CACHE_READ_TOKENS), number(span, names.REASONING_TOKENS)
    parts = []
    if asked is not None:
        parts.append(f"{asked:,} token{'' if asked == 1 else 's'} in" + (f" ({cached:,} cached)" if cached else ""))
    if answered is not None:
        unit = "" if parts else " token" if answered == 1 else " tokens"
        parts.append(f"{answered:,}{unit} out" + (f" ({thought:,} reasoning)" if thought else ""))
    return ", ".join(parts)


def tokens_per_s(span: Span) -> float | None:
    """How fast a model wrote from its first token on; None where that cannot be told."""
    if fact(span, names.API) != "inference":  # what leads to calls of models waits for more than their tokens
        return None
    first, count = first_s(span), fact(span, names.OUTPUT_TOKENS)
    if first is None or not isinstance(count, int) or count < 2 or (rest := took_s(span) - first) <= 0:
        return None
    return (count - 1) / rest


def beside(span: Span) -> list[str]:
    """What it states of its API's own, such as `chunks 12`, in the words of its attributes."""
    found = []
    for name, value in span["attributes"].items():
        if name in _SAID or name.startswith(names.RATE):
            continue
        if name.startswith(_BESIDE) and isinstance(value, str | int | float):
            words = name.removeprefix("llama_stack.").removeprefix("engine.").replace(".", " ").replace("_", " ")
            shown = (
                ("yes" if value else "no")
                if isinstance(value, bool)
                else f"{value:,}"
                if isinstance(value, int)
                else value
            )
            found.append(f"{words} {shown}")
    return found
