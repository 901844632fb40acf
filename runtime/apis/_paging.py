"""How every list that can grow is read: page by page, as OpenAI's lists are
(https://platform.openai.com/docs/api-reference/introduction). The storage reads such pages in
`runtime/storage/sql/paging.py`.
"""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from runtime.apis._request import Request, Response

Order = Literal["asc", "desc"]


class PageRequest(Request):
    """Which page of a list. A list has more fields of its own, and may have another usual limit."""

    after: str | None = Field(
        None, description="The id of the last item of the page before this one. By default, the list begins."
    )
    before: str | None = Field(
        None, description="The id of the first item of the page after this one. By default, the list ends."
    )
    limit: int = Field(20, ge=1, le=100, description="The most items of a page. The default is 20.")
    order: Order = Field("desc", description="Oldest first with `asc`. The default is `desc`, newest first.")


class Page(Response):
    """One page of a list; `data` is declared by each list."""

    object: Literal["list"] = Field("list", description="Always `list`.")
    first_id: str | None = Field(None, description="The id of the first item, null on an empty page.")
    last_id: str | None = Field(None, description="The id of the last item, null on an empty page.")
    has_more: bool = Field(description="Whether another page follows.")
