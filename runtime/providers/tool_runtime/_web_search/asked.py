"""What a search of the web is asked for, as the tool's arguments have it."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import AfterValidator, Field, StringConstraints
from pydantic_core import PydanticCustomError

from runtime.providers.tool_runtime._arguments import Arguments
from runtime.providers.tool_runtime._web_search.domains import domain_of

MOST_RESULTS = 50
_MOST_DOMAINS = 100


def _domain(given: str) -> str:
    domain = domain_of(given)
    if domain is None:
        raise PydanticCustomError("domain", "`{given}` is no domain such as `example.com`", {"given": given[:100]})
    return domain


_Domain = Annotated[str, StringConstraints(min_length=1, max_length=512), AfterValidator(_domain)]
_Text = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=200, pattern=r"^[^\r\n]*$")]


class Location(Arguments):
    """About where the user is."""

    type: Literal["approximate"] | None = Field(None, description="Always `approximate`.")
    country: Annotated[str, StringConstraints(pattern=r"^[A-Za-z]{2}$", to_upper=True)] | None = Field(
        None, description="The country, as two letters (ISO 3166-1), such as `US`."
    )
    region: _Text | None = Field(None, description="The region, such as `California`.")
    city: _Text | None = Field(None, description="The city, such as `San Francisco`.")
    timezone: _Text | None = Field(None, description="The time zone (IANA), such as `America/Los_Angeles`.")


class WebSearchArguments(Arguments):
    query: Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=2000)] = Field(
        description="What to look for: a question or words."
    )
    max_results: int | None = Field(None, ge=1, le=MOST_RESULTS, description="The most results.")
    allowed_domains: Annotated[list[_Domain], Field(max_length=_MOST_DOMAINS)] | None = Field(
        None, description="Only pages of these domains and of those below them, such as `example.com`."
    )
    blocked_domains: Annotated[list[_Domain], Field(max_length=_MOST_DOMAINS)] | None = Field(
        None, description="No pages of these domains and of those below them."
    )
    user_location: Location | None = Field(None, description="About where the user is, for results near there.")

    @property
    def is_filtered(self) -> bool:
        return bool(self.allowed_domains or self.blocked_domains)

    @property
    def location(self) -> Location:
        return self.user_location or Location()

    def with_sites(self) -> str:
        """The query with its domains in words that search engines document: `site:` and `-site:`."""
        allowed = " OR ".join(f"site:{domain}" for domain in self.allowed_domains or ())
        blocked = [f"-site:{domain}" for domain in self.blocked_domains or ()]
        several = len(self.allowed_domains or ()) > 1
        return " ".join(filter(None, [self.query, f"({allowed})" if several else allowed, *blocked]))
