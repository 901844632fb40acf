"""What is said of a request that does not fit: which field, whatever it is called, and not more than a person reads."""

from __future__ import annotations

import json
import time
from collections.abc import AsyncIterator
from typing import Any

import pytest
import pytest_asyncio

from runtime.conformance.asgi import Client
from runtime.conformance.stacks import run_config, serving
from tests.support.house import furnish, probe_spec

pytestmark = pytest.mark.asyncio(loop_scope="module")
CHAT = {"model": "m", "messages": [{"role": "user", "content": "hi"}]}


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def client(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Client]:
    providers = {"probe": [{"provider_id": "p", "provider_type": "inline::prober"}], "inference": []}
    with pytest.MonkeyPatch.context() as patch:
        furnish(patch, [probe_spec()])
        run = run_config(providers=providers)
        async with serving(run, tmp_path_factory.mktemp("state")) as running:
            yield running.client


# Paths


@pytest.mark.parametrize("path", ["/v1/models" + "/" * 60_000 + "a", "/v1/models/" + "a//" * 20_000])
async def test_a_path_of_nothing_but_slashes_costs_nothing(client: Client, path: str) -> None:
    began = time.thread_time()
    answer = await client.get(path)
    assert answer.status == 400 and "at most 512 characters" in answer.error["message"]
    assert time.thread_time() - began < 1.0


# Queries


@pytest.mark.parametrize(
    "query", ["tags[]=x&tags[]=y", "tags=x&tags[]=y", "tags=x&tags=y", "tags%5B%5D=x&tags%5b%5d=y"]
)
async def test_both_spellings_of_a_list_are_one(client: Client, query: str) -> None:
    assert (await client.get(f"/v1/things/a?{query}")).json()["given"]["tags"] == ["x", "y"]


async def test_one_value_in_brackets_is_a_list_of_one(client: Client) -> None:
    assert (await client.get("/v1/things/a?tags[]=x")).json()["given"]["tags"] == ["x"]


@pytest.mark.parametrize(
    ("query", "param"),
    [
        ("limit=abc", "limit"),
        ("foo-bar=1", "foo-bar"),
        ("str=1", "str"),
        ("count=%ff", "count"),
        ("tags=%ed%a0%80", "tags"),
        ("tags[]=%c3", "tags"),
        ("count", "count"),
        ("count=1%00", "count"),
        ("=1", '""'),
        ("a%1b[31m=1", r"a\x1b[31m"),
        ("count[]=1&count[]=2", "count"),
        ("thing_id=b", "thing_id"),
    ],
)
async def test_a_bad_query_names_its_key(client: Client, query: str, param: str) -> None:
    answer = await client.get(f"/v1/things/a?{query}")
    assert (answer.status, answer.error["param"], answer.error["code"]) == (400, param, "invalid_value")
    assert f"`{param}`" in answer.error["message"]


async def test_what_only_the_query_knows_is_passed_over_where_there_is_a_body(client: Client) -> None:
    """Azure's clients send `api-version` with everything."""
    answer = await client.post("/v1/things/a?api-version=2024-10-21&limit=3", {"name": "n"})
    assert answer.json()["given"]["limit"] == 3


# Paths


@pytest.mark.parametrize("name", ["%00", "a%0ab", "%1b[31m", "%7f", "%ff", "%c3", "%ed%a0%80"])
async def test_a_name_that_is_none_is_a_400_that_names_its_field(client: Client, name: str) -> None:
    assert (await client.get(f"/v1/things/{name}")).error["param"] == "thing_id"
    assert (await client.get(f"/v1/models/x/{name}")).error["param"] == "model_id"


@pytest.mark.parametrize(
    ("name", "meant"), [("..", ".."), ("%2e%2e", ".."), ("a%20b", "a b"), ("%25", "%"), ("é", "é"), ("{x}", "{x}")]
)
async def test_any_other_name_is_one(client: Client, name: str, meant: str) -> None:
    assert (await client.get(f"/v1/things/{name}")).json()["thing_id"] == meant


# Bodies


@pytest.mark.parametrize(
    "key", ["foo-bar", "str", "list", "int", "Ünï", "a b", "a.b", "0", "[0]", "model_type", "__class__"]
)
async def test_a_key_is_named_whatever_it_is_called(client: Client, key: str) -> None:
    answer = await client.post("/v1/things/a", {"name": "n", key: 1})
    assert (answer.status, answer.error["param"]) == (400, key)


