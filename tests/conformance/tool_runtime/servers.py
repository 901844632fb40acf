"""Vendors' tools at wire level: each checks what its documentation says of a request, and answers in its documented
form with the same pages.

Brave: https://api-dashboard.search.brave.com/app/documentation/web-search/query. Tavily:
https://docs.tavily.com/documentation/api-reference/endpoint/search. Bing:
https://learn.microsoft.com/en-us/bing/search-apis/bing-web-search/reference/query-parameters. Exa:
https://docs.exa.ai/reference/search. Serply: https://serply.io/docs. Nimble:
https://docs.nimbleway.com/nimble-sdk/web-tools/search. Wolfram Alpha:
https://products.wolframalpha.com/api/documentation. Read November 2026.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from aiohttp import web

KEY = "key-of-the-config"
PAGES = [
    ("https://llamas.example/speed", "How fast", "A llama runs 56 km/h."),
    ("https://blog.llamas.example/pace", "Pace", "They can pace."),
    ("https://other.example/a", "Other", "Something else."),
    ("https://llamas.example.evil.test/", "Not it", "Looks like it."),
]


@dataclass(frozen=True, kw_only=True)
class Form:
    """What a vendor documents. path, method: of a search. key: the header with the key, and what stands before it.
    fields: those of the query or the body. query, count: what these two are called; most: the highest count. answer:
    from pages to its documented answer.
    """

    path: str
    method: str
    key: tuple[str, str]
    fields: frozenset[str]
    query: str
    count: str
    most: int
    answer: Callable[[list[dict[str, Any]]], Any]
    page: Callable[[str, str, str], dict[str, Any]]


FORMS = {
    "brave-search": Form(
        path="/res/v1/web/search", method="GET", key=("x-subscription-token", ""), query="q", count="count", most=20,
        fields=frozenset({"q", "country", "search_lang", "ui_lang", "count", "offset", "safesearch", "freshness",
                          "text_decorations", "spellcheck", "result_filter", "goggles", "units", "extra_snippets"}),
        page=lambda url, title, text: {"type": "search_result", "url": url, "title": title, "description": text},
        answer=lambda pages: {"type": "search", "query": {"original": "x"}, "web": {"type": "search", "results": pages}}
        if pages else {"type": "search", "query": {"original": "x"}},
    ),
    "tavily-search": Form(
        path="/search", method="POST", key=("authorization", "Bearer "), query="query", count="max_results", most=20,
        fields=frozenset({"query", "auto_parameters", "topic", "search_depth", "chunks_per_source", "max_results",
                          "time_range", "include_answer", "include_raw_content", "include_images", "include_domains",
                          "exclude_domains", "country", "include_favicon"}),
        page=lambda url, title, text: {"url": url, "title": title, "content": text, "score": 0.9, "raw_content": None},
        answer=lambda pages: {"query": "x", "answer": None, "images": [], "results": pages, "response_time": "1.67"},
    ),
    "bing-search": Form(
        path="/v7.0/search", method="GET", key=("ocp-apim-subscription-key", ""), query="q", count="count", most=50,
        fields=frozenset({"q", "answerCount", "cc", "count", "freshness", "mkt", "offset", "promote", "responseFilter",
                          "safeSearch", "setLang", "textDecorations", "textFormat"}),
        page=lambda url, title, text: {"id": "1", "url": url, "name": title, "snippet": text, "displayUrl": url},
        answer=lambda pages: {"_type": "SearchResponse", "webPages": {"totalEstimatedMatches": 4, "value": pages}}
        if pages else {"_type": "SearchResponse"},
    ),
    "exa-search": Form(
        path="/search", method="POST", key=("x-api-key", ""), query="query", count="numResults", most=100,
        fields=frozenset({"query", "type", "category", "userLocation", "numResults", "includeDomains", "excludeDomains",
                          "startPublishedDate", "endPublishedDate", "moderation", "contents"}),
        page=lambda url, title, text: {"id": url, "url": url, "title": title, "highlights": [text], "author": None},
        answer=lambda pages: {"requestId": "r1", "resolvedSearchType": "neural", "results": pages},
    ),
    "serply-search": Form(
        path="/v1/search", method="GET", key=("x-api-key", ""), query="q", count="num", most=100,
        fields=frozenset({"q", "num", "start", "gl", "hl", "lr", "tbs"}),
        page=lambda url, title, text: {"link": url, "title": title, "description": text, "realPosition": 1},
        answer=lambda pages: {"results": pages, "total": len(pages)},
    ),
    "nimble-search": Form(
        path="/v1/search", method="POST", key=("authorization", "Bearer "), query="query", count="max_results",
        most=100,
        fields=frozenset({"query", "focus", "max_results", "search_depth", "include_answer", "include_domains",
                          "exclude_domains", "country", "locale", "time_range", "output_format"}),
        page=lambda url, title, text: {"url": url, "title": title, "description": text},
        answer=lambda pages: {"total_results": len(pages), "results": pages, "request_id": "r1"},
    ),
}  # fmt: skip
DOMAIN_FIELDS = {
    "tavily-search": ("include_domains", "exclude_domains"),
    "exa-search": ("includeDomains", "excludeDomains"),
    "nimble-search": ("include_domains", "exclude_domains"),
}


@dataclass
class ToolServer:
    """asked: the fields of each request. headers: of each. pages: what is found. answers: replaces an answer, as its
    status and its JSON.
    """

    name: str
    url: str = ""
    asked: list[dict[str, Any]] = field(default_factory=list)
    headers: list[Mapping[str, str]] = field(default_factory=list)
    keys: list[str] = field(default_factory=list)
    pages: list[tuple[str, str, str]] = field(default_factory=lambda: list(PAGES))
    answers: tuple[int, Any] | None = None

    async def answer(self, request: web.Request) -> web.Response:
        self.headers.append(request.headers)
        if self.name == "wolfram-alpha":
            return self._wolfram(request)
        form = FORMS[self.name]
        header, scheme = form.key
        given = request.headers.get(header, "")
        if not given.startswith(scheme) or not given.removeprefix(scheme):
            return web.json_response({"message": "no key"}, status=401)
        self.keys.append(given.removeprefix(scheme))
        if (request.method, request.path) != (form.method, form.path):
            return web.json_response({"message": "not found"}, status=404)
        fields: dict[str, Any] = dict(request.query) if form.method == "GET" else await request.json()
        self.asked.append(fields)
        unknown = set(fields) - form.fields
        if unknown or not fields.get(form.query) or not 1 <= int(fields.get(form.count, 1)) <= form.most:
            return web.json_response({"message": f"wrong request: {sorted(unknown)}"}, status=422)
        if self.answers is not None:
            return web.json_response(self.answers[1], status=self.answers[0])
        pages = [form.page(*page) for page in self.pages][: int(fields[form.count])]
        return web.json_response(form.answer(pages))

    def _wolfram(self, request: web.Request) -> web.Response:
        if (request.method, request.path) != ("GET", "/v2/query"):
            return web.json_response({"message": "not found"}, status=404)
        self.asked.append(dict(request.query))
        self.keys.append(request.query.get("appid", ""))
        known = {"appid", "input", "format", "output"}
        if set(request.query) != known or request.query["output"] != "json":
            return web.json_response({"message": "wrong request"}, status=400)
        if self.answers is not None:
            return web.json_response(self.answers[1], status=self.answers[0])
        pods = [
            {"title": "Input", "id": "Input", "subpods": [{"title": "", "plaintext": "2 + 2"}]},
            {"title": "Plot", "id": "Plot", "subpods": [{"title": "", "plaintext": ""}]},
            {"title": "Result", "id": "Result", "primary": True, "subpods": [{"title": "", "plaintext": "4"}]},
        ]
        return web.json_response({"queryresult": {"success": True, "error": False, "numpods": 3, "pods": pods}})


@asynccontextmanager
async def tool_server(name: str) -> AsyncIterator[ToolServer]:
    """name: of a provider, without `remote::`."""
    server = ToolServer(name)
    app = web.Application()
    app.router.add_route("*", "/{path:.*}", server.answer)
    runner = web.AppRunner(app)
    await runner.setup()
    try:
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        path = "/v2/query" if name == "wolfram-alpha" else FORMS[name].path
        server.url = f"http://127.0.0.1:{runner.addresses[0][1]}{path.rpartition('/')[0]}"
        if name == "brave-search":
            server.url = server.url.removesuffix("/web")
        yield server
    finally:
        await runner.cleanup()
