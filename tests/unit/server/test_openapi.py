"""The OpenAPI document: valid, of everything that is mounted, and true to what the handlers do."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Annotated, Any, Literal, Protocol

import pytest
from openapi_spec_validator import OpenAPIV31SpecValidator
from pydantic import ConfigDict, Discriminator, Field, Tag, create_model
from typing_extensions import TypedDict

from runtime.apis._api import Api, route
from runtime.apis._request import Request, Response
from runtime.conformance.asgi import Client
from runtime.conformance.stacks import run_config, serving
from runtime.server.doors import Doors
from runtime.server.openapi.document import document
from runtime.server.openapi.schemas import Schemas
from runtime.sse import Reply
from runtime.stack.plan import Plan, plan
from tests.support.examples import bell, diary, echoes, lamps, ledger, parrot, shelves
from tests.support.mounting import mount
from tests.support.stacks import openai_at

EXAMPLES = (bell, diary, echoes, lamps, ledger, parrot, shelves)
VENDOR = openai_at("http://127.0.0.1:9/v1")
Json = dict[str, Any]


def document_of(planned: Plan) -> Json:
    return document(planned, Doors(planned.apis.values()))


@pytest.fixture(scope="module")
def ours() -> Json:
    """The document of a stack with a remote provider."""
    return document_of(plan(run_config(VENDOR)))


def example(monkeypatch: pytest.MonkeyPatch, *modules: ModuleType) -> Json:
    """The document of a stack with the APIs of modules of `tests/support/examples`."""
    mount(monkeypatch, *modules)
    providers: dict[str, Any] = {"inference": []}
    for api, spec in (stated for module in modules for stated in module.SPECS):
        entry: Json = {"provider_id": spec.name, "provider_type": spec.provider_type}
        if spec.config:
            entry["config"] = {"persistence": {"backend": "kv_default", "namespace": "pages"}}
        providers.setdefault(api, []).append(entry)
    return document_of(plan(run_config(providers=providers)))


def operations(made: Json) -> Iterator[tuple[str, str, Json]]:
    """Method, path and operation."""
    for path, methods in made["paths"].items():
        for method, operation in methods.items():
            yield method.upper(), path, operation


def everything_in(value: Any) -> Iterator[Any]:
    yield value
    inner = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    for one in inner:
        yield from everything_in(one)


def check(made: Json) -> None:
    """What holds for every document."""
    OpenAPIV31SpecValidator(made).validate()
    for value in everything_in(made):
        if isinstance(value, str) and value.startswith("#/"):
            place: Any = made
            for step in value.removeprefix("#/").split("/"):
                assert step in place, f"{value} leads nowhere"
                place = place[step]
    for name in made["components"]["schemas"]:
        assert re.fullmatch(r"[A-Z][A-Za-z0-9]*", name), name
    ids = [operation["operationId"] for _, _, operation in operations(made)]
    assert len(ids) == len(set(ids)) and all(re.fullmatch(r"\w+", one) for one in ids)
    for _, path, operation in operations(made):
        in_path = [one["name"] for one in operation.get("parameters", ()) if one["in"] == "path"]
        assert in_path == re.findall(r"{(\w+)}", path)
        assert operation["summary"] and operation["tags"][0] in [tag["name"] for tag in made["tags"]]
        assert {"400", "403", "431", "500", "503"} < set(operation["responses"])


def test_our_document_is_valid(ours: Json) -> None:
    check(ours)
    assert ours["openapi"].startswith("3.1")
    assert all(tag["description"] for tag in ours["tags"])


def test_the_document_of_all_mechanisms_is_valid(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of all together: to look at one takes half a second, mostly for what they share."""
    made = example(monkeypatch, *EXAMPLES)
    check(made)
    assert {api.name for module in EXAMPLES for api in module.APIS} <= {tag["name"] for tag in made["tags"]}


async def test_it_has_exactly_the_routes_that_inspect_lists(tmp_path: Path) -> None:
    async with serving(run_config(VENDOR), tmp_path, settled=False) as served:
        made = (await served.client.get("/openapi.json")).json()
        listed = set()
        for level in ("", "?api_filter=deprecated"):
            for one in (await served.client.get(f"/v1/inspect/routes{level}")).json()["data"]:
                if one["method"] not in ("WS", "ANY"):  # OpenAPI has no WebSockets, and no protocols of others
                    listed.add((one["method"], one["route"].replace(":path}", "}"), one["deprecated"]))
    assert listed == {(method, path, one.get("deprecated", False)) for method, path, one in operations(made)}


