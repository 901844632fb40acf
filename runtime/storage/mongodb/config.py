"""The settings of a backend in MongoDB, by the names of llama-stack and ogx."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, SecretStr

from runtime.storage.settings import KeyValueServerConfig


class MongoKeyValueConfig(KeyValueServerConfig):
    """Keys and values in one collection of a MongoDB server, 4.4 or newer.

    Writes are acknowledged once a majority of the servers has them on disk. Several keys change together only where
    there are transactions: in a replica set, which may have a single member, or a sharded cluster. A value has at most
    16 MB.
    """

    type: Literal["kv_mongodb"] = "kv_mongodb"
    called = "MongoDB"
    parts = ("host", "port", "user", "password", "tls")
    schemes = ("mongodb", "mongodb+srv")
    port: int = Field(27017, ge=1, le=65535, description="Its port.")
    db: str = Field("llamastack", min_length=1, description="The database; it is made with the first key.")
    user: str | None = Field(None, min_length=1, description="A user of the database `admin` who may write to `db`.")
    collection_name: str = Field("llamastack_kvstore", min_length=1, description="The collection in the database.")
    url: SecretStr | None = Field(
        None,
        description="Server and user in one, also of several servers: `mongodb://user:password@a:27017,b:27017`, or"
        " `mongodb+srv://...`. Characters of their own meaning, such as `@`, are percent-encoded.",
    )
