"""From a request to a model: what handlers bind and refuse, and what paths answer, over the whole application."""

from __future__ import annotations

from typing import Any

import pytest

from runtime.conformance.asgi import Client
from runtime.server.served import MAX_BODY_BYTES
from tests.support import at_prober

pytestmark = pytest.mark.asyncio(loop_scope="module")
client, prober = at_prober.client, at_prober.prober

# Binding


async def test_fields_come_from_path_and_query_in_their_types(client: Client) -> None:
    answer = await client.get("/v1/things/a%20b?count=3&deep=true&tags=x&tags=y%26z")
    given = answer.json()["given"]
    assert (given["thing_id"], given["count"], given["deep"], given["tags"]) == ("a b", 3, True, ["x", "y&z"])


async def test_one_value_of_a_list_is_a_list_of_one(client: Client) -> None:
    assert (await client.get("/v1/things/a?tags=x")).json()["given"]["tags"] == ["x"]


async def test_fields_come_from_path_query_and_body(client: Client) -> None:
    answer = await client.post("/v1/things/a?limit=5", {"name": "n", "size": 2})
    assert answer.status == 201
    given = answer.json()["given"]
    assert (given["thing_id"], given["limit"], given["name"], given["size"]) == ("a", 5, "n", 2)


async def test_a_body_that_repeats_its_path_is_fine_and_one_that_contradicts_it_is_not(client: Client) -> None:
    assert (await client.post("/v1/things/a", {"name": "n", "thing_id": "a"})).status == 201
    answer = await client.post("/v1/things/a", {"name": "n", "thing_id": "b"})
    assert (answer.status, answer.error["param"]) == (400, "thing_id")


async def test_a_field_of_the_body_is_not_taken_from_the_query(client: Client) -> None:
    answer = await client.post("/v1/things/a?name=n", {})
    assert (answer.status, answer.error["param"]) == (400, "name")


async def test_an_older_path_is_the_same_route(client: Client) -> None:
    assert (await client.get("/v1/old-things/a")).json() == (await client.get("/v1/things/a")).json()


async def test_a_body_may_be_left_out_where_every_field_may(client: Client) -> None:
    assert len((await client.request("POST", "/v1/tell")).events()) == 3


@pytest.mark.parametrize("query", ["count=many", "deep=perhaps", "count=1&count=2"])
async def test_a_query_of_the_wrong_type_names_its_field(client: Client, query: str) -> None:
    answer = await client.get(f"/v1/things/a?{query}")
    assert (answer.status, answer.error["param"], answer.error["code"]) == (400, query.split("=")[0], "invalid_value")


async def test_every_wrong_field_is_told(client: Client) -> None:
    answer = await client.post("/v1/things/a?limit=x", {"size": "big", "colour": "red"})
    assert answer.status == 400
    for field in ("limit", "name", "size", "colour"):
        assert f"`{field}`" in answer.error["message"]


@pytest.mark.parametrize(
    "body", [b"{", b"nonsense", b"[1]", b"null", b'"text"', b"\xfe", b'{"name": "\\ud800"}', b"[" * 100_000]
)
@pytest.mark.parametrize("path", ["/v1/things/a", "/v1/chat/completions"])
async def test_what_is_no_json_object_is_a_400(client: Client, path: str, body: bytes) -> None:
    answer = await client.request("POST", path, body=body)
    assert answer.status == 400
    assert answer.error["type"] == "invalid_request_error"


@pytest.mark.parametrize("number", [b"NaN", b"Infinity", b"-Infinity", b"1e999"])
async def test_a_number_that_json_does_not_have_is_never_a_500(client: Client, number: bytes) -> None:
    body = b'{"model": "p/x", "messages": [{"role": "user", "content": "hi"}], "unknown": ' + number + b"}"
    assert (await client.request("POST", "/v1/chat/completions", body=body)).status in (400, 404)
    assert (await client.request("POST", "/v1/things/a", body=b'{"name": "n", "size": ' + number + b"}")).status == 400


async def test_a_body_in_pieces_is_one_body(client: Client) -> None:
    answer = await client.request("POST", "/v1/things/a", body=[b'{"na', b"", b'me": "n"', b"}"])
    assert answer.json()["given"]["name"] == "n"


