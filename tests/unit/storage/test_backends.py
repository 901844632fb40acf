"""The table of backends: each entry agrees with its config and with what opens it."""

from __future__ import annotations

from typing import get_args

import pytest

from runtime.storage.backends import BACKENDS
from runtime.storage.settings import KeyValueConfig


@pytest.mark.parametrize("name", BACKENDS)
def test_the_family_is_that_of_the_name_and_of_the_config(name: str) -> None:
    backend = BACKENDS[name]
    assert name.startswith(f"{backend.family}_")
    assert get_args(backend.config.model_fields["type"].annotation) == (name,)
    assert issubclass(backend.config, KeyValueConfig) == (backend.family == "kv")


@pytest.mark.parametrize("name", BACKENDS)
def test_what_opens_a_backend_is_there(name: str) -> None:
    assert callable(BACKENDS[name].load())


def test_every_type_of_other_versions_is_known() -> None:
    types = {"kv_sqlite", "kv_redis", "kv_postgres", "kv_mongodb", "sql_sqlite", "sql_postgres"}
    assert {*BACKENDS} - types == {"kv_memory"}


@pytest.mark.parametrize("name", BACKENDS)
def test_every_setting_is_described(name: str) -> None:
    fields = BACKENDS[name].config.model_fields
    assert [field for field, info in fields.items() if field != "type" and not info.description] == []
