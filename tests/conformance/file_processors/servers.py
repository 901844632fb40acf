"""Servers that read documents, at wire level: each checks what its documentation says of a request, and answers with a
document in its documented form.

Docling Serve: https://docling-project.github.io/docling/usage/api_server/rest_api/; its form of a document:
https://docling-project.github.io/docling/concepts/docling_document. Partition API:
https://docs.unstructured.io/api-reference/general/summary and .../partition/document-elements. Read November 2026.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from aiohttp import web

LAYOUT: dict[str, Any] = {
    "schema_name": "DoclingDocument",
    "version": "1.10.0",
    "name": "llamas",
    "body": {
        "self_ref": "#/body",
        "children": [{"$ref": f"#/{place}"} for place in ("texts/0", "texts/1", "groups/0", "texts/5", "tables/0")],
        "label": "unspecified",
    },
    "groups": [
        {"self_ref": "#/groups/0", "label": "list", "children": [{"$ref": "#/texts/2"}, {"$ref": "#/texts/3"}]},
    ],
    "texts": [
        {"self_ref": "#/texts/0", "label": "title", "text": "Llamas", "prov": [{"page_no": 1}], "children": []},
        {"self_ref": "#/texts/1", "label": "text", "text": "They graze.", "prov": [{"page_no": 1}], "children": []},
        {"self_ref": "#/texts/2", "label": "list_item", "text": "one", "prov": [{"page_no": 1}], "children": []},
        {"self_ref": "#/texts/3", "label": "list_item", "text": "two", "prov": [{"page_no": 1}], "children": []},
        {"self_ref": "#/texts/4", "label": "page_footer", "text": "- 1 -", "prov": [{"page_no": 1}], "children": []},
        {
            "self_ref": "#/texts/5", "label": "section_header", "level": 1, "text": "Sizes", "prov": [{"page_no": 2}],
            "children": [{"$ref": "#/texts/4"}],
        },
    ],
    "tables": [
        {
            "self_ref": "#/tables/0", "label": "table", "prov": [{"page_no": 2}], "children": [],
            "data": {"grid": [[{"text": "name"}, {"text": "size"}], [{"text": "Ann"}, {"text": "tall"}]]},
        },
    ],
    "pages": {"1": {"page_no": 1}, "2": {"page_no": 2}},
}  # fmt: skip
ELEMENTS: list[dict[str, Any]] = [
    {"type": "Title", "text": "Llamas", "metadata": {"page_number": 1, "category_depth": 0}},
    {"type": "NarrativeText", "text": "They graze.", "metadata": {"page_number": 1}},
    {"type": "ListItem", "text": "one", "metadata": {"page_number": 1}},
    {"type": "ListItem", "text": "two", "metadata": {"page_number": 1}},
    {"type": "Footer", "text": "- 1 -", "metadata": {"page_number": 1}},
    {"type": "Title", "text": "Sizes", "metadata": {"page_number": 2, "category_depth": 1}},
    {
        "type": "Table",
        "text": "name size Ann tall",
        "metadata": {
            "page_number": 2,
            "text_as_html": "<table><tr><td>name</td><td>size</td></tr><tr><td>Ann</td><td>tall</td></tr></table>",
        },
    },
]
READ = "# Llamas\n\nThey graze.\n\n- one\n- two\n\n## Sizes\n\n| name | size |\n| --- | --- |\n| Ann | tall |"
"""What both of them say, as one chunk."""
KEY = "sk-documents"
OPTIONS = {"to_formats", "image_export_mode", "do_ocr", "page_range", "table_mode"}
PARTITION = {"strategy", "languages", "output_format", "coordinates"}


@dataclass
class DocumentServer:
    """paths: those asked for. fields: of each form. answer: replaces the document. polls: after how many questions a
    task has ended: with `ended`, as its status.
    """

    url: str = ""
    paths: list[str] = field(default_factory=list)
    forms: list[dict[str, list[str]]] = field(default_factory=list)
    content: bytes = b""
    answer: Any = None
    status: int = 200
    polls: int = 2
    ended: str = "success"

    async def docling(self, request: web.Request) -> web.Response:
        self.paths.append(request.path)
        if request.headers.get("x-api-key") != KEY:
            return web.json_response({"detail": "Unauthorized"}, status=401)
        if request.method == "POST" and request.path in ("/v1/convert/file", "/v1/convert/file/async"):
            if refused := await self._form(request, OPTIONS):
                return refused
            if self.forms[-1]["to_formats"] != ["json"]:
                return web.json_response({"detail": [{"msg": "to_formats"}]}, status=422)
            if request.path.endswith("async"):
                return web.json_response({"task_id": "a/task", "task_status": "pending", "task_position": 1})
            return self._converted() if self.ended == "success" else self._not_there()
        if request.method == "GET" and request.raw_path.startswith("/v1/status/poll/a%2Ftask"):
            self.polls -= 1
            return web.json_response({"task_id": "a/task", "task_status": "started" if self.polls > 0 else self.ended})
        if request.method == "GET" and request.raw_path == "/v1/result/a%2Ftask" and self.polls <= 0:
            return self._converted()
        return web.json_response({"detail": "Not Found"}, status=404)

    async def partition(self, request: web.Request) -> web.Response:
        self.paths.append(request.path)
        if request.headers.get("unstructured-api-key") != KEY:
            return web.json_response({"detail": "API key is missing or invalid"}, status=401)
        if (request.method, request.path) != ("POST", "/general/v0/general"):
            return web.json_response({"detail": "Not Found"}, status=404)
        if refused := await self._form(request, PARTITION):
            return refused
        return web.json_response(ELEMENTS if self.answer is None else self.answer, status=self.status)

    def _not_there(self) -> web.Response:
        """As docling-serve 1.38 answers for a conversion that broke down."""
        detail = "Task result not found. Please wait for a completion status."
        return web.json_response({"detail": detail}, status=404)

    def _converted(self) -> web.Response:
        document = {"filename": "llamas", "json_content": LAYOUT, "md_content": None}
        usual = {"document": document, "status": "success", "errors": [], "processing_time": 0.1, "timings": {}}
        return web.json_response(usual if self.answer is None else self.answer, status=self.status)

    async def _form(self, request: web.Request, known: set[str]) -> web.Response | None:
        """Read a form; an answer for one with fields that are not documented, or without one file."""
        fields: dict[str, list[str]] = {}
        files = 0
        async for part in await request.multipart():
            if part.filename is not None:  # type: ignore[union-attr]  # no parts inside of parts
                files += part.name == "files"
                self.content = await part.read()  # type: ignore[union-attr]
            else:
                fields.setdefault(str(part.name), []).append(await part.text())  # type: ignore[union-attr]
        self.forms.append(fields)
        unknown = sorted(set(fields) - known)
        if unknown or files != 1:
            return web.json_response({"detail": [{"loc": ["body", *unknown], "msg": "not allowed"}]}, status=422)
        return None


@asynccontextmanager
async def document_server(kind: str) -> AsyncIterator[DocumentServer]:
    """kind: `docling` or `partition`."""
    server = DocumentServer()
    app = web.Application(client_max_size=8 * 1024**2)
    app.router.add_route("*", "/{path:.*}", getattr(server, kind))
    runner = web.AppRunner(app)
    await runner.setup()
    try:
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        server.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
        yield server
    finally:
        await runner.cleanup()
