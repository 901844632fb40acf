"""A vendor's rate limits and waits, as it states them in headers: what our client sees of them, and what they mean.

The names differ: `x-ratelimit-*` (OpenAI, Groq, Mistral, ...), `anthropic-ratelimit-*`, `ratelimit` (IETF draft),
`x-tokenlimit-*` (Together), `llm_provider-x-ratelimit-*` (litellm). `retry-after`: RFC 9110, 10.2.3.
"""

from __future__ import annotations

from collections.abc import Mapping
from email.utils import parsedate_to_datetime

from runtime.clock import wall_time
from runtime.http.transport import Outgoing

REQUEST_ID = "x-llama-upstream-request-id"
"""The vendor's own id of a request, which its support asks for. `x-request-id` has ours."""
SHOULD_RETRY = "x-should-retry"
"""OpenAI's clients repeat a request after a 408, 409, 429 or 5xx, unless the answer says `false` here."""
NO_RETRY = {SHOULD_RETRY: "false"}
_REQUEST_IDS = frozenset(
    ("x-request-id", "request-id", "x-amzn-requestid", "apim-request-id", "opc-request-id", "nvcf-reqid")
)
_PARTS = ("ratelimit", "rate-limit", "tokenlimit", "retry-after")
_LENGTH = 256
_NAME_LENGTH = 64
_MAX_PASSED_ON = 32
"""With these limits they stay below 11 kB. Node refuses an answer with more than 16 kB of headers, Python's http.client
one with more than 100.
"""
_MAX_NAMES = 4096
_HOPELESS = ("insufficient_quota", "billing_hard_limit_reached", "1113")
"""Codes of a 429 for an account without credit: of OpenAI, OpenAI, and Z.AI."""
_sent_as: dict[str, str] = {}  # header name -> name for our client; empty for one that is not passed on


def passed_on(headers: Mapping[str, str], sent: Outgoing) -> dict[str, str]:
    """An answer's limits, waits and request id, for our client: at most 32, none of them very long. sent: the request,
    whose key must not come back, nor its own id.

    Called for every answer, so a name that was seen before costs one look-up.
    """
    own_id, key = sent.headers.get("x-request-id"), sent.key.value if sent.key is not None else None
    found: dict[str, str] = {}
    for name, value in headers.items():
        ours = _sent_as.get(name)
        if ours is None:
            ours = _name(name)
        if not ours or len(value) > _LENGTH or (key is not None and key in value):
            continue
        if not (ours is REQUEST_ID and (value == own_id or ours in found)):
            found[ours] = value
            if len(found) == _MAX_PASSED_ON:
                break
    return found


def _name(name: str) -> str:
    """The name under which a header is passed on; empty if it is not."""
    if len(name) > _NAME_LENGTH:  # and it is not remembered
        return ""
    if len(_sent_as) >= _MAX_NAMES:  # an upstream could send other names for ever
        _sent_as.clear()
    lower = name.lower()
    kept = lower if any(part in lower for part in _PARTS) else ""
    ours = _sent_as[name] = REQUEST_ID if lower in _REQUEST_IDS else kept
    return ours


def advice(headers: Mapping[str, str]) -> dict[str, str]:
    """Whether the vendor wants a refused request to be sent again, as OpenAI's clients understand it."""
    said = headers.get(SHOULD_RETRY, "").strip().lower()
    return {SHOULD_RETRY: said} if said in ("true", "false") else {}


def wait_s(headers: Mapping[str, str]) -> float | None:
    """How long to wait before the request is sent again, in seconds; None if the answer does not say."""
    try:
        if given := headers.get("retry-after-ms"):
            return max(0.0, float(given) / 1000)
        if given := headers.get("retry-after"):
            return max(0.0, float(given) if not given[:1].isalpha() else _until(given))
    except (ValueError, OverflowError):  # a text, and a date beyond the calendar
        pass
    return None


def _until(date: str) -> float:
    """The seconds until an HTTP date. Raises ValueError for another text."""
    return parsedate_to_datetime(date).timestamp() - wall_time()


def is_hopeless(limits: Mapping[str, str], code: str | None) -> bool:
    """Whether a 429 will also be the answer later: the account has no credit, or its plan does not have the model,
    which Mistral and OpenRouter state as a limit of 0. limits: as from `passed_on`.
    """
    if code in _HOPELESS:
        return True
    return any(value.strip() == "0" and "limit" in name.split("-") for name, value in limits.items())
