"""Rows that a model makes up: what a vendor is asked, which of its answers are rows, what becomes of them."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from aiohttp import web

from runtime.conformance.asgi import Client
from runtime.conformance.stacks import run_config
from runtime.conformance.upstream import CHAT_MODEL, EMBEDDING_MODEL, Upstream, upstream_server
from runtime.conformance.upstream.scripted import Said, Script, says
from runtime.errors import Unavailable
from tests.support.datasets import LISTS, Lists, rows_source, with_lists
from tests.support.scoring import LETTERS, with_letters
from tests.support.stacks import openai_at, serving

PATH = "/v1/synthetic-data-generation/generate"
MODEL = f"vendor/{CHAT_MODEL}"
ASKED = {"role": "user", "content": "Ask something about the sea"}
LONG = {"role": "user", "content": "word " * 200_000}
PAIR = {
    "type": "object",
    "properties": {"generated_answer": {"type": "string"}, "expected_answer": {"type": "string"}},
    "required": ["generated_answer", "expected_answer"],
}
COLOUR = {"type": "object", "properties": {"colour": {"type": "string"}}, "required": ["colour"]}


def one_by_one(**config: Any) -> list[dict[str, Any]]:
    """The provider, asking in the order of a script."""
    settings = {"max_concurrent_requests": 1, **config}
    return [{"provider_id": "maker", "provider_type": "inline::builtin", "config": settings}]


@pytest_asyncio.fixture
async def upstream() -> AsyncIterator[Upstream]:
    async with upstream_server() as running:
        yield running


@pytest_asyncio.fixture
async def client(upstream: Upstream, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> AsyncIterator[Client]:
    with_lists(monkeypatch)
    with_letters(monkeypatch)
    providers = {
        "inference": [openai_at(upstream.url)],
        "datasetio": [LISTS],
        "scoring": [LETTERS],
        "synthetic_data_generation": one_by_one(),
    }
    async with serving(run_config(providers=providers), tmp_path) as served:
        yield served.client


async def made(client: Client, **body: Any) -> Any:
    answer = await client.post(PATH, body)
    assert answer.status == 200, answer.body
    return answer.json()


async def refused(client: Client, **body: Any) -> tuple[int, str, str]:
    answer = await client.post(PATH, body)
    return answer.status, answer.error["param"], answer.error["message"]


def scripted(upstream: Upstream, *answers: Said | str | dict[str, Any]) -> Script:
    """The vendor says these one after the other."""
    said = [one if isinstance(one, Said) else says(one if isinstance(one, str) else json.dumps(one)) for one in answers]
    upstream.misbehaves = script = Script(*said)
    return script


async def test_a_dialog_is_answered_again_and_again(client: Client, upstream: Upstream) -> None:
    dialogs = [{"role": "system", "content": "Be brief."}, ASKED]
    script = scripted(upstream, "How deep is it?", "Is it cold?", "HOW deep  is it?", "Who swims there?")
    found = await made(client, dialogs=dialogs, filtering_function="none", model=MODEL, num_samples=3, seed=5)
    questions = ["How deep is it?", "Is it cold?", "Who swims there?"]
    prompt = "Ask something about the sea"
    assert found["synthetic_data"] == [{"prompt": prompt, "response": question} for question in questions]
    assert [body["messages"] for body in script.asked] == [dialogs] * 4
    assert [body["seed"] for body in script.asked] == [5, 6, 7, 8], "so that no answer has to be the one before"
    assert not any("response_format" in body or "logprobs" in body for body in script.asked)
    statistics = found["statistics"]
    told = {name: statistics[name] for name in ("num_asked", "num_duplicates", "num_kept", "ended", "scored_by")}
    assert told == {"num_asked": 4, "num_duplicates": 1, "num_kept": 3, "ended": "enough", "scored_by": None}
    assert (statistics["prompt_tokens"], statistics["completion_tokens"]) == (20, 28)


async def test_rows_of_a_schema_are_asked_for_as_such_and_checked(client: Client, upstream: Upstream) -> None:
    cut = says('{"colour": "gre', finish="length")
    script = scripted(upstream, {"colour": "red"}, {"colour": 3}, "no JSON", cut, "", ["red"], {"colour": "teal"})
    found = await made(client, dialogs=[ASKED], row_schema=COLOUR, num_samples=2, max_attempts=7)
    assert found["synthetic_data"] == [{"colour": "red"}, {"colour": "teal"}]
    assert {json.dumps(body["response_format"]) for body in script.asked} == {
        json.dumps({"type": "json_schema", "json_schema": {"name": "row", "schema": COLOUR}})
    }
    [first, *_, last] = [body["messages"] for body in script.asked]
    assert [message["role"] for message in first] == ["user"], "many models take no two of a user in a row"
    assert first[0]["content"].startswith("Ask something about the sea\n\nMake up one row")
    assert '{"colour":"red"}' in last[0]["content"] and '{"colour":"red"}' not in first[0]["content"]
    statistics = found["statistics"]
    assert statistics["wrong"] == {"does_not_fit": 2, "no_json": 1, "cut": 1, "empty": 1}
    assert (statistics["num_wrong"], statistics["num_asked"]) == (5, 7)
    assert statistics["first_wrong"] == '`colour`: 3 is not of type "string"'
    assert statistics["row_schema"] == COLOUR


async def test_half_of_an_answer_is_no_row(client: Client, upstream: Upstream) -> None:
    scripted(upstream, says("Is it", finish="content_filter"), "Is it cold?")
    found = await made(client, dialogs=[ASKED], num_samples=1)
    assert [one["response"] for one in found["synthetic_data"]] == ["Is it cold?"]
    assert found["statistics"]["wrong"] == {"cut": 1}
    assert found["statistics"]["first_wrong"] == "it was cut by a filter of its provider: `Is it`"


@pytest.mark.parametrize("schema", [{}, {"type": ["object", "null"]}])
async def test_a_row_is_an_object_whatever_its_schema_lets_through(
    client: Client, upstream: Upstream, schema: dict[str, Any]
) -> None:
    script = scripted(upstream, {"colour": "red"})
    found = await made(client, row_schema=schema, num_samples=1)
    assert found["statistics"]["row_schema"] == {"type": "object"}
    assert script.asked[0]["response_format"]["json_schema"]["schema"] == {"type": "object"}


async def test_what_is_asked_for_ends_with_the_attempts(client: Client, upstream: Upstream) -> None:
    scripted(upstream, {"colour": "red"})
    found = await made(client, row_schema=COLOUR, num_samples=2, max_attempts=3)
    assert found["synthetic_data"] == [{"colour": "red"}]
    statistics = found["statistics"]
    assert (statistics["num_asked"], statistics["num_duplicates"], statistics["ended"]) == (3, 2, "attempts")


async def test_seed_rows_say_the_schema_are_shown_and_are_not_made_up_again(client: Client, upstream: Upstream) -> None:
    seeds = [{"name": "Ada", "age": 36}, {"name": "Bo", "age": None, "tags": ["x"]}, {"name": "Cy", "age": 1.5}]
    facts = {"purpose": "eval/question-answer", "source": rows_source(*seeds[1:]), "dataset_id": "people"}
    assert (await client.post("/v1beta/datasets", json=facts)).status == 200
    script = scripted(upstream, {"name": "ada", "age": 36}, {"name": "Di", "age": 4})
    asked = {"seed_rows": seeds[:1], "seed_dataset_id": "people", "num_samples": 1, "num_examples": 2, "seed": 1}
    found = await made(client, **asked)
    assert found["synthetic_data"] == [{"name": "Di", "age": 4}]
    assert found["statistics"]["row_schema"] == {
        "type": "object",
        "properties": {
            "name": {"type": "string"},
            "age": {"type": ["null", "number"]},
            "tags": {"type": "array", "items": {"type": "string"}},
        },
        "required": ["name", "age"],
        "additionalProperties": False,
    }
    shown = [sum(json.dumps(row, separators=(",", ":")) in body["messages"][-1]["content"] for row in seeds)
             for body in script.asked]  # fmt: skip
    assert shown == [2, 2]


async def test_the_same_seed_makes_the_same_rows_when_several_are_asked_at_once(
    upstream: Upstream, tmp_path: Path
) -> None:
    async with serving(run_config(openai_at(upstream.url)), tmp_path) as served:
        asked = {"row_schema": COLOUR, "num_samples": 12, "filtering_function": "random"}
        one, other = [(await made(served.client, **asked, seed=3)) for _ in range(2)]
        another = await made(served.client, **asked)
        again = await made(served.client, **asked, seed=another["statistics"]["seed"])
    assert one == other and one["synthetic_data"] != another["synthetic_data"]
    assert again == another, "the statistics tell a seed that nobody gave"


async def test_rows_are_scored_by_a_function_and_become_a_dataset(client: Client, upstream: Upstream) -> None:
    rows = [{"generated_answer": one, "expected_answer": other} for one, other in ("aa", "bc", "dd")]
    scripted(upstream, *rows)
    told = {"scoring_function": "letters::same", "threshold": 0.5, "dataset_id": "letters-made"}
    found = await made(client, row_schema=PAIR, num_samples=3, model=MODEL, seed=9, **told)
    assert found["synthetic_data"] == [rows[0], rows[2]]
    statistics = found["statistics"]
    assert (statistics["num_below_threshold"], statistics["scores"]) == (1, [1.0, 1.0])
    assert statistics["scored_by"] == "letters::same"
    assert found["dataset_id"] == "letters-made"
    assert (await client.get("/v1beta/datasetio/iterrows/letters-made")).json()["data"] == [rows[0], rows[2]]
    kept = (await client.get("/v1beta/datasets/letters-made")).json()
    assert (kept["purpose"], kept["metadata"]) == ("eval/question-answer", {"made_up_by": MODEL, "seed": 9})


async def test_a_function_that_cannot_score_such_rows_is_told_after_the_first_one(
    client: Client, upstream: Upstream
) -> None:
    script = scripted(upstream, "a", "b", "c")
    told = {"dialogs": [ASKED], "scoring_function": "letters::first", "filtering_function": "top_k"}
    status, param, message = await refused(client, **told, num_samples=9)
    assert (status, param) == (400, "scoring_function") and "gives the score `a`, and `top_k` needs numbers" in message
    assert len(script.asked) == 1


async def test_of_no_row_no_dataset_is_made(client: Client, upstream: Upstream) -> None:
    scripted(upstream, "nonsense")
    found = await made(client, row_schema=COLOUR, num_samples=1, dataset_id="nothing")
    assert (found["synthetic_data"], found["dataset_id"]) == ([], None)
    assert (await client.get("/v1beta/datasets/nothing")).status == 404


async def test_what_a_function_reads_is_the_answer_and_what_was_asked(client: Client, upstream: Upstream) -> None:
    scripted(upstream, "Salt")
    found = await made(client, dialogs=[ASKED], scoring_function="letters::first", num_samples=1)
    assert found["synthetic_data"] == [
        {"prompt": "Ask something about the sea", "response": "Salt", "score": "S"},
    ]


async def test_without_a_function_rows_are_scored_by_their_probability(client: Client, upstream: Upstream) -> None:
    def likely(text: str, *logprobs: float) -> Said:
        tokens = [[{"token": "x", "logprob": one, "bytes": None, "top_logprobs": []}] for one in logprobs]
        return says(*text.split(), logprobs=[[], *tokens])

    script = scripted(upstream, likely("a b", -1, -3), likely("c d", -0.5, -0.5), likely("e f", -9, -9))
    asked = {"dialogs": [ASKED], "filtering_function": "top_k", "top_k": 2, "num_samples": 3}
    found = await made(client, **asked)
    assert [(one["response"], one["score"]) for one in found["synthetic_data"]] == [("ab", -2.0), ("cd", -0.5)]
    assert (found["statistics"]["scored_by"], found["statistics"]["num_filtered"]) == ("logprob", 1)
    assert all(body["logprobs"] is True for body in script.asked)
    scripted(upstream, "no probabilities")
    status, param, message = await refused(client, **asked)
    assert (status, param) == (501, "filtering_function") and "name a `scoring_function`" in message


async def test_near_copies_are_told_by_the_vectors_of_a_model(client: Client, upstream: Upstream) -> None:
    script = scripted(upstream, {"colour": "red"}, {"colour": "a dark red"}, {"colour": "green"})
    vectors = {"red": [1.0, 0.0], "a dark red": [0.9, 0.1], "green": [0.0, 2.0]}

    async def answer(request: web.Request) -> web.StreamResponse:
        if not request.path.endswith("/embeddings"):
            return await script(request)
        texts = (await request.json())["input"]
        data = [{"index": place, "object": "embedding", "embedding": vectors[text]} for place, text in enumerate(texts)]
        return web.json_response({"object": "list", "data": data, "model": "m", "usage": {}})

    upstream.misbehaves = answer
    diversity = {"embedding_model": f"vendor/{EMBEDDING_MODEL}", "max_similarity": 0.9}
    found = await made(client, row_schema=COLOUR, num_samples=2, diversity=diversity)
    assert found["synthetic_data"] == [{"colour": "red"}, {"colour": "green"}]
    assert found["statistics"]["num_duplicates"] == 1


async def test_what_fails_on_the_way_is_counted_and_what_is_there_is_answered(
    client: Client, upstream: Upstream
) -> None:
    failure = says(breaks="error")
    scripted(upstream, {"colour": "red"}, failure, {"colour": "green"}, failure)
    found = await made(client, row_schema=COLOUR, num_samples=3)
    statistics = found["statistics"]
    assert (statistics["num_failed"], statistics["num_asked"], statistics["ended"]) == (6, 8, "failures")
    assert found["synthetic_data"] == [{"colour": "red"}, {"colour": "green"}]
    assert "overloaded" in statistics["first_failure"]
    scripted(upstream, says(breaks="error"))
    assert (await client.post(PATH, {"row_schema": COLOUR})).status == 502, "nothing was made up"


async def test_a_provider_that_is_asked_too_much_is_asked_again_at_its_pace(client: Client, upstream: Upstream) -> None:
    script = scripted(upstream, {"colour": "red"}, {"colour": "green"})
    refusals = iter([True] * 4)

    async def answer(request: web.Request) -> web.StreamResponse:
        if request.method == "POST" and next(refusals, False):
            return web.json_response({"error": {"message": "slower"}}, status=429, headers={"retry-after": "0"})
        return await script(request)

    upstream.misbehaves = answer
    found = await made(client, row_schema=COLOUR, num_samples=2)
    assert (found["statistics"]["first_failure"], found["statistics"]["num_asked"]) == (None, 2)


async def test_when_the_time_is_over_what_is_there_is_the_answer(upstream: Upstream, tmp_path: Path) -> None:
    script = scripted(upstream, {"colour": "red"}, {"colour": "green"})
    is_waiting = asyncio.Event()

    async def answer(request: web.Request) -> web.StreamResponse:
        if len(script.asked) == 2:
            is_waiting.set()
            await asyncio.Event().wait()
        return await script(request)

    upstream.misbehaves = answer
    config = run_config(
        providers={"inference": [openai_at(upstream.url)], "synthetic_data_generation": one_by_one(timeout_s=0.5)}
    )
    async with serving(config, tmp_path) as served:
        assert (await served.client.get(f"/v1/models/{MODEL}")).status == 200
        found = await made(served.client, row_schema=COLOUR, num_samples=9)
        status, _, message = await refused(served.client, row_schema=COLOUR)
        assert status == 503 and message.startswith("The model answered nothing within 0.5 s")
    assert is_waiting.is_set()
    assert found["synthetic_data"] == [{"colour": "red"}, {"colour": "green"}]
    statistics = found["statistics"]
    assert (statistics["ended"], statistics["num_asked"], statistics["num_unfinished"]) == ("time", 3, 1)


async def test_what_cannot_be_made_up_is_refused_before_a_model_is_asked(client: Client, upstream: Upstream) -> None:
    script = scripted(upstream, "nothing")
    status, param, message = await refused(client)
    assert (status, param) == (400, "dialogs") and "`row_schema`" in message
    status, param, message = await refused(client, row_schema={"type": "list"})
    assert (status, param) == (400, "row_schema.type") and "not a valid JSON Schema" in message
    status, param, message = await refused(client, row_schema={"type": "array"})
    assert (status, param) == (400, "row_schema") and "a row is an object" in message
    status, param, message = await refused(client, row_schema={"$ref": "https://schemas.test/row"})
    assert (status, param) == (400, "row_schema") and "is not fetched" in message
    status, param, message = await refused(client, row_schema=COLOUR, seed_rows=[{"colour": "red"}, {"color": "red"}])
    assert (status, param) == (400, "seed_rows") and message.startswith("`seed_rows[1]` does not fit `row_schema`")
    status, param, message = await refused(client, row_schema=COLOUR, seed_dataset_id="peopel")
    assert (status, param) == (404, "seed_dataset_id")
    status, param, message = await refused(client, row_schema=COLOUR, scoring_function="letters::sane")
    assert (status, param) == (404, "scoring_function") and "letters::same" in message
    status, param, message = await refused(client, row_schema=COLOUR, num_samples=1001)
    assert (status, param) == (400, "num_samples")
    assert not script.asked
    upstream.misbehaves = None
    for asked in ({"row_schema": COLOUR, "seed_rows": [{"colour": "red" * 200_000}]}, {"dialogs": [LONG]}):
        status, param, message = await refused(client, **asked)
        assert (status, param) == (400, [*asked][-1]) and "context length" in message
    status, param, message = await refused(client, row_schema=COLOUR, model=f"{MODEL}s")
    assert (status, param) == (404, "model") and f"did you mean `{MODEL}`?" in message
    image = {"type": "image", "image": {"data": "aGVsbG8="}}
    status, param, message = await refused(client, dialogs=[ASKED, {"role": "user", "content": [image]}])
    assert (status, param) == (400, "dialogs[1].content[0].image.data")


async def test_a_stack_without_scoring_and_datasets_says_so(upstream: Upstream, tmp_path: Path) -> None:
    async with serving(run_config(openai_at(upstream.url)), tmp_path) as served:
        for field, api in (
            ("scoring_function", "scoring"),
            ("dataset_id", "datasetio"),
            ("seed_dataset_id", "datasetio"),
        ):
            status, _, message = await refused(served.client, row_schema=COLOUR, **{field: "x"})
            assert status == 503 and f"the API {api} is there" in message
        assert not upstream.calls("/chat/completions")


@pytest.mark.parametrize(
    ("asked", "status", "param", "words"),
    [
        ({"dataset_id": "of-the-config"}, 409, "dataset_id", "comes from the run config"),
        ({"dataset_id": "of-another"}, 409, "dataset_id", "already registered with provider `lists`"),
        ({"dataset_id": "new", "dataset_provider_id": "none"}, 400, "dataset_provider_id", "No datasetio provider"),
        ({"dataset_id": "new"}, 400, "dataset_provider_id", "Several providers"),
        ({"dataset_id": "new/", "dataset_provider_id": "lists"}, 400, "dataset_id", "loses the `/`"),
        ({"dataset_id": "new", "dataset_provider_id": "nemo"}, 400, "source", "takes no rows"),
    ],
)
async def test_a_dataset_that_cannot_be_made_is_refused_before_a_model_is_asked(
    upstream: Upstream,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    asked: dict[str, Any],
    status: int,
    param: str,
    words: str,
) -> None:
    with_lists(monkeypatch)
    nemo = {"provider_id": "nemo", "provider_type": "remote::nvidia", "config": {"datasets_url": upstream.url}}
    facts = {"purpose": "eval/question-answer", "source": rows_source({"a": 1}), "provider_id": "lists"}
    config = run_config(
        providers={"inference": [openai_at(upstream.url)], "datasetio": [LISTS, nemo]},
        registered_resources={"datasets": [{"dataset_id": "of-the-config", **facts}]},
    )
    script = scripted(upstream, {"colour": "red"})
    async with serving(config, tmp_path) as served:
        if asked["dataset_id"] == "of-another":
            assert (await served.client.post("/v1beta/datasets", facts | {"dataset_id": "of-another"})).status == 200
            asked = {**asked, "dataset_provider_id": "nemo"}
        elif asked["dataset_id"] == "of-the-config":
            asked = {**asked, "dataset_provider_id": "lists"}
        answer = await served.client.post(PATH, {"row_schema": COLOUR, **asked})
        listed = [one["identifier"] for one in (await served.client.get("/v1beta/datasets")).json()["data"]]
    assert (answer.status, answer.error["param"]) == (status, param), answer.body
    assert words in answer.error["message"]
    assert not script.asked and "new" not in listed


async def test_rows_that_cannot_be_kept_as_a_dataset_are_answered(
    client: Client, upstream: Upstream, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def full(self: Lists, *_: Any) -> Any:
        raise Unavailable("the disk is full")

    monkeypatch.setattr(Lists, "take_registration", full)
    scripted(upstream, {"colour": "red"})
    answer = await client.post(PATH, {"row_schema": COLOUR, "num_samples": 1, "dataset_id": "made"})
    assert answer.status == 200, answer.body
    found = answer.json()
    assert found["synthetic_data"] == [{"colour": "red"}]
    assert found["dataset_id"] is None and "the disk is full" in found["dataset_error"]
    assert "did not become the dataset `made`" in answer.headers["x-llama-warnings"]


async def test_rows_that_cannot_be_scored_are_answered_beside_those_that_are_kept(
    client: Client, upstream: Upstream
) -> None:
    """The first one can be; so that nobody finds it out before all are made."""
    schema = {**PAIR, "required": ["generated_answer"]}
    odd: dict[str, Any] = {"generated_answer": "x"}
    scripted(
        upstream,
        {"generated_answer": "a", "expected_answer": "a"},
        odd,
        {"generated_answer": "b", "expected_answer": "b"},
    )
    found = await made(client, row_schema=schema, num_samples=3, scoring_function="letters::same", threshold=0.5)
    assert [one["generated_answer"] for one in found["synthetic_data"]] == ["a", "b"]
    assert found["unscored_data"] == [odd]
    statistics = found["statistics"]
    assert (statistics["num_unscored"], statistics["num_kept"]) == (1, 2)
    assert "no column `expected_answer`" in statistics["first_unscored"]


async def test_what_a_broken_off_turn_has_answered_is_kept(upstream: Upstream, tmp_path: Path) -> None:
    asked = 0

    async def answer(request: web.Request) -> web.StreamResponse:
        nonlocal asked
        if request.method == "GET":
            return await Script()(request)
        asked += 1
        if asked == 2:
            await asyncio.Event().wait()
        return await Script(says(json.dumps({"colour": f"of {asked}" * asked})))(request)

    config = run_config(
        providers={
            "inference": [openai_at(upstream.url)],
            "synthetic_data_generation": one_by_one(timeout_s=1, max_concurrent_requests=4),
        }
    )
    async with serving(config, tmp_path) as served:
        assert (await served.client.get(f"/v1/models/{MODEL}")).status == 200
        upstream.misbehaves = answer
        found = await made(served.client, row_schema=COLOUR, num_samples=4)
    assert len(found["synthetic_data"]) == 3
    statistics = found["statistics"]
    assert (statistics["ended"], statistics["num_asked"], statistics["num_unfinished"]) == ("time", 4, 1)
    assert statistics["completion_tokens"] > 0


@pytest.mark.parametrize("failing", ["for now", "for good"])
async def test_an_embedding_model_that_fails_loses_no_rows(client: Client, upstream: Upstream, failing: str) -> None:
    script = scripted(upstream, {"colour": "red"}, {"colour": "green"})
    embedded = 0

    async def answer(request: web.Request) -> web.StreamResponse:
        nonlocal embedded
        if not request.path.endswith("/embeddings"):
            return await script(request)
        embedded += 1
        if embedded == 2 and failing == "for now":
            return web.json_response({"error": {"message": "slower"}}, status=429, headers={"retry-after": "0"})
        if embedded >= 2 and failing == "for good":
            return web.json_response({"error": {"message": "no such model"}}, status=400)
        data = [{"index": 0, "object": "embedding", "embedding": [1.0, 0.0] if embedded == 1 else [0.0, 1.0]}]
        return web.json_response({"object": "list", "data": data, "model": "m", "usage": {}})

    upstream.misbehaves = answer
    diversity = {"embedding_model": f"vendor/{EMBEDDING_MODEL}"}
    found = await made(client, row_schema=COLOUR, num_samples=2, diversity=diversity)
    kept = [{"colour": "red"}, {"colour": "green"}]
    assert found["synthetic_data"] == (kept if failing == "for now" else kept[:1])
    statistics = found["statistics"]
    assert statistics["ended"] == ("enough" if failing == "for now" else "failures")
    assert statistics["num_unfinished"] == (0 if failing == "for now" else 1)
    assert ("no such model" in (statistics["first_failure"] or "")) == (failing == "for good")
