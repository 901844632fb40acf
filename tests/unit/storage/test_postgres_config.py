"""The settings of a PostgreSQL backend: where it is, said in one of two ways, and never with its password."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError

from runtime.storage.placement import StorageConfig
from runtime.storage.postgres.config import PostgresKeyValueConfig, PostgresSqlConfig


def settings(**given: Any) -> PostgresSqlConfig:
    return PostgresSqlConfig.model_validate({"type": "sql_postgres", **given})


@pytest.mark.parametrize(
    ("given", "place"),
    [
        ({}, "`llamastack` at localhost:5432"),
        ({"host": "db.example", "port": "6432", "db": "stack", "password": "secret"}, "`stack` at db.example:6432"),
        ({"host": "/run/postgresql"}, "`llamastack` at /run/postgresql"),
        ({"connection_string": "postgresql://me:se%40cret@db.example/my%20db"}, "`my db` at db.example:5432"),
        ({"connection_string": "postgres://db.example:6432/x?sslmode=require"}, "`x` at db.example:6432"),
        ({"connection_string": "postgresql+asyncpg://me:secret@[::1]:6432/x"}, "`x` at [::1]:6432"),
        ({"connection_string": "postgresql://me@/x?host=/run/pg&port=6432"}, "`x` at /run/pg"),
        ({"connection_string": "postgresql://?host=h&dbname=d&port=1"}, "`d` at h:1"),
        ({"connection_string": "postgresql://a:1,b:2/x"}, "`x` at a:1,b:2:5432"),
    ],
)
def test_a_message_names_the_database_without_user_and_password(given: dict[str, Any], place: str) -> None:
    assert settings(**given).place() == f"the PostgreSQL database {place}"


def test_a_connection_string_says_it_all() -> None:
    config = settings(connection_string="postgresql+asyncpg://u@h/d", pool_size=3, ssl_mode="require")
    assert (config.url(), config.pool_size) == ("postgresql://u@h/d", 3)
    assert "u@h" not in repr(config)
    with pytest.raises(ValidationError, match="`connection_string` says it all: leave out `host`, `password`"):
        settings(connection_string="postgresql://h/d", host="h", password="secret")


@pytest.mark.parametrize("text", ["mysql://h/d", "host=h dbname=d", "postgresql:h"])
def test_another_string_is_refused_and_not_shown(text: str) -> None:
    with pytest.raises(ValidationError, match="does not begin with `postgresql://`"):
        settings(connection_string=text)


def test_settings_of_llama_stack_and_ogx_are_read() -> None:
    parts = {"host": "h", "port": "5432", "db": "d", "user": "u", "password": "p"}
    kv = {"ssl_mode": "verify-full", "ca_cert_path": "/ca.pem", "table_name": "ogx_kvstore", "namespace": "n"}
    sql = {"pool_size": 10, "max_overflow": 20, "pool_recycle": -1, "pool_pre_ping": True}
    backends = {
        "kv_default": {"type": "kv_postgres", **parts, **kv},
        "sql_default": {"type": "sql_postgres", **parts, **sql},
    }
    config = StorageConfig.model_validate({"backends": backends})
    assert isinstance(config.backends["kv_default"], PostgresKeyValueConfig)
    assert config.backends["kv_default"].table_name == "ogx_kvstore"
    assert config.packages() == ("asyncpg>=0.30",)


@pytest.mark.parametrize(
    "given",
    [{"port": 0}, {"pool_size": 0}, {"ssl_mode": "yes"}, {"max_overflow": -1}, {"table_name": "x"}, {"db": ""}],
)
def test_settings_that_make_no_sense_are_refused(given: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        settings(**given)
