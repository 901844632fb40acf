"""Vector databases whose protocol no small server speaks: the suite over drivers that know statements by their text.

So everything of ours is run. Whether the database takes the statements is what `unproven` says.
"""

from __future__ import annotations

import inspect
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

import pytest

from runtime import discovery
from runtime.conformance.contexts import provider_context
from runtime.conformance.vector_io import test_vector_io
from runtime.conformance.vector_io.asking import Asked, drawn, numbered
from runtime.conformance.vector_io.subject import PROVIDER_ID, Opened
from runtime.errors import Unavailable
from runtime.http.client import HttpClient
from runtime.providers.vector_io._shared.remote import RemoteVectors
from runtime.providers.vector_io.neo4j.config import Neo4jConfig
from runtime.providers.vector_io.neo4j.server import Neo4jServer
from runtime.providers.vector_io.oci.config import OracleConfig
from runtime.providers.vector_io.oci.server import OracleServer
from tests.conformance.vector_io.subject import built_in
from tests.conformance.vector_io.vendors.neo4j import Neo4j
from tests.conformance.vector_io.vendors.oracle import Oracle

_CLAIMS: Mapping[str, Callable[[Asked], Awaitable[None]]] = {
    name: function
    for name, function in inspect.getmembers(test_vector_io, inspect.iscoroutinefunction)
    if name.startswith("test_") and [*inspect.signature(function).parameters] == ["vectors"]
}


def _neo4j() -> tuple[str, Any, Any]:
    driver = Neo4j()
    config = Neo4jConfig.model_validate({"uri": "bolt://127.0.0.1:7687", "password": "secret"})
    return "remote::neo4j", driver, Neo4jServer(config, lambda: driver)


def _oracle() -> tuple[str, Any, Any]:
    driver = Oracle()
    config = OracleConfig.model_validate({"conn_str": "127.0.0.1:1521/free", "user": "ada", "password": "secret"})
    return "remote::oci", driver, OracleServer(config, lambda: driver)


_MADE = {"neo4j": _neo4j, "oci": _oracle}


def _asked(name: str) -> tuple[Asked, Any]:
    """An adapter, and the driver that it asks."""
    provider_type, driver, server = _MADE[name]()
    http = HttpClient(PROVIDER_ID)
    context = provider_context(built_in(provider_type), http=http, provider_id=PROVIDER_ID)
    return Asked(Opened(RemoteVectors(context, server, stop=server.close), http)), driver


def test_they_are_those_that_are_not_proven() -> None:
    specs = [
        spec for spec in discovery.built_in().specs if spec.api == "vector_io" and spec.evidence.proof == "unproven"
    ]
    assert {spec.provider_type for spec in specs} == {_MADE[name]()[0] for name in _MADE}
    assert len(_CLAIMS) > 10


@pytest.mark.parametrize("claim", _CLAIMS)
@pytest.mark.parametrize("name", _MADE)
async def test_what_every_vector_database_promises(name: str, claim: str) -> None:
    vectors, _ = _asked(name)
    try:
        await _CLAIMS[claim](vectors)
    finally:
        await vectors.stop()


@pytest.mark.parametrize("name", _MADE)
async def test_a_database_that_is_down_says_why(name: str) -> None:
    vectors, driver = _asked(name)
    await vectors.create(3)
    driver.is_down = True
    for call in (
        vectors.create(3, "vs_2"),
        vectors.put([1], drawn(1, 3)),
        vectors.search(drawn(1, 3)[0]),
        vectors.drop(),
    ):
        with pytest.raises(Unavailable, match=r"The vector database `acme` cannot be used: .*refused"):
            await call
    await vectors.stop()


async def test_a_large_group_is_removed_from_neo4j_in_several_transactions() -> None:
    vectors, driver = _asked("neo4j")
    await vectors.create(2)
    await vectors.put(numbered(1, 10_001), drawn(10_001, 2))
    await vectors.remove(1)
    assert (await vectors.search(drawn(1, 2)[0])).numbers == []
    assert sum("WHERE n.in_group IN $groups WITH n LIMIT $most DELETE n" in text for text in driver.asked) == 2
    await vectors.stop()


async def test_oracle_commits_each_change() -> None:
    vectors, driver = _asked("oci")
    await vectors.create(2)
    before = driver.commits
    await vectors.put([1], drawn(1, 2))
    await vectors.remove(0)
    assert driver.commits == before + 2
    await vectors.stop()
