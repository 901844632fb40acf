"""Which of a caller's own headers are sent on."""

from __future__ import annotations

import re
from typing import Annotated, Self

from pydantic import BaseModel, BeforeValidator, Field, model_validator

_HEADER_NAME = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_BLOCKED = frozenset(
    {
        *("host", "content-type", "content-length", "content-encoding", "transfer-encoding", "accept-encoding"),
        *("connection", "keep-alive", "upgrade", "te", "trailer", "expect", "cookie", "set-cookie"),
        *("forwarded", "proxy-authorization", "proxy-connection", "via", "x-real-ip"),
    }
)
_BLOCKED_BEGINNINGS = ("x-forwarded-", "x-llamastack-", "x-ogx-")


class ForwardsHeaders(BaseModel):
    """The settings of every provider that does."""

    forward_headers: Annotated[dict[str, str], BeforeValidator(lambda given: {} if given is None else given)] = Field(
        {},
        description="Fields of a caller's `X-LlamaStack-Provider-Data`, and the header that each is sent on in, as it "
        "is: `{tenant: X-Tenant}`. No other field is sent on. A configured `api_key` goes before `Authorization`.",
    )
    extra_blocked_headers: list[str] = Field(
        [], description="Headers that `forward_headers` must not name, besides those that HTTP and proxies need."
    )

    @model_validator(mode="after")
    def _only_headers_that_may_be_sent(self) -> Self:
        """Raises ValueError for a header that a caller must not set, without quoting any value of a caller."""
        blocked = _BLOCKED | {name.strip().lower() for name in self.extra_blocked_headers}
        for field, header in self.forward_headers.items():
            if not _HEADER_NAME.fullmatch(header):
                raise ValueError(f"`{header}` in `forward_headers` is not the name of a header")
            if header.lower() in blocked or header.lower().startswith(_BLOCKED_BEGINNINGS):
                raise ValueError(f"`forward_headers` must not set `{header}`")
            if field.startswith("__"):
                raise ValueError(f"`{field}` in `forward_headers` begins with `__`, which callers cannot send")
        return self