def test_an_older_path_is_marked_and_says_of_what(ours: Json) -> None:
    newer, older = (ours["paths"][f"{path}/chat/completions"]["post"] for path in ("/v1", "/v1/openai/v1"))
    assert "deprecated" not in newer and older["deprecated"] is True
    assert older["x-alias-of"] == newer["operationId"] == "inference_chat_completion"
    assert older["operationId"] == "inference_chat_completion_post_v1_openai_v1_chat_completions"
    assert older["responses"] == newer["responses"] and older["requestBody"] == newer["requestBody"]
    assert "deprecated" not in ours["paths"]["/health"]["get"]


def test_a_stream_is_described_by_its_events(ours: Json, monkeypatch: pytest.MonkeyPatch) -> None:
    answer = ours["paths"]["/v1/chat/completions"]["post"]["responses"]["200"]
    schemas = {kind: media["schema"]["$ref"].rpartition("/")[2] for kind, media in answer["content"].items()}
    assert schemas == {"application/json": "ChatCompletion", "text/event-stream": "ChatCompletionChunk"}
    assert "`stream: true`" in answer["description"] and "`data: [DONE]`" in answer["description"]
    only = example(monkeypatch, echoes)["paths"]["/v1/echoes/again"]["post"]["responses"]["200"]
    assert set(only["content"]) == {"text/event-stream"} and "[DONE]" not in only["description"]


def test_who_answers_decides_which_errors_come(ours: Json, monkeypatch: pytest.MonkeyPatch) -> None:
    def statuses(made: Json, path: str, method: str = "get") -> set[str]:
        return set(made["paths"][path][method]["responses"])

    always = {"400", "403", "431", "500", "503"}
    assert statuses(ours, "/v1/health") == {"200", *always}
    assert statuses(ours, "/v1/models/{model_id}", "delete") == {"204", "404", "409", *always}
    with_body = {"200", "413", "415", *always}
    assert statuses(ours, "/v1/models", "post") == {*with_body, "409"}
    of_a_provider = {*with_body, "404", "429", "501"}
    upstream = {"401", "4XX", "502", "504"}
    assert statuses(ours, "/v1/embeddings", "post") == {*of_a_provider, *upstream}
    assert statuses(example(monkeypatch, lamps), "/v1/lighting/on", "post") == of_a_provider


def test_files_are_bodies_and_answers(monkeypatch: pytest.MonkeyPatch) -> None:
    made = example(monkeypatch, shelves)
    put, fill, read = (
        made["paths"][path][method]
        for path, method in (
            ("/v1/books", "post"),
            ("/v1/books/{book_id}", "put"),
            ("/v1/books/{book_id}/content", "get"),
        )
    )
    assert set(put["requestBody"]["content"]) == {"multipart/form-data"}
    form = made["components"]["schemas"]["PutRequestBody"]
    assert form["properties"]["file"]["format"] == "binary" and form["required"] == ["file", "purpose"]
    assert form["properties"]["expires_after"]["$ref"].endswith("/ExpiresAfter"), "a form has no null"
    assert set(fill["requestBody"]["content"]) == {"application/octet-stream"}
    assert {"200", "206", "304", "416"} < set(read["responses"]) and set(read["responses"]["200"]["content"]) == {"*/*"}


def test_a_field_of_path_or_query_is_not_in_the_body(monkeypatch: pytest.MonkeyPatch) -> None:
    class ChangeRequest(Request):
        model_config = ConfigDict(json_schema_extra={"examples": [{"thing_id": "a", "name": "n"}]})

        thing_id: str = Field(description="Which.")
        name: str = Field(description="Its name.")

    schemas = Schemas([ChangeRequest])
    assert schemas.at(schemas.body(ChangeRequest, outside={"thing_id"}, is_form=False)) == {
        "additionalProperties": False,
        "examples": [{"name": "n"}],
        "properties": {"name": {"description": "Its name.", "type": "string"}},
        "required": ["name"],
        "type": "object",
    }
    assert schemas.at(schemas.of(ChangeRequest))["required"] == ["thing_id", "name"]
    rung = example(monkeypatch, bell)["paths"]["/v1/bells/{bell}:ring"]["post"]
    assert "requestBody" not in rung, "its only field is in its path"
    assert "slashes" in rung["parameters"][0]["description"]


def test_a_query_has_no_null(ours: Json) -> None:
    [level] = ours["paths"]["/v1/inspect/routes"]["get"]["parameters"]
    assert (level["in"], level["required"]) == ("query", False)
    assert level["schema"] == {"enum": ["v1", "v1alpha", "v1beta", "deprecated"], "type": "string"}


