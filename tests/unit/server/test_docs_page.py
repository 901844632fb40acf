"""The page of the API: whole without anything to load, allowed by its own policy, and safe whatever a text holds."""

from __future__ import annotations

import base64
import re
import shlex
from hashlib import sha256
from html.parser import HTMLParser
from typing import Any

import pytest

from runtime.conformance.stacks import run_config
from runtime.server.doors import Doors
from runtime.server.openapi.document import document
from runtime.server.openapi.page import SERVER, DocumentPage, page
from runtime.stack.plan import plan
from tests.support.examples import parrot, shelves
from tests.support.mounting import mount
from tests.support.stacks import openai_at

VOID = {"meta", "link", "input", "br"}


class Elements(HTMLParser):
    """Holds a document to closing what it opens. addresses: what it loads or links to; texts: by the element's name."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.ids: list[str] = []
        self.addresses: list[str] = []
        self._pieces: dict[str, list[list[str]]] = {}
        self._open: list[str] = []
        self.feed(html)
        self.close()
        assert self._open == []
        self.texts = {tag: ["".join(pieces) for pieces in every] for tag, every in self._pieces.items()}

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        given = dict(attributes)
        assert not any(name.startswith("on") or name == "style" for name in given), "the policy forbids these"
        if tag not in VOID:
            self._open.append(tag)
        if found := given.get("id"):
            self.ids.append(found)
        self.addresses += [value for name in ("src", "href") if (value := given.get(name))]
        self._pieces.setdefault(tag, []).append([])

    def handle_endtag(self, tag: str) -> None:
        assert self._open.pop() == tag

    def handle_data(self, data: str) -> None:
        for tag in set(self._open):
            self._pieces[tag][-1].append(data)


def of(providers: Any = None) -> dict[str, Any]:
    planned = plan(run_config(openai_at("http://127.0.0.1:9/v1"), **({"providers": providers} if providers else {})))
    return document(planned, Doors(planned.apis.values()))


@pytest.fixture(scope="module")
def made() -> dict[str, Any]:
    return of()


@pytest.fixture(scope="module")
def shown(made: dict[str, Any]) -> DocumentPage:
    return page(made, document_path="openapi.json")


@pytest.fixture(scope="module")
def elements(shown: DocumentPage) -> Elements:
    return Elements(shown.html.decode())


def test_it_loads_nothing_and_its_links_lead_somewhere(made: dict[str, Any], elements: Elements) -> None:
    assert len(elements.ids) == len(set(elements.ids))
    for address in elements.addresses:
        assert address in ("openapi.json", "data:,") or address.removeprefix("#") in elements.ids, address
    for methods in made["paths"].values():
        for operation in methods.values():
            assert operation["operationId"] in elements.ids


def test_its_policy_allows_its_own_style_and_script_alone(shown: DocumentPage, elements: Elements) -> None:
    for tag, kind in (("style", "style-src"), ("script", "script-src")):
        [text] = elements.texts[tag]
        digest = base64.b64encode(sha256(text.encode()).digest()).decode()
        assert f"{kind} 'sha256-{digest}'" in shown.security_policy
    assert shown.security_policy.startswith("default-src 'none'")


def commands_of(found: Elements) -> list[list[str]]:
    """The words of each example, as a shell reads them."""
    return [shlex.split(text.replace("\\\n", " ")) for text in found.texts["pre"]]


def test_each_operation_has_a_command(elements: Elements) -> None:
    commands = commands_of(elements)
    assert ["curl", "-s", f"{SERVER}/v1/health"] in commands
    assert ["curl", "-s", f"{SERVER}/v1/models/MODEL_ID", "-X", "DELETE"] in commands
    [chat, _] = [words for words in commands if words[2] == f"{SERVER}/v1/chat/completions"]
    assert chat[3:5] == ["-H", "content-type: application/json"] and '"messages"' in chat[6]


def test_files_and_web_sockets_are_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    providers: dict[str, Any] = {"inference": []}
    for module in (shelves, parrot):
        mount(monkeypatch, module)
        providers |= {api: [{"provider_id": "p", "provider_type": spec.provider_type}] for api, spec in module.SPECS}
    found = Elements(page(of(providers), document_path="openapi.json").html.decode())
    commands = commands_of(found)
    assert ["curl", "-s", f"{SERVER}/v1/books", "-F", "file=@FILE", "-F", "purpose=PURPOSE"] in commands
    assert ["curl", "-s", f"{SERVER}/v1/books/BOOK_ID", "-X", "PUT", "--data-binary", "@FILE"] in commands
    assert "/v1/parrot" in found.texts["main"][0].partition("WebSockets")[2]


def test_what_a_text_holds_stays_a_text(made: dict[str, Any]) -> None:
    hostile = "</script><script>x()</script> `<b>` \"'& {{ 1 }}\n\n- <i>a</i>\n- `b`"
    schema = {"type": "object", "description": hostile, "examples": [{hostile: hostile}], "properties": {
        hostile: {"description": hostile, "pattern": hostile, "default": hostile, "enum": [hostile]}
    }}  # fmt: skip
    name = next(iter(made["components"]["schemas"]))
    schemas = {**made["components"]["schemas"], name: schema, "RegisterModelRequest": schema}
    html = page({**made, "components": {**made["components"], "schemas": schemas}}, document_path="o").html.decode()
    assert len(Elements(html).texts["script"]) == 1
    assert not re.search(r"<(b|i)>", html)
    assert "<code>b</code>" in html
