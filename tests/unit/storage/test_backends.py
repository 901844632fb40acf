"""The table of backends: each entry agrees with its config and with what opens it."""

from __future__ import annotations

from typing import get_args

import pytest

from runtime.storage.backends import BACKEND_TYPES, BACKENDS, types_of
from runtime.storage.settings import KeyValueConfig


@pytest.mark.parametrize("name", BACKENDS)
def test_the_family_is_that_of_the_name_and_of_the_config(name: str) -> None:
    backend = BACKENDS[name]
    assert name.startswith(f"{backend.family}_")
    if backend.config is not None:
        assert get_args(backend.config.model_fields["type"].annotation) == (name,)
        assert issubclass(backend.config, KeyValueConfig) == (backend.family == "kv")


@pytest.mark.parametrize("name", types_of("kv"))
def test_what_opens_a_backend_is_there(name: str) -> None:
    assert callable(BACKENDS[name].load())


def test_what_other_versions_know_is_no_type_of_this_one() -> None:
    assert BACKEND_TYPES == ("kv_memory", "kv_postgres", "kv_redis", "kv_sqlite", "sql_postgres", "sql_sqlite")
    assert types_of("sql") == ["sql_postgres", "sql_sqlite"]
