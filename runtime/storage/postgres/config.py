"""The settings of backends in PostgreSQL, `kv_postgres` and `sql_postgres`, by the names of llama-stack and ogx."""

from __future__ import annotations

import re
from typing import Literal, Self
from urllib.parse import parse_qsl, unquote, urlsplit

from pydantic import Field, SecretStr, model_validator

from runtime.storage.settings import BackendConfig, KeyValueConfig, TableName, check_address

_PARTS = ("host", "port", "db", "user", "password")
_ADDRESS = re.compile(r"(?P<host>\[[^\]]*\]|[^:]*)(:(?P<port>\d+))?")
_SCHEMES = ("postgresql", "postgres", "postgresql+asyncpg")


class PostgresSettings(BackendConfig):
    """Where a PostgreSQL server is, and how many connections it gets. What is left out is as libpq has it in its
    variables: `PGPASSWORD`, `PGPASSFILE`, `PGSSLMODE`, `PGSSLROOTCERT`, ...
    """

    host: str = Field("localhost", min_length=1, description="The server, or the folder of its Unix socket.")
    port: int = Field(5432, ge=1, le=65535, description="Its port.")
    db: str = Field("llamastack", min_length=1, description="The database. It must be there; its tables are made.")
    user: str = Field("llamastack", min_length=1, description="Its user, who may make tables in the database.")
    password: SecretStr | None = Field(None, description="The user's password.")
    connection_string: SecretStr | None = Field(
        None,
        description="All of that in one: `postgresql://user:password@host:5432/db?sslmode=require`. Parts of it that"
        " have characters of their own meaning, such as `@`, are percent-encoded.",
    )
    ssl_mode: Literal["disable", "allow", "prefer", "require", "verify-ca", "verify-full"] | None = Field(
        None,
        description="Whether the connection is encrypted (`require`), also to a server whose certificate is from a"
        " known authority (`verify-ca`) and for this host (`verify-full`). `prefer` by default: encrypted if the server"
        " can.",
    )
    ca_cert_path: str | None = Field(
        None, min_length=1, description="A file with the certificates of the authorities that `ssl_mode` checks by."
    )
    pool_size: int = Field(10, ge=1, description="Connections that are kept open.")
    max_overflow: int = Field(20, ge=0, description="Connections beyond that while there is much to do.")
    pool_recycle: int = Field(
        -1, ge=-1, description="Seconds after which a connection is replaced before it is used again; -1 for never."
    )
    pool_pre_ping: bool = Field(
        True, description="Ask a connection that was idle for a second whether it still works before it is used."
    )
    statement_cache_size: int = Field(
        100,
        ge=0,
        description="Prepared statements that a connection keeps. 0 for a PgBouncer before version 1.21 that pools"
        " transactions or statements.",
    )

    @model_validator(mode="after")
    def _is_one_place(self) -> Self:
        check_address(self, "connection_string", parts=_PARTS, schemes=_SCHEMES)
        return self

    def url(self) -> str | None:
        """The connection string as the driver takes it, with its password; None where there is none."""
        if self.connection_string is None:
            return None
        _, _, rest = self.connection_string.get_secret_value().partition("://")
        return f"postgresql://{rest}"

    def place(self) -> str:
        """The database, for messages: without user and password."""
        host, port, db = self.host, str(self.port), self.db
        if url := self.url():
            parts = urlsplit(url)
            named = dict(parse_qsl(parts.query))
            found = _ADDRESS.fullmatch(parts.netloc.rpartition("@")[2])
            host, port = (found["host"], found["port"] or port) if found else (parts.netloc.rpartition("@")[2], port)
            host, port = host or named.get("host", "localhost"), named.get("port", port)
            db = unquote(parts.path.lstrip("/")) or named.get("dbname", "postgres")
        return f"the PostgreSQL database `{db}` at {host if host.startswith('/') else f'{host}:{port}'}"


class PostgresKeyValueConfig(PostgresSettings, KeyValueConfig):
    """Keys and values in one table of a PostgreSQL database."""

    type: Literal["kv_postgres"] = "kv_postgres"
    table_name: TableName = Field("llamastack_kvstore", description="The table; it is made if it is missing.")


class PostgresSqlConfig(PostgresSettings):
    """Tables in a PostgreSQL database."""

    type: Literal["sql_postgres"] = "sql_postgres"
