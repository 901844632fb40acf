"""Names that follow from what providers list: aliases, `provider_model_id: auto`, `model_validation: true`."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any

import pytest

from runtime.access import EVERYBODY
from runtime.conformance.stacks import Served, run_config
from runtime.errors import Conflict, RequestError, StackError
from runtime.provider import ListedModel
from runtime.stack import listings as listings_module
from runtime.stack.plan import plan
from runtime.stack.stack import Stack
from tests.support.listing import Listing, listing_provider, until
from tests.support.stacks import serving, table_of

SOON: dict[str, Any] = {"server": {"registry_refresh_interval_seconds": 0.02}}
AUTO = {"model_id": "mine", "provider_id": "all", "provider_model_id": "auto"}


@pytest.fixture(autouse=True)
def soon_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(listings_module, "_RETRY_S", 0.01)


def embedder(name: str) -> ListedModel:
    return ListedModel(provider_model_id=name, model_type="embedding", metadata={"embedding_dimension": 8})


async def meaning(served: Served, name: str) -> str | None:
    """The provider's name of the model that a name means; None where it means none."""
    answer = await served.client.get(f"/v1/models/{name}")
    return answer.json()["provider_resource_id"] if answer.status == 200 else None


async def test_auto_is_the_first_model_of_its_type_and_follows_the_list(listing: type[Listing], tmp_path: Path) -> None:
    listing.lists["l"] = [embedder("e"), "first", "second"]
    models = [AUTO, {**AUTO, "model_id": "vectors", "model_type": "embedding", "metadata": {"embedding_dimension": 4}}]
    async with serving(run_config(listing_provider("l", "remote"), models=models, **SOON), tmp_path) as served:
        assert (await meaning(served, "mine"), await meaning(served, "vectors")) == ("first", "e")
        assert (await served.client.get("/v1/models/vectors")).json()["metadata"] == {"embedding_dimension": 4}
        assert [model["id"] for model in (await served.client.get("/v1/models")).json()["data"]] == [
            "l/first", "mine", "l/e", "vectors", "l/second",
        ]  # fmt: skip
        listing.lists["l"] = ["second"]
        await until(lambda: table_of(served.stack).find("mine", EVERYBODY).provider_resource_id == "second")
        assert await meaning(served, "vectors") is None


async def test_auto_waits_for_its_provider_and_says_for_which(listing: type[Listing], tmp_path: Path) -> None:
    listing.lists["l"] = RuntimeError("not yet")
    async with serving(run_config(listing_provider("l", "remote"), models=[AUTO]), tmp_path) as served:
        chat = {"model": "mine", "messages": [{"role": "user", "content": "hi"}]}
        answer = await served.client.post("/v1/chat/completions", chat)
        assert (answer.status, answer.error["code"]) == (503, "provider_unavailable")
        assert "provider `l`" in answer.error["message"] and "did not list its models" in answer.error["message"]
        listing.lists["l"] = ["late"]
        await until(lambda: table_of(served.stack).find("mine", EVERYBODY))
        assert await meaning(served, "mine") == "late"


async def test_auto_of_a_provider_that_is_down_gives_its_reason(tmp_path: Path) -> None:
    vllm = {"provider_id": "vllm", "provider_type": "remote::vllm"}
    async with serving(run_config(vllm, models=[AUTO]), tmp_path) as served:
        answer = await served.client.get("/v1/models/mine")
        assert answer.status == 503 and "provider `vllm` has no address" in answer.error["message"]


@pytest.mark.parametrize(
    ("lists", "status", "words"),
    [
        (["there"], 200, None),
        (["other"], 404, "provider `l` does not list `there`"),
        ([], 200, None),  # it cannot tell, and is taken at its word
        (RuntimeError("down"), 503, "waits for provider `l`"),
    ],
)
async def test_a_model_that_its_provider_must_list(
    listing: type[Listing], tmp_path: Path, lists: Any, status: int, words: str | None,
    caplog: pytest.LogCaptureFixture,
) -> None:  # fmt: skip
    listing.lists["l"] = lists
    models = [{"model_id": "mine", "provider_model_id": "there", "provider_id": "l", "model_validation": True}]
    with caplog.at_level(logging.WARNING):
        async with serving(run_config(listing_provider("l", "remote"), models=models), tmp_path) as served:
            answer = await served.client.get("/v1/models/mine")
            assert answer.status == status
            assert words is None or words in answer.error["message"]
            shown = [model["id"] for model in (await served.client.get("/v1/models")).json()["data"]]
            assert ("mine" in shown) == (status == 200)
    assert ("names that are not resolved yet" in caplog.messages) == (status != 200)


async def test_a_model_that_its_provider_must_list_is_served_once_it_does(
    listing: type[Listing], tmp_path: Path
) -> None:
    models = [{"model_id": "there", "provider_id": "l", "model_validation": True}]
    listing.lists["l"] = ["other"]
    async with serving(run_config(listing_provider("l", "remote"), models=models, **SOON), tmp_path) as served:
        assert await meaning(served, "there") is None
        listing.lists["l"] = ["other", "there"]
        await until(lambda: table_of(served.stack).find("there", EVERYBODY))


@pytest.mark.parametrize("order", [["a", "b", "c"], ["c", "b", "a"]])
async def test_an_alias_may_stand_for_an_alias_in_any_order(
    listing: type[Listing], tmp_path: Path, order: list[str]
) -> None:
    listing.lists["l"] = ["m"]
    aliases = {"a": "b", "b": "c", "c": "m"}
    run = run_config(listing_provider("l", "remote"))
    async with serving(run, tmp_path, aliases={name: aliases[name] for name in order}) as served:
        assert [await meaning(served, name) for name in "abc"] == ["m", "m", "m"]


