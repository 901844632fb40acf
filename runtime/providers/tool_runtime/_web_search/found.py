"""What a vendor found, read from its answer with care, and written down for a model."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from runtime.errors import UpstreamError
from runtime.providers.tool_runtime._web_search.asked import WebSearchArguments
from runtime.providers.tool_runtime._web_search.domains import is_within

_LONGEST_TITLE, _LONGEST_SNIPPET, _LONGEST_URL = 300, 4000, 2048
_NOTHING = "Nothing was found."


@dataclass(frozen=True, kw_only=True)
class Result:
    """A page. snippet: what of it fits the query."""

    url: str
    title: str
    snippet: str

    def shown(self) -> dict[str, str]:
        return {"url": self.url, "title": self.title, "snippet": self.snippet}


@dataclass(frozen=True, kw_only=True)
class Members:
    """Where a vendor's answer has its results (`web.results`), and what it calls the members of one. snippets: the
    names that may have it; the first that has something counts.
    """

    results: str
    snippets: tuple[str, ...]
    url: str = "url"
    title: str = "title"

    def read(self, answer: Any, provider_id: str) -> list[Result]:
        """Those that have an address. An answer without results has found nothing. Raises UpstreamError for one of
        another form.
        """
        found = answer
        for name in self.results.split("."):
            if not isinstance(found, dict):
                raise self._refusal(provider_id)
            found = found.get(name)
            if found is None:
                return []
        if not isinstance(found, list):
            raise self._refusal(provider_id)
        return [result for one in found if isinstance(one, dict) and (result := self._result(one)) is not None]

    def _result(self, one: Mapping[str, Any]) -> Result | None:
        url = one.get(self.url)
        if not isinstance(url, str) or not url.startswith(("http://", "https://")) or len(url) > _LONGEST_URL:
            return None
        snippet = next((text for name in self.snippets if (text := _text(one.get(name)))), "")
        title = _cut(_text(one.get(self.title)), _LONGEST_TITLE)
        return Result(url=url, title=" ".join(title.split()), snippet=_cut(snippet, _LONGEST_SNIPPET))

    def _refusal(self, provider_id: str) -> UpstreamError:
        return UpstreamError(f"`{provider_id}` answered without a list `{self.results}`", provider_id=provider_id)


def kept(results: Sequence[Result], asked: WebSearchArguments, most: int) -> list[Result]:
    """Those of the domains that are asked for, each address once, at most so many."""
    found: dict[str, Result] = {}
    for one in results:
        is_allowed = not asked.allowed_domains or is_within(one.url, asked.allowed_domains)
        if is_allowed and not is_within(one.url, asked.blocked_domains or ()):
            found.setdefault(one.url, one)
    return list(found.values())[:most]


def written(results: Sequence[Result]) -> str:
    """What a model reads."""
    pages = [
        "\n".join(filter(None, [f"[{place}] {one.title}", one.url, one.snippet]))
        for place, one in enumerate(results, start=1)
    ]
    return "\n\n".join(pages) or _NOTHING


def _text(value: Any) -> str:
    if isinstance(value, list):
        return "\n".join(filter(None, map(_text, value)))
    return value.strip() if isinstance(value, str) else ""


def _cut(text: str, most: int) -> str:
    return text if len(text) <= most else text[: most - 1] + "…"
