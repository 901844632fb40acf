"""A Llama model has one name everywhere: its canonical id means each vendor's own name for it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from runtime import catalog
from runtime.access import User
from runtime.conformance.asgi import Client
from runtime.conformance.stacks import run_config
from runtime.conformance.upstream import Upstream
from runtime.provider import ListedModel
from runtime.routing.entry import Entry
from runtime.routing.listed_models import usable
from runtime.routing.names import Names
from tests.support.stacks import serving

LLAMA = "meta-llama/Llama-3.3-70B-Instruct"
AT_GROQ = "llama-3.3-70b-versatile"
AT_SAMBANOVA = "Meta-Llama-3.3-70B-Instruct"
MESSAGES = [{"role": "user", "content": "hi"}]


def at(upstream: Upstream, vendor: str, **config: Any) -> dict[str, Any]:
    settings = {"base_url": upstream.url, "api_key": "sk-configured-secret", **config}
    return {"provider_id": vendor, "provider_type": f"remote::{vendor}", "config": settings}


async def asked_as(client: Client, upstream: Upstream, name: str) -> Any:
    """The name that the vendor is asked for; or the error."""
    upstream.seen.clear()
    answer = await client.post("/v1/chat/completions", {"model": name, "messages": MESSAGES})
    asked = [seen.json()["model"] for seen in upstream.calls("/chat/completions")]
    return asked[0] if asked else answer.error


@pytest.mark.parametrize("name", [AT_GROQ, LLAMA, f"groq/{LLAMA}", f"groq/{AT_GROQ}"])
async def test_a_canonical_id_means_the_vendors_own_name(upstream: Upstream, tmp_path: Path, name: str) -> None:
    upstream.models = [AT_GROQ, "another"]
    async with serving(run_config(at(upstream, "groq")), tmp_path) as served:
        assert await asked_as(served.client, upstream, name) == AT_GROQ
        shown = (await served.client.get(f"/v1/models/{name}")).json()
    assert shown["id"] == f"groq/{AT_GROQ}"
    assert shown["custom_metadata"]["canonical_model_id"] == LLAMA
    assert shown["custom_metadata"]["context_length"] == 131072


async def test_several_vendors_of_it_are_named(upstream: Upstream, tmp_path: Path) -> None:
    upstream.models = [AT_GROQ, AT_SAMBANOVA]
    async with serving(run_config(at(upstream, "groq"), at(upstream, "sambanova")), tmp_path) as served:
        error = await asked_as(served.client, upstream, LLAMA)
        assert error["code"] == "model_ambiguous"
        assert f"groq/{AT_GROQ}" in error["message"] and f"sambanova/{AT_SAMBANOVA}" in error["message"]
        assert await asked_as(served.client, upstream, f"sambanova/{LLAMA}") == AT_SAMBANOVA


@pytest.mark.parametrize("listed", [(), (LLAMA,)])
async def test_what_the_run_config_names_so_is_asked_for_by_the_vendors_name(
    upstream: Upstream, tmp_path: Path, listed: tuple[str, ...]
) -> None:
    """Unless the vendor itself calls it by the canonical id."""
    upstream.models = [*listed]
    models = [{"model_id": "mine", "provider_id": "groq", "provider_model_id": LLAMA}]
    async with serving(run_config(at(upstream, "groq"), models=models), tmp_path) as served:
        assert await asked_as(served.client, upstream, "mine") == (LLAMA if listed else AT_GROQ)


@pytest.mark.parametrize("is_late", [False, True])
async def test_it_still_means_what_is_listed_where_that_is_registered_under_its_own_id(
    upstream: Upstream, tmp_path: Path, is_late: bool
) -> None:
    upstream.models = [AT_GROQ]
    named: dict[str, Any] = {"model_id": f"groq/{AT_GROQ}", "provider_id": "groq", "provider_model_id": AT_GROQ}
    named["metadata"] = {"context_length": 7}
    async with serving(run_config(at(upstream, "groq"), models=[] if is_late else [named]), tmp_path) as served:
        if is_late:
            assert await asked_as(served.client, upstream, LLAMA) == AT_GROQ
            answer = await served.client.post("/v1/models", named)
            assert answer.status == 200, answer.body
        for name in (AT_GROQ, f"groq/{AT_GROQ}", f"groq/{LLAMA}", LLAMA):
            assert await asked_as(served.client, upstream, name) == AT_GROQ
            shown = (await served.client.get(f"/v1/models/{name}")).json()["custom_metadata"]
            assert shown["context_length"] == 7


@pytest.mark.parametrize("name", ["meta/x", "p/meta/x"])
@pytest.mark.parametrize("is_asked_before", [False, True])
def test_it_never_means_what_another_user_has_registered(name: str, is_asked_before: bool) -> None:
    names = Names("Model", "model", declared=(), resolved={})
    listed = Entry(id="p/x", provider_id="p", provider_resource_id="x", known_as="meta/x")
    theirs = replace(listed, known_as="", source="registered", owner=User(principal="a"))
    names.replace_listed([listed])
    if is_asked_before:
        assert names.find(name, User(principal="b")) is listed
    names.keep(theirs)
    assert names.find(name, User(principal="b")) is listed
    names.drop("p/x")
    names.keep(replace(theirs, provider_id="q"))
    assert names.find(name, User(principal="b")) is listed


async def test_a_vendor_without_a_list_is_asked_by_its_own_name(upstream: Upstream, tmp_path: Path) -> None:
    upstream.models = []
    async with serving(run_config(at(upstream, "groq")), tmp_path) as served:
        assert await asked_as(served.client, upstream, f"groq/{LLAMA}") == AT_GROQ
        assert await asked_as(served.client, upstream, "groq/unknown-model") == "unknown-model"


def test_what_a_provider_says_comes_before_the_catalogue() -> None:
    listed = [ListedModel(provider_model_id=AT_GROQ, metadata={"context_length": 5})]
    [entry], _ = usable("groq", listed, vendor="groq")
    assert entry.metadata == {
        "canonical_model_id": LLAMA, "context_length": 5,
        "input_modalities": ["text"], "output_modalities": ["text"],
    }  # fmt: skip


@pytest.mark.parametrize(
    ("vendor", "name", "known_as"),
    [
        ("groq", AT_GROQ, LLAMA),
        ("groq", AT_GROQ.upper(), LLAMA),
        ("together", AT_GROQ, ""),
        ("meta-reference", "Llama3.2-1B-Instruct", "meta-llama/Llama-3.2-1B-Instruct"),
        ("vllm", LLAMA, ""),
        ("vllm", "gpt-oss", ""),
    ],
)
def test_which_model_a_name_means_depends_on_the_vendor(vendor: str, name: str, known_as: str) -> None:
    [entry], _ = usable("p", [ListedModel(provider_model_id=name)], vendor=vendor)
    assert entry.known_as == known_as


def test_the_catalogue_says_where_each_vendors_names_are_from() -> None:
    vendors = {vendor for model in catalog.models() for vendor in model.vendors}
    assert vendors == set(catalog.names_from())
    for found in catalog.names_from().values():
        assert found.source and found.seen.count("-") == 2


def test_of_checkpoints_with_one_id_the_one_that_the_vendor_has_is_meant() -> None:
    called = catalog.called_at("databricks", "meta-llama/Llama-4-Maverick-17B-128E-Instruct")
    assert called is not None and called.name == "databricks-llama-4-maverick"
    assert catalog.called_at("groq", "gpt-4o") is None