@pytest.mark.parametrize("aliases", [{"a": "a"}, {"a": "b", "b": "a"}, {"a": "b", "b": "c", "c": "b"}])
async def test_aliases_that_stand_for_each_other_mean_nothing_and_harm_nothing(
    listing: type[Listing], tmp_path: Path, aliases: dict[str, str]
) -> None:
    listing.lists["l"] = ["m"]
    async with serving(run_config(listing_provider("l", "remote"), **SOON), tmp_path, aliases=aliases) as served:
        answer = await served.client.get("/v1/models/a")
        assert answer.status == 404 and "stands for" in answer.error["message"]
        assert await meaning(served, "l/m") == "m"


async def test_an_alias_of_its_own_name_is_that_model(listing: type[Listing], tmp_path: Path) -> None:
    listing.lists["l"] = ["m"]
    async with serving(run_config(listing_provider("l")), tmp_path, aliases={"m": "m", "l/m": "m"}) as served:
        assert [await meaning(served, name) for name in ("m", "l/m")] == ["m", "m"]
        assert [one["id"] for one in (await served.client.get("/v1/models")).json()["data"]] == ["l/m", "m"]


async def test_an_alias_takes_the_name_that_a_provider_lists(listing: type[Listing], tmp_path: Path) -> None:
    listing.lists["l"] = ["big", "small"]
    async with serving(run_config(listing_provider("l")), tmp_path, aliases={"l/big": "small"}) as served:
        assert await meaning(served, "l/big") == "small"


@pytest.mark.parametrize("order", [["a", "shared"], ["shared", "a"]])
async def test_an_alias_of_an_alias_is_that_one_whatever_a_provider_calls_so(
    listing: type[Listing], tmp_path: Path, order: list[str]
) -> None:
    listing.lists.update(p=["shared"], q=["other"])
    aliases = {"a": "shared", "shared": "q/other"}
    run = run_config(listing_provider("p"), listing_provider("q"))
    async with serving(run, tmp_path, aliases={name: aliases[name] for name in order}) as served:
        assert [await meaning(served, name) for name in ("a", "shared")] == ["other", "other"]


@pytest.mark.parametrize("name", ["fast", "p/fast"])
async def test_an_alias_that_means_nothing_is_not_the_model_of_its_name(
    listing: type[Listing], tmp_path: Path, name: str
) -> None:
    """Else a request would go to another vendor for as long as the one that was meant lists nothing."""
    listing.lists["p"] = ["fast"]
    run = run_config(listing_provider("p", "remote"), listing_provider("q", "remote"))
    async with serving(run, tmp_path, aliases={name: "gone"}) as served:
        answer = await served.client.get(f"/v1/models/{name}")
        assert answer.status == 404 and "stands for `gone`" in answer.error["message"]
        listed = [model["id"] for model in (await served.client.get("/v1/models")).json()["data"]]
        assert listed == ([] if name == "p/fast" else ["p/fast"])
        taken = {"model_id": name, "provider_id": "p", "provider_model_id": "other"}
        assert (await served.client.post("/v1/models", taken)).status == 409


async def test_an_alias_of_what_comes_later_means_it_once_it_is_there(listing: type[Listing], tmp_path: Path) -> None:
    run = run_config(listing_provider("l", "remote"), **SOON)
    async with serving(run, tmp_path, aliases={"mine": "late"}) as served:
        assert (await served.client.get("/v1/models/mine")).status == 404
        await served.client.post("/v1/models", {"model_id": "late", "provider_id": "l", "provider_model_id": "x"})
        assert await meaning(served, "mine") == "x"
        await served.client.request("DELETE", "/v1/models/late")
        assert await meaning(served, "mine") is None
        listing.lists["l"] = ["late"]
        await until(lambda: table_of(served.stack).find("mine", EVERYBODY))


async def test_an_alias_whose_model_is_unregistered_meanwhile_goes_with_it(
    listing: type[Listing], tmp_path: Path
) -> None:
    run = run_config(listing_provider("l", "remote"))
    async with serving(run, tmp_path, aliases={"mine": "theirs"}) as served:
        await served.client.post("/v1/models", {"model_id": "theirs", "provider_id": "l", "provider_model_id": "x"})
        refused = await served.client.post("/v1/models", {"model_id": "mine", "provider_id": "l"})
        assert refused.status == 409  # it is the command line's
        assert (await served.client.request("DELETE", "/v1/models/mine")).status == 409
        await served.client.request("DELETE", "/v1/models/theirs")
        assert (await served.client.get("/v1/models/mine")).status == 404


@pytest.mark.parametrize(
    ("aliases", "error"),
    [({"mine": "other"}, Conflict), ({"new": "shared"}, RequestError), ({"new": "nobody"}, RequestError)],
)
async def test_an_alias_that_can_never_be_stops_the_start(
    listing: type[Listing], tmp_path: Path, aliases: dict[str, str], error: type[StackError]
) -> None:
    listing.lists.update(a=["shared", "other"], b=["shared"])
    models = [{"model_id": "mine", "provider_id": "a", "provider_model_id": "shared"}]
    run = run_config(listing_provider("a"), listing_provider("b"), models=models)
    with pytest.raises(error):
        await Stack(plan(run), run, state_dir=tmp_path, aliases=aliases).open()


async def test_an_error_that_is_told_twice_keeps_nothing_of_the_first_time(
    listing: type[Listing], tmp_path: Path
) -> None:
    async with serving(run_config(listing_provider("l", "remote"), models=[AUTO]), tmp_path) as served:
        first, second = (table_of(served.stack).unknown("mine", EVERYBODY) for _ in range(2))
        assert first is not second
        assert first.message == second.message