@pytest.mark.parametrize(
    ("key", "shown"), [("\x1b[31m", r"\x1b[31m"), ("a\nb", r"a\nb"), ("\u202e", r"\u202e"), ("", '""'), ("\0", r"\x00")]
)
async def test_what_a_terminal_would_obey_is_spelled_out(client: Client, key: str, shown: str) -> None:
    assert (await client.post("/v1/things/a", {"name": "n", key: 1})).error["param"] == shown


@pytest.mark.parametrize(
    ("change", "places"),
    [
        (
            {"messages": [{"role": "user", "content": [{"text": "hi"}]}]},
            ["messages[0].content[0].type"],
        ),
        ({"messages": [{"role": "king"}]}, ["messages[0].role"]),
        ({"messages": [{}]}, ["messages[0].role"]),
        ({"messages": {"str": 1}}, ["messages"]),
        ({"stop": 5}, ["stop"]),
        ({"stop": ["a", 5]}, ["stop[1]"]),
        ({"logit_bias": {"str": "x", "a-b": "y"}}, ["logit_bias.str", "logit_bias.a-b"]),
        ({"stream_options": {"include_usage": 5}}, ["stream_options.include_usage"]),
    ],
)
async def test_a_place_is_the_one_in_the_body(client: Client, change: dict[str, Any], places: list[str]) -> None:
    """Pydantic's own has the members of unions in it, which may be called as a field is."""
    answer = await client.post("/v1/chat/completions", CHAT | change)
    told = dict.fromkeys(part.split("`")[1] for part in answer.error["message"].split("; "))
    assert (answer.status, list(told)) == (400, places)


async def test_not_more_is_told_than_a_person_reads(client: Client) -> None:
    for body in (
        {"name": "n", "k" * 1_000_000: 1},
        {"name": "n", **{f"key{number}": 1 for number in range(10_000)}},
        {"name": "n", **{"k" * 1000 + str(number): 1 for number in range(100)}},
    ):
        answer = await client.post("/v1/things/a", body)
        assert answer.status == 400
        assert len(answer.body) < 10_000
    assert "and 80 more" in answer.error["message"]
    answer = await client.post("/v1/chat/completions", CHAT | {"model": "m" * 1_000_000})
    assert answer.status == 400 and len(answer.body) < 10_000


async def test_a_list_of_what_is_wrong_costs_no_more_than_a_right_one(client: Client) -> None:
    """Else a body of 64 MB is gigabytes of complaints."""
    answer = await client.post("/v1/chat/completions", CHAT | {"messages": [1] * 1000})
    assert answer.error["message"] == "Invalid request: `messages[0]`: expected an object, got `1`"


# What JSON can hold


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("seed", "1e400"),
        ("seed", "1" + "0" * 400),
        ("seed", str(2**63)),
        ("temperature", "NaN"),
        ("temperature", "1e999"),
        ("frequency_penalty", "NaN"),
        ("logit_bias", '{"1": NaN}'),
        ("logit_bias", '{"1": 1e999}'),
        ("n", "1e999"),
        ("stop", "[NaN]"),
    ],
)
async def test_a_number_that_is_none_names_its_field(client: Client, field: str, value: str) -> None:
    """Our engine would compute with it, and a vendor's JSON cannot hold it."""
    body = json.dumps(CHAT)[:-1] + f', "{field}": {value}}}'
    answer = await client.request("POST", "/v1/chat/completions", body=body.encode())
    assert answer.status == 400
    assert (answer.error["param"] or field).startswith(field)


@pytest.mark.parametrize("path", ["/v1/things/a", "/v1/chat/completions"])
@pytest.mark.parametrize(
    ("body", "status"),
    [
        ('{"name": "n", "name": "m", %s}', 0),
        ('{"name": "\\u0000", %s}', 0),
        ('{"name": "\\ud83d\\ude00", %s}', 0),
        ('{"name": "\\ud800", %s}', 400),
        ('{"name": "n", "x": ' + "1" * 5000 + ", %s}", 400),
        ('{"name": "n", "x": ' + "[" * 1000 + "]" * 1000 + ", %s}", 400),
        ('{"name": "n", %s} {}', 400),
        ("{'name': 1, %s}", 400),
    ],
)
async def test_odd_json_is_read_as_json_says(client: Client, path: str, body: str, status: int) -> None:
    """status: 0 where it is fine."""
    rest = '"size": 1' if "things" in path else json.dumps(CHAT)[1:-1]
    answer = await client.request("POST", path, body=(body % rest).encode())
    assert answer.status == (status or (201 if "things" in path else 404))
