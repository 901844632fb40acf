"""The settings of a backend in MongoDB, by the names of llama-stack and ogx."""

from __future__ import annotations

from typing import Literal, Self

from pydantic import Field, SecretStr, model_validator

from runtime.storage.settings import KeyValueConfig, check_address, host_of

_PARTS = ("host", "port", "user", "password", "tls")


class MongoKeyValueConfig(KeyValueConfig):
    """Keys and values in one collection of a MongoDB server, 4.4 or newer.

    Writes are acknowledged once a majority of the servers has them on disk. Several keys change together only where
    there are transactions: in a replica set, which may have a single member, or a sharded cluster. A value has at most
    16 MB.
    """

    type: Literal["kv_mongodb"] = "kv_mongodb"
    host: str = Field("localhost", min_length=1, description="The server.")
    port: int = Field(27017, ge=1, le=65535, description="Its port.")
    db: str = Field("llamastack", min_length=1, description="The database; it is made with the first key.")
    user: str | None = Field(None, min_length=1, description="A user of the database `admin` who may write to `db`.")
    password: SecretStr | None = Field(None, description="The user's password.")
    collection_name: str = Field("llamastack_kvstore", min_length=1, description="The collection in the database.")
    tls: bool = Field(False, description="Whether the connection is encrypted, and the server's certificate checked.")
    url: SecretStr | None = Field(
        None,
        description="Server and user in one, also of several servers: `mongodb://user:password@a:27017,b:27017`, or"
        " `mongodb+srv://...`. Characters of their own meaning, such as `@`, are percent-encoded.",
    )
    ca_cert_path: str | None = Field(
        None, min_length=1, description="A file with the certificates of authorities to check the server's with."
    )

    @model_validator(mode="after")
    def _is_one_place(self) -> Self:
        check_address(self, "url", parts=_PARTS, schemes=("mongodb", "mongodb+srv"))
        return self

    def place(self) -> str:
        """The server, for messages: without user and password."""
        where = f"{self.host}:{self.port}" if self.url is None else host_of(self.url)
        return f"the MongoDB server at {where}"
