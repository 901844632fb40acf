"""What a server says that refuses a request, where that is a fault, in OpenAI's shape."""

from __future__ import annotations

from runtime.faults.parsing import Fault
from runtime.sse import Json, encode

WORDS = "an injected fault"
"""What messages say of each of them."""
INJECTED = "injected"
"""The member of an error that says so, too."""
_RETRY_AFTER = {"retry-after-ms": "100", "retry-after": "1"}
"""As Azure OpenAI says it after a 429: short, since nobody needs the time. Clients that know the second alone wait a
second.
"""
_TYPES = {401: "authentication_error", 403: "permission_error", 429: "rate_limit_error"}
_CODES = {401: "invalid_api_key", 429: "rate_limit_exceeded"}


def refusal_body(fault: Fault) -> bytes:
    status = fault.status
    error: Json = {
        "message": f"This is {WORDS}",
        "type": _TYPES.get(status) or ("invalid_request_error" if status < 500 else "server_error"),
        "param": None,
        "code": _CODES.get(status),
        INJECTED: fault.name,
    }
    return encode({"error": error})


def refusal_headers(fault: Fault) -> dict[str, str]:
    return {"content-type": "application/json", **(_RETRY_AFTER if fault.status == 429 else {})}