@pytest.mark.parametrize(
    "facts",
    [
        {"headers": {"content-length": str(MAX_BODY_BYTES + 1)}, "body": [b"{}"]},
        {"body": [b"x" * (MAX_BODY_BYTES // 2)] * 2 + [b"x"]},
    ],
    ids=["announced", "sent"],
)
async def test_a_body_that_is_too_large_is_a_413(client: Client, facts: dict[str, Any]) -> None:
    answer = await client.request("POST", "/v1/tell", **facts)
    assert (answer.status, answer.error["code"]) == (413, "request_too_large")


# Methods and paths


async def test_no_such_route_is_a_404_of_ours(client: Client) -> None:
    answer = await client.post("/v1/nothing/here", {})
    assert (answer.status, answer.error["code"]) == (404, "not_found")
    assert answer.error["message"].startswith("`POST /v1/nothing/here` is no route of this server")
    assert "/v1/inspect/routes" in answer.error["message"]


async def test_a_browser_at_the_server_s_address_is_led_to_the_documentation(client: Client) -> None:
    there = await client.request("GET", "/", headers={"accept": "text/html,application/xhtml+xml,*/*;q=0.8"})
    assert (there.status, there.headers["location"], there.headers["vary"]) == (307, "docs", "accept")
    assert (await client.get("/")).error["message"].startswith("`GET /` is no route of this server")


@pytest.mark.parametrize("path", ["/chat/completions", "/v1/v1/chat/completions"])
async def test_a_base_url_without_v1_or_with_two_is_told(client: Client, path: str) -> None:
    answer = await client.post(path, {})
    assert answer.status == 404
    assert "did you mean `/v1/chat/completions`?" in answer.error["message"]


@pytest.mark.parametrize(
    ("asked", "meant"),
    [
        ("/v1/chat/completion", "/v1/chat/completions"),
        ("/v1/chat/complections", "/v1/chat/completions"),
        ("/v1/thing/a%20b", "/v1/things/{thing_id}"),
    ],
)
async def test_a_path_that_is_almost_one_is_told(client: Client, asked: str, meant: str) -> None:
    answer = await client.post(asked, {})
    assert answer.status == 404 and answer.error["message"].endswith(f"hint: did you mean `{meant}`?")


async def test_a_path_of_any_length_is_answered_at_once(client: Client) -> None:
    answer = await client.get("/v1/" + "chat/" * 10_000)
    assert answer.status == 404 and "/v1/inspect/routes" in answer.error["message"]


async def test_another_method_is_a_405_that_says_which_are_allowed(client: Client) -> None:
    answer = await client.request("DELETE", "/v1/chat/completions")
    assert (answer.status, answer.error["code"]) == (405, "method_not_allowed")
    assert set(answer.headers["allow"].split(", ")) == {"GET", "HEAD", "POST", "OPTIONS"}
    words = "`/v1/chat/completions` does not answer DELETE\nhint: send GET, or send POST"
    assert answer.error["message"] == words


@pytest.mark.parametrize("method", ["TRACE", "CONNECT", "BREW", "PATCH"])
async def test_a_method_that_nothing_here_has_is_a_405(client: Client, method: str) -> None:
    answer = await client.request(method, "/v1/health")
    assert (answer.status, "GET" in answer.headers["allow"]) == (405, True)


async def test_a_method_is_the_one_of_its_line(client: Client) -> None:
    headers = {"x-http-method-override": "POST", "x-method-override": "POST"}
    assert (await client.get("/v1/things/a", headers=headers)).status == 200


async def test_head_is_get_without_its_body(client: Client) -> None:
    got, headed = await client.get("/v1/health"), await client.request("HEAD", "/v1/health")
    assert (headed.status, headed.body) == (200, b"")
    assert headed.headers["content-length"] == got.headers["content-length"]


async def test_options_says_what_is_allowed(client: Client) -> None:
    answer = await client.request("OPTIONS", "/v1/things/a")
    assert answer.status == 204
    assert {"GET", "HEAD", "POST", "OPTIONS"} == set(answer.headers["allow"].split(", "))


async def test_a_name_with_slashes_is_one_field(client: Client) -> None:
    answer = await client.get("/v1/models/meta-llama/Llama-3.2-1B")
    assert "`meta-llama/Llama-3.2-1B`" in answer.error["message"]
    assert (await client.get("/v1/models/meta-llama%2FLlama-3.2-1B")).error == answer.error