def test_a_door_has_its_own_errors(monkeypatch: pytest.MonkeyPatch) -> None:
    made = example(monkeypatch, bell)
    answers = made["paths"]["/v1/bells/{bell}:streamRing"]["post"]["responses"]
    assert answers["404"]["content"]["application/json"]["schema"] == {"$ref": "#/components/schemas/Dong"}
    assert "event `dong`" in answers["200"]["description"]
    assert "409" in made["paths"]["/v1/bells/{bell}:ring"]["post"]["responses"], "`raises` names it"
    assert made["paths"]["/v1/health"]["get"]["responses"]["400"] == {"$ref": "#/components/responses/RequestError"}


def test_a_web_socket_is_listed_beside_the_paths(monkeypatch: pytest.MonkeyPatch) -> None:
    made = example(monkeypatch, parrot)
    [socket] = made["x-websockets"]
    assert (socket["path"], socket["operationId"]) == ("/v1/parrot", "parrots_talk")
    assert socket["request"]["$ref"].endswith("/SayRequest") and socket["event"]["$ref"].endswith("/Said")
    assert set(made["paths"]["/v1/parrot"]) == {"post"}


# Models of any kind


class _Left(TypedDict):
    side: Literal["left"]


class _Other(TypedDict):
    side: str


Side = Annotated[
    Annotated[_Left, Tag("left")] | Annotated[_Other, Tag("other")],
    Discriminator(lambda value: "left" if value.get("side") == "left" else "other"),
]


class OddRequest(Request):
    title: str | None = Field(None, description="A field of this name.")
    sides: list[Side] = Field(description="Chosen by a function.")
    parts: dict[str, OddRequest] = Field(default_factory=dict, description="The same again.")


def named(name: str, module: str, **fields: Any) -> type[Response]:
    return create_model(name, __base__=Response, __module__=module, **fields)


def test_typed_dicts_functions_that_choose_and_models_in_themselves() -> None:
    schemas = Schemas([OddRequest])
    made = schemas.used(schemas.of(OddRequest))
    assert set(made) == {"Left", "OddRequest", "Other"}
    assert made["OddRequest"]["properties"]["title"] == {
        "anyOf": [{"type": "string"}, {"type": "null"}],
        "description": "A field of this name.",
    }
    members = made["OddRequest"]["properties"]["sides"]["items"]
    assert [one["$ref"].rpartition("/")[2] for one in members["anyOf"]] == ["Left", "Other"], "both may fit"


def test_two_models_of_one_name_are_called_by_their_apis() -> None:
    pair = [named("Usage", "runtime.apis.inference._shared", x=int), named("Usage", "runtime.apis.responses", y=int)]
    same = [named("Count", "elsewhere.a", x=int), named("Count", "elsewhere.b", y=int)]
    schemas = Schemas([*pair, *same])
    assert [schemas.of(model)["$ref"].rpartition("/")[2] for model in pair] == ["InferenceUsage", "ResponsesUsage"]
    assert {schemas.of(model)["$ref"].rpartition("/")[2] for model in same} == {"Count", "Count2"}


def test_an_answer_without_a_model_is_any_object(monkeypatch: pytest.MonkeyPatch) -> None:
    class AnyRequest(Request):
        text: str = Field(description="Anything.")

    class Anything(Protocol):
        @route("POST", "/v1/anything")
        async def ask(self, request: AnyRequest) -> Reply:
            """Ask."""
            ...

    Anything.ask.__annotations__ |= {"request": AnyRequest}
    module = ModuleType("anything")
    module.APIS = (Api("anything", Anything),)  # type: ignore[attr-defined]
    module.SPECS = tuple(("anything", spec) for _, spec in bell.SPECS)  # type: ignore[attr-defined]
    answer = example(monkeypatch, module)["paths"]["/v1/anything"]["post"]["responses"]["200"]
    assert answer["content"]["application/json"]["schema"] == {"type": "object"}


# Served


@pytest.mark.parametrize(
    ("path", "kind"), [("/openapi.json", "application/json"), ("/docs", "text/html; charset=utf-8")]
)
async def test_it_is_kept_by_clients_until_it_changes(client: Client, path: str, kind: str) -> None:
    whole = await client.get(path)
    assert (whole.status, whole.headers["content-type"]) == (200, kind)
    assert whole.headers["x-request-id"] and whole.headers["cache-control"] == "no-cache"
    again = await client.get(path, headers={"if-none-match": f'"x", {whole.headers["etag"]}'})
    assert (again.status, again.body) == (304, b"")
    headed = await client.request("HEAD", path)
    assert (headed.body, headed.headers["content-length"]) == (b"", str(len(whole.body)))
    assert (await client.post(path)).status == 405
