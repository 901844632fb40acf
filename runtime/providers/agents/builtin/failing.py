"""A response that failed, as the error that it is at this door."""

from __future__ import annotations

from runtime.errors import RateLimited, RequestError, StackError, UpstreamError
from runtime.sse import Json


def failure_of(response: Json) -> StackError | None:
    """Why a response failed; None for one that did not."""
    if response["status"] != "failed":
        return None
    told = response["error"]
    code, message = told["code"], told["message"]
    if code == "rate_limit_exceeded":
        return RateLimited(message)
    if code == "invalid_prompt":
        return RequestError(message, code=code)
    return UpstreamError(message, provider_id="responses", type=told.get("type"), code=code)
