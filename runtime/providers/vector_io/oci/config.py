"""Settings of an Oracle database, by the names of llama-stack and ogx."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, SecretStr

from runtime.providers.vector_io._shared.config import VectorConfig


class OracleConfig(VectorConfig):
    """Where the database is."""

    conn_str: str = Field(
        min_length=1, description="The database: `host:port/service`, or a name of the file `tnsnames.ora`."
    )
    user: str = Field(min_length=1, description="Its user, who may make tables.")
    password: SecretStr = Field(description="The user's password.")
    tnsnames_loc: str | None = Field(None, description="The folder of `tnsnames.ora`, if `conn_str` is a name there.")
    ewallet_pem_loc: str | None = Field(None, description="The folder of `ewallet.pem`, for mutual TLS.")
    ewallet_password: SecretStr | None = Field(None, description="The password of `ewallet.pem`.")
    vector_datatype: Literal["FLOAT32", "FLOAT64"] = Field(
        "FLOAT32", description="How the database keeps each number of a vector, in collections that are made."
    )
    timeout_s: float = Field(60.0, gt=0, description="The longest wait for a connection or an answer, in seconds.")
